"""How good a market is to trade in right now: four scores and their weighted sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.clock import rfc3339
from gateway.market.analytics import depth
from gateway.market.analytics.decimal_text import number
from gateway.market.analytics.moments import milliseconds
from gateway.market.analytics.order_flow import bought, sold, within_window
from gateway.market.analytics.readings import Book, Candle, Trade

WINDOW_SECONDS = 60
HISTORY_CANDLES = 60
DEPTH_BPS = 100
TIGHT_BPS = Decimal(10)
WIDE_BPS = Decimal(100)
LIVELY_TRADES = 10
NEUTRAL = Decimal(50)  # of a component that nothing was known about

_METHOD = (
    "overall = 0.25 spread + 0.35 depth + 0.25 flow + 0.15 update rate, each 0 to 100. "
    "spread_stability: 100 up to 10 bps, falling to 0 at 100 bps (one snapshot shows tightness, "
    "not its history). liquidity_depth: quote value within 1 % of mid on the thinner side, against "
    "half of what an average minute of the past hour traded. flow_balance: 100 when takers of the "
    "last 60 s bought as much as they sold, 0 when all were on one side. update_rate: 10 a trade "
    "in the last 60 s, up to 100. Level: from 80 Excellent if no component is below 50, from 60 "
    "Good, from 40 Fair, from 20 Poor, else Critical"
)
_ACTIONS = {
    "Excellent": "Normal trading conditions.",
    "Good": "Trade normally; watch the weakest component.",
    "Fair": "Prefer limit orders and smaller sizes.",
    "Poor": "Trade only what is necessary, with limit orders.",
    "Critical": "Do not trade until conditions recover.",
}


@dataclass(frozen=True, slots=True)
class Component:
    """`score` is None when there was nothing to measure; it then counts as neutral."""

    name: str
    weight: Decimal
    score: Decimal | None

    @property
    def counted(self) -> Decimal:
        return NEUTRAL if self.score is None else self.score


def microstructure_health(
    book: Book, trades: Sequence[Trade], candles: Sequence[Candle], *, as_of: datetime
) -> dict[str, Any]:
    """The four scores at `as_of`, from one snapshot, recent trades and one-minute candles."""
    recent = within_window(trades, window_seconds=WINDOW_SECONDS, as_of=as_of)
    history = [candle for candle in candles if candle.close_time <= as_of][-HISTORY_CANDLES:]
    components = (
        Component("spread_stability_score", Decimal("0.25"), spread_score(book)),
        Component("liquidity_depth_score", Decimal("0.35"), depth_score(book, history)),
        Component("flow_balance_score", Decimal("0.25"), balance_score(recent)),
        Component("update_rate_score", Decimal("0.15"), rate_score(trades, recent)),
    )
    overall = sum((part.weight * part.counted for part in components), Decimal(0))
    level = health_level(overall, [part.counted for part in components])
    return {
        "symbol": book.symbol,
        "timestamp": milliseconds(as_of),
        "overall_score": number(overall),
        **{part.name: number(part.counted) for part in components},
        "health_level": level,
        "recommended_action": _ACTIONS[level],
        "as_of": rfc3339(as_of),
        "method": _METHOD,
        "window": f"{WINDOW_SECONDS} s of trades, {HISTORY_CANDLES} candles, one snapshot",
        "sample_size": len(recent),
        "coverage": _coverage(book, components, len(recent), len(history)),
    }


def spread_score(book: Book) -> Decimal:
    return _clamped((WIDE_BPS - book.spread_bps) / (WIDE_BPS - TIGHT_BPS) * 100)


def depth_score(book: Book, history: Sequence[Candle]) -> Decimal | None:
    traded = sum((candle.quote_volume for candle in history), Decimal(0))
    if not traded:
        return None
    thinner = min(depth.quote_value(side) for side in depth.within(book, DEPTH_BPS))
    needed = traded / len(history) / 2
    return _clamped(thinner / needed * 100)


def balance_score(recent: Sequence[Trade]) -> Decimal | None:
    if not recent:
        return None
    return 100 * (1 - abs(depth.imbalance(bought(recent).quantity, sold(recent).quantity)))


def rate_score(trades: Sequence[Trade], recent: Sequence[Trade]) -> Decimal | None:
    # A quiet minute is a fact; a tape without any trade may only be a failed read.
    return _clamped(Decimal(len(recent) * 100) / LIVELY_TRADES) if trades else None


def health_level(overall: Decimal, scores: Sequence[Decimal]) -> str:
    if overall >= 80 and min(scores) >= 50:
        return "Excellent"
    if overall >= 60:
        return "Good"
    if overall >= 40:
        return "Fair"
    return "Poor" if overall >= 20 else "Critical"


def _clamped(score: Decimal) -> Decimal:
    return min(max(score, Decimal(0)), Decimal(100))


def _coverage(book: Book, components: Sequence[Component], trades: int, candles: int) -> str:
    parts = [f"{trades} trades, {candles} finished candles, one book snapshot"]
    if not depth.reaches(book, DEPTH_BPS):
        parts.append("the snapshot ends within 1 % of mid, so the depth is a lower bound")
    parts += [
        f"no data for {part.name}, counted as {NEUTRAL}"
        for part in components
        if part.score is None
    ]
    return "; ".join(parts)
