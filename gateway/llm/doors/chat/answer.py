"""An answer as a chat completion, whole or in chunks, the way OpenAI's clients read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.llm.dialects.openai.message import message_to_json, reasoning_to_json
from gateway.llm.gathering import Answer
from gateway.llm.messages import Chunk, ToolCallDelta, Usage

DONE = b"data: [DONE]\n\n"

# Fields that OpenAI keeps beside the delta and not inside it.
_BESIDE_THE_DELTA = frozenset({"native_finish_reason", "stop_reason", "stop_sequence"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of an answer have in common; `created` is in seconds since 1970."""

    answer_id: str
    created: int
    model: str


def chunk_to_json(chunk: Chunk, envelope: Envelope, *, is_first: bool = False) -> dict[str, Any]:
    """A `chat.completion.chunk`, without the usage; the first of a choice says the role."""
    delta = _delta(chunk, is_first=is_first)
    choice: dict[str, Any] = {
        "index": chunk.choice,
        "delta": delta,
        "finish_reason": chunk.finish_reason,
    }
    if chunk.logprobs:
        choice["logprobs"] = chunk.logprobs
    for name in _BESIDE_THE_DELTA & chunk.extra.keys():
        choice[name] = delta.pop(name)
    return {**chunk.frame, **_chunk(envelope), "choices": [choice]}


def usage_chunk_to_json(
    usage: Usage, envelope: Envelope, *, cost_microusd: int | None = None
) -> dict[str, Any]:
    """The last chunk, which has no choices, for callers that asked for `include_usage`."""
    return {
        **_chunk(envelope),
        "choices": [],
        "usage": usage_to_json(usage, cost_microusd=cost_microusd),
    }


def error_chunk_to_json(error: Mapping[str, Any], envelope: Envelope) -> dict[str, Any]:
    """The honest end of an answer that broke off; `error` is the inside of OpenAI's `error`."""
    choice = {"index": 0, "delta": {}, "finish_reason": "error"}
    return {**_chunk(envelope), "choices": [choice], "error": error}


def answer_to_json(
    answers: Iterable[Answer],
    envelope: Envelope,
    *,
    usage: Usage | None = None,
    cost_microusd: int | None = None,
    frame: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A `chat.completion`."""
    written = {
        **(frame or {}),
        "id": envelope.answer_id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [_choice(answer) for answer in answers],
    }
    if usage is not None:
        written["usage"] = usage_to_json(usage, cost_microusd=cost_microusd)
    return written


def usage_to_json(usage: Usage, *, cost_microusd: int | None = None) -> dict[str, Any]:
    """`cost` is in US dollars, and missing where it is not known."""
    written: dict[str, Any] = {
        **usage.extra,
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            **usage.extra.get("prompt_tokens_details", {}),
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {
            **usage.extra.get("completion_tokens_details", {}),
            "reasoning_tokens": usage.reasoning_tokens,
        },
    }
    if cost_microusd is not None:
        written["cost"] = cost_microusd / 1_000_000
    return written


def _chunk(envelope: Envelope) -> dict[str, Any]:
    return {
        "id": envelope.answer_id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
    }


def _delta(chunk: Chunk, *, is_first: bool) -> dict[str, Any]:
    delta: dict[str, Any] = {**chunk.extra}
    if is_first:
        delta["role"] = "assistant"
        delta["content"] = None if chunk.tool_calls else ""
    if chunk.text:
        delta["content"] = chunk.text
    if chunk.reasoning:
        delta |= reasoning_to_json(chunk.reasoning)
    if chunk.refusal:
        delta["refusal"] = chunk.refusal
    if chunk.tool_calls:
        delta["tool_calls"] = [_tool_call(call) for call in chunk.tool_calls]
    return delta


def _tool_call(call: ToolCallDelta) -> dict[str, Any]:
    """The type comes with the ID, once: clients join the strings of all pieces."""
    is_custom = call.extra.get("type") == "custom"
    written: dict[str, Any] = {"index": call.index}
    if call.id is not None:
        written |= {"id": call.id, "type": "function"}
    written |= call.extra
    name = {} if call.name is None else {"name": call.name}
    if is_custom:
        return written | {"custom": {**name, "input": call.arguments}}
    return written | {"function": {**name, "arguments": call.arguments}}


def _choice(answer: Answer) -> dict[str, Any]:
    message = {"refusal": None, **message_to_json(answer.message)}
    if not answer.message.parts and not answer.message.tool_calls and message["refusal"]:
        message["content"] = None
    written = {
        "index": answer.choice,
        "message": message,
        "finish_reason": answer.finish_reason,
        "logprobs": answer.logprobs,
    }
    for name in _BESIDE_THE_DELTA & message.keys():
        written[name] = message.pop(name)
    return written
