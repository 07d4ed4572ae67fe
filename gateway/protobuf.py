"""Compiles `.proto` files at start into a private descriptor pool."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from gateway.errors import ConfigurationError


class Protocol:
    """The messages and services of a set of `.proto` files, in a pool of their own.

    A pool of their own, because two providers may define the same name differently.
    """

    def __init__(self, descriptors: descriptor_pb2.FileDescriptorSet) -> None:
        self.pool = DescriptorPool()
        for file in descriptors.file:
            self.pool.Add(file)

    def message(self, full_name: str) -> type[Message]:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(full_name))

    def methods(self, service: str) -> list[MethodDescriptor]:
        return list(self.pool.FindServiceByName(service).methods)


def compile_protos(
    root: Path, names: Sequence[str], *, imports: Sequence[Path] = ()
) -> descriptor_pb2.FileDescriptorSet:
    """The descriptors of `names` (paths below `root`) and of all they import, with comments.

    What is not below `root` may be below one of `imports`.

    Raises:
        ConfigurationError: a file is missing or does not compile.
    """
    # In a process of its own, which takes no longer: here the compiler would stay, with 8 MB.
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc"]
    roots = [f"-I{folder}" for folder in (root, *imports)]
    kept = ["--include_imports", "--include_source_info"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "descriptors"
        compiled = subprocess.run(
            [*command, *roots, *kept, f"--descriptor_set_out={out}", *names],
            check=False,
            capture_output=True,
            text=True,
        )
        if compiled.returncode != 0:
            raise ConfigurationError(
                f"{', '.join(names)} under {root} does not compile: {compiled.stderr.strip()}"
            )
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def protos_root() -> Path:
    """The project's `protos` folder: beside the package in a checkout, inside it when installed."""
    installed = Path(__file__).parent / "_protos"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "protos"


@lru_cache(maxsize=1)
def provider_protocol() -> Protocol:
    return Protocol(compile_protos(protos_root(), ["provider/v1/provider.proto"]))


@lru_cache(maxsize=1)
def annotations_protocol() -> Protocol:
    return Protocol(compile_protos(protos_root(), ["gateway/annotations.proto"]))
