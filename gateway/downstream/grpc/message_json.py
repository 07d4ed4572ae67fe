"""JSON from and to protobuf messages, as `message_schema` describes it.

Fields have the names of the proto. In an answer a 64-bit number is a number as long as that is
exact everywhere (up to 2^53), and its digits as text beyond; a float that is none is "NaN",
"Infinity" or "-Infinity"; bytes are base64; an enum is its name, or a number if nobody named it.
Fields that cannot tell whether they are set are always there. All texts can be shown.
"""

import base64
import math
import re
import struct
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from gateway.downstream.grpc.message_schema import (
    WELL_KNOWN,
    WRAPPERS,
    alternatives,
    inner,
    is_map,
    is_no_object,
)
from gateway.downstream.translation import plain
from gateway.errors import InvalidRequest
from gateway.text import displayable, shown

MAX_LEVELS = 32  # of messages in each other; lists and maps between them double that in JSON
# Two bytes may be a message of a thousand fields, all of which JSON would write.
MAX_VALUES = 200_000
_EXACT = 2**53
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_GOOGLE = "google.protobuf."
_F = FieldDescriptor


def to_message(
    kind: type[Message], arguments: Mapping[str, Any], *, pool: DescriptorPool
) -> Message:
    """Raises:
    InvalidRequest: names the field that is unknown or wrong, and what would be right.
    """
    descriptor: Any = kind.DESCRIPTOR
    value: Any = arguments
    try:
        if is_no_object(descriptor):
            value = _only_value(arguments)
        else:
            _check(arguments, descriptor, "", MAX_LEVELS)
        message = kind()
        json_format.ParseDict(value, message, descriptor_pool=pool)
        message.SerializeToString()  # proto2's required fields are missed only here
    except InvalidRequest:
        raise
    except Exception as error:
        # For some values the library raises what happens to come of them, such as KeyError.
        raise InvalidRequest(f"{descriptor.name}: {_said(error)}") from error
    return message


def to_json(message: Message, *, pool: DescriptorPool) -> dict[str, Any]:
    """Raises:
    ValueError: it has no JSON: it is nested too deeply or too large, or a time is beyond the
        calendar.
    """
    value = _Reader(pool).message(message, MAX_LEVELS)
    descriptor: Any = message.DESCRIPTOR
    return {"value": value} if is_no_object(descriptor) else value


def _said(error: Exception) -> str:
    """The library's words, which name the field, but for what Python says of its `int`."""
    said = re.sub(
        r"int\(\) argument must be.*|invalid literal for int\(\).*", "no number", str(error)
    )
    return plain(said.replace("Failed to parse", "cannot read"))


def _only_value(arguments: Mapping[str, Any]) -> Any:
    if unknown := [name for name in arguments if name != "value"]:
        raise InvalidRequest(f"{shown(unknown[0])!r} is no field; the only one is value")
    return arguments.get("value")


def _check(value: Any, kind: Descriptor, path: str, levels: int) -> None:
    """Refuses names that no field has and oneofs with two values; the library does the rest.

    Raises:
        InvalidRequest: with the place of the first.
    """
    if not isinstance(value, Mapping) or kind.full_name in WELL_KNOWN or kind.full_name in WRAPPERS:
        return
    if not levels:
        raise InvalidRequest(f"{path} is nested more than {MAX_LEVELS} levels deep")
    given: dict[str, str] = {}
    for name, one in value.items():
        field = kind.fields_by_name.get(name)
        if field is None:
            raise InvalidRequest(_unknown(name, kind, path))
        if one is None:
            continue
        others = alternatives(field)
        if others and (other := given.setdefault(str(others), name)) != name:
            raise InvalidRequest(f"{path}{other} and {path}{name} cannot both be given")
        _check_field(one, field, f"{path}{name}", levels - 1)


def _check_field(value: Any, field: FieldDescriptor, path: str, levels: int) -> None:
    if is_map(field):
        held = inner(field).fields_by_name["value"]
        for key, one in value.items() if isinstance(value, Mapping) else ():
            _check_one(one, held, f"{path}[{shown(str(key))}]", levels)
    elif field.is_repeated and isinstance(value, list):
        for position, one in enumerate(value):
            _check_one(one, field, f"{path}[{position}]", levels)
    else:
        _check_one(value, field, path, levels)


def _check_one(value: Any, field: FieldDescriptor, path: str, levels: int) -> None:
    if field.message_type is not None:
        _check(value, field.message_type, f"{path}.", levels)
    elif field.type == _F.TYPE_BYTES and isinstance(value, str) and not _BASE64.fullmatch(value):
        # The library would leave out what does not belong there, and send the rest.
        raise InvalidRequest(f"{path} is not base64")


