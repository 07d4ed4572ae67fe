"""Whether the arguments of a call are what the tool's input schema asks for, said in plain words.

Reads the part of JSON Schema that tools use: `type`, `properties`, `required`,
`additionalProperties`, `items`, `enum`, `minimum`, `maximum`, `minLength`, `maxLength`.
What else a schema says is left to the tool, and so is a schema that is only `true` or `false`,
or whose `type` JSON Schema does not know.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.text import displayable
from gateway.tools.tool import Arguments

SHOWN_CHARACTERS = 80  # of a wrong value or name, in the message about it
SHOWN_CHOICES = 400  # of all the right values, there


def check_arguments(arguments: Arguments, schema: Mapping[str, Any], *, tool: str) -> None:
    """Raises:
    InvalidRequest: names the argument that is missing, unknown or wrong, and what would be right.
    """
    try:
        complaint = next(_object_complaints("", arguments, schema), None)
    except RecursionError as error:
        raise InvalidRequest(f"{tool}: the arguments are nested too deeply") from error
    if complaint:
        raise InvalidRequest(f"{tool}: {complaint}; {_signature(tool, schema)}")


def check_schema(schema: Mapping[str, Any]) -> None:
    """So that `check_arguments` can read what a service lists.

    Raises:
        ValueError: names the keyword whose value is not what JSON Schema asks for, and its place.
    """
    if schema.get("type", "object") != "object":
        raise ValueError("its input schema is not that of an object")
    if mistake := next(_mistakes("input_schema", schema), None):
        raise ValueError(mistake)


def _mistakes(path: str, schema: Any) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield f"{path} is no schema"
        return
    for keyword, is_right in _KEYWORDS.items():
        if keyword in schema and not is_right(schema[keyword]):
            yield f"{path}.{keyword} cannot be {_shown(schema[keyword])}"
            return
    for name, inner in schema.get("properties", {}).items():
        yield from _mistakes(f"{path}.{_clipped(name)}", inner)
    # A list of schemas, one for each place, is left to the tool.
    if "items" in schema and not isinstance(schema["items"], list):
        yield from _mistakes(f"{path}[]", schema["items"])


def _complaints(path: str, value: Any, schema: Any) -> Iterator[str]:
    """What is wrong with one value, the plainest first; nothing, when it is right."""
    if isinstance(schema, bool):
        return
    expected = _expected_types(schema)
    if expected and not any(_TYPES[name](value) for name in expected):
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
            yield f"{prefix}{_clipped(name)} is missing{expected}"
    for name, given in value.items():
        if name in properties:
            yield from _complaints(f"{prefix}{_clipped(name)}", given, properties[name])
        elif schema.get("additionalProperties") is False:
            yield f"{prefix}{_clipped(name)} is not one of its arguments"


def _length_complaints(path: str, text: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if len(text) < schema.get("minLength", 0):
        yield f"{path} must have at least {schema['minLength']} characters, not {len(text)}"
    if len(text) > schema.get("maxLength", len(text)):
        yield f"{path} must have at most {schema['maxLength']} characters, not {len(text)}"


def _range_complaints(path: str, number: float, schema: Mapping[str, Any]) -> Iterator[str]:
    if number < schema.get("minimum", number):
        yield f"{path} must be at least {schema['minimum']}, not {_clipped(str(number))}"
    if number > schema.get("maximum", number):
        yield f"{path} must be at most {schema['maximum']}, not {_clipped(str(number))}"


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


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_KEYWORDS: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _is_strings(value),
    "properties": lambda value: isinstance(value, Mapping),
    "required": _is_strings,
    "enum": lambda value: isinstance(value, list),
    "minimum": _is_number,
    "maximum": _is_number,
    "minLength": _is_number,
    "maxLength": _is_number,
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
    """Those that a value may have; none, when any may be right."""
    stated = schema.get("type", ())
    expected = (stated,) if isinstance(stated, str) else stated
    return expected if all(name in _TYPES for name in expected) else ()


def _described(schema: Any) -> str:
    if isinstance(schema, bool):
        return "a value"
    if "enum" in schema:
        choices = ", ".join(json.dumps(choice) for choice in schema["enum"])
        return f"one of {_clipped(choices, SHOWN_CHOICES)}"
    return " or ".join(_TYPE_WORDS[name] for name in _expected_types(schema)) or "a value"


def _shown(value: Any) -> str:
    """The value and, where it says something, its type: `the whole number 5`, `null`."""
    text = _clipped(json.dumps(value, ensure_ascii=False))
    name = next(name for name in _TYPES_NARROWEST_FIRST if _TYPES[name](value))
    if name in ("boolean", "null"):
        return text
    return f"the {_TYPE_WORDS[name].partition(' ')[2]} {text}"


_TYPES_NARROWEST_FIRST = ("null", "boolean", "integer", "number", "string", "array", "object")


def _clipped(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    shown = displayable(text[: limit + 1])
    return shown if len(text) <= limit else f"{shown[:limit]}…"


def _signature(tool: str, schema: Mapping[str, Any]) -> str:
    """Such as `fetch takes id (required)`."""
    required = schema.get("required", ())
    names = [
        f"{_clipped(name)} (required)" if name in required else _clipped(name)
        for name in schema.get("properties", {})
    ]
    return f"{tool} takes {', '.join(names) or 'no arguments'}"
