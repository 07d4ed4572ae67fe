"""Agents ask each other, answer as a team, and tell each other of news."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio

from gateway.agents.event import Event
from gateway.agents.run import Story
from gateway.errors import InvalidRequest, NotFound
from tests.acceptance.router_processes import until
from tests.agents.house import House, agent, house, says, wants
from tests.stand_ins.llm.script import Answer, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENTS = (
    agent("asking", delegates_to=["knowing", "circling"], concurrency=4),
    agent("knowing", concurrency=4),
    agent("circling", delegates_to=["asking"]),
    agent("patient", delegates_to=["lazy"], max_minutes=0.02),
    agent("lazy"),
    agent("telling", tools=["publish_event"]),
    agent("hearing", hears=["news:*"]),
)
PLACES = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("house"), AGENTS, places=PLACES) as opened:
        yield opened


def asks(agent: str, question: str) -> Answer:
    return wants("delegate", json.dumps({"agent": agent, "question": question}))


def repeats(messages: Sequence[Mapping[str, Any]]) -> Reply:
    """What the last message says, which was a tool's result."""
    return Answer(f"I was told: {messages[-1]['content']}")


async def asked_by(at: House, run_id: str) -> Sequence[Event]:
    """The questions of a run, once there are some."""
    found: list[Event] = []

    async def is_asked() -> bool:
        questions = await at.agents.events(pattern="question:asked", limit=5)
        found[:] = [one for one in questions if one.news.cause == run_id]
        return bool(found)

    await until(is_asked)
    return found


def results(story: Story) -> list[str]:
    return [str((one.answer or {}).get("text")) for one in story.steps if one.kind == "call"]


async def test_an_agent_asks_another_and_reads_its_answer(at: House) -> None:
    at.says["asking"] = lambda messages: (
        repeats(messages) if len(messages) > 2 else asks("knowing", "What is six times seven?")
    )
    at.says["knowing"] = says(Answer("Forty-two."))
    story = await at.heard("test:asking")
    assert story.run.result == "I was told: Forty-two."
    (answered,) = await at.agents.runs(agent="knowing", limit=1)
    assert answered.parent == story.run.id
    asked = await at.agents.event(answered.event_id)
    assert (asked.topic, asked.news.chain) == ("question:asked", ("asking",))
    assert "six times seven" in json.dumps(at.model.requests[-2].body)


async def test_runs_that_wait_for_others_never_take_all_places(at: House) -> None:
    """Twice as many ask as there are places, and wait all at once."""
    may_answer = asyncio.Event()
    at.says["asking"] = lambda messages: (
        repeats(messages) if len(messages) > 2 else asks("knowing", "Well?")
    )
    at.says["knowing"] = says(Answer("Well.", before_headers=may_answer))
    count = len(at.model.requests)
    told = [await at.told("test:asking") for _ in range(2 * PLACES)]
    await at.model.has_received(count + 2 * PLACES)
    may_answer.set()
    for one in told:
        assert (await at.story(one)).run.result == "I was told: Well."


async def test_an_agent_that_is_asked_by_whom_it_asks_is_told_so(at: House) -> None:
    at.says["asking"] = lambda messages: (
        repeats(messages) if len(messages) > 2 else asks("circling", "Who knows?")
    )
    at.says["circling"] = lambda messages: (
        repeats(messages) if len(messages) > 2 else asks("asking", "Do you?")
    )
    story = await at.heard("test:asking")
    assert story.run.status == "done"
    assert "asking waits for this answer itself (asking → circling)" in (story.run.result or "")


async def test_one_that_waits_for_an_answer_too_long_is_stopped_in_time(at: House) -> None:
    never = asyncio.Event()
    at.says["patient"] = says(asks("lazy", "Are you there?"))
    at.says["lazy"] = says(Answer("Here.", before_headers=never))
    story = await at.heard("test:patient")
    assert (story.run.status, story.run.guard) == ("stopped", "time")
    assert "lazy gave no answer" in results(story)[0]
    # It had begun, and goes on to its end.
    (asked,) = await at.agents.runs(agent="lazy")
    assert asked.status == "running"
    never.set()
    await at.is_now(asked.event_id, "done")


