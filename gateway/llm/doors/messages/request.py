"""A request of Anthropic's Messages as a caller asks it, read into ours."""

import re
from collections.abc import Mapping
from dataclasses import replace

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic.blocks import FIELDS
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
from gateway.llm.doors.messages.message import messages_from_json
from gateway.llm.doors.messages.parts import CACHE, system_from_json
from gateway.llm.doors.messages.tools import choice_from_json, tools_from_json
from gateway.llm.messages import AnswerFormat, ChatRequest, Message

# What only Anthropic knows, and others answer 400 to.
_FOR_ANTHROPIC = "thinking metadata service_tier inference_geo top_k".split()
# These need a beta in a header, which is not sent.
_DROPPED = (
    "container context_management speed diagnostics betas fallbacks user_profile_id"
).split()
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
# Up to so many tokens of thinking are this effort.
_BUDGETS = ((4_096, "low"), (16_384, "medium"))
# What Anthropic does where a request leaves it to the model how much to think.
_ADAPTIVE = "high"

_DATE = re.compile(r"-(?:\d{8}|latest)$")
_VERSION = re.compile(r"-(\d{1,2})-(\d{1,2})$")


def is_stream_from_json(body: object) -> bool:
    """Raises `InvalidRequest` with the way to the field."""
    return Fields(body, "").read("stream", as_flag) or False


def request_from_json(body: object, *, is_counted: bool = False) -> ChatRequest:
    """What nobody knows goes to `extra`, and on to providers that speak like OpenAI.

    A request that `is_counted` is not answered, and needs no `max_tokens`.

    Raises:
        InvalidRequest: naming the field, such as `messages[2].content: must be …`.
    """
    fields = Fields(bounded(body), "")
    for taken_elsewhere in ("stream", *_DROPPED):
        fields.take(taken_elsewhere)
    own = {name: fields.rest[name] for name in _FOR_ANTHROPIC if fields.has(name)}
    model = fields.need("model", as_name, is_what="the ID of a model, an alias, or auto")
    tools, others = tools_from_json(fields)
    choice, is_parallel = choice_from_json(fields)
    effort, wanted = _output(fields)
    reasoning_effort = _effort(fields, effort)
    for name in _FOR_ANTHROPIC:
        fields.take(name)
    return ChatRequest(
        model=model,
        messages=_messages(fields),
        tools=tools,
        other_tools=others,
        tool_choice=choice,
        parallel_tool_calls=is_parallel,
        answer_format=wanted,
        max_output_tokens=_most_tokens(fields, is_counted=is_counted),
        temperature=fields.read("temperature", as_number),
        top_p=fields.read("top_p", as_number),
        stop=fields.read("stop_sequences", _stop) or (),
        reasoning_effort=reasoning_effort,
        extra={**fields.rest, **({FIELDS: own} if own else {})},
    )


def other_names(model: str) -> tuple[str, ...]:
    """What else a Claude may be called: without its day, and with the dot that others write."""
    if not model.startswith("claude-"):
        return ()
    bare = _DATE.sub("", model)
    dotted = _VERSION.sub(r"-\1.\2", bare)
    return tuple(name for name in dict.fromkeys((bare, dotted)) if name != model)


def _messages(fields: Fields) -> tuple[Message, ...]:
    values = fields.need("messages", as_list, is_what="a list of messages")
    if not values:
        raise InvalidRequest("messages: must have at least one message")
    read = [
        message
        for at, value in enumerate(values)
        for message in messages_from_json(value, f"messages[{at}]")
    ]
    if fields.has("system"):
        parts, extra = system_from_json(fields.take("system"), "system")
        read.insert(0, Message("system", parts, extra=extra))
    if (control := fields.read(CACHE, as_object)) is not None:
        # It stands for the last block that can be cached.
        read[-1] = replace(read[-1], extra={CACHE: control, **read[-1].extra})
    return tuple(read)


def _most_tokens(fields: Fields, *, is_counted: bool) -> int | None:
    if is_counted:
        return fields.read("max_tokens", as_count)
    return fields.need("max_tokens", as_count, is_what="how many tokens the answer may have")


def _stop(value: object, where: str) -> tuple[str, ...]:
    return tuple(as_text(one, f"{where}[{at}]") for at, one in enumerate(as_list(value, where)))


def _output(fields: Fields) -> tuple[str | None, AnswerFormat | None]:
    """The effort, and the form of the answer, which an older beta has in a field of its own."""
    older = fields.read("output_format", as_object)
    config = Fields(fields.read("output_config", as_object) or {}, "output_config")
    effort = config.read("effort", _effort_name)
    wanted = config.read("format", as_object) or older
    return effort, None if wanted is None else _format(wanted)


def _effort_name(value: object, where: str) -> str:
    if value not in _EFFORTS:
        raise wrong(value, where, f"one of {', '.join(_EFFORTS)}")
    return str(value)


def _format(value: Mapping[str, object]) -> AnswerFormat:
    fields = Fields(value, "output_config.format")
    kind = fields.need("type", as_name, is_what="json_schema")
    if kind != "json_schema":
        raise wrong(kind, fields.path("type"), "json_schema")
    schema = fields.need("schema", as_object, is_what="a JSON Schema object")
    return AnswerFormat("json_schema", schema=schema, strict=True)


def _effort(fields: Fields, asked: str | None) -> str | None:
    """How much to think, in the one word that all providers understand."""
    value = fields.read("thinking", as_object)
    if value is None:
        return asked
    thinking = Fields(value, "thinking")
    match kind := thinking.need("type", as_name, is_what="adaptive, enabled or disabled"):
        case "disabled":
            return None
        case "adaptive":
            return asked or _ADAPTIVE
        case "enabled":
            budget = thinking.need("budget_tokens", as_count, is_what="a number of tokens")
            return asked or next((word for most, word in _BUDGETS if budget <= most), "high")
    raise wrong(kind, "thinking.type", "adaptive, enabled or disabled")
