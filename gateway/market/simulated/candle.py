"""One candle in whole ticks and steps, and how neighbours become one."""

from collections.abc import Sequence
from typing import NamedTuple


class Candle(NamedTuple):  # a tuple because tens of thousands are made and merged
    first_id: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    buy_volume: int
    buy_quote_volume: int


def merged(parts: Sequence[Candle]) -> Candle:
    """One candle over neighbours in time."""
    if len(parts) == 1:
        return parts[0]
    columns = list(zip(*parts, strict=True))
    return Candle(
        parts[0].first_id,
        parts[0].open,
        max(columns[2]),
        min(columns[3]),
        parts[-1].close,
        sum(columns[5]),
        sum(columns[6]),
        sum(columns[7]),
        sum(columns[8]),
        sum(columns[9]),
    )
