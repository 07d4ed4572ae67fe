"""Pieces of an answer as the events of Anthropic's Messages, and those put together."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.dialects.anthropic.blocks import FORMAT, VERBATIM
from gateway.llm.doors.messages.format import (
    Envelope,
    GatheredMessage,
    MessageEvents,
    event,
    usage_to_json,
)
from gateway.llm.loop.piece import CallBegun, CallEnded, Piece
from gateway.llm.messages import Chunk, Reasoning, ToolCall, ToolCallDelta, Usage

FACTS = {"cost_usd": None}


def told(*pieces: Piece, shows_calls: bool = False) -> list[dict[str, Any]]:
    events = MessageEvents(Envelope("msg_1", "m"), input_tokens=7, shows_calls=shows_calls)
    told = [said for piece in pieces for said in events.add(piece)]
    return [*told, *events.end(Usage(input_tokens=5, output_tokens=3), FACTS)]


def content(*pieces: Piece, shows_calls: bool = False) -> list[dict[str, Any]]:
    """The blocks, each event checked to be one that a client knows what to do with."""
    gathered, open_block = GatheredMessage(), None
    for said in told(*pieces, shows_calls=shows_calls):
        match said["type"]:
            case "content_block_start":
                assert open_block is None
                open_block = said["index"]
            case "content_block_delta":
                assert said["index"] == open_block
            case "content_block_stop":
                assert said["index"] == open_block
                open_block = None
        gathered.add(said)
    assert open_block is None
    blocks: list[dict[str, Any]] = gathered.message()["content"]
    return blocks


def call(index: int, call_id: str | None = None, arguments: str = "") -> Chunk:
    name = None if call_id is None else "find"
    return Chunk(tool_calls=(ToolCallDelta(index, call_id, name, arguments),))


def tool_use(call_id: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "find", "input": given}


def thought(text: str, **about: Any) -> Chunk:
    return Chunk(reasoning=(Reasoning(text, **about),))


OURS = ToolCall("call_1", "search", '{"q": "a"}')
BEGUN = CallBegun(1, OURS, "market")
ENDED = CallEnded(1, OURS, "market", "found", 1.0)


def test_a_text_is_told_in_the_order_that_clients_expect() -> None:
    said = told(Chunk(text="Hel"), Chunk(text="lo"), Chunk(finish_reason="stop"))
    assert [one["type"] for one in said] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert said[0]["message"]["usage"]["input_tokens"] == 7
    assert said[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert said[-2]["usage"]["input_tokens"] == 5
    assert said[-2]["gateway"] == FACTS


def test_the_start_has_the_usage_that_the_provider_knows_by_then() -> None:
    said = told(Chunk(text="a", usage=Usage(input_tokens=100, cached_tokens=90)))
    usage = said[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (10, 90)


def test_an_answer_without_a_word_is_an_answer() -> None:
    assert [one["type"] for one in told()] == [
        "message_start",
        "ping",
        "message_delta",
        "message_stop",
    ]


def test_parallel_calls_that_come_one_after_another_go_out_as_they_come() -> None:
    events = MessageEvents(Envelope("msg_1", "m"), input_tokens=7, shows_calls=False)
    for piece in (call(0, "call_1", '{"a":'), call(0, arguments="1}")):
        list(events.add(piece))
    said = [one["type"] for one in events.add(call(1, "call_2", "{"))]
    assert said == ["content_block_stop", "content_block_start", "content_block_delta"]


def test_parallel_calls_whose_pieces_come_mixed_are_told_apart() -> None:
    pieces = [
        call(0, "call_1", '{"a":'),
        call(1, "call_2", '{"b":'),
        call(0, arguments="1"),
        call(1, arguments="2}"),
        call(2, "call_3"),
        call(0, arguments="}"),
    ]
    assert content(*pieces) == [
        tool_use("call_1", a=1),
        tool_use("call_2", b=2),
        tool_use("call_3"),
    ]


def test_a_text_behind_a_call_that_is_not_whole_waits_for_it() -> None:
    pieces = [call(0, "call_1", "{"), Chunk(text="So."), call(0, arguments="}")]
    assert content(*pieces) == [tool_use("call_1"), {"type": "text", "text": "So."}]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=4),
    st.randoms(use_true_random=False),
)
def test_however_the_pieces_of_calls_are_mixed_each_arrives_whole(
    wanted: list[dict[str, int]], chance: Random
) -> None:
    order = [number for number, one in enumerate(wanted) for _ in json.dumps(one)]
    chance.shuffle(order)
    letters = [iter(json.dumps(one)) for one in wanted]
    begun = [call(number, f"call_{number}") for number in range(len(wanted))]
    pieces = [call(number, arguments=next(letters[number])) for number in order]
    assert [block["input"] for block in content(*begun, *pieces)] == wanted


def test_thoughts_of_anthropic_keep_its_signature() -> None:
    marks = {"format": FORMAT, "index": 0}
    pieces = [
        thought("Let ", extra=marks),
        thought("me", extra=marks),
        thought("", signature="theirs", extra=marks),
        Chunk(reasoning=(Reasoning(redacted="secret", extra={"format": FORMAT, "index": 1}),)),
        Chunk(text="Yes."),
    ]
    assert content(*pieces) == [
        {"type": "thinking", "thinking": "Let me", "signature": "theirs"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "Yes."},
    ]


def test_thoughts_of_others_get_a_signature_of_ours() -> None:
    [first, _] = content(thought("Let "), thought("me"), Chunk(text="Yes."))
    assert (first["type"], first["thinking"]) == ("thinking", "Let me")
    assert first["signature"].startswith("gateway-")


def test_calls_of_our_tools_are_told_only_to_whoever_asks() -> None:
    pieces: list[Piece] = [Chunk(text="I look."), BEGUN, ENDED, Chunk(text="\n\nDone.")]
    assert content(*pieces) == [{"type": "text", "text": "I look.\n\nDone."}]
    assert content(*pieces, shows_calls=True) == [
        {"type": "text", "text": "I look."},
        {
            "type": "mcp_tool_use",
            "id": "call_1",
            "name": "search",
            "server_name": "market",
            "input": {"q": "a"},
        },
        {
            "type": "mcp_tool_result",
            "tool_use_id": "call_1",
            "is_error": False,
            "content": [{"type": "text", "text": "found"}],
        },
        {"type": "text", "text": "Done."},
    ]


def test_a_call_of_ours_that_failed_says_so() -> None:
    failed = CallEnded(1, OURS, "market", "", 1.0, error="no")
    [_, result] = content(BEGUN, failed, shows_calls=True)
    assert (result["is_error"], result["content"][0]["text"]) == (True, "no")


@pytest.mark.parametrize(
    ("finish", "extra", "reason", "sequence"),
    [
        ("stop", {}, "end_turn", None),
        ("length", {}, "max_tokens", None),
        ("tool_calls", {}, "tool_use", None),
        ("content_filter", {}, "refusal", None),
        ("stop", {"stop_reason": "stop_sequence", "stop_sequence": "E"}, "stop_sequence", "E"),
        ("length", {"stop_reason": "pause_turn"}, "pause_turn", None),
        (
            "length",
            {"stop_reason": "model_context_window_exceeded"},
            "model_context_window_exceeded",
            None,
        ),
        ("stop", {"stop_reason": "</s>"}, "end_turn", None),
        ("tool_calls", {"stop_reason": "refusal"}, "tool_use", None),
    ],
)
def test_why_it_ended_is_told_in_anthropics_words(
    finish: Any, extra: Any, reason: str, sequence: str | None
) -> None:
    said = told(Chunk(text="a"), Chunk(finish_reason=finish, extra=extra))
    assert said[-2]["delta"] == {"stop_reason": reason, "stop_sequence": sequence}


def test_a_refusal_is_told_as_text() -> None:
    assert content(Chunk(refusal="I won't.")) == [{"type": "text", "text": "I won't."}]


def test_what_a_tool_of_anthropics_found_comes_behind_the_text() -> None:
    search: dict[str, Any] = {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "a"},
    }
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    text = {"type": "text", "text": "Found.", "citations": [{"cited_text": "b"}]}
    end = Chunk(finish_reason="stop", extra={VERBATIM: [search, found, text]})
    assert content(Chunk(text="Found."), end) == [
        {"type": "text", "text": "Found."},
        search,
        found,
    ]


def test_a_plain_answer_may_be_exactly_as_anthropic_gave_it() -> None:
    gathered = GatheredMessage()
    for said in told(Chunk(text="Found.")):
        gathered.add(said)
    blocks = [{"type": "text", "text": "Found.", "citations": [{"cited_text": "b"}]}]
    assert gathered.message(blocks)["content"] == blocks
    assert gathered.message()["content"] == [{"type": "text", "text": "Found."}]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (Usage(100, 5), (100, 0, 0, 5)),
        (Usage(100, 5, cached_tokens=60, cache_write_tokens=30), (10, 30, 60, 5)),
        (Usage(10, 5, cached_tokens=60), (0, 0, 60, 5)),
    ],
)
def test_what_was_cached_is_counted_beside_the_input(usage: Usage, counts: Sequence[int]) -> None:
    written = usage_to_json(usage)
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert tuple(written[name] for name in (*names, "output_tokens")) == counts


def test_anthropics_own_counts_are_told_and_others_are_not() -> None:
    extra = {"server_tool_use": {"web_search_requests": 1}, "prompt_tokens_details": {"a": 1}}
    written = usage_to_json(Usage(1, 1, extra=extra))
    assert written["server_tool_use"] == {"web_search_requests": 1}
    assert "prompt_tokens_details" not in written


def test_an_event_says_its_name_and_stays_one_event_whatever_is_in_it() -> None:
    written = event({"type": "ping", "text": "a\n\nb\ud83d"}).decode()
    assert written.startswith("event: ping\ndata: {")
    assert written.count("\n") == 3
