"""What the gateway tells of itself: once over all its processes, and after an error still."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agents import own_news as module
from gateway.agents.event import Event, News, Stored
from gateway.agents.event_store import EventStore
from gateway.agents.notifications import Notifications
from gateway.agents.own_news import OwnNews
from gateway.agents.run_store import RunStore
from gateway.storage.database import Database
from gateway.tasks.task import Task
from gateway.usage.alerts import Alert
from gateway.usage.limit import Limit
from gateway.usage.window import Window

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT = Limit("month", "microusd", 50_000_000, Window.parse("month"))
ALERT = Alert(LIMIT, "", 80, 40_000_000, NOON)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


class Providers:
    """How each one is; whoever reads it once more than so often has seen it as it is now."""

    def __init__(self, **statuses: str) -> None:
        self.now: dict[str, str] = statuses
        self.fails: list[Exception] = []
        self._looks = asyncio.Condition()
        self._count = 0

    def __call__(self) -> Mapping[str, str]:
        self._count += 1
        asyncio.get_running_loop().create_task(self._tell(), name="a look")
        if self.fails:
            raise self.fails.pop(0)
        return dict(self.now)

    async def become(self, looks: int = 2, **statuses: str) -> None:
        """Until all have looked at it."""
        self.now = {**self.now, **statuses}
        wanted = self._count + looks
        async with asyncio.timeout(10), self._looks:
            await self._looks.wait_for(lambda: self._count >= wanted)

    async def _tell(self) -> None:
        async with self._looks:
            self._looks.notify_all()


class Moody(EventStore):
    """A real one that fails as often as a test says."""

    fails: Sequence[Exception] = ()

    async def store(self, news: News) -> Stored:
        if self.fails:
            error, *self.fails = self.fails
            raise error
        return await super().store(news)


@asynccontextmanager
async def own_news(
    database: Database,
    statuses: Callable[[], Mapping[str, str]] = dict,
    *,
    events: EventStore | None = None,
    clock: Callable[[], datetime] = lambda: NOON,
) -> AsyncIterator[OwnNews]:
    async with (
        Notifications(database) as notifications,
        OwnNews(
            events or EventStore(database),
            RunStore(database),
            notifications,
            statuses=statuses,
            poke=lambda: None,
            clock=clock,
        ) as opened,
    ):
        yield opened


async def told(database: Database, count: int, pattern: str = "**") -> list[Event]:
    """So many events, once there are, the first one first."""
    events = EventStore(database)
    async with asyncio.timeout(10):
        while len(found := await events.latest(pattern=pattern)) < count:  # noqa: ASYNC110 - see below
            # What is written in the database sets no event here.
            await asyncio.sleep(0.01)
    assert len(found) == count
    return list(reversed(found))


async def test_a_provider_that_goes_down_and_up_again_is_told_once_by_two_processes(
    database_url: str,
) -> None:
    providers = Providers(near="ready", far="ready")
    async with (
        Database(database_url) as one,
        Database(database_url) as two,
        own_news(one, providers),
        own_news(two, providers),
    ):
        await providers.become(6, near="down")
        (down,) = await told(one, 1)
        assert (down.topic, down.news.subject) == ("provider:down", "near is down")
        assert down.news.data == {"provider": "near", "status": "down"}
        await providers.become(6, near="degraded")
        events = await told(one, 2)
        assert [each.topic for each in events] == ["provider:down", "provider:up"]
    async with Database(database_url) as later:
        assert await Notifications(later).position() == 2
        kinds = [each.kind for each in await Notifications(later).since()]
        assert kinds == ["provider.down", "provider.up"]


async def test_only_being_down_is_news(database: Database) -> None:
    providers = Providers(one="ready", other="down")
    async with own_news(database, providers):
        await providers.become(one="degraded")
        await providers.become(one="ready")
        # It was down before anybody looked.
        await providers.become(other="ready")
        (news,) = await told(database, 1)
        assert news.topic == "provider:up"


async def test_in_another_minute_it_is_news_again(database: Database) -> None:
    providers, clock = Providers(one="ready"), [NOON]
    async with own_news(database, providers, clock=lambda: clock[0]):
        for minute in range(2):
            clock[0] = NOON + timedelta(minutes=minute)
            await providers.become(one="down")
            await told(database, 2 * minute + 1)
            await providers.become(one="ready")
            await told(database, 2 * minute + 2)


async def test_it_goes_on_when_it_cannot_be_seen_how_providers_are(database: Database) -> None:
    providers = Providers(one="ready")
    async with own_news(database, providers):
        providers.fails = [KeyError("one that went meanwhile"), RuntimeError("odd")]
        await providers.become(4, one="down")
        assert [each.topic for each in await told(database, 1)] == ["provider:down"]


async def test_it_goes_on_when_something_could_not_be_told(database: Database) -> None:
    events, providers = Moody(database), Providers(one="ready", other="ready")
    async with own_news(database, providers, events=events) as news:
        events.fails = [OSError("no space left on the device")]
        await providers.become(one="down", other="down")
        (down,) = await told(database, 1)
        assert down.news.data["provider"] == "other"
        events.fails = [OSError("no space left on the device")]
        news.alert(ALERT)
        news.alert(replace(ALERT, percent=100, used=50_000_000))
        (alert,) = await told(database, 1, "budget:alert")
        assert alert.news.data["percent"] == 100


async def test_a_budget_alert_is_an_event_and_a_notification(database: Database) -> None:
    async with own_news(database) as news:
        news.alert(ALERT)
        (event,) = await told(database, 1)
        assert event.topic == "budget:alert"
        assert event.news.source == "gateway"
        assert event.news.data == {
            "limit": "month",
            "key": "",
            "percent": 80,
            "used": LIMIT.shown(40_000_000),
            "most": LIMIT.shown(50_000_000),
        }
        assert "80 %" in event.news.subject
        notifications = Notifications(database)
        async with notifications, asyncio.timeout(10):
            assert (await anext(notifications.told(after=0))).kind == "budget.alert"


def task(**more: Any) -> Task:
    given: dict[str, Any] = {
        "id": "task_1",
        "title": "Rotate the key",
        "description": "It is in the code.",
        "status": "open",
        "priority": "high",
        "created": NOON,
        "updated": NOON,
        "created_by": "alice",
    }
    return Task(**{**given, **more})


async def test_a_task_that_an_agent_made_is_as_deep_as_its_run_and_told_once(
    database: Database,
) -> None:
    events, runs = EventStore(database), RunStore(database)
    cause = (await events.store(News("test:a", chain=("research",)))).event
    run = runs.new("review", cause)
    await runs.add([("o", run)])
    async with own_news(database) as news:
        await news.created(task())
        made = task(id="task_2", created_by="agent:review", run_id=run.id)
        await news.created(made)
        await news.created(made)
    of_alice, of_agent = await told(database, 2, "task:created")
    assert (of_alice.news.chain, of_alice.news.cause) == ((), None)
    assert (of_agent.news.chain, of_agent.news.cause) == (("research", "review"), run.id)
    assert of_agent.news.data["title"] == "Rotate the key"
