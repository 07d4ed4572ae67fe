"""Text, images and documents in a caller's Messages, read into the parts of ours."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.llm.dialects.json_fields import Fields, as_list, as_name, as_object, as_text, wrong
from gateway.llm.messages import Image, Json, Other, Part, Text

CACHE = "cache_control"


class Content(NamedTuple):
    """`extra` is for the message: what its last part says of caching, unless a text says it.

    Of an earlier image it is dropped: it would only have made the next request cheaper.
    """

    parts: tuple[Part, ...]
    extra: dict[str, Any]


def content_from_json(value: object, where: str) -> Content:
    """A string or a list of blocks.

    Raises:
        InvalidRequest: with the way to the field.
    """
    if isinstance(value, str):
        return Content((Text(value),), {})
    if not isinstance(value, list):
        raise wrong(value, where, "a string or a list of blocks")
    blocks = [as_object(one, f"{where}[{at}]") for at, one in enumerate(value)]
    return content_of(blocks, [f"{where}[{at}]" for at in range(len(blocks))])


def content_of(blocks: Sequence[Json], places: Sequence[str]) -> Content:
    parts = tuple(map(_part, blocks, places))
    return Content(parts, cached(blocks[-1]) if blocks else {})


def cached(block: Json) -> dict[str, Any]:
    control = block.get(CACHE)
    return {} if control is None or block.get("type") == "text" else {CACHE: control}


def _part(raw: Json, where: str) -> Part:
    fields = Fields(raw, where)
    kind = fields.need("type", as_name, is_what="mostly text, image or tool_result")
    if kind == "text":
        text = fields.need("text", as_text, is_what="a string")
        return Text(text, extra=fields.rest)
    if kind == "image":
        url = _url(fields)
        return Other(raw) if url is None else Image(url)
    return _document(raw, where) if kind == "document" else Other(raw)


def _url(fields: Fields) -> str | None:
    """None for a file that only Anthropic has."""
    value = fields.need("source", as_object, is_what="an object with a type")
    source = Fields(value, fields.path("source"))
    match source.need("type", as_name, is_what="base64 or url"):
        case "base64":
            media_type = source.need("media_type", as_name, is_what="such as image/png")
            data = source.need("data", as_text, is_what="what it holds, in base64")
            return f"data:{media_type};base64,{data}"
        case "url":
            return source.need("url", as_name, is_what="an http(s) address")
    return None


def _document(raw: Json, where: str) -> Part:
    """As others know it, if nothing hangs on it that only Anthropic knows."""
    fields = Fields(raw, where)
    title = fields.read("title", as_text)
    source = as_object(raw.get("source"), f"{where}.source")
    if fields.has("context") or _is_cited(raw):
        return Other({name: value for name, value in raw.items() if name != CACHE})
    if source.get("type") == "text":
        text = as_text(source.get("data"), f"{where}.source.data")
        return Text(f"{title}\n\n{text}" if title else text)
    if (url := _url(fields)) is None:
        return Other({name: value for name, value in raw.items() if name != CACHE})
    return Other({"type": "file", "file": {"filename": title or "document", "file_data": url}})


def _is_cited(raw: Json) -> bool:
    citations = raw.get("citations")
    return isinstance(citations, dict) and citations.get("enabled") is True


def system_from_json(value: object, where: str) -> Content:
    """Blocks of text; a string is one.

    Raises:
        InvalidRequest: with the way to the field.
    """
    if not isinstance(value, str):
        for at, one in enumerate(as_list(value, where)):
            kind = as_object(one, f"{where}[{at}]").get("type")
            if kind != "text":
                raise wrong(kind, f"{where}[{at}].type", "text")
    return content_from_json(value, where)
