"""Parts of messages and of results as OpenAI's Responses API writes them, read into ours."""

import json
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import Fields, as_name, as_object, as_text, wrong
from gateway.llm.messages import Image, Other, Part, Text

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_IMAGE = ("http://", "https://", "data:")


def content_of(value: object, where: str) -> tuple[Part, ...]:
    """Raises `InvalidRequest` with the way to the part."""
    if isinstance(value, str):
        return (Text(value),)
    if not isinstance(value, list):
        raise wrong(value, where, "a string or a list of parts")
    return tuple(_part(part, f"{where}[{at}]") for at, part in enumerate(value))


def output_of(value: object, where: str) -> tuple[Part, ...]:
    """The result of a tool: older clients wrap it in an object, which is read as JSON."""
    if isinstance(value, list) and all(map(_has_type, value)):
        return content_of(value, where)
    if value is None:
        raise InvalidRequest(f"{where}: is missing; it is a string, or a list of parts")
    return (Text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)),)


def normal_content(value: Any, role: str) -> Any:
    """As it is told back: a string is one part."""
    if not isinstance(value, str):
        return value
    if role == "assistant":
        return [{"type": "output_text", "text": value, "annotations": []}]
    return [{"type": "input_text", "text": value}]


def _has_type(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _part(value: object, where: str) -> Part:
    fields = Fields(value, where)
    kind = fields.need("type", as_name, is_what="mostly input_text, input_image or input_file")
    if kind in _TEXTS:
        return Text(fields.need("text", as_text, is_what="a string"))
    match kind:
        case "refusal":
            return Text(fields.need("refusal", as_text, is_what="a string"))
        case "input_image":
            return _image(fields)
        case "input_file":
            return _file(fields)
        case "input_audio":
            return Other(as_object(value, where))
    raise wrong(kind, fields.path("type"), "input_text, input_image, input_file or output_text")


def _image(fields: Fields) -> Image:
    url = fields.read("image_url", as_text)
    if url is None:
        raise InvalidRequest(
            f"{fields.path('image_url')}: is missing; this gateway keeps no files, so it is an "
            "http(s) address or a data: URL"
        )
    if not url.lower().startswith(_IMAGE):
        raise wrong(url, fields.path("image_url"), "an http(s) address or a data: URL")
    return Image(url, fields.read("detail", as_text))


def _file(fields: Fields) -> Other:
    """As chat completions write it; where the file lies somewhere else, its address is its data."""
    file = {}
    for ours, theirs in (
        ("filename", "filename"),
        ("file_data", "file_url"),
        ("file_data", "file_data"),
        ("file_id", "file_id"),
    ):
        if (value := fields.read(theirs, as_text)) is not None:
            file[ours] = value
    if not {"file_data", "file_id"} & file.keys():
        raise InvalidRequest(f"{fields.where}: needs file_data, or the file_url of a file")
    return Other({"type": "file", "file": file})
