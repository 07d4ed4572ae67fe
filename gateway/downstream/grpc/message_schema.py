"""JSON Schema of protobuf messages, in the part of it that every client and model takes.

No `oneOf` and no `allOf`, as some refuse tools with them: of a oneof each field says in its
description that it goes alone. Messages stand where they are used; only one that contains itself
is a `$ref` into `$defs`.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

MAX_DEEP = 8
MAX_FIELDS = 1_000  # of one schema, however often each message is used
MAX_CHOICES = 200
MAX_NAME_LETTERS = 200
MAX_LETTERS = 100_000  # of names, choices and comments in one schema

Schema = dict[str, Any]
_F = FieldDescriptor

_INT32 = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_UINT32 = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
# Above 2^53 JSON's numbers are not exact everywhere, so decimal digits are as good.
_INT64 = {"type": ["integer", "string"], "pattern": "^-?[0-9]{1,19}$"}
_UINT64 = {"type": ["integer", "string"], "pattern": "^[0-9]{1,20}$", "minimum": 0}
_ODD_FLOAT = {"type": ["number", "string"], "description": 'a number, "NaN" or "Infinity"'}
_SCALARS: Mapping[int, Schema] = {
    _F.TYPE_DOUBLE: {"type": "number"},
    _F.TYPE_FLOAT: {"type": "number"},
    _F.TYPE_INT32: _INT32,
    _F.TYPE_SINT32: _INT32,
    _F.TYPE_SFIXED32: _INT32,
    _F.TYPE_UINT32: _UINT32,
    _F.TYPE_FIXED32: _UINT32,
    _F.TYPE_INT64: _INT64,
    _F.TYPE_SINT64: _INT64,
    _F.TYPE_SFIXED64: _INT64,
    _F.TYPE_UINT64: _UINT64,
    _F.TYPE_FIXED64: _UINT64,
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "description": "bytes in base64"},
}
_FLOATS = (_F.TYPE_DOUBLE, _F.TYPE_FLOAT)
WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in "Double Float Int64 UInt64 Int32 UInt32 Bool String Bytes".split()
)
WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "a time such as 2026-01-31T12:00:00Z",
    },
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$",
        "description": 'seconds, such as "1.5s"',
    },
    "google.protobuf.FieldMask": {
        "type": "string",
        "description": "names of fields in camelCase, with commas between",
    },
    "google.protobuf.Struct": {"type": "object", "description": "any object"},
    "google.protobuf.Value": {"description": "any JSON value"},
    "google.protobuf.ListValue": {
        "type": "array",
        "items": {},
        "description": "a list of any JSON values",
    },
    "google.protobuf.Any": {
        "type": "object",
        "description": 'the fields of a message, and its type in "@type"; a type that has a JSON '
        'form of its own stands in "value"',
    },
}


def input_schema(kind: Descriptor, comments: Mapping[str, str]) -> Schema:
    """Of a message that is sent."""
    return _Writer(comments).whole(kind)


def output_schema(kind: Descriptor, comments: Mapping[str, str]) -> Schema:
    """Of a message that comes back, where a number may also be none, such as "NaN"."""
    return _Writer(comments, floats=_ODD_FLOAT).whole(kind)


def is_no_object(kind: Descriptor) -> bool:
    """Whether JSON has the message as text or a list; as a whole it then stands in `value`."""
    name = kind.full_name
    return name in WRAPPERS or WELL_KNOWN.get(name, {"type": "object"}).get("type") != "object"


def is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return field.is_repeated and kind is not None and bool(kind.GetOptions().map_entry)


def inner(field: FieldDescriptor) -> Descriptor:
    """The message that a field holds."""
    assert field.message_type is not None
    return field.message_type


def alternatives(field: FieldDescriptor) -> tuple[str, ...]:
    """The fields of its oneof, but for that which `optional` makes in secret."""
    oneof = field.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{field.name}"):
        return ()
    return tuple(other.name for other in oneof.fields)


class _Writer:
    """Writes one schema; what is too deep or too much is an object without details."""

    def __init__(self, comments: Mapping[str, str], floats: Schema | None = None) -> None:
        self._comments = comments
        self._floats = floats
        self._fields_left = MAX_FIELDS
        self._letters_left = MAX_LETTERS
        self._definitions: dict[str, Schema] = {}
        self._recursive: set[str] = set()
        self._inside: list[str] = []

    def whole(self, kind: Descriptor) -> Schema:
        """Its `type` is "object" always, as that of a tool must be."""
        if is_no_object(kind):
            return {"type": "object", "properties": {"value": self._message(kind)}}
        schema = self._message(kind)
        if "$ref" in schema:
            schema = dict(self._definitions[kind.full_name])
        if not self._definitions:
            return schema
        definitions = {_definition(name): one for name, one in self._definitions.items()}
        return {**schema, "$defs": definitions}

    def _message(self, kind: Descriptor) -> Schema:
        name = kind.full_name
        if name in WELL_KNOWN:
            return dict(WELL_KNOWN[name])
        if name in WRAPPERS:
            return self._one(kind.fields_by_name["value"])
        if name in self._inside:
            self._recursive.add(name)
        if name in self._inside or name in self._definitions:
            return _reference(name)
        if len(self._inside) >= MAX_DEEP or not self._has_room(kind):
            short = name if len(name) <= MAX_NAME_LETTERS else f"{name[:MAX_NAME_LETTERS]}…"
            return {"type": "object", "description": f"a {short}, whose fields are not listed here"}
        self._inside.append(name)
        schema = self._object(kind)
        self._inside.pop()
        if name not in self._recursive:
            return schema
        self._definitions[name] = schema
        return _reference(name)

    def _has_room(self, kind: Descriptor) -> bool:
        """Takes what its own fields need, if there is so much left."""
        if self._fields_left < len(kind.fields):
            return False
        letters = sum(map(self._letters, kind.fields), len(self._comments.get(kind.full_name, "")))
        if self._letters_left < letters:
            return False
        self._fields_left -= len(kind.fields)
        self._letters_left -= letters
        return True

    def _letters(self, field: FieldDescriptor) -> int:
        choices = field.enum_type.values if field.enum_type is not None else ()
        others = alternatives(field)
        names = (field.name, *(one.name for one in choices[:MAX_CHOICES]), *others)
        return sum(map(len, names)) + len(self._comments.get(field.full_name, ""))

    def _object(self, kind: Descriptor) -> Schema:
        schema: Schema = {
            "type": "object",
            "properties": {field.name: self._field(field) for field in kind.fields},
            "additionalProperties": False,
        }
        if said := self._comments.get(kind.full_name):
            schema["description"] = said
        if required := [field.name for field in kind.fields if field.is_required]:
            schema["required"] = required
        return schema

    def _field(self, field: FieldDescriptor) -> Schema:
        if is_map(field):
            schema = self._map(field)
        elif field.is_repeated:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
        if others := alternatives(field):
            only = f"Only one of {', '.join(others)} may be given."
        else:
            only = ""
        said = (self._comments.get(field.full_name), schema.get("description"), only)
        if description := _sentences(said):
            schema["description"] = description
        return schema

    def _map(self, field: FieldDescriptor) -> Schema:
        fields = inner(field).fields_by_name
        key, value = fields["key"], fields["value"]
        schema: Schema = {"type": "object", "additionalProperties": self._one(value)}
        if key.type == _F.TYPE_BOOL:
            schema["description"] = 'The names are "true" and "false".'
        elif key.type != _F.TYPE_STRING:
            schema["description"] = "The names are whole numbers."
        return schema

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self._message(field.message_type)
        if field.enum_type is not None:
            return _enum(field.enum_type)
        if self._floats and field.type in _FLOATS:
            return dict(self._floats)
        return dict(_SCALARS[field.type])


def _definition(name: str) -> str:
    return name.replace(".", "_")


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{_definition(name)}"}


def _enum(kind: EnumDescriptor) -> Schema:
    names = [value.name for value in kind.values]
    if len(names) <= MAX_CHOICES:
        return {"type": "string", "enum": names}
    some = ", ".join(names[:10])
    return {"type": "string", "description": f"a name of {kind.full_name}: {some}, …"}


def _sentences(parts: tuple[str | None, ...]) -> str:
    said = [part.strip() for part in parts if part]
    return " ".join(part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in said)
