"""The comments of a proto file, by what they are about; reflection does not carry them."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from gateway.downstream.translation import plain
from gateway.text import displayable

MAX_CHARACTERS = 1_000


def comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """The full name of a message, field, enum, service or method, and what stands at it."""
    for location in file.source_code_info.location:
        said = location.leading_comments or location.trailing_comments
        if said.strip() and (name := _name(file, location.path)):
            yield name, plain(displayable(said), limit=MAX_CHARACTERS)


def _name(file: FileDescriptorProto, path: Sequence[int]) -> str | None:
    """What a path leads to, such as field 4 (messages), the first, its field 2 (fields), …"""
    if not path or len(path) % 2:
        return None
    here: Any = file
    names = [file.package] if file.package else []
    for number, position in zip(path[::2], path[1::2], strict=True):
        part = here.DESCRIPTOR.fields_by_number.get(number)
        if part is None or part.message_type is None or not part.is_repeated:
            return None
        parts = getattr(here, part.name)
        if not 0 <= position < len(parts):
            return None
        here = parts[position]
        if "name" not in here.DESCRIPTOR.fields_by_name:
            return None
        names.append(here.name)
    return ".".join(names)
