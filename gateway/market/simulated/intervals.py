"""Where the candles of each interval begin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.market.simulated.candles import DAY_MS, HOUR_MS, MINUTE_MS

# Monday 1970-01-05, four days after the first day of 1970.
_FIRST_MONDAY_MS = 4 * DAY_MS


@dataclass(frozen=True, slots=True)
class Interval:
    """Opening times: of the candle that holds a moment, and of its neighbours."""

    start: Callable[[int], int]
    after: Callable[[int], int]
    before: Callable[[int], int]


def _fixed(length_ms: int, origin_ms: int = 0) -> Interval:
    return Interval(
        start=lambda moment: moment - (moment - origin_ms) % length_ms,
        after=lambda opening: opening + length_ms,
        before=lambda opening: opening - length_ms,
    )


def _month(moment_ms: int) -> int:
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * 1000


INTERVALS = {
    "1s": _fixed(1000),
    **{f"{n}m": _fixed(n * MINUTE_MS) for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": _fixed(n * HOUR_MS) for n in (1, 2, 4, 6, 8, 12)},
    "1d": _fixed(DAY_MS),
    "3d": _fixed(3 * DAY_MS),
    "1w": _fixed(7 * DAY_MS, _FIRST_MONDAY_MS),
    "1M": Interval(
        start=_month,
        after=lambda opening: _month(opening + 32 * DAY_MS),
        before=lambda opening: _month(opening - DAY_MS),
    ),
}
