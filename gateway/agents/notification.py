"""A notification: what people are told of, whether they listen now or read it later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from gateway.clock import rfc3339

NotificationKind = Literal[
    "run.done",
    "run.failed",
    "run.stopped",
    "run.cancelled",
    "suggestion.opened",
    "suggestion.accepted",
    "suggestion.dismissed",
    "task.created",
    "budget.alert",
    "provider.down",
    "provider.up",
    "agent.paused",
    "agent.resumed",
]
NOTIFICATION_KINDS: tuple[NotificationKind, ...] = get_args(NotificationKind)


@dataclass(frozen=True, slots=True)
class Notification:
    """`position` only rises: who was away reads on from the last one that it saw.

    A model may have written the `title`.
    """

    position: int
    time: datetime
    kind: NotificationKind
    title: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> Mapping[str, Any]:
        return {
            "position": self.position,
            "time": rfc3339(self.time),
            "kind": self.kind,
            "title": self.title,
            "data": self.data,
        }
