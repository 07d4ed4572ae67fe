"""A request to `/v1/responses`, read into ours; what was said before is put in front of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
from gateway.llm.doors.chat.tools import take_wish
from gateway.llm.doors.responses.echo import echo_of
from gateway.llm.doors.responses.items import messages_of
from gateway.llm.doors.responses.tools import GivenTools, choose, tools_of
from gateway.llm.loop.wish import NO_TOOLS, Wish
from gateway.llm.messages import AnswerFormat, ChatRequest, Json, Message, Text

REFERENCE = "item_reference"
_LOGPROBS = "message.output_text.logprobs"
# Fields that mean the same in a chat completion. All others are about this door alone: chat
# completions of OpenAI's answer 400 to fields that they do not know.
_PASSED_ON = (
    "user safety_identifier prompt_cache_key prompt_cache_retention service_tier seed "
    "frequency_penalty presence_penalty logit_bias top_k min_p repetition_penalty provider plugins"
).split()
_NOT_HERE = {
    "background": "a response is made while its request waits; ask with stream: true instead",
    "conversation": "conversations are continued with previous_response_id",
    "prompt": "this gateway keeps no prompts; send instructions and input",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """`request` has no messages yet: they are those of `items`, behind what was said before.

    `echo` is what an answer repeats of its request.
    """

    request: ChatRequest
    wish: Wish = NO_TOOLS
    items: tuple[Json, ...] = ()
    instructions: str | None = None
    previous_id: str | None = None
    is_stored: bool = True
    is_stream: bool = False
    has_logprobs: bool = False
    wants_summary: bool = False
    tools: GivenTools = field(default_factory=GivenTools)
    echo: Mapping[str, Any] = field(default_factory=dict)

    @property
    def references(self) -> Sequence[str]:
        """IDs of items that were sent before, in place of the items themselves."""
        return [item["id"] for item in self.items if item.get("type") == REFERENCE]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a model is asked; `listed` are the labels whose tools the client knows already."""

    request: ChatRequest
    wish: Wish
    listed: frozenset[str]


def asked_from_json(body: dict[str, Any]) -> Asked:
    """Raises:
    InvalidRequest: naming the field, such as `input[2].call_id: must be …`.
    """
    bounded(body)
    echo = echo_of(body)
    read = {**body}
    wish = take_wish(read)
    fields = Fields(read, "")
    _refuse(fields)
    given = tools_of(fields.take("tools") or [])
    choice, tools, wish = choose(fields.take("tool_choice"), given, wish)
    has_logprobs, logprobs = _logprobs(fields)
    reasoning, thinking = _reasoning(fields)
    parallel = fields.read("parallel_tool_calls", as_flag)
    request = replace(
        _request(fields),
        tools=tools,
        tool_choice=choice if tools or wish.offers else None,
        parallel_tool_calls=parallel if tools or wish.offers else None,
    )
    request = replace(
        request, reasoning_effort=reasoning, extra={**request.extra, **thinking, **logprobs}
    )
    return Asked(
        request=request,
        wish=wish,
        items=_items(fields),
        instructions=fields.read("instructions", as_text),
        previous_id=fields.read("previous_response_id", as_name),
        is_stored=fields.read("store", as_flag) is not False,
        is_stream=fields.read("stream", as_flag) or False,
        has_logprobs=has_logprobs,
        wants_summary=bool(thinking),
        tools=given,
        echo=echo,
    )


def conversation(
    asked: Asked, before: Iterable[Json], referred: Mapping[str, Json]
) -> Conversation:
    """`before` are the items of what is continued, and `referred` those that are only named.

    Raises:
        InvalidRequest: an item is not as it should be, or there are none.
    """
    placed = [(item, "previous_response_id") for item in before]
    for at, item in enumerate(asked.items):
        is_reference = item.get("type") == REFERENCE
        placed.append((referred[item["id"]] if is_reference else item, f"input[{at}]"))
    messages, read = messages_of(placed)
    if not messages and asked.instructions is None:
        raise InvalidRequest("input: is missing; it is a string, or a list of items")
    if read.approved and not asked.wish.offers:
        raise InvalidRequest(
            "tools: a call was allowed, but the server that it is of is not among the tools; send "
            "its entry of the type mcp again"
        )
    if asked.instructions is not None:
        messages = (Message("system", (Text(asked.instructions),)), *messages)
    return Conversation(
        replace(asked.request, messages=messages),
        replace(asked.wish, approved=frozenset(read.approved)),
        frozenset(read.listed),
    )


def _request(fields: Fields) -> ChatRequest:
    """What concerns neither messages nor tools."""
    text = Fields(fields.read("text", as_object) or {}, "text")
    verbosity = {"verbosity": text.take("verbosity")} if text.has("verbosity") else {}
    return ChatRequest(
        model=fields.need("model", as_name, is_what="the ID of a model, an alias, or auto"),
        messages=(),
        answer_format=_format(text),
        max_output_tokens=fields.read("max_output_tokens", as_count),
        temperature=fields.read("temperature", as_number),
        top_p=fields.read("top_p", as_number),
        extra={name: fields.take(name) for name in _PASSED_ON if fields.has(name)} | verbosity,
    )


def _reasoning(fields: Fields) -> tuple[str | None, dict[str, Any]]:
    """The effort, and the summary as providers that give one want to be asked for it."""
    wanted = Fields(fields.read("reasoning", as_object) or {}, "reasoning")
    older, newer = (wanted.read(name, as_name) for name in ("generate_summary", "summary"))
    summary = newer or older
    asked = {} if summary is None else {"reasoning": {"summary": summary}}
    return wanted.read("effort", as_name), asked


def _refuse(fields: Fields) -> None:
    for name, instead in _NOT_HERE.items():
        if fields.take(name):
            raise InvalidRequest(f"{name}: is not offered here; {instead}")


def _items(fields: Fields) -> tuple[Json, ...]:
    value = fields.take("input")
    if value is None:
        return ()
    if isinstance(value, str):
        return ({"type": "message", "role": "user", "content": value},)
    if not isinstance(value, list):
        raise wrong(value, "input", "a string or a list of items")
    return tuple(_item(item, f"input[{at}]") for at, item in enumerate(value))


def _item(value: object, where: str) -> Json:
    """A message and a reference may come without their type."""
    item = as_object(value, where)
    kind = item.get("type")
    if kind is None:
        kind = "message" if "role" in item or "id" not in item else REFERENCE
    if kind == REFERENCE:
        return {"type": REFERENCE, "id": as_name(item.get("id"), f"{where}.id")}
    return {**item, "type": kind}


def _format(text: Fields) -> AnswerFormat | None:
    value = text.take("format")
    if value is None:
        return None
    wanted = Fields(value, text.path("format"))
    match kind := wanted.need("type", as_name, is_what="text, json_object or json_schema"):
        case "text":
            return None
        case "json_object":
            return AnswerFormat("json_object")
        case "json_schema":
            return AnswerFormat(
                "json_schema",
                name=wanted.read("name", as_name) or "answer",
                schema=wanted.read("schema", as_object),
                strict=wanted.read("strict", as_flag),
                extra=wanted.rest,
            )
    raise wrong(kind, wanted.path("type"), "text, json_object or json_schema")


def _logprobs(fields: Fields) -> tuple[bool, dict[str, Any]]:
    included = fields.read("include", as_list) or ()
    most = fields.take("top_logprobs") or 0
    if _LOGPROBS not in included and not most:
        return False, {}
    return True, {"logprobs": True, **({"top_logprobs": most} if most else {})}
