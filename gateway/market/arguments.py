"""Checks a call's arguments against the tool's own JSON Schema, and fills in its defaults.

The part of JSON Schema that the tools use: type, enum, minimum, maximum, exclusiveMinimum,
minLength, maxLength, pattern, default, required, additionalProperties.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from gateway.errors import InvalidRequest

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "string": ("text", lambda value: isinstance(value, str)),
    "integer": ("a whole number", lambda value: _is_whole(value)),
    "number": ("a number", lambda value: _is_number(value)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
}


def checked(tool: str, schema: Schema, arguments: object) -> dict[str, Any]:
    """The arguments in full: defaults filled in, whole numbers as ints, nulls left out.

    Raises:
        InvalidRequest: names the tool, the argument, its value and what is allowed.
    """
    if not isinstance(arguments, dict):
        raise InvalidRequest(f"{tool} takes its arguments as a JSON object, such as {{}}")
    properties: Mapping[str, Schema] = schema["properties"]
    given = {name: value for name, value in arguments.items() if value is not None}
    _check_names(tool, given, properties, schema.get("required", ()))
    defaults = {name: rule["default"] for name, rule in properties.items() if "default" in rule}
    return defaults | {
        name: _checked_value(f"{tool}: {name}", properties[name], value)
        for name, value in given.items()
    }


def _check_names(
    tool: str, given: Mapping[str, Any], properties: Mapping[str, Schema], required: Sequence[str]
) -> None:
    for name in given:
        if name not in properties:
            raise InvalidRequest(
                f"{tool} has no argument {_shown(name)}{_instead(name, properties)}"
            )
    missing = [name for name in required if name not in given]
    if missing:
        raise InvalidRequest(f"{tool} needs {', '.join(missing)}; it takes {_names(properties)}")


def _checked_value(what: str, rule: Schema, value: Any) -> Any:
    kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    if not any(_TYPES[kind][1](value) for kind in kinds):
        wanted = " or ".join(_TYPES[kind][0] for kind in kinds)
        raise InvalidRequest(f"{what} is {_shown(value)}; it takes {wanted}")
    if "enum" in rule and value not in rule["enum"]:
        allowed = ", ".join(str(choice) for choice in rule["enum"])
        raise InvalidRequest(f"{what} is {_shown(value)}; it takes one of {allowed}")
    if isinstance(value, str):
        _check_text(what, rule, value)
        return value
    _check_range(what, rule, value)
    return int(value) if kinds == ["integer"] else value


def _check_text(what: str, rule: Schema, value: str) -> None:
    shortest, longest = rule.get("minLength", 0), rule.get("maxLength")
    if len(value) < shortest or (longest is not None and len(value) > longest):
        raise InvalidRequest(f"{what} is {_shown(value)}; it takes {shortest} to {longest} letters")
    # All patterns are anchored; with `search`, `$` would let a line break at the end through.
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        raise InvalidRequest(f"{what} is {_shown(value)}; it takes {rule['description']}")


def _check_range(what: str, rule: Schema, value: float) -> None:
    low, high = rule.get("minimum"), rule.get("maximum")
    if "exclusiveMinimum" in rule and not value > rule["exclusiveMinimum"]:
        raise InvalidRequest(
            f"{what} is {_shown(value)}; it takes more than {rule['exclusiveMinimum']}"
        )
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = f"{low} or more" if high is None else f"{low} to {high}"
        raise InvalidRequest(f"{what} is {_shown(value)}; it takes {wanted}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return _is_number(value) and (isinstance(value, int) or float(str(value)).is_integer())


def _instead(name: str, properties: Mapping[str, Schema]) -> str:
    close = get_close_matches(name, properties, n=1)
    return f"; did you mean {close[0]}?" if close else f"; it takes {_names(properties)}"


def _names(properties: Mapping[str, Schema]) -> str:
    return ", ".join(properties) or "no arguments"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
