"""Reads a stream line by line, as it comes over the wire."""

import json
from collections.abc import Sequence

import pytest

from gateway.client.events import CallBegun, CallEnded, Event
from gateway.client.stream import Gathering
from gateway.errors import Unavailable

CALL = {"round": 2, "id": "c1", "name": "create_task", "server": "tasks"}


def read(*lines: str) -> tuple[Sequence[Event], Gathering]:
    gathering = Gathering({})
    return [event for line in lines if (event := gathering.read(line))], gathering


def chunk(text: str) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return f"data: {json.dumps({'model': 'large', 'choices': [choice]})}"


def test_named_events_come_between_the_text() -> None:
    ended = {**CALL, "content": "made", "error": None, "milliseconds": 12.5}
    failed = {**CALL, "content": "", "error": "it is down", "milliseconds": 1.0}
    events, gathering = read(
        chunk("I make it."),
        "",
        "event: function_call",
        f"data: {json.dumps({**CALL, 'arguments': '{}'})}",
        "",
        ": keep-alive",
        "",
        "event: function_result",
        f"data: {json.dumps(ended)}",
        "",
        "event: function_result",
        f"data: {json.dumps(failed)}",
        "",
        chunk("Made."),
        "",
        "data: [DONE]",
    )
    assert events == [
        "I make it.",
        CallBegun(2, "c1", "create_task", "tasks", "{}"),
        CallEnded(2, "c1", "create_task", "tasks", "made", None, 12.5),
        CallEnded(2, "c1", "create_task", "tasks", "", "it is down", 1.0),
        "Made.",
    ]
    assert gathering.reply.text == "I make it.Made."


def test_events_that_it_does_not_know_are_passed_over() -> None:
    events, _ = read("event: weather", 'data: {"rain": true}', "", chunk("Dry."), "")
    assert events == ["Dry."]


def test_an_error_within_the_stream_is_raised_as_what_it_is() -> None:
    error = {"error": {"message": "the model went away", "code": "unavailable"}, "choices": []}
    with pytest.raises(Unavailable, match="the model went away"):
        read(chunk("It is"), "", f"data: {json.dumps(error)}")
