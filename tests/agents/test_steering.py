"""People steer what runs: in order, paused, cancelled, gone on with, replayed from a step."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from gateway.agents.event import News
from gateway.agents.executors import Executors
from gateway.agents.run import Run, Step
from gateway.agents.run_store import RunStore
from gateway.agents.steps import answer_of
from gateway.clock import now
from gateway.errors import InvalidRequest, NotFound, Refused
from gateway.llm.messages import Message, Text, ToolCall
from gateway.storage.agent_tables import agent_executors, agent_runs
from tests.agents.house import House, agent, house, says, wants
from tests.stand_ins.llm.script import Answer, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = wants("create_task", '{"title": "Rotate the key"}')
AGENTS = (
    agent("one"),
    agent("many", concurrency=3),
    agent("slow"),
    agent("worker", tools=["create_task"]),
    agent("crashed", tools=["execute_code", "create_task"]),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("house"), AGENTS) as opened:
        yield opened


class Gate:
    """A model that answers when it may, and knows how many wait for that."""

    def __init__(self, *answers: Answer) -> None:
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.said = says(*answers)

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> Reply:
        self.asked.set()
        answer = self.said(messages)
        assert isinstance(answer, Answer)
        return replace(answer, before_headers=self.may_answer)

    async def is_asked(self) -> None:
        async with asyncio.timeout(10):
            await self.asked.wait()


async def asked_of(at: House, names: str, count: int) -> list[Run]:
    told = [await at.told(f"test:{names}", number=number) for number in range(count)]
    return [(await at.ended(one))[0] for one in told]


async def test_one_at_a_time_works_events_off_in_their_order(at: House) -> None:
    at.says["one"] = says(Answer("Done."))
    runs = await asked_of(at, "one", 12)
    assert {one.status for one in runs} == {"done"}
    for before, behind in pairwise(runs):
        assert before.ended is not None
        assert behind.started is not None
        assert before.ended <= behind.started


async def test_as_many_run_at_once_as_an_agent_may(at: House) -> None:
    gate = Gate(Answer("Done."))
    at.says["many"] = gate
    count = len(at.model.requests)
    told = [await at.told("test:many") for _ in range(5)]
    await at.model.has_received(count + 3)
    standing = await at.agents.standing("many")
    assert (standing.running, standing.waiting) == (3, 2)
    gate.may_answer.set()
    assert {(await at.ended(one))[0].status for one in told} == {"done"}


async def test_a_paused_agent_keeps_what_waits_and_ends_what_runs(at: House) -> None:
    gate = Gate(Answer("Done."))
    at.says["slow"] = gate
    running = await at.told("test:slow")
    await gate.is_asked()
    await at.agents.pause("slow", by="alice")
    waiting = await at.told("test:slow")
    gate.may_answer.set()
    assert (await at.story(running)).run.status == "done"
    await at.is_now(waiting, "waiting")
    assert (await at.agents.standing("slow")).waiting == 1
    await at.agents.resume("slow", by="alice")
    assert (await at.story(waiting)).run.status == "done"
    with pytest.raises(NotFound, match="slow"):
        await at.agents.pause("slwo", by="alice")


async def test_a_run_is_cancelled_in_the_middle_of_an_answer(at: House) -> None:
    gate = Gate(Answer("Done."))
    at.says["slow"] = gate
    told = await at.told("test:slow")
    await gate.is_asked()
    (run,) = await at.agents.runs(event_id=told)
    await at.agents.cancel_run(run.id)
    story = await at.story(told)
    assert (story.run.status, story.run.because) == ("cancelled", "a person cancelled it")
    with pytest.raises(Refused, match="has ended"):
        await at.agents.cancel_run(run.id)
    gate.may_answer.set()
    # Who takes it back is answered after all.
    await at.agents.resume_run(run.id)
    await at.is_now(told, "done")


async def test_a_run_that_waits_is_cancelled_at_once(at: House) -> None:
    gate = Gate(Answer("Done."))
    at.says["slow"] = gate
    first, second = await at.told("test:slow"), await at.told("test:slow")
    await gate.is_asked()
    waiting = await at.is_now(second, "waiting")
    await at.agents.cancel_run(waiting.id)
    assert (await at.agents.run(waiting.id)).status == "cancelled"
    gate.may_answer.set()
    assert (await at.story(first)).run.status == "done"
    assert (await at.agents.run(waiting.id)).attempt == 0


async def test_a_paused_run_goes_on_where_it_was(at: House) -> None:
    gate = Gate(Answer("All done."))
    first = iter([CREATE])
    at.says["worker"] = lambda messages: next(first, None) or gate(messages)
    told = await at.told("test:worker")
    await gate.is_asked()
    (run,) = await at.agents.runs(event_id=told)
    await at.agents.pause_run(run.id)
    paused = await at.is_now(told, "paused")
    assert paused.ended is None
    count = len(at.model.requests)
    gate.may_answer.set()
    await at.agents.resume_run(run.id)
    story = await at.story(told)
    assert (story.run.status, story.run.result, story.run.attempt) == ("done", "All done.", 2)
    # Only the answer that was broken off was asked for again.
    assert len(at.model.requests) == count + 1
    assert [one.name for one in story.steps] == ["model", "create_task", "model"]
    assert (story.run.rounds, story.run.calls) == (2, 1)


async def test_a_run_is_replayed_from_a_step_without_doing_again_what_was_before(
    at: House,
) -> None:
    at.says["worker"] = says(CREATE, Answer("Once."))
    before = await at.heard("test:worker")
    at.says["worker"] = says(CREATE, Answer("Once more."))
    count = len(at.model.requests)
    again = await at.agents.replay(before.run.id, from_step=3)
    runs = await at.become(
        before.event.id, lambda found: len(found) == 2 and all(one.has_ended for one in found)
    )
    replayed = await at.agents.story(again.id)
    assert {one.id for one in runs} == {before.run.id, again.id}
    assert (replayed.run.status, replayed.run.result) == ("done", "Once more.")
    assert replayed.run.replay_of == before.run.id
    assert len(at.model.requests) == count + 1
    assert [one.answer for one in replayed.steps[:2]] == [one.answer for one in before.steps[:2]]
    # What was paid for before is not paid for again.
    assert replayed.run.cost_microusd == replayed.steps[2].cost_microusd
    assert (replayed.run.rounds, replayed.run.calls) == (2, 1)
    with pytest.raises(InvalidRequest, match="1 to 3"):
        await at.agents.replay(before.run.id, from_step=5)


async def test_a_call_of_a_dead_process_is_repeated_only_under_a_key(at: House) -> None:
    """Two runs of a process that died while it called tools that write."""
    at.says["crashed"] = says(Answer("I looked it up."))
    code = await left_behind(at, "execute_code", {"code": "6*7"})
    task = await left_behind(at, "create_task", {"title": "Left behind"})
    unknown, done = await at.story(code), await at.story(task)
    assert at.world.calls.count("execute_code") == 0
    assert [one.outcome for one in unknown.steps] == ["ok", "outcome_unknown", "ok"]
    assert "look up what it did" in str(unknown.steps[1].answer)
    assert [one.outcome for one in done.steps] == ["ok", "ok", "ok"]
    assert {one.run.status for one in (unknown, done)} == {"done"}
    assert {one.run.attempt for one in (unknown, done)} == {2}


async def left_behind(at: House, tool: str, arguments: Mapping[str, Any]) -> str:
    """A run as it is in the database when its process was killed in the middle of a call."""
    database, moment = at.gateway.router.database, now()
    gone, runs = Executors(database), RunStore(database)
    event = (await at.agents.publish(News("nobody:hears"))).event
    run = replace(runs.new("crashed", event), status="running", started=moment, attempt=1)
    carried = update(agent_runs).where(agent_runs.c.id == run.id).values(executor=gone.id)
    call = ToolCall("call_1", tool, json.dumps(arguments))
    said = Message("assistant", (Text("I call it."),), tool_calls=(call,))
    answer = Step(run.id, 1, "ask", "model", moment)
    asked = {"id": call.id, "name": call.name, "arguments": call.arguments}
    await gone.beat()
    await runs.add([(event.id, run)])
    await database.write(lambda connection: connection.execute(carried))
    await runs.begin_step(answer, gone.id)
    ended = replace(answer, ended=moment, outcome="ok", answer=answer_of(said, finish=None))
    await runs.end_step(replace(ended, cost_microusd=1), gone.id)
    await runs.begin_step(Step(run.id, 2, "call", tool, moment, asked=asked), gone.id)
    # The process of this number began at another time.
    died = update(agent_executors).where(agent_executors.c.id == gone.id).values(process="1.0")
    await database.write(lambda connection: connection.execute(died))
    return event.id
