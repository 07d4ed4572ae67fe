"""The content items of an MCP server's answer, cleaned, and what they are in words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.downstream.translation import plain
from gateway.text import displayable

MAX_ITEMS = 100
_MAX_FIELD_CHARACTERS = 2_000
_BASE64 = re.compile(r"[A-Za-z0-9+/_\r\n-]*={0,2}\s*")

Item = Mapping[str, Any]


def shown_items(items: Sequence[Item]) -> Sequence[Item]:
    """As they may be shown; what is no item of a kind that is known is said to be left out."""
    cleaned = [_cleaned(item) for item in items[:MAX_ITEMS]]
    if len(items) > MAX_ITEMS:
        cleaned.append(_text(f"[{len(items) - MAX_ITEMS} more items are left out]"))
    return tuple(cleaned)


def described(items: Sequence[Item]) -> str:
    """The texts, and of everything else what it is, such as `[image/png, 12 kB]`."""
    return "\n".join(_described(item) for item in items)


def _cleaned(item: Item) -> Item:
    match item:
        case {"type": "text", "text": str(text)}:
            return _text(displayable(text))
        case {"type": "image" | "audio" as kind, "data": str(content)} if _is_base64(content):
            return {"type": kind, "data": content, "mimeType": _mime_type(item)}
        case {"type": "resource_link", "uri": str()}:
            names = ("uri", "name", "title", "description", "mimeType")
            link = dict(_fields(item, names))
            return {"type": "resource_link", **link, "name": link.get("name") or link["uri"]}
        case {"type": "resource", "resource": {"uri": str(), "text": str(text)} as resource}:
            fields = dict(_fields(resource, ("uri", "mimeType")))
            return {"type": "resource", "resource": {**fields, "text": displayable(text)}}
        case {
            "type": "resource",
            "resource": {"uri": str(), "blob": str(blob)} as resource,
        } if _is_base64(blob):
            fields = dict(_fields(resource, ("uri", "mimeType")))
            return {"type": "resource", "resource": {**fields, "blob": blob}}
    return _text(f"[an item of the kind {plain(str(item.get('type')), limit=40)} is left out]")


def _is_base64(text: str) -> bool:
    """Anything else would pass as it is, with whatever steers a terminal or hides."""
    return _BASE64.fullmatch(text) is not None


def _described(item: Item) -> str:
    match item:
        case {"type": "text", "text": text}:
            return str(text)
        case {"type": "resource_link", "uri": uri}:
            return f"[a link: {uri}]"
        case {"resource": {"text": text}}:
            return str(text)
        case {"resource": {"blob": blob} as resource}:
            return f"[{_mime_type(resource)}, {_size(blob)}]"
    return f"[{item['mimeType']}, {_size(item['data'])}]"


def _text(text: str) -> Item:
    return {"type": "text", "text": text}


def _fields(item: Item, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        value = item.get(name)
        if isinstance(value, str):
            yield name, plain(displayable(value), limit=_MAX_FIELD_CHARACTERS)


def _mime_type(item: Item) -> str:
    value = item.get("mimeType")
    said = plain(displayable(value), limit=100) if isinstance(value, str) else ""
    return said or "application/octet-stream"


def _size(base64: str) -> str:
    """Of the bytes, which are three quarters of their letters."""
    size = len(base64) * 3 // 4 - base64[-2:].count("=")
    return f"{size:,} bytes" if size < 1_000 else f"{round(size / 1_000):,} kB"
