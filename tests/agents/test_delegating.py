"""Agents ask each other only who can answer, and no question outlives whoever asked it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from gateway.agents import delegating as module
from gateway.agents.agent import Agent, Bounds, Quiet
from gateway.agents.calling import Acting
from gateway.agents.delegating import Delegating
from gateway.agents.endings import Endings
from gateway.agents.event import Event, News
from gateway.agents.event_store import EventStore
from gateway.agents.notifications import Notifications
from gateway.agents.pauses import ALL, Paused, Pauses
from gateway.agents.places import Places
from gateway.agents.run import Run, Wanted
from gateway.agents.run_store import Room, RunStore
from gateway.clock import now
from gateway.errors import DeadlineExceeded, InvalidRequest, Refused, ToolFailed
from gateway.storage.database import Database

NOON, MIDNIGHT = (datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (12, 0))
NIGHT = Quiet(time(22), time(6), ZoneInfo("UTC"))
ASKING = Agent("asking", "own", "Ask.", delegates_to=("knowing",))
KNOWING = Agent("knowing", "own", "Answer.", quiet=(NIGHT,))


class Pausing(Pauses):
    """`before` happens just before somebody looks who is paused."""

    before: Callable[[], Awaitable[None]] | None = None

    async def paused(self) -> Mapping[str, Paused]:
        before, self.before = self.before, None
        if before is not None:
            await before()
        return await super().paused()


class Office:
    """Two agents, one of which asks the other; `poked` is set whenever a run may begin."""

    def __init__(self, database: Database, notifications: Notifications) -> None:
        self.time = NOON
        self.poked, self.clock_is_read = asyncio.Event(), asyncio.Event()
        self.events, self.runs = EventStore(database), RunStore(database)
        self.pauses, self.notifications = Pausing(database, clock=self._clock), notifications
        self.endings = Endings(self.runs, self.events, notifications, poke=self.poked.set)
        self.delegating = Delegating(
            self.events,
            self.runs,
            self.pauses,
            self.endings,
            agents={one.name: one for one in (ASKING, KNOWING)},
            places=Places(4),
            poke=self.poked.set,
            clock=self._clock,
        )

    def _clock(self) -> datetime:
        self.clock_is_read.set()
        return self.time

    async def acting(self, asker: Agent = ASKING) -> Acting:
        """A run that this process carries, in its second step."""
        event = (await self.events.store(News("test:a"))).event
        run = self.runs.new(asker.name, event)
        await self.runs.add([(run.id, run)])
        (claimed,) = await self.runs.claim([Room(asker.name, 9)], "one", most=1)
        return Acting(asker, claimed, event, key=f"{run.id}:2")

    def asks(self, acting: Acting, name: str = "knowing") -> asyncio.Task[str]:
        async def ask() -> str:
            async with asyncio.timeout(10):
                return await self.delegating.ask(acting, name, "Well?")

        return asyncio.create_task(ask())

    async def asked(self, acting: Acting) -> Run:
        """The run that is to answer, once it is stored."""
        async with asyncio.timeout(10):
            await self.poked.wait()
        (run,) = await self.runs.listed(parent=acting.run.id)
        return run

    async def begins(self) -> Run:
        (run,) = await self.runs.claim([Room("knowing", 9)], "two", most=1)
        return run

    async def answers(self, run: Run) -> None:
        await self.endings.end(replace(run, status="done", ended=now(), result="Well!"))

    async def questions(self) -> list[Event]:
        return list(await self.events.latest(pattern="question:asked"))


@asynccontextmanager
async def office_on(url: str) -> AsyncIterator[Office]:
    async with Database(url) as database, Notifications(database) as notifications:
        yield Office(database, notifications)


@pytest.fixture
async def office(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    async with office_on(database_url) as opened:
        yield opened


async def test_a_question_is_stored_with_its_run_and_is_answered(office: Office) -> None:
    acting = await office.acting()
    waits = office.asks(acting)
    asked = await office.asked(acting)
    (question,) = await office.questions()
    assert (asked.event_id, asked.parent, asked.status) == (question.id, acting.run.id, "waiting")
    assert question.news.chain == ("asking",)
    # Nobody else shares it out.
    assert question.id not in [one.id for one in await office.events.to_share_out()]
    await office.answers(await office.begins())
    assert await waits == "Well!"


async def test_a_question_that_is_repeated_after_a_crash_is_the_same_one(office: Office) -> None:
    acting = await office.acting()
    before_the_crash = office.asks(acting)
    asked = await office.asked(acting)
    before_the_crash.cancel()
    again = office.asks(acting)
    await office.answers(await office.begins())
    assert await again == "Well!"
    assert [one.id for one in await office.runs.listed(agent="knowing")] == [asked.id]
    assert len(await office.questions()) == 1


@pytest.mark.parametrize(
    ("paused", "at", "why"),
    [
        ("knowing", NOON, "knowing is paused by alice"),
        (ALL, NOON, "all agents are paused by alice"),
        (None, MIDNIGHT, "knowing has its quiet hours"),
    ],
)
async def test_who_begins_nothing_now_is_not_asked(
    office: Office, paused: str | None, at: datetime, why: str
) -> None:
    acting = await office.acting()
    office.time = at
    if paused is not None:
        await office.pauses.pause(paused, by="alice")
    with pytest.raises(Refused, match=f"{why}; ask again later, or go on without it"):
        await office.asks(acting)
    assert await office.questions() == []
    assert await office.runs.listed(agent="knowing") == []


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_question_to_one_that_is_paused_before_it_begins_is_taken_back(
    office: Office, crashes: bool
) -> None:
    acting = await office.acting()
    waits = office.asks(acting)
    asked = await office.asked(acting)
    if crashes:
        waits.cancel()
    await office.pauses.pause("knowing", by="alice")
    with pytest.raises(Refused, match="knowing is paused by alice"):
        await (office.asks(acting) if crashes else waits)
    taken_back = await office.runs.run(asked.id)
    assert (taken_back.status, taken_back.attempt) == ("cancelled", 0)
    assert (taken_back.because or "").startswith("knowing is paused by alice, and the run that")
    assert [one.kind for one in await office.notifications.since()] == ["run.cancelled"]
    # It is not asked later, either: neither by itself, nor by whoever repeats the call.
    await office.pauses.resume("knowing")
    assert await office.runs.claim([Room("knowing", 9)], "two", most=9) == []
    with pytest.raises(ToolFailed, match="paused by alice"):
        await office.asks(acting)


async def test_an_answer_that_has_begun_is_waited_for_though_its_agent_is_paused(
    office: Office,
) -> None:
    acting = await office.acting()
    waits = office.asks(acting)
    await office.asked(acting)
    begun = await office.begins()
    await office.pauses.pause("knowing", by="alice")
    await office.answers(begun)
    assert await waits == "Well!"


async def test_an_answer_that_begins_just_before_its_agent_is_paused_is_not_taken_back(
    office: Office,
) -> None:
    acting = await office.acting()
    waits = office.asks(acting)
    await office.asked(acting)
    begun: list[Run] = []

    async def begins_and_is_paused() -> None:
        # Whoever waits has seen that it has not begun.
        begun.append(await office.begins())
        await office.pauses.pause("knowing", by="alice")
        office.clock_is_read.clear()
        has_begun.set()

    has_begun = asyncio.Event()
    office.pauses.before = begins_and_is_paused
    async with asyncio.timeout(10):
        await has_begun.wait()
        # It says when the question is taken back.
        await office.clock_is_read.wait()
    await office.answers(begun[0])
    assert await waits == "Well!"


async def test_a_question_that_was_not_begun_in_time_is_taken_back(office: Office) -> None:
    hasty = replace(ASKING, bounds=Bounds(seconds=0.05))
    acting = await office.acting(hasty)
    with pytest.raises(DeadlineExceeded, match=r"knowing gave no answer within 0\.05 s"):
        await office.asks(acting)
    (asked,) = await office.runs.listed(parent=acting.run.id)
    assert (asked.status, asked.because) == ("cancelled", "nobody waits for its answer any more")


@pytest.mark.parametrize("wanted", ["cancel", "kill"])
async def test_a_run_that_is_to_end_asks_nothing_more(office: Office, wanted: Wanted) -> None:
    acting = await office.acting()
    await office.runs.want(wanted, run_id=acting.run.id)
    with pytest.raises(Refused, match="this run is to end"):
        await office.asks(acting)
    assert await office.questions() == []
    assert await office.runs.listed(agent="knowing") == []


async def test_a_run_that_is_to_pause_may_have_its_question_answered(office: Office) -> None:
    acting = await office.acting()
    await office.runs.want("pause", run_id=acting.run.id)
    waits = office.asks(acting)
    await office.asked(acting)
    await office.answers(await office.begins())
    assert await waits == "Well!"


async def test_what_a_run_asked_that_is_to_end_does_not_begin_and_ends_with_it(
    office: Office,
) -> None:
    acting = await office.acting()
    waits = office.asks(acting)
    asked = await office.asked(acting)
    waits.cancel()
    await office.runs.want("kill", run_id=acting.run.id)
    assert await office.runs.claim([Room("knowing", 9)], "two", most=9) == []
    await office.endings.end(replace(acting.run, status="stopped", ended=now()))
    ended = await office.runs.run(asked.id)
    assert ended.status == "cancelled"
    assert ended.because == f"the run that asked it, {acting.run.id}, is stopped"
    # A person may want the answer after all.
    await office.runs.set_status(asked.id, "waiting", of=("cancelled",))
    assert (await office.begins()).id == asked.id


async def test_nobody_asks_whoever_is_not_there_or_waits_itself(office: Office) -> None:
    acting = await office.acting()
    with pytest.raises(InvalidRequest, match="nobody is not on"):
        await office.asks(acting, "nobody")
    with pytest.raises(InvalidRequest, match="waits for this answer itself"):
        await office.asks(acting, "asking")


async def test_a_question_that_is_too_deep_comes_to_no_answer(office: Office) -> None:
    acting = await office.acting()
    deep = News("test:b", chain=("one", "two", "three"))
    event = (await office.events.store(deep)).event
    with pytest.raises(ToolFailed, match="stopped, the event is 4 runs of agents deep"):
        await office.asks(replace(acting, event=event))
