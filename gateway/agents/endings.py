"""What follows when a run has ended: an event that other agents may hear, and a notification."""

from collections.abc import Callable, Mapping

from gateway.agents.event import Event, News
from gateway.agents.event_store import EventStore
from gateway.agents.notification import NotificationKind
from gateway.agents.notifications import Notifications
from gateway.agents.run import Run, Status
from gateway.agents.storable import cut
from gateway.caller import AGENT_PREFIX

# The whole of it is in the run.
MOST_RESULT = 20_000
_KINDS: Mapping[Status, NotificationKind] = {
    "done": "run.done",
    "failed": "run.failed",
    "stopped": "run.stopped",
    "cancelled": "run.cancelled",
}


class Endings:
    def __init__(
        self, events: EventStore, notifications: Notifications, *, poke: Callable[[], None]
    ) -> None:
        self._events = events
        self._notifications = notifications
        self._poke = poke

    async def ended(self, run: Run, event: Event) -> None:
        if not run.has_ended:
            return
        if not (await self._events.store(_news(run, event))).is_new:
            return
        said = {"run_id": run.id, "agent": run.agent, "guard": run.guard}
        title = f"{run.agent}: {run.result or run.because or run.status}"
        await self._notifications.tell(_KINDS[run.status], title, said)
        self._poke()


def _news(run: Run, event: Event) -> News:
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
        delivery=f"{run.id}.{run.attempt}",
        chain=(*event.news.chain, run.agent),
        cause=run.id,
        by=AGENT_PREFIX + run.agent,
    )
