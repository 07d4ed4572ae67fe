"""Runs are carried by one process, heed what people want of them, and end once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from gateway.agents.agent import Agent
from gateway.agents.agents import Agents
from gateway.agents.asking import Asking
from gateway.agents.calling import Calling, Hands
from gateway.agents.carrying import Carrying
from gateway.agents.deciding import Deciding
from gateway.agents.delegating import Delegating
from gateway.agents.endings import Endings
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.feeding import Feeding
from gateway.agents.hands import ActingHands
from gateway.agents.notifications import Notifications
from gateway.agents.patience import Patience
from gateway.agents.pauses import Pauses
from gateway.agents.places import Places
from gateway.agents.run import Run, Step
from gateway.agents.run_store import Room, RunStore
from gateway.agents.steps import answer_of
from gateway.agents.suggestion_store import SuggestionStore
from gateway.clock import now
from gateway.errors import InvalidRequest, Unavailable
from gateway.llm.completion import Completion
from gateway.llm.messages import Message, Text, ToolCall
from gateway.storage.database import Database
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.tools.toolbox import Toolbox
from gateway.usage.returns import Returns

AGENTS = (
    Agent("worker", "own", "Work.", tools=("work",), delegates_to=("other",)),
    Agent("other", "own", "Answer.", delegates_to=("third",)),
    Agent("third", "own", "Answer."),
)
WORK = ToolCall("call_1", "work", "{}")
Made = Callable[[], Awaitable[None]]


async def well() -> None:
    return None


class Process:
    """One of those that carry runs out; `work` is what comes of its tool, `lists` of its tools."""

    def __init__(self, database: Database, executor: str) -> None:
        self.executor = executor
        self.work: Made = well
        self.lists: Made = well
        self.calls = 0
        self.begun = asyncio.Event()
        self.events, self.runs = EventStore(database), RunStore(database)
        self.notifications = Notifications(database)
        self.suggestions = SuggestionStore(database)
        by_name, places = {one.name: one for one in AGENTS}, Places(8)
        self.feeding = Feeding(
            self.events, self.runs, by_name, executor=executor, places=places, clock=now
        )
        hands = ActingHands(
            self.events, self.suggestions, self.notifications, poke=self.feeding.poke
        )
        pauses = Pauses(database)
        endings = Endings(self.runs, self.events, self.notifications, poke=self.feeding.poke)
        delegating = Delegating(
            self.events,
            self.runs,
            pauses,
            endings,
            agents=by_name,
            places=places,
            poke=self.begun.set,
            clock=now,
        )
        box = Toolbox([self._tools])
        # No model is asked here: what was answered is recorded.
        nobody = cast(Completion, None)
        self.carrying = Carrying(
            self.runs,
            by_name,
            executor,
            Asking(nobody, lambda _: None, now),
            Calling(lambda _: box, Hands(hands.propose, delegating.ask, hands.publish), now),
            Patience(Returns(), places, now),
            event=self.events.event,
            end=endings.end,
            clock=now,
        )
        self.agents = Agents(
            AGENTS,
            events=self.events,
            runs=self.runs,
            suggestions=self.suggestions,
            notifications=self.notifications,
            pauses=pauses,
            deciding=Deciding(self.suggestions, self.notifications, lambda _: box),
            spent=dict,
            poke=self.feeding.poke,
            carrying=self.carrying,
            clock=now,
        )

    async def _tools(self) -> Sequence[Tool]:
        await self.lists()
        schema = {"type": "object"}
        return (Tool("work", "Work", "Works.", schema, self._call, Effect.WRITE),)

    async def _call(self, _: Arguments) -> Answer:
        self.calls += 1
        self.begun.set()
        await self.work()
        return Answer({"by": self.executor})

    async def begun_run(self, *calls: ToolCall) -> Run:
        """One that this process carries, whose model has answered with these calls."""
        event = (await self.events.store(News("test:a"))).event
        run = self.runs.new("worker", event)
        await self.runs.add([(run.id, run)])
        (claimed,) = await self.runs.claim([Room("worker", 10)], self.executor, most=1)
        said = Message("assistant", (Text("Well."),), tool_calls=calls)
        step = Step(run.id, 1, "ask", "model", now())
        await self.runs.begin_step(step, self.executor)
        answer = answer_of(said, finish=None)
        done = replace(step, ended=now(), outcome="ok", answer=answer, cost_microusd=1)
        await self.runs.end_step(done, self.executor)
        return claimed

    async def has_begun(self) -> None:
        async with asyncio.timeout(10):
            await self.begun.wait()

    async def outcomes(self, run: Run) -> list[str | None]:
        return [one.outcome for one in await self.runs.steps(run.id)]

    async def told(self) -> list[str]:
        finished = await self.events.latest(pattern="agent:finished")
        kinds: list[str] = [one.kind for one in await self.notifications.since()]
        return [*(str(one.news.data["status"]) for one in finished), *kinds]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as opened:
        yield opened


@pytest.fixture
async def one(database: Database) -> AsyncIterator[Process]:
    process = Process(database, "one")
    async with process.notifications:
        yield process


def raises(error: BaseException) -> Made:
    async def fail() -> None:
        raise error

    return fail


async def never() -> None:
    await asyncio.Event().wait()


async def test_who_does_not_carry_a_run_does_nothing_for_it(
    database: Database, one: Process
) -> None:
    run, two = await one.begun_run(WORK), Process(database, "two")
    assert not await two.carrying.advance(run.id, 2)
    assert two.calls == 0
    assert await one.carrying.advance(run.id, 2)
    assert (await one.outcomes(run), one.calls) == (["ok", "ok"], 1)


@pytest.mark.parametrize("how", ["ends", "fails"])
async def test_what_one_that_was_taken_for_dead_still_does_is_of_no_account(
    database: Database, one: Process, how: str
) -> None:
    may_end = asyncio.Event()

    async def slow() -> None:
        await may_end.wait()
        if how == "fails":
            raise ValueError("odd")

    run, two = await one.begun_run(WORK), Process(database, "two")
    one.work = slow
    step = asyncio.create_task(one.carrying.advance(run.id, 2))
    await one.has_begun()
    await two.runs.adopt(run.id, "two")
    may_end.set()
    assert not await step
    # Nor may it end the run, whatever it has come to.
    await one.carrying.give_up(run.id, InvalidRequest("never"))
    assert (await one.runs.run(run.id)).status == "running"
    assert await one.outcomes(run) == ["ok", None]
    assert await one.told() == []
    assert [each.id for each in await two.runs.carried_by("two")] == [run.id]


async def test_a_tool_that_was_cancelled_within_itself_is_an_answer_to_the_model(
    one: Process,
) -> None:
    run = await one.begun_run(WORK)
    one.work = raises(asyncio.CancelledError())
    assert await one.carrying.advance(run.id, 2)
    assert await one.outcomes(run) == ["ok", "cancelled"]
    (_, call) = await one.runs.steps(run.id)
    assert call.answer is not None
    assert call.answer["is_error"]
    assert (await one.runs.run(run.id)).status == "running"


async def test_a_step_that_is_cancelled_from_within_fails_the_run(one: Process) -> None:
    run = await one.begun_run(WORK)
    await one.carrying.advance(run.id, 2)
    # The model is asked next, which is told of the tools.
    one.lists = raises(asyncio.CancelledError())
    assert not await one.carrying.advance(run.id, 3)
    ended = await one.runs.run(run.id)
    assert (ended.status, ended.because) == ("failed", "its step was cancelled from within")
    assert await one.told() == ["failed", "run.failed"]


@pytest.mark.parametrize(
    ("wanted", "status", "guard"),
    [
        ("cancel", "cancelled", None),
        ("pause", "paused", None),
        ("kill", "stopped", "kill switch"),
    ],
)
@pytest.mark.parametrize("is_resting", [True, False])
async def test_what_a_person_wants_is_heard_in_a_step_and_between_its_tries(
    one: Process, wanted: str, status: str, guard: str | None, is_resting: bool
) -> None:
    run = await one.begun_run(WORK)
    one.work = never

    async def carry_out() -> None:
        if is_resting:
            one.begun.set()
            await one.carrying.rest(run.id, 3_600)
        assert not await one.carrying.advance(run.id, 2)

    carried_out = asyncio.create_task(carry_out())
    await one.has_begun()
    if wanted == "cancel":
        await one.agents.cancel_run(run.id)
    elif wanted == "pause":
        await one.agents.pause_run(run.id)
    else:
        await one.agents.pause("*", by="alice")
    async with asyncio.timeout(10):
        await carried_out
    ended = await one.runs.run(run.id)
    assert (ended.status, ended.guard) == (status, guard)
    assert one.calls == (0 if is_resting else 1)


async def test_a_rest_ends_in_its_time_and_others_do_not_end_it(one: Process) -> None:
    async with asyncio.timeout(10):
        await one.carrying.rest("run", 0.01)
        rest = asyncio.create_task(one.carrying.rest("run", 3_600))
        await asyncio.sleep(0)
        one.carrying.stop(["another"])
        await asyncio.sleep(0)
        assert not rest.done()
        one.carrying.stop(None)
        await rest


async def test_a_run_that_ends_twice_is_told_of_once(one: Process) -> None:
    run = await one.begun_run()
    for _ in range(3):
        # Whoever goes on with it finds that it has ended.
        assert not await one.carrying.advance(run.id, 2)
    assert await one.told() == ["done", "run.done"]


async def test_of_two_that_end_a_run_only_the_first_does(one: Process) -> None:
    run = await one.begun_run(WORK)
    await one.carrying.give_up(run.id, Unavailable("away", retry_after_seconds=1))
    await one.carrying.give_up(run.id, InvalidRequest("never"))
    ended = await one.runs.run(run.id)
    assert (ended.status, ended.because) == ("failed", "away")
    assert await one.told() == ["failed", "run.failed"]


async def test_who_cancels_a_run_cancels_what_it_asked_others_for(
    database: Database, one: Process
) -> None:
    def asks(agent: str) -> ToolCall:
        question = {"agent": agent, "question": "Well?"}
        return ToolCall("call_1", "delegate", json.dumps(question))

    parent = await one.begun_run(asks("other"))
    waits = asyncio.create_task(one.carrying.advance(parent.id, 2))
    await one.has_begun()
    await one.feeding.share_out()
    (child,) = await one.runs.listed(parent=parent.id)
    # It runs in another process by now, and has asked a third one.
    await one.runs.claim([Room("other", 1)], "two", most=1)
    question = News(
        "question:asked", source="agent:other", cause=child.id, only="third", delivery="key"
    )
    await one.events.store(question)
    await one.feeding.share_out()
    (grandchild,) = await one.runs.listed(parent=child.id)
    await one.agents.cancel_run(parent.id)
    async with asyncio.timeout(10):
        assert not await waits
    assert (await one.runs.run(parent.id)).status == "cancelled"
    assert (await one.runs.run(grandchild.id)).status == "cancelled"
    assert await one.runs.wanted("two") == {child.id: "cancel"}
    two = Process(database, "two")
    async with two.notifications:
        assert not await two.carrying.advance(child.id, 1)
    assert (await one.runs.run(child.id)).status == "cancelled"
