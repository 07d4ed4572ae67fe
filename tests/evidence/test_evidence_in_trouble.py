"""What was seen survives a database in trouble, and whatever happens at the same time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from gateway.errors import Unavailable
from gateway.evidence import evidence as module
from gateway.evidence.evidence import Evidence
from gateway.evidence.kept import Known
from gateway.evidence.observation import Observation
from gateway.storage.database import Database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = TypeVar("T")


class Troubled(Database):
    """A database that fails for as long as `trouble` is set, and lets a read wait for `resumed`."""

    trouble: Exception | None = None
    failures = 0

    async def __aenter__(self) -> "Troubled":
        self.given: list[object] = []
        self.paused, self.resumed = asyncio.Event(), asyncio.Event()
        self.pauses = False
        return await super().__aenter__()

    async def read(self, work: Callable[[Connection], T]) -> T:
        self._fail()
        pauses, self.pauses = self.pauses, False
        found = await super().read(work)
        self.given.append(found)
        if pauses:
            self.paused.set()
            await self.resumed.wait()
        return found

    async def write(self, work: Callable[[Connection], T]) -> T:
        self._fail()
        return await super().write(work)

    def _fail(self) -> None:
        if self.trouble is not None:
            self.failures += 1
            raise self.trouble


def look(model: str = "a/model", quality: float = 1.0) -> Observation:
    return Observation(model, "coding", "use", quality, 0.2, "route:r1", NOW)


async def test_what_is_read_is_summed_where_it_is_read(database_url: str) -> None:
    async with Troubled(database_url) as database, Evidence(database) as evidence:
        await evidence.record([look()])
        database.given.clear()
        evidence.note(look())
        await evidence.refresh()
        assert [type(one) for one in database.given] == [Known]


async def test_an_older_look_at_the_database_does_not_hide_what_was_written_since(
    database_url: str,
) -> None:
    async with Troubled(database_url) as database, Evidence(database) as evidence:
        database.pauses = True
        refreshing = asyncio.create_task(evidence.refresh())
        await database.paused.wait()
        recording = asyncio.create_task(evidence.record([look()]))
        # It ends in this time only if it does not wait for its turn.
        await asyncio.wait([recording], timeout=0.2)
        database.resumed.set()
        async with asyncio.timeout(5):
            await asyncio.gather(refreshing, recording)
        assert evidence.seen("a/model", "coding").of_kind["use"].looks == 1


@pytest.mark.parametrize(
    "trouble", [Unavailable("away", retry_after_seconds=1), RuntimeError("unexpected")]
)
async def test_what_could_not_be_written_is_written_later(
    database_url: str, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 2)
    async with Troubled(database_url) as database, Evidence(database) as evidence:
        evidence.note(look(quality=1.0))
        database.trouble = trouble
        with pytest.raises(type(trouble)):
            await evidence.refresh()
        evidence.note(look(quality=0.0))
        evidence.note(look("b/model"))
        evidence.note(look("c/model"))
        with pytest.raises(type(trouble)):
            await evidence.refresh()
        database.trouble = None
        await evidence.refresh()
        used = evidence.seen("a/model", "coding").of_kind["use"]
        assert used.looks == 2
        assert used.quality == pytest.approx(0.5)
        assert evidence.everything.keys() == {"a/model", "b/model"}


async def test_it_goes_on_after_whatever_went_wrong(database_url: str) -> None:
    async with (
        Troubled(database_url) as mine,
        Database(database_url) as another,
        Evidence(mine, refresh_seconds=0.005) as here,
        Evidence(another) as there,
    ):
        mine.trouble = RuntimeError("unexpected")
        async with asyncio.timeout(5):
            while mine.failures < 2:
                await another.read(lambda _: None)
            mine.trouble = None
            await there.record([look()])
            while not here.everything:
                await another.read(lambda _: None)


@pytest.mark.parametrize(
    "trouble", [Unavailable("away", retry_after_seconds=1), RuntimeError("unexpected")]
)
async def test_closing_it_does_not_fail(database_url: str, trouble: Exception) -> None:
    async with Troubled(database_url) as database:
        async with Evidence(database) as evidence:
            evidence.note(look())
            database.trouble = trouble
        assert database.failures == 1


async def test_what_was_kept_is_not_said_to_be_lost(database_url: str) -> None:
    class ReadsFail(Troubled):
        async def read(self, work: Callable[[Connection], T]) -> T:
            if self.pauses:
                raise Unavailable("away", retry_after_seconds=1)
            return await super().read(work)

    async with ReadsFail(database_url) as database, Evidence(database) as evidence:
        database.pauses = True
        await evidence.record([look()])
        database.pauses = False
        await evidence.refresh()
        assert evidence.seen("a/model", "coding").of_kind["use"].looks == 1
