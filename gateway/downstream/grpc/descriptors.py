"""The descriptors of a service's messages and methods, from wherever they come, within limits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import (
    any_pb2,
    api_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    source_context_pb2,
    struct_pb2,
    timestamp_pb2,
    type_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from gateway.downstream.translation import plain
from gateway.errors import ConfigurationError
from gateway.protobuf import compile_protos, protos_root

ANNOTATIONS = "gateway/annotations.proto"
MAX_BYTES = 8 * 1024 * 1024
MAX_FILES = 1_024
MAX_FILE_BYTES = 1024 * 1024
MAX_IMPORTS_DEEP = 64
MAX_SERVICES = 256

# They say how calls are made, and nothing that anybody asks for.
_INFRASTRUCTURE = ("grpc.reflection.", "grpc.health.", "grpc.channelz.")
_WELL_KNOWN: Mapping[str, FileDescriptorProto] = {
    module.DESCRIPTOR.name: FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    for module in (
        any_pb2,
        api_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        source_context_pb2,
        struct_pb2,
        timestamp_pb2,
        type_pb2,
        wrappers_pb2,
    )
}


@dataclass(frozen=True, slots=True)
class DescriptorSource:
    """Where the descriptors come from: server reflection, unless a file or protos are named.

    `protos` are paths below `proto_root`. `services` are the full names of those that count;
    none, and all do.
    """

    descriptor_set: Path | None = None
    proto_root: Path | None = None
    protos: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    @property
    def is_reflection(self) -> bool:
        return self.descriptor_set is None and not self.protos


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Each file stands behind those that it imports; `mistakes` cost only a part of the whole."""

    files: tuple[FileDescriptorProto, ...]
    services: tuple[str, ...]
    mistakes: tuple[str, ...] = ()

    def pool(self) -> DescriptorPool:
        """A pool of their own, as two services may define the same name differently.

        Raises:
            ValueError: they contradict each other.
        """
        pool = DescriptorPool()
        for file in self.files:
            try:
                pool.AddSerializedFile(file.SerializeToString())
            except TypeError as error:
                name = plain(file.name, limit=100)
                raise ValueError(
                    f"its file {name!r} makes no sense: {plain(str(error))}"
                ) from error
        return pool


class Collection:
    """Files by their names, as many as the limits let in.

    Google's well-known types are always the library's own: what reads them relies on it.
    """

    def __init__(self) -> None:
        self._files: dict[str, FileDescriptorProto] = {}
        self._imported: set[str] = set()
        self._bytes = 0

    def add(self, raw: bytes) -> None:
        """Raises:
        ValueError: it is too large, there are too many, or it is no descriptor.
        """
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError(f"a descriptor has {len(raw)} bytes, and {MAX_FILE_BYTES} is the most")
        try:
            file = FileDescriptorProto.FromString(raw)
        except DecodeError as error:
            raise ValueError("it sent a descriptor that is none") from error
        self._keep(file, len(raw))

    def missing(self) -> set[str]:
        """What is imported and not there."""
        return self._imported - self._files.keys()

    def complete(self) -> set[str]:
        """Adds the library's own files where they are missing; what is missing still."""
        while found := self.missing() & _WELL_KNOWN.keys():
            for name in found:
                self._keep(_WELL_KNOWN[name], 0)
        return self.missing()

    def add_annotations(self) -> None:
        """The gateway's own file of options, for a service that imports it and has no copy."""
        for file in compile_protos(protos_root(), [ANNOTATIONS]).file:
            self._keep(file, 0)

    def in_order(self) -> tuple[FileDescriptorProto, ...]:
        """Raises:
        ValueError: an import is missing, goes in a circle or too deep.
        """
        ordered: dict[str, FileDescriptorProto] = {}
        for name in self._files:
            self._place(name, ordered, ())
        return tuple(ordered.values())

    def services(self) -> list[str]:
        return [
            f"{file.package}.{service.name}" if file.package else service.name
            for file in self._files.values()
            for service in file.service
        ]

    def _keep(self, file: FileDescriptorProto, size: int) -> None:
        if file.name in self._files:
            return
        own = _WELL_KNOWN.get(file.name)
        if own is None and file.package == "google.protobuf":
            raise ValueError(f"its file {plain(file.name)!r} would replace types of protobuf's own")
        if len(self._files) >= MAX_FILES:
            raise ValueError(f"it has more than {MAX_FILES} descriptors of files")
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise ValueError(f"its descriptors have more than {MAX_BYTES} bytes")
        self._files[file.name] = own or file
        self._imported.update(self._files[file.name].dependency)
        if len(file.dependency) > MAX_FILES or len(self._imported) > MAX_FILES:
            raise ValueError(f"its files import more than {MAX_FILES} others")

    def _place(
        self, name: str, ordered: dict[str, FileDescriptorProto], above: tuple[str, ...]
    ) -> None:
        if name in ordered:
            return
        shown = plain(name, limit=100)
        if name not in self._files:
            raise ValueError(f"the file {shown!r} is imported, and missing")
        if name in above:
            raise ValueError(f"the file {shown!r} imports itself")
        if len(above) >= MAX_IMPORTS_DEEP:
            raise ValueError(f"its files import each other more than {MAX_IMPORTS_DEEP} deep")
        for imported in self._files[name].dependency:
            self._place(imported, ordered, (*above, name))
        ordered[name] = self._files[name]


def counted(there_are: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Those that are wanted, or all when none is; infrastructure never is."""
    names = sorted({name for name in there_are if not name.startswith(_INFRASTRUCTURE)})
    chosen = set(wanted)
    return tuple(name for name in names if not chosen or name in chosen)


def read_descriptors(source: DescriptorSource) -> Descriptors:
    """What a file says, or protos do.

    Raises:
        ConfigurationError: names the file, and what is wrong with it.
    """
    where = source.descriptor_set or source.proto_root
    try:
        files = _read(source)
        collection = Collection()
        for file in files.file:
            collection.add(file.SerializeToString())
        if ANNOTATIONS in collection.complete():
            collection.add_annotations()
            collection.complete()
        services = counted(collection.services(), source.services)
        return Descriptors(collection.in_order(), services, missing_services(source, services))
    except (ValueError, DecodeError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def missing_services(source: DescriptorSource, found: Iterable[str]) -> tuple[str, ...]:
    """What to say of services that the configuration names, and that are not there."""
    names = set(found)
    return tuple(f"there is no service {name}" for name in source.services if name not in names)


def _read(source: DescriptorSource) -> descriptor_pb2.FileDescriptorSet:
    if source.descriptor_set is None:
        root = source.proto_root or Path()
        return compile_protos(root, source.protos, imports=[protos_root()])
    try:
        with source.descriptor_set.open("rb") as file:
            # With comments the set may be larger than its files can be used, but not endless.
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    return descriptor_pb2.FileDescriptorSet.FromString(raw)
