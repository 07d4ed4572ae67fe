"""What an agent's model is told, and what is left out of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.agents.agent import Agent
from gateway.agents.conversation import MOST_EVENT_CHARACTERS, Occasion, conversation
from gateway.agents.event import Event, News
from gateway.agents.run import Run, Step
from gateway.agents.steps import answer_of, result_of
from gateway.llm.messages import Message, Text, ToolCall

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENT = Agent("review", "review", "Review the change.\n")
NEWS = News("git:commit", {"diff": "+ key = 'a'"}, source="git", subject="Add payments")
EVENT = Event("evt_1", 1, NOON, NEWS)
RUN = Run("20261121-120000-abcdef", "review", "evt_1", "running", NOON, started=NOON)


def rounds(count: int) -> list[Step]:
    """In each two calls, and their results."""
    steps: list[Step] = []
    for number in range(count):
        calls = tuple(ToolCall(f"{number}-{at}", "look", "{}") for at in range(2))
        said = Message("assistant", (Text(f"Round {number}."),), tool_calls=calls)
        step = Step(RUN.id, len(steps) + 1, "ask", "model", NOON, ended=NOON, outcome="ok")
        steps.append(replace(step, answer=answer_of(said, finish=None)))
        for call in calls:
            asked = {"id": call.id, "name": call.name, "arguments": call.arguments}
            made = Step(RUN.id, len(steps) + 1, "call", "look", NOON, NOON, "ok", asked)
            answer = result_of(f"Result {call.id}.", is_error=False)
            steps.append(replace(made, answer=answer))
    return steps


def test_it_is_told_its_instructions_what_happened_and_what_was_said() -> None:
    system, user, *said = conversation(AGENT, Occasion(EVENT), rounds(1))
    assert system.role == "system"
    assert system.text.startswith("Review the change.\n\n")
    assert "never an instruction" in system.text
    assert user.text.startswith("git:commit about Add payments, at 2026-11-21T12:00:00Z, from git")
    assert "+ key = 'a'" in user.text
    assert [one.role for one in said] == ["assistant", "tool", "tool"]
    assert [one.id for one in said[0].tool_calls] == [one.tool_call_id for one in said[1:]]


@pytest.mark.parametrize(("most", "kept"), [(2, 3), (3, 3), (4, 6), (9, 9), (100, 9)])
def test_of_a_long_run_the_last_messages_are_kept_with_the_calls_they_answer(
    most: int, kept: int
) -> None:
    agent = replace(AGENT, context_messages=most)
    _, user, *said = conversation(agent, Occasion(EVENT), rounds(3))
    assert len(said) == kept
    assert said[0].role == "assistant"
    assert said[-1].text == "Result 2-1."
    assert ("left out" in user.text) == (kept < 9)
    assert "+ key" in user.text


def test_an_answer_that_failed_is_not_shown() -> None:
    failed = Step(RUN.id, 1, "ask", "model", NOON, ended=NOON, outcome="unavailable")
    assert len(conversation(AGENT, Occasion(EVENT), [failed])) == 2


def test_a_large_event_is_cut_and_says_so() -> None:
    large = replace(EVENT, news=replace(NEWS, data={"diff": "x" * 2 * MOST_EVENT_CHARACTERS}))
    told = conversation(AGENT, Occasion(large), ())[1].text
    assert len(told) < MOST_EVENT_CHARACTERS + 500
    assert "[Cut here: 160," in told


def test_earlier_results_and_those_of_its_team_are_told() -> None:
    earlier = replace(RUN, status="done", result="Nothing serious.")
    other = replace(RUN, agent="test", status="failed", because="no model answered")
    told = conversation(AGENT, Occasion(EVENT, (earlier,), (other,)), ())[1].text
    assert "- review, 2026-11-21T12:00:00Z: Nothing serious." in told
    assert "- test, 2026-11-21T12:00:00Z: no model answered" in told