def _unknown(name: Any, kind: Descriptor, path: str) -> str:
    names = [field.name for field in kind.fields]
    near = get_close_matches(str(name), names, n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(names) or 'none'}"
    return f"{path}{shown(str(name))} is no field of {kind.name}; {plain(hint)}"


class _Reader:
    """Messages of one pool, which knows the types that an `Any` may hold."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool
        self._values_left = MAX_VALUES

    def message(self, message: Any, levels: int) -> Any:
        if not levels:
            raise ValueError(f"it is nested more than {MAX_LEVELS} levels deep")
        kind = message.DESCRIPTOR
        if kind.full_name.startswith(_GOOGLE):
            if kind.full_name in WRAPPERS:
                return _scalar(message.value, kind.fields_by_name["value"])
            if kind.full_name in WELL_KNOWN:
                return _WELL_KNOWN[kind.full_name](self, message, levels)
        self._count(len(kind.fields))
        return {
            field.name: self._field(message, field, levels)
            for field in kind.fields
            if not field.has_presence or message.HasField(field.name)
        }

    def _field(self, message: Any, field: FieldDescriptor, levels: int) -> Any:
        value = getattr(message, field.name)
        if not field.is_repeated:
            return self._one(value, field, levels)
        self._count(len(value))
        if not is_map(field):
            return [self._one(each, field, levels) for each in value]
        held = inner(field).fields_by_name["value"]
        # Asking a map for a message by its key could add one, so it is asked for what it has.
        return {_key(key): self._one(value[key], held, levels) for key in list(value)}

    def _one(self, value: Any, field: FieldDescriptor, levels: int) -> Any:
        if field.message_type is not None:
            return self.message(value, levels - 1)
        return _scalar(value, field)

    def any(self, message: Any, levels: int) -> Any:
        """Its fields beside its type; of an unknown type the bytes, as nobody can read them."""
        url = displayable(message.type_url)
        try:
            kind = self._pool.FindMessageTypeByName(message.type_url.rpartition("/")[2])
            packed = message_factory.GetMessageClass(kind).FromString(message.value)
        except (KeyError, DecodeError):
            return {"@type": url, "value": base64.b64encode(message.value).decode()}
        inside = self.message(packed, levels - 1)
        if isinstance(inside, dict) and kind.full_name not in WELL_KNOWN:
            return {"@type": url, **inside}
        return {"@type": url, "value": inside}

    def struct(self, message: Any, levels: int) -> Any:
        fields = message.fields
        self._count(len(fields))
        return {displayable(key): self.value(fields[key], levels - 1) for key in list(fields)}

    def list(self, message: Any, levels: int) -> Any:
        self._count(len(message.values))
        return [self.value(each, levels - 1) for each in message.values]

    def value(self, message: Any, levels: int) -> Any:
        if not levels:
            raise ValueError(f"it is nested more than {MAX_LEVELS} levels deep")
        match message.WhichOneof("kind"):
            case "struct_value":
                return self.struct(message.struct_value, levels)
            case "list_value":
                return self.list(message.list_value, levels)
            case "number_value":
                return _number(message.number_value)
            case "string_value":
                return displayable(message.string_value)
            case "bool_value":
                return message.bool_value
        return None

    def _count(self, values: int) -> None:
        self._values_left -= values
        if self._values_left < 0:
            raise ValueError(f"it has more than {MAX_VALUES} values")


def _text(_: _Reader, message: Any, __: int) -> str:
    return displayable(message.ToJsonString())


_WELL_KNOWN: Mapping[str, Callable[[_Reader, Any, int], Any]] = {
    f"{_GOOGLE}Timestamp": _text,
    f"{_GOOGLE}Duration": _text,
    f"{_GOOGLE}FieldMask": _text,
    f"{_GOOGLE}Any": _Reader.any,
    f"{_GOOGLE}Struct": _Reader.struct,
    f"{_GOOGLE}ListValue": _Reader.list,
    f"{_GOOGLE}Value": _Reader.value,
}


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return displayable(str(key))


def _scalar(value: Any, field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return value if named is None else named.name
    if isinstance(value, str):
        return displayable(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return _number(_short(value) if field.type == _F.TYPE_FLOAT else value)
    if isinstance(value, int) and not -_EXACT <= value <= _EXACT:
        return str(value)
    return value


def _number(value: float) -> float | str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _short(value: float) -> float:
    """The shortest number that 32 bits hold as this one: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return value
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if abs(short) < 3e38 and struct.unpack("f", struct.pack("f", short))[0] == value:
            return short
    return value
