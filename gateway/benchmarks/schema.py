"""JSON Schema, for answers: all of it but patterns, which could keep this process busy for ever."""

from collections.abc import Iterator, Mapping
from typing import Any

_PATTERNS = ("pattern", "patternProperties")
# Their values are named by the user, or are values and no schemas.
_NAMED = ("properties", "$defs", "definitions", "dependentSchemas")
_VALUES = ("const", "enum", "default", "examples", "required")


def check(schema: Mapping[str, Any]) -> None:
    """
    Raises:
        ValueError: it is no schema, uses patterns, or one that is elsewhere.
    """
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

    for keyword, value in _keywords(schema):
        if keyword in _PATTERNS:
            raise ValueError(f"{keyword} is not supported; use matches with a pattern")
        if keyword in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
            raise ValueError(f"{keyword} must stay in the schema, such as #/$defs/item")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema at {error.json_path}") from None


def mistake(value: Any, schema: Mapping[str, Any]) -> str | None:
    """The place in the schema that the value breaks, such as `properties.age.type`."""
    from jsonschema import Draft202012Validator  # Loading takes 100 ms, which a start need not.
    from referencing import Registry

    # A registry of its own: the one that is given otherwise fetches what a schema refers to.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        error = next(validator.iter_errors(value), None)
    except RecursionError:
        return "depth"
    return ".".join(str(part) for part in error.absolute_schema_path) if error else None


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, list):
        for one in schema:
            yield from _keywords(one)
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        yield str(keyword), value
        if keyword in _NAMED and isinstance(value, Mapping):
            for inner in value.values():
                yield from _keywords(inner)
        elif keyword not in _VALUES:
            yield from _keywords(value)
