"""Whether the references inside a JSON Schema lead somewhere, and end."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

_MOST_STEPS = 20


def check_references(schema: Mapping[str, Any]) -> None:
    """
    Raises:
        ValueError: one leads out of the schema, nowhere, or only to itself.
    """
    for reference in _references(schema):
        target: Any = {"$ref": reference}
        for _ in range(_MOST_STEPS):
            if not isinstance(target, Mapping) or not isinstance(target.get("$ref"), str):
                break
            target = _target(schema, target["$ref"])
        else:
            raise ValueError(f"its reference {reference[:80]!r} leads to itself")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _target(schema: Mapping[str, Any], reference: str) -> Any:
    if reference == "#":
        return schema
    if not reference.startswith("#/"):
        raise ValueError(f"its reference {reference[:80]!r} leads out of it")
    target: Any = schema
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, Mapping) and name in target:
            target = target[name]
        else:
            raise ValueError(f"its reference {reference[:80]!r} leads nowhere")
    return target
