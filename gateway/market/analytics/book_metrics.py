"""What one snapshot of the order book says: its best prices, its levels, its health."""

from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from gateway.clock import rfc3339
from gateway.market.analytics import depth
from gateway.market.analytics.decimal_text import number, plain, short
from gateway.market.analytics.moments import milliseconds
from gateway.market.analytics.readings import Book, Level

TOP_LEVELS = 20
WALL_MULTIPLE = 2
SLIPPAGE_TARGETS = (10_000, 25_000, 50_000)
DEPTH_BPS = 100
MAX_AGE_MILLISECONDS = 5_000
LOST_AGE_MILLISECONDS = 60_000
MAX_SPREAD_BPS = 50
MAX_IMBALANCE = Decimal("0.6")

_LEVEL_ONE_METHOD = (
    "mid = (bid + ask) / 2; spread_bps = (ask - bid) / mid x 10,000; "
    "weighted_mid = (bid x ask size + ask x bid size) / (bid size + ask size), best levels "
    "(microprice is the same number under its older name); "
    f"imbalance = (Vb - Va) / (Vb + Va) and imbalance_ratio = Vb / Va over the top {TOP_LEVELS} "
    f"levels a side; wall = more than {WALL_MULTIPLE} x the median quantity of those levels; "
    "slippage = average fill against the best price of that side, walking every level of the "
    "snapshot, for 10k/25k/50k of the quote asset (called usd)"
)


def level_one(book: Book) -> dict[str, Any]:
    """Best prices, weighted mid, imbalance, walls and slippage; see `method` in the answer."""
    bids, asks = book.bids[:TOP_LEVELS], book.asks[:TOP_LEVELS]
    bid_volume, ask_volume = depth.quantity(bids), depth.quantity(asks)
    weighted_mid = _weighted_mid(book)
    return {
        **_heading(book),
        "last_update_id": book.last_update_id,
        "best_bid": plain(book.best_bid.price),
        "best_ask": plain(book.best_ask.price),
        "best_bid_size": plain(book.best_bid.quantity),
        "best_ask_size": plain(book.best_ask.quantity),
        "mid_price": plain(book.mid),
        "spread": plain(book.spread),
        "spread_bps": number(book.spread_bps),
        "weighted_mid": plain(weighted_mid),
        "microprice": float(weighted_mid),
        "bid_volume": float(bid_volume),
        "ask_volume": float(ask_volume),
        "imbalance": number(depth.imbalance(bid_volume, ask_volume)),
        "imbalance_ratio": number(bid_volume / ask_volume),
        "walls": _walls(bids, asks),
        "slippage_estimates": _slippage_estimates(book),
        "method": _LEVEL_ONE_METHOD,
        "window": "one snapshot",
        "sample_size": len(bids) + len(asks),
        "coverage": (
            f"the best {len(bids)} bids and {len(asks)} asks; slippage walks all "
            f"{len(book.bids)} bids and {len(book.asks)} asks of the snapshot"
        ),
    }


def level_two(book: Book, levels: int, *, tick_size: Decimal, step_size: Decimal) -> dict[str, Any]:
    """The best `levels` of each side as whole numbers: price x price_scale, quantity x qty_scale.

    The scales follow the symbol's tick and step, and grow when a level is finer than they say,
    so that dividing gives back every level exactly.
    """
    bids, asks = book.bids[:levels], book.asks[:levels]
    shown = (*bids, *asks)
    price_scale = _scale(tick_size, *(level.price for level in shown))
    qty_scale = _scale(step_size, *(level.quantity for level in shown))
    return {
        **_heading(book),
        "last_update_id": book.last_update_id,
        "price_scale": price_scale,
        "qty_scale": qty_scale,
        "bids": [_scaled(level, price_scale, qty_scale) for level in bids],
        "asks": [_scaled(level, price_scale, qty_scale) for level in asks],
        "levels": max(len(bids), len(asks)),
        "method": "price = first number / price_scale; quantity = second number / qty_scale",
        "window": "one snapshot",
        "sample_size": len(shown),
        "coverage": f"{len(bids)} bids and {len(asks)} asks of {levels} asked for on each side",
    }


