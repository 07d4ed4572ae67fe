"""Events become runs once each, in their order, and what cannot be begun now is begun later."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.agents import feeding as module
from gateway.agents.agent import Agent, Bounds
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.feeding import Feeding
from gateway.agents.places import Places
from gateway.agents.run import Run
from gateway.agents.run_store import Room, RunStore
from gateway.agents.topic import Hearing
from gateway.clock import now
from gateway.errors import Unavailable
from gateway.storage.database import Database

COMMIT = {"commit": "3fe1", "repository": "shop"}


def agent(name: str, *topics: str, concurrency: int = 1) -> Agent:
    hears = tuple(Hearing(one) for one in topics)
    return Agent(name, "own", "Look.", hears=hears, concurrency=concurrency)


class Kitchen:
    """A process that begins runs, with all that it has to begin; `began` is what it began."""

    def __init__(self, database: Database, *agents: Agent, places: int = 4) -> None:
        self.events, self.runs = EventStore(database), RunStore(database)
        self.places = Places(places)
        self.agents: Mapping[str, Agent] = {one.name: one for one in agents}
        self.feeding = Feeding(
            self.events,
            self.runs,
            self.agents,
            executor="one",
            places=self.places,
            clock=now,
        )
        self.began: list[str] = []
        self.fails: list[Exception] = []
        self._begins = asyncio.Condition()

    async def start(self, run_id: str, attempt: int) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.began.append(run_id)
        async with self._begins:
            self._begins.notify_all()

    async def has_begun(self, count: int) -> None:
        async with asyncio.timeout(10), self._begins:
            await self._begins.wait_for(lambda: len(self.began) >= count)

    async def shared_out(self) -> list[Run]:
        """The first one first."""
        await self.feeding.share_out()
        return list(reversed(await self.runs.listed(limit=100)))


@asynccontextmanager
async def feeding(kitchen: Kitchen) -> AsyncIterator[None]:
    task = asyncio.create_task(kitchen.feeding.feed(kitchen.start))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_of_two_events_of_one_commit_the_first_is_answered(
    database: Database, is_one_batch: bool
) -> None:
    kitchen = Kitchen(database, agent("review", "git:commit", "code:change"))
    first = await kitchen.events.store(News("git:commit", COMMIT, source="git"))
    if not is_one_batch:
        await kitchen.feeding.share_out()
    await kitchen.events.store(News("code:change", COMMIT, source="git"))
    (run,) = await kitchen.shared_out()
    assert run.event_id == first.event.id
    # Of another commit there is another one.
    await kitchen.events.store(News("code:change", {**COMMIT, "commit": "4"}, source="git"))
    assert len(await kitchen.shared_out()) == 2


async def test_each_event_has_one_run_of_each_agent_that_hears_it_whoever_shares_it_out(
    database_url: str,
) -> None:
    hearing = (agent("one", "test:*"), agent("two", "test:*", "test:a"), agent("deaf", "other"))
    async with Database(database_url) as first, Database(database_url) as second:
        kitchens = [Kitchen(each, *hearing) for each in (first, second)]
        stored = [await kitchens[0].events.store(News("test:a")) for _ in range(30)]
        await asyncio.gather(*(each.feeding.share_out() for each in kitchens))
        runs = await kitchens[0].shared_out()
        assert [(one.event_id, one.agent) for one in runs] == [
            (one.event.id, name) for one in stored for name in ("one", "two")
        ]
        assert await kitchens[0].events.to_share_out() == []


async def test_what_goes_too_deep_or_back_to_itself_ends_before_it_begins(
    database: Database,
) -> None:
    shallow = Agent(
        "shallow", "own", "Look.", hears=(Hearing("test:a"),), bounds=Bounds(most_depth=1)
    )
    kitchen = Kitchen(database, shallow)
    for chain in ((), ("other",), ("other", "third"), ("shallow",)):
        await kitchen.events.store(News("test:a", chain=chain))
    runs = await kitchen.shared_out()
    assert [one.guard for one in runs] == [None, None, "depth", "echo"]
    assert [one.has_ended for one in runs] == [False, False, True, True]


async def test_what_could_not_be_begun_is_begun_next_and_nothing_is_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    kitchen = Kitchen(database, agent("review", "test:a", concurrency=3))
    kitchen.fails = [
        OSError("no space left on the device"),
        Unavailable("busy", retry_after_seconds=1),
    ]
    for _ in range(3):
        await kitchen.events.store(News("test:a"))
    async with feeding(kitchen):
        await kitchen.has_begun(3)
    runs = list(reversed(await kitchen.runs.listed()))
    assert kitchen.began == [one.id for one in runs]
    assert {(one.status, one.attempt) for one in runs} == {("running", 1)}
    assert kitchen.places.free == 1


async def test_no_more_begins_here_than_there_are_places(database: Database) -> None:
    many = agent("many", "test:a", concurrency=8)
    kitchen = Kitchen(database, many, places=2)
    for _ in range(4):
        await kitchen.events.store(News("test:a"))
    async with feeding(kitchen):
        await kitchen.has_begun(2)
        assert kitchen.places.free == 0
        kitchen.places.leave(kitchen.began[0])
        kitchen.feeding.poke()
        await kitchen.has_begun(3)
    assert len(kitchen.began) == 3
    # The fourth is whoever's has a place.
    (fourth,) = await kitchen.runs.claim([Room("many", 8)], "two", most=1)
    assert fourth.id not in kitchen.began
