import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.errors import (
    BadAnswer,
    ContentRefused,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.dialects.reasoning_details import details_of
from gateway.llm.dialects.responses import dialect as responses
from gateway.llm.doors.chat.format import Envelope, answer_to_json, chunk_to_json
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.gathering import Answer, Gathering
from gateway.llm.messages import ChatRequest, Usage
from tests.llm.dialects.recordings import decoded
from tests.llm.dialects.strategies import model
from tests.stand_ins.llm.account import Bill, Offer, Tokens
from tests.stand_ins.llm.responses_rules import SEALED as SEALED_TOO
from tests.stand_ins.llm.responses_wire import ResponsesWire
from tests.stand_ins.llm.script import Answer as Scripted
from tests.stand_ins.llm.script import Tool

USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 3},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 59,
}
SEALED = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA1"}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"}
SAID = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
}

Event = dict[str, Any]


def event(name: str, **fields: Any) -> Event:
    return {"type": f"response.{name}", **fields}


def ended(status: str = "completed", **fields: Any) -> Event:
    response = {"model": "gpt-5.4-2026-03-05", "output": [], "usage": USAGE, **fields}
    return event(status, response=response)


def done(*items: Event) -> list[Event]:
    return [event("output_item.done", output_index=at, item=one) for at, one in enumerate(items)]


def added(item: Event, at: int = 0) -> Event:
    return event("output_item.added", output_index=at, item=item)


def wire(*events: Event) -> bytes:
    lines = (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return "".join(lines).encode()


def gathered(*events: Event, size: int | None = None) -> Gathering:
    gathering = Gathering()
    for chunk in decoded(responses.Dialect(), wire(*events), size=size):
        gathering.add(chunk)
    return gathering


def answer(*events: Event) -> Answer:
    (one,) = gathered(*events).answers
    return one


STREAM = (
    event("created", response={"model": "gpt-5.4", "output": []}),
    event("in_progress", response={"model": "gpt-5.4", "output": []}),
    added({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAA"}),
    event("reasoning_summary_part.added", output_index=0, summary_index=0, part={"text": ""}),
    event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="**Plan"),
    event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="** a"),
    event("reasoning_summary_text.done", output_index=0, summary_index=0, text="**Plan** a"),
    event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="b"),
    event(
        "output_item.done",
        output_index=0,
        item={
            **SEALED,
            "summary": [
                {"type": "summary_text", "text": "**Plan** a"},
                {"type": "summary_text", "text": "b"},
            ],
        },
    ),
    added({**SAID, "content": []}, 1),
    event("content_part.added", output_index=1, content_index=0, part={"type": "output_text"}),
    event("output_text.delta", output_index=1, content_index=0, delta="Hel", logprobs=[]),
    event("output_text.delta", output_index=1, content_index=0, delta="lo", obfuscation="x"),
    event("output_text.done", output_index=1, content_index=0, text="Hello"),
    event("output_item.done", output_index=1, item=SAID),
    added({**CALL, "arguments": ""}, 2),
    event("function_call_arguments.delta", output_index=2, item_id="fc_1", delta='{"x"'),
    event("function_call_arguments.delta", output_index=2, item_id="fc_1", delta=":1}"),
    event("function_call_arguments.done", output_index=2, item_id="fc_1", arguments='{"x":1}'),
    event("output_item.done", output_index=2, item={**CALL, "arguments": '{"x":1}'}),
    event("something_new.delta", output_index=9, delta="?"),
    ended(service_tier="default"),
)


@pytest.mark.parametrize("size", [None, 1, 7, 100])
def test_nothing_is_said_twice_however_the_bytes_are_cut(size: int | None) -> None:
    gathering = gathered(*STREAM, size=size)
    (one,) = gathering.answers
    assert one.message.text == "Hello"
    assert [(call.id, call.name, call.arguments) for call in one.message.tool_calls] == [
        ("c1", "find", '{"x":1}')
    ]
    assert "".join(block.text for block in one.message.reasoning) == "**Plan** a\n\nb"
    assert one.message.reasoning[-1].redacted == "gAAAA1"
    assert one.finish_reason == "tool_calls"
    assert gathering.model == "gpt-5.4-2026-03-05"
    assert gathering.frame == {"service_tier": "default"}
    assert gathering.usage == Usage(50, 9, 20, 3, 5)


