"""Whether the arguments of a call are what the tool's input schema asks for, said in plain words.

Reads the part of JSON Schema that tools use: `type`, `properties`, `required`,
`additionalProperties`, `items`, `enum`, `minimum`, `maximum`, `minLength`, `maxLength`.
What else a schema says is left to the tool.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.tools.tool import Arguments

SHOWN_CHARACTERS = 60  # of a wrong value, in the message about it


def check_arguments(arguments: Arguments, schema: Mapping[str, Any], *, tool: str) -> None:
    """Raises:
    InvalidRequest: names the argument that is missing, unknown or wrong, and what would be right.
    """
    complaint = next(_object_complaints("", arguments, schema), None)
    if complaint:
        raise InvalidRequest(f"{tool}: {complaint}; {_signature(tool, schema)}")


def _complaints(path: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one value, the plainest first; nothing, when it is right."""
    expected = _expected_types(schema)
    if expected and not any(_TYPES[name](value) for name in expected if name in _TYPES):
        yield f"{path} must be {_described(schema)}, not {_shown(value)}"
        return
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield f"{path} must be {_described(schema)}, not {_shown(value)}"
    if isinstance(value, str):
        yield from _length_complaints(path, value, schema)
    if _is_number(value):
        yield from _range_complaints(path, value, schema)
    if isinstance(value, Mapping):
        yield from _object_complaints(f"{path}.", value, schema)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for position, element in enumerate(value):
            yield from _complaints(f"{path}[{position}]", element, schema["items"])


def _object_complaints(
    prefix: str, value: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            expected = f", {_described(properties[name])}" if name in properties else ""
            yield f"{prefix}{name} is missing{expected}"
    for name, given in value.items():
        if name in properties:
            yield from _complaints(f"{prefix}{name}", given, properties[name])
        elif schema.get("additionalProperties") is False:
            yield f"{prefix}{_clipped(name)} is not one of its arguments"


def _length_complaints(path: str, text: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if len(text) < schema.get("minLength", 0):
        yield f"{path} must have at least {schema['minLength']} characters, not {len(text)}"
    if len(text) > schema.get("maxLength", len(text)):
        yield f"{path} must have at most {schema['maxLength']} characters, not {len(text)}"


def _range_complaints(path: str, number: float, schema: Mapping[str, Any]) -> Iterator[str]:
    if number < schema.get("minimum", number):
        yield f"{path} must be at least {schema['minimum']}, not {number}"
    if number > schema.get("maximum", number):
        yield f"{path} must be at most {schema['maximum']}, not {number}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    # JSON Schema counts 5.0 as an integer.
    return _is_number(value) and value == value // 1


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_whole,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}

_TYPE_WORDS: Mapping[str, str] = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _same(value: Any, choice: Any) -> bool:
    # In Python True == 1, in JSON it is not.
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _expected_types(schema: Mapping[str, Any]) -> Sequence[str]:
    expected = schema.get("type", ())
    return (expected,) if isinstance(expected, str) else expected


def _described(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(json.dumps(choice) for choice in schema['enum'])}"
    return " or ".join(_TYPE_WORDS.get(name, name) for name in _expected_types(schema)) or "a value"


def _shown(value: Any) -> str:
    """The value and, where it says something, its type: `the whole number 5`, `null`."""
    text = _clipped(json.dumps(value, ensure_ascii=False))
    name = next(name for name in _TYPES_NARROWEST_FIRST if _TYPES[name](value))
    if name in ("boolean", "null"):
        return text
    return f"the {_TYPE_WORDS[name].partition(' ')[2]} {text}"


_TYPES_NARROWEST_FIRST = ("null", "boolean", "integer", "number", "string", "array", "object")


def _clipped(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _signature(tool: str, schema: Mapping[str, Any]) -> str:
    """Such as `fetch takes id (required)`."""
    required = schema.get("required", ())
    names = [
        f"{name} (required)" if name in required else name for name in schema.get("properties", {})
    ]
    return f"{tool} takes {', '.join(names) or 'no arguments'}"
