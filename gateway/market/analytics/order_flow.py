"""Who pressed whom: what takers bought and sold in the last seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from gateway.clock import rfc3339
from gateway.market.analytics import depth
from gateway.market.analytics.decimal_text import number, plain, short
from gateway.market.analytics.moments import seconds
from gateway.market.analytics.readings import Trade

_METHOD = (
    "taker volume from aggregate trades: a trade whose buyer was the maker is a taker sale; "
    "cumulative_delta (CVD) = bought - sold, in the base asset; rates are taker trades per second; "
    "flow_direction by bought / sold volume: over 2 STRONG_BUY, over 1.2 MODERATE_BUY, from 0.8 "
    "NEUTRAL, from 0.5 MODERATE_SELL, below STRONG_SELL; imbalance = (bought - sold) / "
    "(bought + sold); order flow imbalance (OFI) needs a stream of book updates and is not given"
)


@dataclass(frozen=True, slots=True)
class TakerVolume:
    """What takers did on one side."""

    count: int
    quantity: Decimal
    value: Decimal


def bought(trades: Sequence[Trade]) -> TakerVolume:
    return _taken([trade for trade in trades if not trade.is_buyer_maker])


def sold(trades: Sequence[Trade]) -> TakerVolume:
    return _taken([trade for trade in trades if trade.is_buyer_maker])


def within_window(trades: Sequence[Trade], *, window_seconds: int, as_of: datetime) -> list[Trade]:
    start = as_of - timedelta(seconds=window_seconds)
    return [trade for trade in trades if start <= trade.time <= as_of]


def order_flow(
    symbol: str,
    trades: Sequence[Trade],
    *,
    window_seconds: int,
    as_of: datetime,
    is_complete: bool,
) -> dict[str, Any]:
    """Taker flow in the window that ends at `as_of`; later trades are left out.

    `as_of` is best the exchange's own time: trades carry that, and clocks differ.

    `is_complete` says whether the tape reached back to the window's start; when it did not,
    rates are per second of the part that it covers.
    """
    recent = within_window(trades, window_seconds=window_seconds, as_of=as_of)
    window = timedelta(seconds=window_seconds)
    covered = window if is_complete else _span(recent, as_of)
    buys, sells = bought(recent), sold(recent)
    volume, value = buys.quantity + sells.quantity, buys.value + sells.value
    return {
        "symbol": symbol,
        "time_window_start": rfc3339(as_of - window),
        "time_window_end": rfc3339(as_of),
        "window_duration_secs": window_seconds,
        "bid_flow_rate": _rate(buys.count, covered),
        "ask_flow_rate": _rate(sells.count, covered),
        "net_flow": _rate(buys.count - sells.count, covered),
        "flow_direction": flow_direction(buys.quantity, sells.quantity),
        "cumulative_delta": plain(buys.quantity - sells.quantity),
        "buy_volume": plain(buys.quantity),
        "sell_volume": plain(sells.quantity),
        "buy_quote_volume": plain(buys.value),
        "sell_quote_volume": plain(sells.value),
        "trade_count": len(recent),
        "vwap": plain(short(value / volume)) if volume else None,
        "imbalance": number(depth.imbalance(buys.quantity, sells.quantity)),
        "as_of": rfc3339(as_of),
        "method": _METHOD,
        "window": f"{window_seconds} s",
        "sample_size": len(recent),
        "coverage": _coverage(covered, window, is_complete=is_complete),
    }


def flow_direction(buy_volume: Decimal, sell_volume: Decimal) -> str:
    # Compared as products, so that neither side can divide by zero.
    if buy_volume == sell_volume:
        return "NEUTRAL"
    if buy_volume > 2 * sell_volume:
        return "STRONG_BUY"
    if buy_volume > Decimal("1.2") * sell_volume:
        return "MODERATE_BUY"
    if buy_volume >= Decimal("0.8") * sell_volume:
        return "NEUTRAL"
    if buy_volume >= Decimal("0.5") * sell_volume:
        return "MODERATE_SELL"
    return "STRONG_SELL"


def _taken(trades: Sequence[Trade]) -> TakerVolume:
    return TakerVolume(
        len(trades),
        sum((trade.quantity for trade in trades), Decimal(0)),
        sum((trade.price * trade.quantity for trade in trades), Decimal(0)),
    )


def _span(trades: Sequence[Trade], as_of: datetime) -> timedelta:
    return as_of - min((trade.time for trade in trades), default=as_of)


def _rate(count: int, span: timedelta) -> float:
    # A tape that covers an instant would otherwise make one trade a thousand per second.
    length = max(span, timedelta(seconds=1))
    return number(Decimal(count) / Decimal(str(length.total_seconds())))


def _coverage(covered: timedelta, window: timedelta, *, is_complete: bool) -> str:
    if is_complete:
        return f"the whole window of {seconds(window)}"
    return (
        f"the last {seconds(covered)} of {seconds(window)}: the trades that were read do not "
        "reach back further; rates are per second of the covered part"
    )