def test_what_did_not_come_in_pieces_is_taken_when_it_is_done() -> None:
    in_pieces = answer(*STREAM)
    at_once = answer(*(one for one in STREAM if not one["type"].endswith(".delta")))
    by_items = answer(*(one for one in STREAM if ".output_item.done" in one["type"]), STREAM[-1])
    items = [one["item"] for one in STREAM if one["type"] == "response.output_item.done"]
    at_the_end = answer(ended(output=items))
    assert in_pieces == at_once == by_items == at_the_end


def test_an_answer_comes_back_to_openai_as_it_left() -> None:
    """Through our own door, whole and in chunks."""
    (one,) = gathered(*STREAM).answers
    written = answer_to_json([one], Envelope("id", 1, "m"))["choices"][0]["message"]
    message = message_from_json(json.loads(json.dumps(written)), "messages[0]")
    body = responses.Dialect().encode(ChatRequest("m", (message,)), model("gpt-5.4"))
    thought, said, call = body["input"]
    assert thought == STREAM[8]["item"]
    assert said["content"] == SAID["content"]
    assert call == {
        "type": "function_call",
        "call_id": "c1",
        "name": "find",
        "arguments": '{"x":1}',
    }


def test_clients_that_join_all_texts_of_a_stream_can_send_it_back() -> None:
    details: dict[int, dict[str, Any]] = {}
    for chunk in decoded(responses.Dialect(), wire(*STREAM)):
        delta = chunk_to_json(chunk, Envelope("id", 1, "m"))["choices"][0]["delta"]
        for piece in delta.get("reasoning_details", ()):
            known = details.setdefault(piece["index"], {})
            for name, value in piece.items():
                is_joined = name in known and name not in ("index", "type")
                known[name] = known[name] + value if is_joined else value
    (one,) = gathered(*STREAM).answers
    assert list(details.values()) == details_of(one.message.reasoning)


def test_a_refusal_is_one() -> None:
    refused = {**SAID, "content": [{"type": "refusal", "refusal": "I cannot."}]}
    one = answer(
        event("refusal.delta", output_index=0, content_index=0, delta="I can"),
        event("refusal.done", output_index=0, content_index=0, refusal="I cannot."),
        *done(refused),
        ended(),
    )
    assert one.message.extra["refusal"] == "I cannot."
    assert (one.message.text, one.finish_reason) == ("", "stop")


def test_a_call_of_a_custom_tool_keeps_its_kind() -> None:
    call = {"type": "custom_tool_call", "id": "ctc", "call_id": "c", "name": "patch", "input": ""}
    one = answer(
        added(call),
        event("custom_tool_call_input.delta", output_index=0, delta="*** "),
        event("custom_tool_call_input.done", output_index=0, input="*** Begin"),
        *done({**call, "input": "*** Begin"}),
        ended(),
    )
    (made,) = one.message.tool_calls
    assert (made.name, made.arguments, made.extra) == ("patch", "*** Begin", {"type": "custom"})
    assert one.finish_reason == "tool_calls"


def test_calls_side_by_side_are_kept_apart() -> None:
    calls = [{**CALL, "id": f"fc_{at}", "call_id": f"c{at}", "arguments": ""} for at in range(2)]
    one = answer(
        added(calls[0], 0),
        added(calls[1], 1),
        event("function_call_arguments.delta", output_index=1, delta='{"b":'),
        event("function_call_arguments.delta", output_index=0, delta='{"a":'),
        event("function_call_arguments.delta", output_index=1, delta="1}"),
        event("function_call_arguments.delta", output_index=0, delta="2}"),
        ended(),
    )
    said = [(call.id, call.arguments) for call in one.message.tool_calls]
    assert said == [("c0", '{"a":2}'), ("c1", '{"b":1}')]


@pytest.mark.parametrize(
    ("reason", "finish", "extra"),
    [
        ("max_output_tokens", "length", {}),
        ("content_filter", "content_filter", {}),
        ("max_messages", "length", {"native_finish_reason": "max_messages"}),
        (None, "length", {"native_finish_reason": "incomplete"}),
    ],
)
def test_an_answer_that_is_not_whole_says_why(
    reason: str | None, finish: str, extra: dict[str, Any]
) -> None:
    one = answer(*done(SAID), ended("incomplete", incomplete_details={"reason": reason}))
    assert (one.finish_reason, one.message.extra) == (finish, extra)


def test_items_in_an_order_that_messages_cannot_tell_are_kept_as_they_came() -> None:
    second = {**SEALED, "id": "rs_2"}
    items: list[Event] = [SEALED, {**SAID, "phase": "commentary"}, second, CALL]
    one = answer(*done(*items), ended())
    assert one.message.extra["openai_output"] == {"issuer": "openai", "items": items}
    body = responses.Dialect().encode(ChatRequest("m", (one.message,)), model("gpt-5.4"))
    assert body["input"] == items


