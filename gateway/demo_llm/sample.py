"""A small value that is valid by a JSON Schema."""

from collections.abc import Mapping
from typing import Any

# A schema may refer to itself: from here on only what is required is filled in.
DEEP = 6
DEEPEST = 32

_FORMATS = {
    "date-time": "2026-11-20T12:00:00Z",
    "date": "2026-11-20",
    "time": "12:00:00Z",
    "duration": "PT1S",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/demo",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any, *, root: Any = None, depth: int = 0) -> Any:
    """Best effort: of a `pattern`, or of schemas that exclude one another, it knows nothing."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return "demo"
    root = schema if root is None else root
    if "$ref" in schema:
        return sample(_referred(root, str(schema["$ref"])), root=root, depth=depth + 1)
    if "const" in schema:
        return schema["const"]
    for given in ("enum", "examples"):
        if schema.get(given):
            return schema[given][0]
    if "default" in schema:
        return schema["default"]
    return _made(_flat(schema, root), root, depth)


def _made(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            # The simplest comes last in what pydantic writes: `X | None` ends a recursion.
            options = schema[choice]
            return sample(options[-1 if depth > DEEP else 0], root=root, depth=depth + 1)
    match _kind(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            count = schema.get("minItems", 0 if depth > DEEP else 1)
            return [
                sample(schema.get("items", {}), root=root, depth=depth + 1) for _ in range(count)
            ]
        case "integer" | "number" as kind:
            return _number(schema, is_whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> Mapping[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required", [])
    names = (
        required if depth > DEEP else [*properties, *(n for n in required if n not in properties)]
    )
    return {name: sample(properties.get(name, {}), root=root, depth=depth + 1) for name in names}


def _number(schema: Mapping[str, Any], *, is_whole: bool) -> float:
    step = schema.get("multipleOf", 1 if is_whole else None)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value: float = 1
    if low is not None:
        value = low + (1 if "minimum" not in schema else 0)
    if high is not None and value > high:
        value = high - (1 if "maximum" not in schema else 0)
    if "exclusiveMaximum" in schema and low is not None and value >= schema["exclusiveMaximum"]:
        value = (low + schema["exclusiveMaximum"]) / 2
    if step:
        value = -(-value // step) * step
    return int(value) if is_whole else value


def _text(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "demo")
    text = text.ljust(schema.get("minLength", 0), "-")
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((name for name in kind if name != "null"), "null"))
    if kind is None and "properties" in schema:
        return "object"
    return str(kind)


def _flat(schema: Mapping[str, Any], root: Any) -> Mapping[str, Any]:
    """With what `allOf` adds."""
    flat = dict(schema)
    for part in flat.pop("allOf", ()):
        more = _referred(root, str(part["$ref"])) if "$ref" in part else part
        if not isinstance(more, Mapping):
            continue
        flat["properties"] = {**flat.get("properties", {}), **more.get("properties", {})}
        flat["required"] = [*flat.get("required", []), *more.get("required", [])]
        flat = {**more, **{name: value for name, value in flat.items() if value}}
    return flat


def _referred(root: Any, reference: str) -> Any:
    """The part of the same document that `#/$defs/Name` names."""
    place = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, Mapping) else None
    return place
