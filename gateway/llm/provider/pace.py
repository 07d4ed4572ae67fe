"""How fast a model has been of late: the time to its first token, and its tokens a second."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

# Old calls say little: the last ones decide, and none from longer ago than this.
REMEMBERED_CALLS = 31
REMEMBERED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Medians over the last `calls`; None is not known."""

    first_token_seconds: float | None
    tokens_per_second: float | None
    calls: int


@dataclass(slots=True)
class PaceRecord:
    """Times are of a monotonic clock, in seconds."""

    _firsts: deque[tuple[float, float]] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_CALLS)
    )
    _rates: deque[tuple[float, float]] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_CALLS)
    )

    def first_token(self, seconds: float, now: float) -> None:
        self._firsts.append((now, seconds))

    def ended(self, output_tokens: int, seconds: float, now: float) -> None:
        """`seconds` is from the first token to the end."""
        if output_tokens > 1 and seconds > 0:
            self._rates.append((now, (output_tokens - 1) / seconds))

    def pace(self, now: float) -> Pace:
        firsts, rates = _recent(self._firsts, now), _recent(self._rates, now)
        return Pace(
            first_token_seconds=median(firsts) if firsts else None,
            tokens_per_second=median(rates) if rates else None,
            calls=len(firsts),
        )


def _recent(samples: deque[tuple[float, float]], now: float) -> list[float]:
    return [value for at, value in samples if now - at <= REMEMBERED_SECONDS]
