"""How a run ends: in one transaction with the event that others may hear, and its notification."""

import logging
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection

from gateway.agents.event import Event, News
from gateway.agents.event_store import EventStore
from gateway.agents.notification import Notification, NotificationKind
from gateway.agents.notifications import Notifications
from gateway.agents.run import Run, Status
from gateway.agents.run_store import OPEN, RunStore
from gateway.agents.storable import cut
from gateway.caller import AGENT_PREFIX

logger = logging.getLogger(__name__)

# The whole of it is in the run.
MOST_RESULT = 20_000
_KINDS: Mapping[Status, NotificationKind] = {
    "done": "run.done",
    "failed": "run.failed",
    "stopped": "run.stopped",
    "cancelled": "run.cancelled",
}


class Endings:
    """Whenever the process dies: what has ended is told of, and what is told of has ended."""

    def __init__(
        self,
        runs: RunStore,
        events: EventStore,
        notifications: Notifications,
        *,
        poke: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._events = events
        self._notifications = notifications
        self._poke = poke

    async def end(self, run: Run, *, of: Iterable[Status] = OPEN) -> bool:
        """Write that a run ended, or is paused; False if it is in no state of `of`.

        Each of the questions that end with it is told of, too.
        """
        told: list[Notification] = []

        def tell(connection: Connection, ended: Run) -> None:
            told.append(self._tell(connection, ended))

        written = await self._runs.end(run, of=of, beside=tell)
        for one in written:
            logger.info(
                "run=%s agent=%s status=%s guard=%s",
                one.id,
                one.agent,
                one.status,
                one.guard or "-",
            )
        for notification in told:
            self._notifications.is_told(notification)
        if told:
            self._poke()
        return bool(written)

    def _tell(self, connection: Connection, run: Run) -> Notification:
        self._events.add(connection, _news(run, self._events.read(connection, run.event_id)))
        said = {"run_id": run.id, "agent": run.agent, "guard": run.guard}
        title = f"{run.agent}: {run.result or run.because or run.status}"
        return self._notifications.put(connection, _KINDS[run.status], title, said)


def _news(run: Run, event: Event) -> News:
    """Without a delivery: a run that goes on ends again, which is another event."""
    data = {
        "agent": run.agent,
        "run_id": run.id,
        "status": run.status,
        "guard": run.guard,
        "result": cut(run.result or "", MOST_RESULT) or None,
        "because": cut(run.because or "", MOST_RESULT) or None,
        "answered": event.topic,
    }
    return News(
        "agent:finished",
        data,
        AGENT_PREFIX + run.agent,
        subject=f"{run.agent} is {run.status}",
        chain=(*event.news.chain, run.agent),
        cause=run.id,
        by=AGENT_PREFIX + run.agent,
    )
