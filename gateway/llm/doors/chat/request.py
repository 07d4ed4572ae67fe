"""A chat completion as a caller asks it, read into our messages."""

from typing import Any, NamedTuple

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import (
    Fields,
    as_count,
    as_flag,
    as_list,
    as_name,
    as_number,
    as_object,
    as_text,
    bounded,
    wrong,
)
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.doors.chat.tools import with_work
from gateway.llm.messages import AnswerFormat, ChatRequest, Json, ToolChoice, ToolDefinition

MOST_CHOICES = 128
_PLAIN_CHOICES = ("auto", "none", "required")
# These name tools in ways that only OpenAI knows; they go there as they are.
_OTHER_CHOICES = ("allowed_tools", "custom")


class Delivery(NamedTuple):
    """How a caller wants the answer to arrive, which is the door's own affair."""

    is_stream: bool
    has_usage: bool


def delivery_from_json(body: object) -> Delivery:
    """Raises `InvalidRequest` with the way to the field."""
    fields = Fields(body, "")
    is_stream = fields.read("stream", as_flag) or False
    options = fields.read("stream_options", as_object)
    has_usage = Fields(options or {}, "stream_options").read("include_usage", as_flag)
    return Delivery(is_stream, has_usage or False)


def request_from_json(body: object) -> ChatRequest:
    """What is not known here goes to `extra`, and on to providers that speak like OpenAI.

    Raises:
        InvalidRequest: naming the field, such as `messages[2].content: must be …`.
    """
    fields = Fields(bounded(body), "")
    for taken_by_the_door in ("stream", "stream_options"):
        fields.take(taken_by_the_door)
    model = fields.need("model", as_name, is_what="the ID of a model, an alias, or auto")
    functions, others = _tools(fields)
    asked = _most_tokens(fields)
    return ChatRequest(
        model=model,
        messages=_messages(fields),
        tools=functions,
        other_tools=others,
        tool_choice=_tool_choice(fields),
        parallel_tool_calls=fields.read("parallel_tool_calls", as_flag),
        answer_format=_answer_format(fields),
        max_output_tokens=asked,
        temperature=fields.read("temperature", as_number),
        top_p=fields.read("top_p", as_number),
        stop=fields.read("stop", _stop) or (),
        reasoning_effort=fields.read("reasoning_effort", as_name),
        choices=fields.read("n", _choices) or 1,
        extra=fields.rest,
    )


def _messages(fields: Fields) -> tuple[Any, ...]:
    messages = fields.need("messages", as_list, is_what="a list of messages")
    if not messages:
        raise InvalidRequest("messages: must have at least one message")
    read = [message_from_json(message, f"messages[{at}]") for at, message in enumerate(messages)]
    return with_work(read, "messages")


def _most_tokens(fields: Fields) -> int | None:
    """The newer name wins where a caller sends both."""
    older = fields.read("max_tokens", as_count)
    newer = fields.read("max_completion_tokens", as_count)
    return older if newer is None else newer


def _stop(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise wrong(value, where, "a string or a list of strings")
    return tuple(as_text(one, f"{where}[{at}]") for at, one in enumerate(value))


def _choices(value: object, where: str) -> int:
    choices = as_count(value, where)
    if choices > MOST_CHOICES:
        raise wrong(value, where, f"at most {MOST_CHOICES}")
    return choices


def _tools(fields: Fields) -> tuple[tuple[ToolDefinition, ...], tuple[Json, ...]]:
    functions: list[ToolDefinition] = []
    others: list[Json] = []
    for at, value in enumerate(fields.read("tools", as_list) or ()):
        tool = Fields(value, f"tools[{at}]")
        kind = tool.read("type", as_name)
        if kind == "function" or (kind is None and tool.has("function")):
            functions.append(_function(tool))
        elif kind is None:
            raise InvalidRequest(f"tools[{at}].type: is missing; it is mostly function")
        else:
            others.append(as_object(value, tool.where))
    return tuple(functions), tuple(others)


def _function(tool: Fields) -> ToolDefinition:
    value = tool.need("function", as_object, is_what="an object with a name and parameters")
    function = Fields(value, tool.path("function"))
    name = function.need("name", as_name, is_what="the name that the model calls it by")
    description = function.read("description", as_text) or ""
    parameters = function.read("parameters", as_object)
    strict = function.read("strict", as_flag)
    inner = {"function": function.rest} if function.rest else {}
    return ToolDefinition(name, description, parameters, strict, extra={**tool.rest, **inner})


def _tool_choice(fields: Fields) -> ToolChoice | None:
    value = fields.take("tool_choice")
    match value:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(value)
        case str():
            raise wrong(value, "tool_choice", f"{', '.join(_PLAIN_CHOICES)}, or an object")
    choice = Fields(value, "tool_choice")
    kind = choice.need("type", as_name, is_what="mostly function")
    if kind in _OTHER_CHOICES:
        fields.rest["tool_choice"] = value
        return None
    if kind != "function":
        raise wrong(kind, "tool_choice.type", f"function, {' or '.join(_OTHER_CHOICES)}")
    function = choice.need("function", as_object, is_what="an object with the name of a tool")
    named = Fields(function, "tool_choice.function")
    return ToolChoice("named", named.need("name", as_name, is_what="the name of a tool"))


def _answer_format(fields: Fields) -> AnswerFormat | None:
    value = fields.take("response_format")
    if value is None:
        return None
    wanted = Fields(value, "response_format")
    kind = wanted.need("type", as_name, is_what="text, json_object or json_schema")
    if kind == "text":
        return None
    if kind == "json_object":
        return AnswerFormat("json_object")
    if kind != "json_schema":
        fields.rest["response_format"] = value
        return None
    return _schema(wanted)


def _schema(wanted: Fields) -> AnswerFormat:
    value = wanted.need("json_schema", as_object, is_what="an object with a name and a schema")
    fields = Fields(value, "response_format.json_schema")
    return AnswerFormat(
        "json_schema",
        name=fields.read("name", as_name) or "answer",
        schema=fields.read("schema", as_object),
        strict=fields.read("strict", as_flag),
        extra=fields.rest,
    )
