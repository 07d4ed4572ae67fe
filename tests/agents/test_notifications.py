"""Notifications: stored, told live in order, over all processes, from any place on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from gateway.agents import notifications as module
from gateway.agents.notification import NOTIFICATION_KINDS, Notification
from gateway.agents.notifications import KEPT_FOR, MOST_KEPT, Notifications
from gateway.errors import InvalidRequest
from gateway.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


T = TypeVar("T")


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.db"


async def taken(told: AsyncIterator[Notification], number: int) -> list[str]:
    async with asyncio.timeout(10):
        return [(await anext(told)).title for _ in range(number)]


async def test_a_notification_is_read_as_it_was_told(database_url: str) -> None:
    async with (
        Database(database_url) as database,
        Notifications(database, clock=lambda: NOON) as notifications,
    ):
        told = await notifications.tell("run.done", "Reviewed", {"run": "1", "found": ["\x00"]})
        assert told == Notification(1, NOON, "run.done", "Reviewed", {"run": "1", "found": ["�"]})
        assert await notifications.since() == [told]
        assert told.as_json() == {
            "position": 1,
            "time": "2026-11-21T12:00:00Z",
            "kind": "run.done",
            "title": "Reviewed",
            "data": {"run": "1", "found": ["�"]},
        }


async def test_who_was_away_reads_on_from_its_place(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Notifications(database) as notifications:
        for number in range(5):
            await notifications.tell("run.done", str(number))
        assert [one.title for one in await notifications.since(2, limit=2)] == ["2", "3"]
        assert await notifications.since(5) == []
        assert await notifications.since(10**30) == []
        assert await notifications.position() == 5


async def test_a_listener_hears_what_was_stored_and_then_what_comes(database_url: str) -> None:
    async with Database(database_url) as database, Notifications(database) as notifications:
        for title in ("a", "b", "c"):
            await notifications.tell("run.done", title)
        async with aclosing(notifications.told(after=1)) as told:
            assert await taken(told, 2) == ["b", "c"]
            coming = asyncio.create_task(taken(told, 2))
            await notifications.tell("run.failed", "d")
            await notifications.tell("run.done", "e")
            assert await coming == ["d", "e"]


class Watched(Database):
    """Its `reads` counts what was read."""

    async def __aenter__(self) -> "Watched":
        self.reads = asyncio.Semaphore(0)
        return await super().__aenter__()

    async def read(self, work: Callable[[Connection], T]) -> T:
        found = await super().read(work)
        self.reads.release()
        return found


@pytest.mark.parametrize("place", [None, 10**30])
async def test_a_listener_without_a_place_hears_only_what_comes(
    place: int | None, tmp_path: Path
) -> None:
    async with Database(url(tmp_path)) as stored, Watched(url(tmp_path)) as database:
        async with Notifications(stored) as elsewhere:
            await elsewhere.tell("run.done", "before")
        async with (
            Notifications(database, poll_seconds=60) as notifications,
            aclosing(notifications.told(after=place)) as told,
        ):
            hearing = asyncio.create_task(taken(told, 1))
            # Of both the last place, of the listener its own and what is behind it.
            for _ in range(4):
                await database.reads.acquire()
            await notifications.tell("run.done", "after")
            assert await hearing == ["after"]


async def test_what_other_processes_tell_is_heard_too(database_url: str) -> None:
    assert module.POLL_SECONDS <= 1
    async with (
        Watched(database_url) as here,
        Database(database_url) as there,
        Notifications(here, poll_seconds=0.002) as mine,
        Notifications(there) as theirs,
        aclosing(mine.told(after=0)) as told,
    ):
        hearing = asyncio.create_task(taken(told, 3))
        # By now it has found nothing, and waits.
        for _ in range(20):
            await here.reads.acquire()
        await theirs.tell("provider.down", "market is away")
        await theirs.tell("provider.up", "market is back")
        await mine.tell("agent.paused", "review is paused")
        assert await hearing == ["market is away", "market is back", "review is paused"]
        hearing = asyncio.create_task(taken(told, 1))
        for _ in range(20):
            await here.reads.acquire()
        await theirs.tell("agent.resumed", "review goes on")
        assert await hearing == ["review goes on"]


async def test_many_listeners_each_hear_everything_in_order(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Notifications(database) as notifications:
        titles = [str(number) for number in range(120)]
        hearing = [
            asyncio.create_task(taken(notifications.told(after=0), len(titles))) for _ in range(5)
        ]
        for title in titles:
            await notifications.tell("run.done", title)
        assert all(heard == titles for heard in await asyncio.gather(*hearing))


async def test_listeners_end_when_it_closes(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        async with Notifications(database) as notifications:
            await notifications.tell("run.done", "a")

            async def listen() -> list[str]:
                return [one.title async for one in notifications.told(after=0)]

            listening = asyncio.create_task(listen())
            slow = notifications.told(after=0)
            assert await taken(slow, 1) == ["a"]
        async with asyncio.timeout(5):
            assert await listening in (["a"], [])
            assert [one async for one in slow] == []


async def test_nobody_looks_at_the_database_while_nobody_listens(tmp_path: Path) -> None:
    async with (
        Database(url(tmp_path)) as database,
        Notifications(database, poll_seconds=0) as notifications,
    ):
        async with aclosing(notifications.told(after=0)) as told:
            await notifications.tell("run.done", "a")
            assert await taken(told, 1) == ["a"]
        assert notifications._listeners == 0
        assert not notifications._listened.is_set()


async def test_what_a_model_wrote_is_cut_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with Database(url(tmp_path)) as database, Notifications(database) as notifications:
        told = await notifications.tell(
            "suggestion.opened", "Secret\n\u202ename " + "x" * 9_000, {"id": "sug_1"}
        )
        assert told.title.startswith("Secret name xxx")
        assert (len(told.title), told.title[-1]) == (300, "…")
        assert "kind=suggestion.opened" in caplog.text
        assert "notification=1" in caplog.text
        assert "Secret" not in caplog.text
        assert "sug_1" not in caplog.text


async def test_data_that_is_too_long_is_refused(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Notifications(database) as notifications:
        with pytest.raises(InvalidRequest, match="data: has 70,011 bytes as JSON; at most 65,536"):
            await notifications.tell("run.done", "x", {"text": "x" * 70_000})


async def test_notifications_are_kept_for_a_month(tmp_path: Path) -> None:
    assert timedelta(days=30) == KEPT_FOR
    moment = NOON
    async with (
        Database(url(tmp_path)) as database,
        Notifications(database, clock=lambda: moment) as notifications,
    ):
        await notifications.tell("run.done", "gone")
        moment = NOON + timedelta(days=1)
        await notifications.tell("run.done", "still there")
        moment = NOON + KEPT_FOR + timedelta(seconds=1)
        await notifications.tell("run.done", "new")
        assert [one.title for one in await notifications.since()] == ["still there", "new"]


async def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_KEPT == 100_000
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    async with Database(url(tmp_path)) as database, Notifications(database) as notifications:
        for number in range(10):
            await notifications.tell("run.done", str(number))
        assert [one.title for one in await notifications.since()] == ["7", "8", "9"]


def test_kinds_have_two_parts_so_that_patterns_can_choose_among_them() -> None:
    assert all(len(kind.split(".")) == 2 for kind in NOTIFICATION_KINDS)
