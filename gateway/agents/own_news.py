"""Events of the gateway itself: a budget alert, a provider that is down or back, a new task."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, Self

from gateway.agents.agent import agent_of_caller
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.notification import NotificationKind
from gateway.agents.notifications import Notifications
from gateway.agents.run_store import RunStore
from gateway.cancellation import ended
from gateway.clock import Clock, now, rfc3339
from gateway.tasks.task import Task
from gateway.usage.alerts import Alert

logger = logging.getLogger(__name__)

SOURCE = "gateway"
DOWN = "down"
LOOK_SECONDS = 5.0
_MOST_WAITING = 1_000


class OwnNews:
    """Tells of what happens while it is open; `statuses` is how each provider is, in a word.

    Each process sees for itself that a provider is down: within one minute all say it as one.
    """

    def __init__(
        self,
        events: EventStore,
        runs: RunStore,
        notifications: Notifications,
        *,
        statuses: Callable[[], Mapping[str, str]],
        poke: Callable[[], None],
        clock: Clock = now,
    ) -> None:
        self._events = events
        self._runs = runs
        self._notifications = notifications
        self._statuses = statuses
        self._poke = poke
        self._clock = clock
        self._known: Mapping[str, str] = {}
        self._alerts: asyncio.Queue[Alert] = asyncio.Queue(_MOST_WAITING)

    async def __aenter__(self) -> Self:
        self._known = self._statuses()
        self._telling = [
            asyncio.create_task(self._tell_of_alerts(), name="news of budgets"),
            asyncio.create_task(self._tell_of_providers(), name="news of providers"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(*self._telling)

    def alert(self, alert: Alert) -> None:
        """A limit is used so far; the ledger gives each alert once over all processes."""
        with suppress(asyncio.QueueFull):
            self._alerts.put_nowait(alert)

    async def created(self, task: Task) -> None:
        """A task is new; what an agent made is of its run, and goes no deeper than that may."""
        chain: tuple[str, ...] = ()
        agent = agent_of_caller(task.created_by)
        if agent is not None and task.run_id is not None:
            run = await self._runs.run(task.run_id)
            chain = (*(await self._events.event(run.event_id)).news.chain, agent)
        data: dict[str, Any] = {
            "task_id": task.id,
            "title": task.title,
            "description": task.description,
            "priority": task.priority,
            "created_by": task.created_by,
        }
        await self._tell(
            News(
                "task:created",
                data,
                SOURCE,
                subject=task.title,
                delivery=f"task {task.id}",
                chain=chain,
                cause=task.run_id if chain else None,
                by=task.created_by,
            ),
            "task.created",
            task.title,
        )

    async def _tell_of_alerts(self) -> None:
        while True:
            alert = await self._alerts.get()
            limit = alert.limit
            data = {"limit": limit.name, "key": alert.key, "percent": alert.percent}
            used = {"used": limit.shown(alert.used), "most": limit.shown(limit.most)}
            news = News("budget:alert", {**data, **used}, SOURCE, subject=str(alert)[:300])
            await self._safely(news, "budget.alert", str(alert))

    async def _tell_of_providers(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                known, self._known = self._known, self._statuses()
            except Exception:
                logger.exception("how providers are is not known")
                continue
            for name, status in self._known.items():
                if DOWN in (status, before := known.get(name)) and status != before:
                    await self._tell_of_provider(name, status)

    async def _tell_of_provider(self, name: str, status: str) -> None:
        how: Literal["down", "up"] = "down" if status == DOWN else "up"
        kind: NotificationKind = "provider.down" if status == DOWN else "provider.up"
        minute = rfc3339(self._clock())[:16]
        news = News(
            f"provider:{how}",
            {"provider": name, "status": status},
            SOURCE,
            subject=f"{name} is {how}",
            delivery=f"{name} {how} {minute}",
        )
        await self._safely(news, kind, f"{name} is {how}")

    async def _safely(self, news: News, kind: NotificationKind, title: str) -> None:
        try:
            await self._tell(news, kind, title)
        except Exception:
            # The next one may be.
            logger.exception("%s was not told", news.topic)

    async def _tell(self, news: News, kind: NotificationKind, title: str) -> None:
        if (await self._events.store(news)).is_new:
            await self._notifications.tell(kind, title, news.data)
            self._poke()
