"""How much of the exchange's request budget is used, and when to hold back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.clock import Clock
from gateway.errors import RateLimited

USED_WEIGHT_HEADER = "x-mbx-used-weight-1m"


@dataclass(slots=True)
class Permit:
    """One call that was let through."""

    weight: int
    minute: datetime


class WeightBudget:
    """Counts request weight per minute and IP address, as the exchange does.

    The last tenth of the limit is left alone, for other programs at the same address: going
    over the limit earns a 429, and going on after that a ban (418).
    """

    def __init__(self, clock: Clock, *, limit: int = 6000) -> None:
        self._clock = clock
        self.limit = limit
        self._minute = _minute(clock())
        self._used = 0
        self._in_flight = 0
        self._closed_until: datetime | None = None

    @property
    def allowed(self) -> int:
        return self.limit - self.limit // 10

    @property
    def used(self) -> int:
        """What this minute has used, calls under way included."""
        self._turn_the_minute()
        return self._used + self._in_flight

    @contextmanager
    def spend(self, weight: int) -> Iterator[Permit]:
        """Let one call through, and count it while it runs.

        Raises:
            RateLimited: the exchange asked for a pause, or this minute's budget is used up.
        """
        self._check(weight)
        permit = Permit(weight, self._minute)
        self._in_flight += weight
        try:
            yield permit
        finally:
            self._in_flight -= weight
            self._turn_the_minute()
            if permit.minute == self._minute:
                self._used += permit.weight

    def settle(self, permit: Permit, headers: Mapping[str, str]) -> None:
        """Believe the exchange's own count rather than ours."""
        self._turn_the_minute()
        told = headers.get(USED_WEIGHT_HEADER, "")
        # An answer that was asked for in an earlier minute may tell that minute's count.
        if told.isascii() and told.isdecimal() and permit.minute == self._minute:
            permit.weight = 0
            self._used = int(told)

    def pause(self, seconds: float) -> None:
        """Let no call through for so long; a shorter pause never ends a longer one."""
        until = self._clock() + timedelta(seconds=seconds)
        self._closed_until = max(until, self._closed_until or until)

    def seconds_to_next_minute(self) -> float:
        return (_minute(self._clock()) + timedelta(minutes=1) - self._clock()).total_seconds()

    def _check(self, weight: int) -> None:
        now = self._clock()
        if self._closed_until and now < self._closed_until:
            wait = (self._closed_until - now).total_seconds()
            raise RateLimited(
                f"the exchange asked for a pause; ask again in {wait:.0f} s",
                retry_after_seconds=wait,
            )
        if self.used + weight > self.allowed:
            wait = self.seconds_to_next_minute()
            raise RateLimited(
                f"this minute's request budget of the exchange is used up "
                f"({self.used} of {self.allowed}); ask again in {wait:.0f} s",
                retry_after_seconds=wait,
            )

    def _turn_the_minute(self) -> None:
        minute = _minute(self._clock())
        if minute != self._minute:
            self._minute, self._used = minute, 0


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
