"""How a downstream service is doing, as `/health`, documents and tools show it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    STARTING = "starting"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Status:
    """`since` is when `state` began; `error` is one plain sentence that is safe to show.

    `retry_seconds` is the time until the gateway looks again by itself, while it is down.
    """

    name: str
    address: str
    state: State
    since: datetime
    version: str | None
    error: str | None
    retry_seconds: float | None
