"""Holds the JSON of an answer against a schema, where it harms nobody that this takes for ever."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry

from gateway.benchmarks.extraction import json_in


def fault(text: str, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with an answer, in words of the schema's and not of the answer's."""
    try:
        value = json_in(text)
    except ValueError:
        return "it holds no JSON"
    place = _mistake(value, schema)
    return None if place is None else f"the schema's {place} does not hold"


def _mistake(value: Any, schema: Mapping[str, Any]) -> str | None:
    """The place in the schema that the value breaks, such as `properties.age.type`."""
    # A registry of its own: the one that is given otherwise fetches what a schema refers to.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        error = next(validator.iter_errors(value), None)
    except RecursionError:
        return "depth"
    except OverflowError:  # A whole number may be too large to divide.
        return "multipleOf"
    return ".".join(str(part) for part in error.absolute_schema_path) if error else None