async def test_who_asks_a_paused_agent_is_told_so_at_once_and_goes_on_without(at: House) -> None:
    at.says["asking"] = lambda messages: (
        repeats(messages) if len(messages) > 2 else asks("knowing", "Are you there?")
    )
    at.says["knowing"] = says(Answer("Here."))
    before = await at.agents.runs(agent="knowing")
    await at.agents.pause("knowing", by="alice")
    try:
        story = await at.heard("test:asking")
        assert story.run.status == "done"
        assert "knowing is paused by alice; ask again later" in (story.run.result or "")
        assert story.steps[1].outcome == "failed_precondition"
    finally:
        await at.agents.resume("knowing")
    # What it is asked later is the first that it answers.
    assert (await at.heard("test:asking")).run.result == "I was told: Here."
    assert len(await at.agents.runs(agent="knowing")) == len(before) + 1


async def test_what_a_stopped_run_asked_is_cancelled_with_it_and_never_answered(at: House) -> None:
    may_answer = asyncio.Event()
    at.says["circling"] = says(Answer("Later.", before_headers=may_answer))
    at.says["asking"] = says(asks("circling", "Do you know?"))
    busy = await at.told("test:circling")
    await at.is_now(busy, "running")
    told = await at.told("test:asking")
    asking = await at.is_now(told, "running")
    (question,) = await asked_by(at, asking.id)
    await at.agents.stop("asking", by="alice")
    try:
        assert (await at.story(told)).run.status == "stopped"
        (cancelled,) = await at.ended(question.id)
        assert (cancelled.status, cancelled.attempt) == ("cancelled", 0)
        assert cancelled.because == f"the run that asked it, {asking.id}, is stopped"
        may_answer.set()
        assert (await at.story(busy)).run.status == "done"
        said = await at.agents.notifications(limit=1_000)
        assert [one.kind for one in said if one.data.get("run_id") == cancelled.id] == [
            "run.cancelled"
        ]
    finally:
        await at.agents.resume("asking")


async def test_a_team_answers_in_turn_and_each_reads_those_before_it(at: House) -> None:
    at.says["knowing"] = says(Answer("The port is open."))
    at.says["hearing"] = says(Answer("Then it must be closed."))
    runs = await at.agents.ask_team(["knowing", "hearing"], "What is wrong?", by="alice")
    await at.ended(runs[0].event_id)
    first, second = [await at.agents.story(one.id) for one in runs]
    assert [one.run.status for one in (first, second)] == ["done", "done"]
    assert first.run.ended is not None
    assert second.run.started is not None
    assert first.run.ended <= second.run.started
    told = at.model.requests[-1].body["messages"][1]["content"]
    assert "What is wrong?" in told
    assert "knowing" in told
    assert "The port is open." in told
    assert first.run.team == second.run.team is not None


async def test_who_is_asked_must_be_there_and_be_asked_once(at: House) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await at.agents.ask("nobody", "Hello?", by="alice")
    with pytest.raises(InvalidRequest, match="once"):
        await at.agents.ask_team(["lazy", "lazy"], "Hello?", by="alice")
    with pytest.raises(InvalidRequest, match="question"):
        await at.agents.ask("lazy", "  ", by="alice")


async def test_an_agent_tells_others_of_news_but_not_in_the_gateways_name(at: House) -> None:
    at.says["telling"] = says(
        wants("publish_event", '{"topic": "agent:finished"}'),
        wants("publish_event", '{"topic": "news:found", "data": {"port": 22}}'),
        Answer("Told."),
    )
    at.says["hearing"] = says(Answer("Heard."))
    story = await at.heard("test:telling")
    assert "choose one that begins with none" in results(story)[0]
    (news,) = await at.agents.events(pattern="news:found")
    assert (news.news.chain, news.news.cause) == (("telling",), story.run.id)
    assert (await at.story(news.id)).run.agent == "hearing"