def book_health(book: Book, *, age_milliseconds: int) -> dict[str, Any]:
    """Whether this book can be traded on: fresh, tight, deep enough and not one-sided."""
    bids, asks = depth.within(book, DEPTH_BPS)
    bid_depth, ask_depth = depth.quote_value(bids), depth.quote_value(asks)
    imbalance = _top_imbalance(book)
    checks = (
        Check("last_update_age_ms", Decimal(age_milliseconds), Decimal(MAX_AGE_MILLISECONDS)),
        Check("spread_bps", book.spread_bps, Decimal(MAX_SPREAD_BPS)),
        Check("absolute_imbalance", abs(imbalance), MAX_IMBALANCE),
        Check("bid_depth_1pct", bid_depth, Decimal(0), is_floor=True),
        Check("ask_depth_1pct", ask_depth, Decimal(0), is_floor=True),
    )
    is_lost = age_milliseconds > LOST_AGE_MILLISECONDS or not bid_depth or not ask_depth
    failed = [check.complaint for check in checks if not check.passed]
    return {
        **_heading(book),
        "status": "error" if is_lost else "degraded" if failed else "ok",
        "reason": "; ".join(failed) or None,
        "orderbook_symbols_active": 1,
        "last_update_age_ms": age_milliseconds,
        "websocket_connected": False,
        "spread_bps": number(book.spread_bps),
        "bid_depth_1pct": plain(bid_depth),
        "ask_depth_1pct": plain(ask_depth),
        "imbalance": number(imbalance),
        "checks": [check.row() for check in checks],
        "method": (
            "depth = price x quantity within 1 % of mid, in the quote asset; imbalance over the "
            f"top {TOP_LEVELS} levels a side; degraded when a check fails; error when the book is "
            f"older than {LOST_AGE_MILLISECONDS // 1000} s or a side has nothing within 1 % of mid"
        ),
        "window": "one snapshot",
        "sample_size": len(book.bids) + len(book.asks),
        "coverage": _depth_coverage(book),
    }


@dataclass(frozen=True, slots=True)
class Check:
    """One value against its limit; a floor has to be passed, any other limit kept."""

    name: str
    value: Decimal
    limit: Decimal
    is_floor: bool = False

    @property
    def passed(self) -> bool:
        return self.value > self.limit if self.is_floor else self.value <= self.limit

    @property
    def complaint(self) -> str:
        relation = "is not over" if self.is_floor else "is over"
        return f"{self.name} {plain(short(self.value))} {relation} {plain(self.limit)}"

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": number(self.value),
            "limit": number(self.limit),
            "passed": self.passed,
        }


def _heading(book: Book) -> dict[str, Any]:
    return {
        "symbol": book.symbol,
        "timestamp": milliseconds(book.as_of),
        "as_of": rfc3339(book.as_of),
    }


def _weighted_mid(book: Book) -> Decimal:
    bid, ask = book.best_bid, book.best_ask
    weight = bid.quantity + ask.quantity
    return short((bid.price * ask.quantity + ask.price * bid.quantity) / weight)


def _top_imbalance(book: Book) -> Decimal:
    return depth.imbalance(
        depth.quantity(book.bids[:TOP_LEVELS]), depth.quantity(book.asks[:TOP_LEVELS])
    )


def _walls(bids: depth.Side, asks: depth.Side) -> dict[str, Any]:
    limit = WALL_MULTIPLE * median(level.quantity for level in (*bids, *asks))
    return {"bids": _walls_of(bids, limit, "Bid"), "asks": _walls_of(asks, limit, "Ask")}


def _walls_of(side: depth.Side, limit: Decimal, name: str) -> list[dict[str, str]]:
    return [
        {"price": plain(level.price), "qty": plain(level.quantity), "side": name}
        for level in side
        if level.quantity > limit
    ]


def _slippage_estimates(book: Book) -> dict[str, Any]:
    sides = {"buy": book.asks, "sell": book.bids}
    return {
        f"{verb}_{target // 1000}k_usd": _slippage(levels, Decimal(target))
        for verb, levels in sides.items()
        for target in SLIPPAGE_TARGETS
    }


def _slippage(levels: depth.Side, target: Decimal) -> dict[str, Any]:
    quantity, value = _fill(levels, target)
    average, best = short(value / quantity), levels[0].price
    return {
        "target_usd": float(target),
        "avg_price": float(average),
        "slippage_bps": number(abs(average - best) / best * 10_000),
        "filled_qty": number(quantity),
        "filled_usd": number(value),
        "is_partial": value < target,
    }


def _fill(levels: depth.Side, target: Decimal) -> tuple[Decimal, Decimal]:
    """How much base asset, for how much of the quote asset, the levels give up to the target."""
    quantity = value = Decimal(0)
    for level in levels:
        missing = target - value
        if level.value >= missing:
            return quantity + missing / level.price, target
        quantity += level.quantity
        value += level.value
    return quantity, value


def _scale(*amounts: Decimal) -> int:
    return int(10 ** max(_decimals(amount) for amount in amounts))


def _decimals(amount: Decimal) -> int:
    return len(plain(amount).partition(".")[2])


def _scaled(level: Level, price_scale: int, qty_scale: int) -> list[int]:
    return [int(level.price * price_scale), int(level.quantity * qty_scale)]


def _depth_coverage(book: Book) -> str:
    size = f"{len(book.bids)} bids and {len(book.asks)} asks"
    if depth.reaches(book, DEPTH_BPS):
        return f"{size}, which reach 1 % from mid on both sides"
    return f"{size}, which end within 1 % of mid: the depths are lower bounds"
