"""What goes out of the door, read by what OpenAI's own client makes of it."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.endpoints.openai_problems import error_fields
from gateway.errors import InvalidRequest, RateLimited
from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.doors.chat.format import (
    DONE,
    Envelope,
    answer_to_json,
    chunk_to_json,
    error_chunk_to_json,
    event,
    request_from_json,
    usage_chunk_to_json,
    usage_to_json,
)
from gateway.llm.gathering import Gathering
from gateway.llm.messages import Chunk, Message, Reasoning, ToolCallDelta, Usage
from tests.llm.dialects.recordings import FILES, decoded, dialect_of, gathered, recorded
from tests.llm.dialects.strategies import model
from tests.llm.dialects.test_recorded_streams import FAILS

ENVELOPE = Envelope("chatcmpl-1", 1763700000, "anthropic/claude-opus-5-5")
WHOLE = [name for name in FILES if name not in FAILS]


def passed_on(name: str) -> bytes:
    """A recorded stream as our own door would send it."""
    begun: set[int] = set()
    written = b""
    for chunk in decoded(dialect_of(name), recorded(name)):
        if chunk.says_something or chunk.extra or chunk.logprobs:
            first = chunk.choice not in begun
            begun.add(chunk.choice)
            written += event(chunk_to_json(chunk, ENVELOPE, is_first=first))
        usage = chunk.usage
    if usage:
        written += event(usage_chunk_to_json(usage, ENVELOPE))
    return written + DONE


def documents(data: bytes) -> list[dict[str, Any]]:
    events = data.decode().removesuffix("data: [DONE]\n\n").split("\n\n")
    return [json.loads(one.removeprefix("data: ")) for one in events if one]


@pytest.mark.parametrize("name", WHOLE)
def test_what_goes_through_the_gateway_twice_says_the_same(name: str) -> None:
    once = Gathering()
    for chunk in decoded(dialect_of(name), recorded(name)):
        once.add(chunk)
    twice = Gathering()
    for chunk in decoded(dialect_of("generic"), passed_on(name), size=13):
        twice.add(chunk)
    for before, after in zip(once.answers, twice.answers, strict=True):
        assert after.message.parts == before.message.parts
        assert [(call.name, call.arguments, call.extra) for call in after.message.tool_calls] == [
            (call.name, call.arguments, call.extra) for call in before.message.tool_calls
        ]
        assert [
            (one.text, one.signature, one.redacted, one.extra.get("index"))
            for one in after.message.reasoning
        ] == [
            (one.text, one.signature, one.redacted, one.extra.get("index"))
            for one in before.message.reasoning
        ]
        assert (after.finish_reason, after.logprobs) == (before.finish_reason, before.logprobs)
    if once.usage and twice.usage:
        assert twice.usage.input_tokens == once.usage.input_tokens
        assert twice.usage.cached_tokens == once.usage.cached_tokens
        assert twice.usage.reasoning_tokens == once.usage.reasoning_tokens


@pytest.mark.parametrize("name", WHOLE)
def test_openai_s_client_can_read_every_chunk_and_every_answer(name: str) -> None:
    for document in documents(passed_on(name)):
        # The client's own type of a chunk has no custom tools yet, which it reads nevertheless.
        if '"custom"' not in json.dumps(document):
            ChatCompletionChunk.model_validate(document)
    found = gathered(name)
    answer = answer_to_json(found.answers, ENVELOPE, usage=found.usage, frame=found.frame)
    ChatCompletion.model_validate(json.loads(json.dumps(answer)))


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_can_be_sent_back_as_it_came(name: str) -> None:
    found = gathered(name)
    answer = json.loads(json.dumps(answer_to_json(found.answers, ENVELOPE)))
    messages = [choice["message"] for choice in answer["choices"]]
    request = request_from_json({"model": "m", "messages": messages})
    for sent_back, before in zip(request.messages, found.answers, strict=True):
        assert sent_back.text == before.message.text
        assert sent_back.tool_calls == before.message.tool_calls
        assert [(one.text, one.signature, one.redacted) for one in sent_back.reasoning] == [
            (one.text, one.signature, one.redacted) for one in before.message.reasoning
        ]


@pytest.mark.parametrize("name", ["anthropic_thinking_and_tools", "anthropic_web_search"])
def test_a_client_brings_anthropic_s_blocks_back_unchanged(name: str) -> None:
    (answer,) = gathered(name).answers
    written = json.loads(json.dumps(answer_to_json([answer], ENVELOPE)))
    question = {"role": "user", "content": "x"}
    brought = request_from_json(
        {"model": "m", "messages": [question, written["choices"][0]["message"]]}
    )
    kept = request_from_json({"model": "m", "messages": [question]})
    direct = [*kept.messages, answer.message]
    dialect, claude = anthropic.Dialect(), model("claude-opus-5-5")
    turns = dialect.encode(brought, claude)["messages"]
    assert turns == dialect.encode(type(kept)("m", tuple(direct)), claude)["messages"]
    assert len(turns[1]["content"]) >= 4


def test_the_first_chunk_of_a_choice_says_the_role() -> None:
    assert chunk_to_json(Chunk("Hi"), ENVELOPE, is_first=True) == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1763700000,
        "model": "anthropic/claude-opus-5-5",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "Hi"},
                "finish_reason": None,
            }
        ],
    }
    (later,) = chunk_to_json(Chunk("Ho", choice=1), ENVELOPE)["choices"]
    assert later == {"index": 1, "delta": {"content": "Ho"}, "finish_reason": None}
    (last,) = chunk_to_json(Chunk(finish_reason="stop"), ENVELOPE)["choices"]
    assert last == {"index": 0, "delta": {}, "finish_reason": "stop"}


def test_a_call_is_named_once_and_its_pieces_only_numbered() -> None:
    begun = Chunk(tool_calls=(ToolCallDelta(1, "a", "find"),))
    (choice,) = chunk_to_json(begun, ENVELOPE, is_first=True)["choices"]
    assert choice["delta"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "index": 1,
                "id": "a",
                "type": "function",
                "function": {"name": "find", "arguments": ""},
            }
        ],
    }
    piece = Chunk(tool_calls=(ToolCallDelta(1, arguments="{}"),))
    (choice,) = chunk_to_json(piece, ENVELOPE)["choices"]
    assert choice["delta"] == {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}


def test_thoughts_are_shown_and_only_sealed_ones_come_in_detail() -> None:
    (plain,) = chunk_to_json(Chunk(reasoning=(Reasoning("a"),)), ENVELOPE)["choices"]
    assert plain["delta"] == {"reasoning_content": "a"}
    (sealed,) = chunk_to_json(Chunk(reasoning=(Reasoning(signature="s"),)), ENVELOPE)["choices"]
    assert sealed["delta"] == {
        "reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "s"}]
    }


def test_the_usage_tells_the_cost_only_when_it_is_known() -> None:
    usage = Usage(10, 5, 4, 3, 2, extra={"prompt_tokens_details": {"audio_tokens": 1}})
    assert usage_to_json(usage, cost_microusd=169) == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"audio_tokens": 1, "cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "cost": 0.000169,
    }
    assert "cost" not in usage_to_json(usage)
    last = usage_chunk_to_json(usage, ENVELOPE)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 15)


def test_an_error_inside_a_stream_ends_its_choice() -> None:
    error = {
        "message": "NanoGPT broke off",
        "type": "server_error",
        "param": None,
        "code": "unavailable",
    }
    document = error_chunk_to_json(error, ENVELOPE)
    assert document["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert document["error"] == {
        "message": "NanoGPT broke off",
        "type": "server_error",
        "param": None,
        "code": "unavailable",
    }
    assert error_fields(InvalidRequest("x"))["type"] == "invalid_request_error"
    assert error_fields(RateLimited("x", retry_after_seconds=1))["type"] == "rate_limit_error"


def test_an_answer_without_text_has_null_content() -> None:
    found = Gathering()
    found.add(Chunk(refusal="No.", finish_reason="stop"))
    (choice,) = answer_to_json(found.answers, ENVELOPE)["choices"]
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": "No."}
    assert (choice["finish_reason"], choice["logprobs"]) == ("stop", None)


def test_half_a_character_cannot_break_the_stream() -> None:
    assert event({"x": "a\ud83d", "y": "ü"}) == 'data: {"x":"a?","y":"ü"}\n\n'.encode()


def test_an_empty_message_is_still_a_message() -> None:
    found = Gathering()
    found.add(Chunk(finish_reason="stop"))
    (answer,) = found.answers
    assert answer.message == Message("assistant")
    (choice,) = answer_to_json([answer], ENVELOPE)["choices"]
    assert choice["message"]["content"] == ""