def test_two_texts_are_told_apart() -> None:
    one = answer(*done(SAID, {**SAID, "id": "msg_2"}), ended())
    assert one.message.text == "Hello\n\nHello"
    body = responses.Dialect().encode(ChatRequest("m", (one.message,)), model("gpt-5.4"))
    assert [item["id"] for item in body["input"]] == ["msg_1", "msg_2"]


def test_a_text_before_calls_may_be_a_comment() -> None:
    one = answer(*done(SEALED, {**SAID, "phase": "commentary"}, CALL), ended())
    assert one.message.extra == {"phase": "commentary"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("server_error", Unavailable),
        ("rate_limit_exceeded", RateLimited),
        ("insufficient_quota", PaymentRequired),
        ("context_length_exceeded", ContextTooLong),
        ("invalid_prompt", InvalidRequest),
        ("image_too_large", InvalidRequest),
        ("bio_policy", ContentRefused),
        ("image_content_policy_violation", ContentRefused),
        ("something_new", Unavailable),
    ],
)
def test_a_failure_is_one_of_our_errors(code: str, error: type[GatewayError]) -> None:
    said = {"code": code, "message": "Something went wrong."}
    failed = ended("failed", error=said, usage=None)
    flat = {"type": "error", "sequence_number": 4, "param": None, **said}
    nested = {"type": "error", "error": {**said, "type": "some_error"}}
    for failure in (failed, flat, nested):
        with pytest.raises(error, match="Something went wrong") as raised:
            gathered(failure)
        assert type(raised.value) is error


def test_a_failure_without_a_reason_is_still_one() -> None:
    with pytest.raises(Unavailable, match="no reason"):
        gathered(ended("failed", error=None))


def test_what_was_said_comes_before_the_error() -> None:
    said = event("output_text.delta", output_index=0, content_index=0, delta="Hel")
    chunks = decoded(responses.Dialect(), wire(said, {"type": "error", "message": "no"}))
    assert next(chunks).text == "Hel"
    with pytest.raises(Unavailable):
        next(chunks)


def test_an_end_without_its_last_event_is_no_end() -> None:
    with pytest.raises(BadAnswer, match="broke off"):
        gathered(*STREAM[:-1])


def test_half_characters_are_put_together() -> None:
    halves = [
        event("output_text.delta", output_index=0, content_index=0, delta=half)
        for half in ("\ud83c", "\udf0d")
    ]
    assert answer(*halves, ended()).message.text == "🌍"


def test_a_provider_s_refusal_is_read_as_that_of_chat_completions() -> None:
    body = json.dumps({"error": {"message": "no", "code": "insufficient_quota"}}).encode()
    assert isinstance(responses.Dialect("azure").error(429, {}, body), PaymentRequired)


ANY: st.SearchStrategy[Any] = (
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none()) | st.just({})
)


def places(value: Any) -> list[tuple[Any, Any]]:
    inner = list(value.items() if isinstance(value, dict) else enumerate(value))
    deeper = [place for _, one in inner if isinstance(one, dict | list) for place in places(one)]
    return [(value, key) for key, _ in inner] + deeper


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), other=ANY)
def test_a_value_of_another_type_is_an_answer_or_an_error(at: int, other: Any) -> None:
    events = json.loads(json.dumps(STREAM))
    found = places(events)
    holder, key = found[at % len(found)]
    holder[key] = other
    data = "".join(f"data: {json.dumps(one)}\n\n" for one in events).encode()
    try:
        for chunk in decoded(responses.Dialect(), data):
            assert json.dumps(chunk_to_json(chunk, Envelope("id", 1, "m")))
    except GatewayError:
        return


def test_the_stand_in_says_only_what_openai_s_client_knows() -> None:
    known: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    said = Scripted("Hi there", reasoning=("a", "b"), tools=(Tool("find", '{"x":1}'),))
    asked = {"reasoning": {"summary": "auto"}, "include": [SEALED_TOO]}
    speaking, bill = ResponsesWire(set()), Bill("1", Offer("gpt-5.4"), Tokens(5))
    frames = [*speaking.frames(said, bill, asked), *speaking.error_frames(bill)]
    events = [
        json.loads(frame.data.decode().partition("data: ")[2]) for frame in frames if frame.data
    ]
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    for one in events:
        assert known.validate_python(one).type == one["type"]
