"""Whether a method can be a document: the fields of its ID, and what lists their values."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from gateway.downstream.grpc.message_schema import is_map
from gateway.downstream.translation import plain

_ID = re.compile(r"[a-z][a-z0-9_-]*(?::\{[A-Za-z_][A-Za-z0-9_]*\})+")
_ID_TYPES = (
    FieldDescriptor.CPPTYPE_STRING,
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_ENUM,
)


def id_fields(method: MethodDescriptor, template: str) -> Sequence[str]:
    """The fields of an ID.

    Raises:
        ValueError: one is no field of the request, or none that can stand in an ID.
    """
    if not _ID.fullmatch(template):
        raise ValueError(f"its id {plain(template, limit=80)!r} is not like 'kind:{{field}}'")
    names = re.findall(r"\{(\w+)\}", template)
    if len(set(names)) < len(names):
        raise ValueError(f"its id {template!r} has a field twice")
    fields = method.input_type.fields_by_name
    for name in names:
        if name not in fields:
            raise ValueError(
                f"{name!r} is no field of {method.input_type.name}{near(name, fields)}"
            )
        if fields[name].is_repeated or fields[name].cpp_type not in _ID_TYPES:
            raise ValueError(f"the field {name!r} is no text, whole number or enum")
        if fields[name].type == FieldDescriptor.TYPE_BYTES:
            raise ValueError(f"the field {name!r} is bytes, not text")
    return names


def check_listing(method: MethodDescriptor, fields: Sequence[str]) -> None:
    """Raises:
    ValueError: its answer does not list values of these fields.
    """
    answer = method.output_type
    lists = [
        field
        for field in answer.fields
        if field.is_repeated and field.message_type is not None and not is_map(field)
    ]
    if len(lists) != 1:
        raise ValueError(
            f"answers {answer.name}, which has {len(lists)} lists of messages, not one"
        )
    listed = lists[0].message_type
    assert listed is not None
    if missing := [name for name in fields if name not in listed.fields_by_name]:
        raise ValueError(f"lists {listed.name}, which has no field {', '.join(missing)}")


def near(name: str, there_are: Iterable[str]) -> str:
    """Such as `; near it are GetItem, GetItems`."""
    found = get_close_matches(name, list(there_are), n=3, cutoff=0.6)
    return f"; near it are {', '.join(found)}" if found else ""
