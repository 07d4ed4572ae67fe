"""A schedule publishes each of its times once, whatever the clock and the processes do."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.agents.event import News, Stored
from gateway.agents.event_store import EventStore
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.schedule import ScheduleWatcher, first_after, last_before
from gateway.agents.watchers.settings import Schedule
from gateway.errors import Unavailable
from gateway.storage.database import Database

VIENNA = ZoneInfo("Europe/Vienna")
EVENING = Schedule("evening", "0 18 * * *", VIENNA, {"what": "spend"})
DAY = timedelta(days=1)


class Hand:
    """A clock whose hand moves only while somebody waits, until it comes to the end."""

    def __init__(self, time: datetime, end: datetime | None = None) -> None:
        self.time = time
        self.has_ended = asyncio.Event()
        self._end = end

    def __call__(self) -> datetime:
        return self.time

    async def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.time += timedelta(seconds=seconds)
        if self._end is not None and self.time >= self._end:
            self.has_ended.set()
            await asyncio.Event().wait()


def vienna(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=VIENNA)


async def told(store: EventStore) -> list[Mapping[str, Any]]:
    return [event.news.data for event in reversed(await store.latest(limit=1_000))]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


async def test_every_time_of_a_schedule_is_an_event(url: str) -> None:
    hand = Hand(vienna(20, 12), end=vienna(22, 12))
    async with Database(url) as database:
        store = EventStore(database)
        async with (
            asyncio.timeout(20),
            ScheduleWatcher(EVENING, store.store, Marks(database), clock=hand, wait=hand.wait),
        ):
            await hand.has_ended.wait()
        assert await told(store) == [
            {"what": "spend", "planned": f"2026-11-{day}T17:00:00Z", "is_late": False}
            for day in (20, 21)
        ]
        (latest, _) = await store.latest()
        assert (latest.topic, latest.news.source) == ("schedule:evening", "schedule")
        assert latest.news.subject == "evening of 2026-11-21 18:00"


async def test_the_first_start_does_not_publish_what_was_before_it(url: str) -> None:
    async with Database(url) as database:
        store, marks = EventStore(database), Marks(database)
        hand = Hand(vienna(20, 18, 5))
        watcher = ScheduleWatcher(EVENING, store.store, marks, clock=hand)
        await watcher.look()
        await watcher.look()
        assert await told(store) == []


async def test_of_what_came_while_it_was_down_the_latest_is_published_late(url: str) -> None:
    async with Database(url) as database:
        store, marks = EventStore(database), Marks(database)
        await ScheduleWatcher(EVENING, store.store, marks, clock=Hand(vienna(10, 12))).look()
        for _ in range(2):
            again = ScheduleWatcher(EVENING, store.store, marks, clock=Hand(vienna(15, 9)))
            await again.look()
        assert await told(store) == [
            {"what": "spend", "planned": "2026-11-14T17:00:00Z", "is_late": True}
        ]


async def test_what_is_more_than_a_day_late_is_left_out(url: str) -> None:
    monthly = Schedule("bill", "0 8 1 * *", VIENNA)
    async with Database(url) as database:
        store, marks = EventStore(database), Marks(database)
        for day, month in ((20, 10), (2, 11)):
            hand = Hand(vienna(day, 9, month=month))
            await ScheduleWatcher(monthly, store.store, marks, clock=hand).look()
        assert await told(store) == []
        assert await marks.mark("schedule:bill") == "2026-11-01T07:00:00Z"


async def test_of_several_processes_each_time_is_one_event(database_url: str) -> None:
    async with Database(database_url) as here, Database(database_url) as there:
        hand = Hand(vienna(20, 12))
        watchers = [
            ScheduleWatcher(EVENING, EventStore(one).store, Marks(one), clock=hand)
            for one in (here, there)
        ]
        for _ in range(3):
            await asyncio.gather(*(one.look() for one in watchers))
            hand.time += DAY
        assert len(await told(EventStore(here))) == 2


async def test_what_could_not_be_stored_is_published_once_it_can(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hand = Hand(vienna(20, 17, 59), end=vienna(20, 18, 10))
    async with Database(url) as database:
        store = EventStore(database)

        async def publish(news: News) -> Stored:
            if hand() < vienna(20, 18, 5):
                raise Unavailable("the database does not answer", retry_after_seconds=1)
            return await store.store(news)

        async with (
            asyncio.timeout(5),
            ScheduleWatcher(EVENING, publish, Marks(database), clock=hand, wait=hand.wait),
        ):
            await hand.has_ended.wait()
        assert len(await told(store)) == 1
    said = [record.getMessage() for record in caplog.records if "watch" in record.getMessage()]
    assert said == [
        "schedule:evening cannot watch: Unavailable: the database does not answer",
        "schedule:evening watches again",
    ]


def times(cron: str, begin: datetime, end: datetime) -> list[str]:
    """All times in between, of which each must be the last before the next."""
    schedule, found = Schedule("any", cron, VIENNA), []
    moment = begin.astimezone(UTC)
    while (coming := first_after(schedule, moment)) is not None and coming < end:
        assert last_before(schedule, coming + timedelta(microseconds=1)) == coming
        found.append(f"{coming.astimezone(VIENNA):%R%z}"[:-2])
        moment = coming
    return found


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        # At 02:00 the clock jumps to 03:00.
        ("30 2 * * *", ["03:00+02"]),
        ("0 3 * * *", ["03:00+02"]),
        ("0 8 * * *", ["08:00+02"]),
        ("0 0-4 * * *", ["00:00+01", "01:00+01", "03:00+02", "04:00+02"]),
        ("15 */2 * * *", ["00:15+01", "03:00+02", "04:15+02"]),
    ],
)
def test_in_spring_a_time_that_is_skipped_comes_with_the_jump(cron: str, wanted: list[str]) -> None:
    midnight = datetime(2027, 3, 28, tzinfo=VIENNA) - timedelta(seconds=1)
    assert times(cron, midnight, datetime(2027, 3, 29, tzinfo=VIENNA))[: len(wanted)] == wanted


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        # At 03:00 the clock goes back to 02:00.
        ("30 2 * * *", ["02:30+02"]),
        ("*/30 2 * * *", ["02:00+02", "02:30+02"]),
        ("0 8 * * *", ["08:00+01"]),
        ("0 * * * *", ["00:00+02", "01:00+02", "02:00+02", "02:00+01", "03:00+01"]),
    ],
)
def test_in_autumn_an_hour_that_is_repeated_has_a_time_of_its_own_once(
    cron: str, wanted: list[str]
) -> None:
    midnight = datetime(2026, 10, 25, tzinfo=VIENNA) - timedelta(seconds=1)
    found = times(cron, midnight, datetime(2026, 10, 26, tzinfo=VIENNA))
    assert found[: len(wanted)] == wanted
    assert len(found) in (len(wanted), 25)


def test_a_day_that_never_comes_is_no_time() -> None:
    never = Schedule("never", "0 0 30 2 *", VIENNA)
    assert first_after(never, vienna(1, 1)) is None
    assert last_before(never, vienna(1, 1)) is None
