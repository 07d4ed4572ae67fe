"""At which prices a symbol traded: histogram, point of control and value area."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from gateway.clock import rfc3339
from gateway.market.analytics import price_bins
from gateway.market.analytics.decimal_text import number, plain, short
from gateway.market.analytics.price_bins import Bin
from gateway.market.analytics.readings import Candle

VALUE_AREA = Decimal("0.7")

_METHOD = (
    f"from candles: {price_bins.SPREADING}; rows start at multiples of bin_size and hold their "
    "lower edge; point of control = centre of the row with the most volume (a tie goes to the row "
    "nearest the middle); value area = from there, the larger of the two rows above and the two "
    "rows below is added (a tie goes up) until 70 % of the volume is inside; its high and low are "
    "row edges; vwap = quote volume / volume"
)


def volume_profile(
    symbol: str,
    candles: Sequence[Candle],
    *,
    tick_size: Decimal,
    requested_tick: Decimal | None,
    as_of: datetime,
    hours: int,
) -> dict[str, Any]:
    """The profile of the `hours` before `as_of`, from candles of one minute or coarser.

    Raises:
        Refused: there are no candles in that time.
        InvalidRequest: `requested_tick` is not above zero, or makes more than 1,000 rows.
    """
    recent = price_bins.candles_within(symbol, candles, hours=hours, as_of=as_of)
    size = price_bins.choose_bin_size(recent, tick_size=tick_size, requested=requested_tick)
    rows = price_bins.bins(recent, size=size)
    control = point_of_control(rows)
    lowest, highest = value_area(rows, control)
    return {
        "symbol": symbol,
        "time_period_start": rfc3339(as_of - timedelta(hours=hours)),
        "time_period_end": rfc3339(as_of),
        "price_range_low": plain(min(candle.low for candle in recent)),
        "price_range_high": plain(max(candle.high for candle in recent)),
        "bin_size": plain(size),
        "bin_count": len(rows),
        "histogram": [_row(row) for row in rows],
        "total_volume": plain(sum((candle.volume for candle in recent), Decimal(0))),
        "point_of_control": plain(rows[control].centre),
        "value_area_high": plain(rows[highest].high),
        "value_area_low": plain(rows[lowest].low),
        "value_area_percent": _percent(rows[lowest : highest + 1], rows),
        "vwap": _vwap(recent),
        "as_of": rfc3339(as_of),
        "method": _METHOD,
        "window": f"{hours} h",
        "sample_size": len(recent),
        "coverage": price_bins.coverage(recent, hours=hours, as_of=as_of),
    }


def point_of_control(rows: Sequence[Bin]) -> int:
    """The row with the most volume; of equal ones the nearest to the middle, then the higher."""
    middle = (len(rows) - 1) / 2
    return max(range(len(rows)), key=lambda row: (rows[row].volume, -abs(row - middle), row))


def value_area(rows: Sequence[Bin], control: int) -> tuple[int, int]:
    """The first and last row around `control` that together hold 70 % of the volume."""
    target = VALUE_AREA * _volume(rows)
    lowest = highest = control
    while _volume(rows[lowest : highest + 1]) < target:
        above = rows[highest + 1 : highest + 3]
        below = rows[max(0, lowest - 2) : lowest]
        if above and (not below or _volume(above) >= _volume(below)):
            highest += len(above)
        else:
            lowest -= len(below)
    return lowest, highest


def _volume(rows: Sequence[Bin]) -> Decimal:
    return sum((row.volume for row in rows), Decimal(0))


def _percent(part: Sequence[Bin], whole: Sequence[Bin]) -> float:
    total = _volume(whole)
    return number(_volume(part) / total * 100) if total else 0.0


def _vwap(candles: Sequence[Candle]) -> str | None:
    volume = sum((candle.volume for candle in candles), Decimal(0))
    value = sum((candle.quote_volume for candle in candles), Decimal(0))
    return plain(short(value / volume)) if volume else None


def _row(row: Bin) -> dict[str, Any]:
    return {
        "price_level": plain(row.centre),
        "price_low": plain(row.low),
        "price_high": plain(row.high),
        "volume": plain(row.volume),
        "trade_count": row.trade_count,
    }
