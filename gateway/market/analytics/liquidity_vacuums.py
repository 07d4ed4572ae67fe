"""Price ranges where little was traded, which a price may cross fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.clock import rfc3339
from gateway.market.analytics import price_bins
from gateway.market.analytics.decimal_text import number, plain, short
from gateway.market.analytics.price_bins import Bin
from gateway.market.analytics.readings import Book, Candle

THIN = Decimal("0.2")  # of the median row
MERGE_DISTANCE = Decimal("0.001")  # of the mid price
FAST_WIDTH = Decimal("0.005")
MODERATE_WIDTH = Decimal("0.001")

_METHOD = (
    f"volume profile from candles ({price_bins.SPREADING}); vacuum = consecutive rows below 20 % "
    "of the median row that traded; two are merged when less than 0.1 % apart and together still "
    "below 20 %; actual_volume = mean row of the vacuum; deficit = (median - actual) / median; "
    "impact by width: from 0.5 % of mid FastMovement, from 0.1 % ModerateMovement, else "
    "Negligible; nearest to mid first"
)


@dataclass(frozen=True, slots=True)
class Vacuum:
    """Rows `first` to `last` of the profile."""

    first: int
    last: int


def liquidity_vacuums(
    book: Book, candles: Sequence[Candle], *, tick_size: Decimal, hours: int, as_of: datetime
) -> dict[str, Any]:
    """The thinly traded ranges of the `hours` before `as_of`, nearest to the book's mid first.

    Raises:
        Refused: there are no candles in that time.
    """
    recent = price_bins.candles_within(book.symbol, candles, hours=hours, as_of=as_of)
    size = price_bins.choose_bin_size(recent, tick_size=tick_size)
    rows = price_bins.bins(recent, size=size)
    usual = _usual_volume(rows)
    vacuums = _merged(_runs(rows, usual), rows, usual=usual, apart=book.mid * MERGE_DISTANCE)
    answers = [_row(book, rows[vacuum.first : vacuum.last + 1], usual, as_of) for vacuum in vacuums]
    return {
        "symbol": book.symbol,
        "vacuums": [answer for _, answer in sorted(answers, key=lambda pair: pair[0])],
        "as_of": rfc3339(as_of),
        "method": _METHOD,
        "window": f"{hours} h",
        "sample_size": len(recent),
        "coverage": (
            f"{price_bins.coverage(recent, hours=hours, as_of=as_of)}, {len(rows)} rows of "
            f"{plain(size)}; prices outside {plain(rows[0].low)} to {plain(rows[-1].high)} did not "
            "trade in the window and are not listed"
        ),
    }


def _usual_volume(rows: Sequence[Bin]) -> Decimal:
    """The median of the rows that traded; with the empty ones it would often be zero."""
    return median([row.volume for row in rows if row.volume] or [Decimal(0)])


def _runs(rows: Sequence[Bin], usual: Decimal) -> list[Vacuum]:
    runs: list[Vacuum] = []
    for index, row in enumerate(rows):
        if row.volume >= THIN * usual:
            continue
        if runs and runs[-1].last == index - 1:
            runs[-1] = Vacuum(runs[-1].first, index)
        else:
            runs.append(Vacuum(index, index))
    return runs


def _merged(
    runs: Sequence[Vacuum], rows: Sequence[Bin], *, usual: Decimal, apart: Decimal
) -> list[Vacuum]:
    merged: list[Vacuum] = []
    for run in runs:
        whole = Vacuum(merged[-1].first, run.last) if merged else run
        is_near = bool(merged) and rows[run.first].low - rows[merged[-1].last].high < apart
        if is_near and _mean_volume(rows[whole.first : whole.last + 1]) < THIN * usual:
            merged[-1] = whole
        else:
            merged.append(run)
    return merged


def _mean_volume(rows: Sequence[Bin]) -> Decimal:
    return sum((row.volume for row in rows), Decimal(0)) / len(rows)


def _row(
    book: Book, rows: Sequence[Bin], usual: Decimal, as_of: datetime
) -> tuple[tuple[Decimal, Decimal], dict[str, Any]]:
    """What to sort by, and the vacuum."""
    low, high, actual = rows[0].low, rows[-1].high, _mean_volume(rows)
    distance = max(low - book.mid, book.mid - high, Decimal(0))
    return (distance, low), {
        "vacuum_id": str(uuid5(NAMESPACE_URL, f"vacuum:{book.symbol}:{plain(low)}:{plain(high)}")),
        "symbol": book.symbol,
        "price_range_low": plain(low),
        "price_range_high": plain(high),
        "volume_deficit_pct": number((usual - actual) / usual * 100),
        "median_volume": plain(usual),
        "actual_volume": plain(short(actual)),
        "expected_impact": expected_impact((high - low) / book.mid),
        "detection_timestamp": rfc3339(as_of),
    }


def expected_impact(width: Decimal) -> str:
    """By the vacuum's width as a part of mid: how far a price that enters it may run."""
    if width >= FAST_WIDTH:
        return "FastMovement"
    if width >= MODERATE_WIDTH:
        return "ModerateMovement"
    return "Negligible"
