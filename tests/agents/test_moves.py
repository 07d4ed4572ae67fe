"""What a run does next, decided by what is recorded alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agents.agent import Agent, Bounds
from gateway.agents.moves import (
    Ask,
    Call,
    End,
    latest_end,
    next_move,
    stopped_by_limit,
    stopped_in_time,
)
from gateway.agents.run import Run, Step
from gateway.agents.steps import answer_of, result_of
from gateway.errors import LimitExceeded
from gateway.llm.messages import Message, Text, ToolCall

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENT = Agent("review", "review", "Review.", bounds=Bounds(most_rounds=3, most_calls=4))
RUN = Run("20261121-120000-abcdef", "review", "evt_1", "running", NOON, started=NOON)


def asked(number: int, *calls: tuple[str, str], outcome: str = "ok") -> Step:
    wanted = tuple(ToolCall(f"{number}-{at}", *call) for at, call in enumerate(calls))
    said = Message("assistant", (Text(f"Answer {number}."),), tool_calls=wanted)
    return Step(
        RUN.id,
        number,
        "ask",
        "model",
        NOON,
        ended=NOON,
        outcome=outcome,
        answer=answer_of(said, finish=None) if outcome == "ok" else None,
    )


def called(number: int, name: str, arguments: str = "{}", *, ended: bool = True) -> Step:
    call = {"id": str(number), "name": name, "arguments": arguments}
    step = Step(RUN.id, number, "call", name, NOON, asked=call)
    if not ended:
        return step
    return replace(step, ended=NOON, outcome="ok", answer=result_of("Found.", is_error=False))


def move(*steps: Step, seconds: float = 1.0) -> Any:
    return next_move(AGENT, RUN, steps, now=NOON + timedelta(seconds=seconds))


LOOK, OTHER = ("look", '{"a": 1, "b": 2}'), ("look", '{"a": 2}')


def test_it_begins_with_its_model_and_asks_again_what_was_not_recorded() -> None:
    assert move() == Ask(1)
    began = replace(asked(1), ended=None, outcome=None, answer=None)
    assert move(began) == Ask(1)


def test_calls_of_one_answer_are_made_in_their_order_and_then_the_model_is_asked() -> None:
    both = asked(1, LOOK, OTHER)
    first, second = move(both), move(both, called(2, *LOOK))
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert (first.number, first.call.arguments, first.began) == (2, LOOK[1], False)
    assert (second.number, second.call.arguments) == (3, OTHER[1])
    assert first.said.text == "Answer 1."
    assert move(both, called(2, *LOOK), called(3, *OTHER)) == Ask(4)


def test_a_call_that_a_dead_process_began_is_known_as_such() -> None:
    found = move(asked(1, LOOK), called(2, *LOOK, ended=False))
    assert isinstance(found, Call)
    assert (found.number, found.began) == (2, True)


def test_an_answer_without_calls_is_the_result() -> None:
    end = move(asked(1, LOOK), called(2, *LOOK), asked(3))
    assert end == End("done", "it answered", result="Answer 3.")


def test_an_answer_that_failed_is_asked_for_again_as_a_round_of_its_own() -> None:
    assert move(asked(1, outcome="unavailable")) == Ask(2)


@pytest.mark.parametrize(
    ("steps", "guard"),
    [
        ((asked(1, LOOK), called(2, *LOOK)) * 3, "rounds"),
        (
            (*(asked(1, LOOK), called(2, *LOOK)) * 2, asked(5, ("look", '{"b":2.0,   "a":1}'))),
            "loop",
        ),
        ((asked(1, *[("look", str(n)) for n in range(9)]),), None),
        (
            (
                asked(1, *[("look", str(n)) for n in range(9)]),
                *(called(n + 2, "look", str(n)) for n in range(4)),
            ),
            "calls",
        ),
    ],
)
def test_guards_stop_it(steps: Sequence[Step], guard: str | None) -> None:
    numbered = [replace(one, number=at) for at, one in enumerate(steps, start=1)]
    found = move(*numbered)
    assert (found.guard if isinstance(found, End) else None) == guard
    if guard is not None:
        assert found.status == "stopped"


def test_time_counts_from_when_it_began_or_went_on() -> None:
    assert move(seconds=899) == Ask(1)
    end = move(seconds=901)
    assert (end.status, end.guard) == ("stopped", "time")
    resumed = replace(RUN, started=NOON + timedelta(hours=1))
    late = NOON + timedelta(hours=1, seconds=5)
    assert next_move(AGENT, resumed, (), now=late) == Ask(1)
    assert stopped_in_time(AGENT).guard == "time"


@pytest.mark.parametrize(
    ("limit", "is_only_held", "status", "guard"),
    [
        ("agent-review-run", False, "stopped", "run budget"),
        ("agent-review-day", False, "stopped", "day budget"),
        # Nobody set it for this agent.
        ("monthly-budget", False, "failed", None),
        # It waited as long as it could.
        ("agent-review-day", True, "stopped", "time"),
        ("monthly-budget", True, "stopped", "time"),
    ],
)
def test_a_limit_that_is_spent_stops_it_and_one_that_is_held_only_with_its_time(
    limit: str, is_only_held: bool, status: str, guard: str | None
) -> None:
    error = LimitExceeded(
        "of which $0.05 is used", limit=limit, retry_after_seconds=1, is_only_held=is_only_held
    )
    end = stopped_by_limit(AGENT, error)
    assert (end.status, end.guard) == (status, guard)
    assert "$0.05 is used" in end.because


def test_it_has_to_end_so_long_after_it_began_or_went_on() -> None:
    assert latest_end(AGENT, RUN) == NOON + timedelta(seconds=900)
    assert move(seconds=900).guard == "time"


def test_arguments_that_are_no_json_are_compared_as_they_are() -> None:
    wrong = ("look", "{")
    steps = (asked(1, wrong), called(2, *wrong), asked(3, wrong), called(4, *wrong))
    assert move(*steps, asked(5, wrong)).guard == "loop"
    assert isinstance(move(*steps, asked(5, ("look", json.dumps({"a": "{"})))), Call)
