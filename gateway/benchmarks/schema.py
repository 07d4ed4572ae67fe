"""Which JSON Schemas answers may be held against: closed, of modest size, without patterns.

It is done here and not by the library that validates, which takes 0.4 ms for each schema within a
schema, and so would keep all other callers waiting.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

# What is allowed can still take for ever to hold against an answer, which the sandbox bounds.
MOST_LEVELS = 32
MOST_VALUES = 1_000
MOST_CHARACTERS = 50_000
MOST_REFERENCES = 50
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_ANCHOR = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_REFERENCES = ("$ref", "$dynamicRef")
# All keywords that an answer is held against, by what they take; all others say nothing about it.
_SCHEMA = (
    "additionalProperties contains else if items not propertyNames then unevaluatedItems "
    "unevaluatedProperties"
).split()
_LISTED = "allOf anyOf oneOf prefixItems".split()
_NAMED = "$defs definitions dependentSchemas properties".split()
_COUNT = (
    "maxContains maxItems maxLength maxProperties minContains minItems minLength minProperties"
).split()
_NUMBER = "exclusiveMaximum exclusiveMinimum maximum minimum".split()
_UNSUPPORTED = ("pattern", "patternProperties", "$recursiveRef")


def check(schema: Mapping[str, Any]) -> None:
    """
    Raises:
        ValueError: it is no schema, too large, uses patterns, or one that is elsewhere.
    """
    _check_size(schema)
    found = _Found()
    found.walk(schema, "")
    if len(found.references) > MOST_REFERENCES:
        raise ValueError(f"takes at most {MOST_REFERENCES} $ref, not {len(found.references)}")
    if not found.places.issuperset(found.references):
        raise ValueError("has a $ref to a schema that it does not hold")


@dataclass(slots=True)
class _Found:
    """Where schemas are within a schema, and to which of these places it refers."""

    places: set[str] = field(default_factory=set)
    references: list[str] = field(default_factory=list)

    def walk(self, schema: Any, place: str) -> None:
        self.places.add(place)
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise _no_schema(place)
        for keyword, value in schema.items():
            at = f"{place}/{_escaped(keyword)}"
            self._note(keyword, value, place=place)
            if not _KINDS.get(keyword, _anything)(value):
                raise _no_schema(at)
            for name, inner in _schemas(keyword, value):
                self.walk(inner, f"{at}{name}")

    def _note(self, keyword: str, value: Any, *, place: str) -> None:
        if keyword in _UNSUPPORTED:
            raise ValueError(f"{keyword} is not supported; use enum, const, or other keywords")
        if keyword == "$id" and place:
            raise ValueError("$id is not supported within a schema")
        if keyword in _ANCHORS:
            self.places.add(str(value))
        if keyword in _REFERENCES:
            if not str(value).startswith("#"):
                raise ValueError(f"{keyword} must stay in the schema, such as #/$defs/item")
            self.references.append(unquote(str(value)[1:]))


def _schemas(keyword: str, value: Any) -> Iterator[tuple[str, Any]]:
    if keyword in _SCHEMA:
        yield "", value
    elif keyword in _LISTED:
        yield from ((f"/{place}", one) for place, one in enumerate(value))
    elif keyword in _NAMED:
        yield from ((f"/{_escaped(name)}", one) for name, one in value.items())


def _escaped(name: str) -> str:
    """As in a JSON Pointer, see RFC 6901."""
    return name.replace("~", "~0").replace("/", "~1")


def _no_schema(place: str) -> ValueError:
    return ValueError(f"is no JSON Schema at #{place}")


def _anything(_: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_types(value: Any) -> bool:
    several = [value] if _is_text(value) else value
    return bool(several) and _are_texts(several) and set(several) <= {*_TYPES}


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_LISTED, lambda value: isinstance(value, list) and bool(value)),
    **dict.fromkeys(_NAMED, lambda value: isinstance(value, Mapping)),
    **dict.fromkeys(_COUNT, _is_count),
    **dict.fromkeys(_NUMBER, _is_number),
    **dict.fromkeys(_ANCHORS, lambda value: _is_text(value) and bool(_ANCHOR.fullmatch(value))),
    **dict.fromkeys((*_REFERENCES, "$schema", "format"), _is_text),
    "$id": lambda value: _is_text(value) and "#" not in value,
    "dependentRequired": lambda value: (
        isinstance(value, Mapping) and all(map(_are_texts, value.values()))
    ),
    "enum": lambda value: isinstance(value, list),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "required": _are_texts,
    "type": _are_types,
    "uniqueItems": lambda value: isinstance(value, bool),
}


def _check_size(schema: object) -> None:
    left: list[tuple[object, int]] = [(schema, 1)]
    values = characters = 0
    while left:
        value, level = left.pop()
        inner = _inner(value)
        values += len(inner)
        characters += _characters(value)
        if values > MOST_VALUES:
            raise ValueError(f"takes at most {MOST_VALUES} keys and values")
        if characters > MOST_CHARACTERS:
            raise ValueError(f"takes at most {MOST_CHARACTERS} characters")
        if level > MOST_LEVELS:
            raise ValueError(f"takes at most {MOST_LEVELS} levels")
        left += [(one, level + 1) for one in inner]


def _inner(value: object) -> Sequence[object]:
    """
    Raises:
        ValueError: it is nothing that JSON knows, or a number that cannot be reckoned with.
    """
    match value:
        case Mapping():
            if not all(isinstance(name, str) for name in value):
                raise ValueError("takes texts as keys")
            return tuple(value.values())
        case list():
            return value
        # So said, it holds for NaN too, and whole numbers that no float can be are not converted.
        case int() | float() if not abs(value) <= sys.float_info.max:
            raise ValueError("holds a number that is not finite, or too large")
        case str() | int() | float() | None:
            return ()
    raise ValueError(f"holds a {type(value).__name__}, which JSON has not")


def _characters(value: object) -> int:
    texts = value if isinstance(value, Mapping) else (value,)
    return sum(len(one) for one in texts if isinstance(one, str))
