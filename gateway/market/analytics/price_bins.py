"""Traded volume by price: rows of one height from the lowest to the highest price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.clock import rfc3339
from gateway.errors import InvalidRequest, Refused
from gateway.market.analytics.decimal_text import plain, short
from gateway.market.analytics.readings import Candle

MOST_BINS = 100  # when the caller asks for no size; rounding to the tick gives 50 to 101
BIN_LIMIT = 1_000
# The exchange's finest step; a tick size of 0 means that the symbol has no rule.
_FINEST_TICK = Decimal("0.00000001")

SPREADING = "each candle's volume is spread evenly over the rows that its low to high touches"


@dataclass(frozen=True, slots=True)
class Bin:
    """Prices from `low` up to but without `high`."""

    low: Decimal
    high: Decimal
    volume: Decimal
    trade_count: int

    @property
    def centre(self) -> Decimal:
        return (self.low + self.high) / 2


def candles_within(
    symbol: str, candles: Sequence[Candle], *, hours: int, as_of: datetime
) -> list[Candle]:
    """The candles that overlap the last `hours`.

    Raises:
        Refused: there is none.
    """
    start = as_of - timedelta(hours=hours)
    recent = [
        candle for candle in candles if candle.close_time > start and candle.open_time <= as_of
    ]
    if not recent:
        raise Refused(
            f"{symbol} has no candles in the {hours} h before {rfc3339(as_of)}; "
            "ask for more hours, or for a symbol that trades"
        )
    return recent


def coverage(candles: Sequence[Candle], *, hours: int, as_of: datetime) -> str:
    start = max(candles[0].open_time, as_of - timedelta(hours=hours))
    covered = min(candles[-1].close_time, as_of) - start
    part = f"{covered / timedelta(hours=1):.2f} h of {hours} h, {len(candles)} candles"
    return part if any(candle.volume for candle in candles) else f"{part}, none of which traded"


def choose_bin_size(
    candles: Sequence[Candle], *, tick_size: Decimal, requested: Decimal | None = None
) -> Decimal:
    """A multiple of the tick: what was asked for, rounded up, or else a hundredth of the range.

    Raises:
        InvalidRequest: the requested size is no size, or cuts the range into too many rows.
    """
    tick = tick_size if tick_size > 0 else _FINEST_TICK
    span = max(candle.high for candle in candles) - min(candle.low for candle in candles)
    if requested is None:
        return _round_up(span / MOST_BINS, tick)
    if not requested.is_finite() or requested <= 0:
        raise InvalidRequest(f"tick_size is {requested}; it takes a number above zero")
    smallest = _round_up(span / BIN_LIMIT, tick)
    size = _round_up(requested, tick)
    if size < smallest:
        raise InvalidRequest(
            f"tick_size {requested:f} cuts a range of {plain(span)} into more than {BIN_LIMIT} "
            f"rows; take {plain(smallest)} or more"
        )
    return size


def bins(candles: Sequence[Candle], *, size: Decimal) -> list[Bin]:
    """Every row from the lowest to the highest price, those without volume too."""
    first = min(int(candle.low // size) for candle in candles)
    last = max(int(candle.high // size) for candle in candles)
    volumes = [Decimal(0)] * (last - first + 1)
    counts = [0] * len(volumes)
    for candle in candles:
        lowest, highest = int(candle.low // size) - first, int(candle.high // size) - first
        touched = highest - lowest + 1
        share, (each, rest) = candle.volume / touched, divmod(candle.trade_count, touched)
        for row in range(lowest, highest + 1):
            volumes[row] += share
            counts[row] += each + (row - lowest < rest)
    return [
        # Shortened so that rows which got the same share tie, whatever the division left over.
        Bin(size * (first + row), size * (first + row + 1), short(volume), count)
        for row, (volume, count) in enumerate(zip(volumes, counts, strict=True))
    ]


def _round_up(value: Decimal, tick: Decimal) -> Decimal:
    """To a whole number of ticks, and at least one."""
    ticks = int(value // tick)
    return tick * max(1, ticks if tick * ticks >= value else ticks + 1)
