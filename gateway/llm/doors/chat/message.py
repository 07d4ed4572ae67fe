"""One message of a caller's chat completion, read into ours."""

import re
from typing import Any

from gateway.llm.dialects.json_fields import (
    Fields,
    as_flag,
    as_list,
    as_name,
    as_object,
    as_text,
    wrong,
)
from gateway.llm.dialects.reasoning_details import blocks_of
from gateway.llm.messages import Image, Message, Other, Part, Reasoning, Role, Text, ToolCall

_ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant", "tool")
_MAY_BE_SILENT = ("assistant", "tool")
_IMAGE_URL = re.compile(r"https?://[^\s]+|data:", re.IGNORECASE)


def message_from_json(value: object, where: str) -> Message:
    """Raises `InvalidRequest` with the way to the field."""
    fields = Fields(value, where)
    role = fields.need("role", _role, is_what=_one_of(_ROLES))
    parts = _content(fields, role)
    answered = None
    if role == "tool":
        answered = fields.need("tool_call_id", as_name, is_what="the ID of the call it answers")
    return Message(
        role=role,
        parts=parts,
        tool_calls=_tool_calls(fields) if role == "assistant" else (),
        reasoning=_reasoning(fields) if role == "assistant" else (),
        tool_call_id=answered,
        name=fields.read("name", as_text),
        is_error=(role == "tool" and fields.read("is_error", as_flag)) or False,
        extra=fields.rest,
    )


def _role(value: object, where: str) -> Role:
    for role in _ROLES:
        if value == role:
            return role
    raise wrong(value, where, _one_of(_ROLES))


def _content(fields: Fields, role: Role) -> tuple[Part, ...]:
    value, where = fields.take("content"), fields.path("content")
    if isinstance(value, str):
        return (Text(value),)
    if isinstance(value, list):
        return tuple(_part(part, f"{where}[{at}]") for at, part in enumerate(value))
    if value is None and role in _MAY_BE_SILENT:
        return ()
    raise wrong(value, where, "a string or a list of parts")


def _part(value: object, where: str) -> Part:
    fields = Fields(value, where)
    kind = fields.need("type", as_name, is_what="mostly text or image_url")
    if kind == "text":
        text = fields.need("text", as_text, is_what="a string")
        return Text(text, extra=fields.rest)
    if kind == "image_url":
        return _image(fields)
    return Other(as_object(value, where))


def _image(fields: Fields) -> Image:
    where, value = fields.path("image_url"), fields.take("image_url")
    if isinstance(value, str):
        return Image(_url(value, where), extra=fields.rest)
    inner = Fields(value, where)
    url = inner.need("url", _url, is_what="an http(s) address or a data: URL")
    return Image(url, inner.read("detail", as_text), extra=fields.rest)


def _url(value: object, where: str) -> str:
    if not isinstance(value, str) or not _IMAGE_URL.match(value):
        raise wrong(value, where, "an http(s) address or a data: URL")
    return value


def _tool_calls(fields: Fields) -> tuple[ToolCall, ...]:
    where = fields.path("tool_calls")
    calls = fields.read("tool_calls", as_list) or ()
    return tuple(_tool_call(call, f"{where}[{at}]") for at, call in enumerate(calls))


def _tool_call(value: object, where: str) -> ToolCall:
    fields = Fields(value, where)
    call_id = fields.need("id", as_name, is_what="the ID that the model gave")
    kind = fields.read("type", as_name) or "function"
    fields.take("index")  # of the stream that the caller gathered it from
    if kind == "custom":
        custom = _inner(fields, "custom", "an object with a name and an input")
        name = custom.need("name", as_name, is_what="the name of a tool")
        text = custom.need("input", as_text, is_what="a string")
        return ToolCall(call_id, name, text, extra={**fields.rest, "type": "custom"})
    if kind != "function":
        raise wrong(kind, f"{where}.type", "function or custom")
    function = _inner(fields, "function", "an object with a name and arguments")
    name = function.need("name", as_name, is_what="the name of a tool")
    arguments = function.need("arguments", as_text, is_what="a string that holds JSON")
    return ToolCall(call_id, name, arguments, extra=fields.rest)


def _inner(fields: Fields, name: str, is_what: str) -> Fields:
    return Fields(fields.need(name, as_object, is_what=is_what), fields.path(name))


def _reasoning(fields: Fields) -> tuple[Reasoning, ...]:
    """The details hold all that the text beside them says, and more."""
    texts = [fields.take(name) for name in ("reasoning_content", "reasoning")]
    details: list[Any] | None = fields.read("reasoning_details", as_list)
    if details:
        return blocks_of(details)
    said = next((text for text in texts if isinstance(text, str) and text), None)
    return () if said is None else (Reasoning(said),)


def _one_of(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
