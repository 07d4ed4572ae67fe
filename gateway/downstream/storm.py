"""Rings that come one upon another: what they ask for waits longer each time."""

import time
from collections.abc import Callable

from gateway.downstream.backoff import Backoff

# What comes and goes rings a few times at once, and is looked at without a pause.
FREE_RINGS = 8
QUIET_SECONDS = 5.0


class Storm:
    """A service may ring all the time, and looking at it costs everybody else."""

    def __init__(
        self, *, most_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._backoff = Backoff(first_seconds=0.25, most_seconds=most_seconds)
        self._monotonic = monotonic
        self._rings = 0
        self._over_at = 0.0

    def pause_seconds(self) -> float:
        """How long to wait after one more ring; nothing again, once it was quiet for a while."""
        now = self._monotonic()
        self._rings = self._rings + 1 if now < self._over_at else 1
        beyond = self._rings - FREE_RINGS
        pause = self._backoff.pause_seconds(beyond) if beyond > 0 else 0.0
        self._over_at = now + pause + QUIET_SECONDS
        return pause
