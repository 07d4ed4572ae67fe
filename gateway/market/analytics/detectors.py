"""The single checks behind `market_anomalies`: each states its limit, its value and its verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median

from gateway.market.analytics import depth
from gateway.market.analytics.decimal_text import number, plain
from gateway.market.analytics.order_flow import bought, sold
from gateway.market.analytics.outliers import robust_score
from gateway.market.analytics.readings import Book, Candle, Level, Trade

HISTORY = 60  # candles before the last one
SHOCK_LIMIT = Decimal(5)
SMALLEST_DEVIATION = Decimal("0.0004")  # of the price; a move under 20 bps is never a shock
SPIKE_LIMIT = Decimal(6)
SMALLEST_VOLUME_DEVIATION = Decimal("0.2")  # of the median candle
SPREAD_LIMIT_BPS = Decimal(20)
NEAR_BPS = 50
IMBALANCE_LIMIT = Decimal("0.6")
SPOOF_LEVELS = 50
SPOOF_LIMIT = Decimal(5)
REFILL_LIMIT = Decimal(10)
REFILL_MULTIPLE = Decimal(5)
CRASH_LIMIT = Decimal(2)
CRASH_IMBALANCE = Decimal("-0.3")
CRASH_ACCELERATION = Decimal(-50)
STUFFING_LIMIT = Decimal(500)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `value` is None when there was nothing to measure.

    `strength` is how many times over its limit the value is; `numbers` and `levels` say more
    about an anomaly of this `kind`.
    """

    name: str
    kind: str
    value: Decimal | None
    limit: Decimal
    fired: bool
    meaning: str
    numbers: Mapping[str, object] = field(default_factory=dict)
    levels: tuple[Decimal, ...] = ()

    @property
    def strength(self) -> Decimal:
        return abs(self.value or Decimal(0)) / self.limit


def price_shock(candles: Sequence[Candle]) -> Finding:
    recent = candles[-HISTORY - 2 :]
    moves = [later.close / earlier.close - 1 for earlier, later in pairwise(recent)]
    score = robust_score(moves[-1], moves[:-1], floor=SMALLEST_DEVIATION) if moves else None
    return Finding(
        "price_shock",
        "PriceShock",
        score,
        SHOCK_LIMIT,
        _exceeds(score, SHOCK_LIMIT),
        "return of the last candle in robust deviations (MAD, at least 4 bps) from the median of "
        "the 60 before; fires above 5 either way",
        {"return_pct": number(moves[-1] * 100)} if moves else {},
        (recent[-1].close,) if recent else (),
    )


def volume_spike(candles: Sequence[Candle]) -> Finding:
    recent = [candle.volume for candle in candles[-HISTORY - 1 :]]
    usual = median(recent[:-1]) if len(recent) > 1 else Decimal(0)
    floor = SMALLEST_VOLUME_DEVIATION * usual
    score = robust_score(recent[-1], recent[:-1], floor=floor) if recent else None
    return Finding(
        "volume_spike",
        "VolumeSpike",
        score,
        SPIKE_LIMIT,
        score is not None and score > SPIKE_LIMIT,
        "volume of the last candle in robust deviations (MAD, at least 20 % of the median) above "
        "the median of the 60 before; fires above 6",
        {"volume": plain(recent[-1]), "median_volume": plain(usual)} if recent else {},
    )


def spread_blowout(book: Book) -> Finding:
    return Finding(
        "spread_blowout",
        "SpreadBlowout",
        book.spread_bps,
        SPREAD_LIMIT_BPS,
        book.spread_bps > SPREAD_LIMIT_BPS,
        "spread in basis points of mid; fires above 20",
        {"spread_bps": number(book.spread_bps)},
        (book.best_bid.price, book.best_ask.price),
    )


def one_sided_book(book: Book) -> Finding:
    imbalance = _near_imbalance(book)
    return Finding(
        "one_sided_book",
        "OneSidedBook",
        imbalance,
        IMBALANCE_LIMIT,
        _exceeds(imbalance, IMBALANCE_LIMIT),
        "(bids - asks) / (bids + asks) by quantity within 50 bps of mid; fires above 0.6 "
        "either way",
        {} if imbalance is None else {"imbalance": number(imbalance)},
        (book.best_bid.price, book.best_ask.price),
    )


def spoofing_proxy(book: Book) -> Finding:
    suspects = [
        suspect for side in (book.bids, book.asks) for suspect in _oversized(side, book.mid)
    ]
    value = max((multiple for multiple, _ in suspects), default=Decimal(0))
    fired = value > SPOOF_LIMIT
    prices = tuple(level.price for multiple, level in suspects if multiple > SPOOF_LIMIT)
    return Finding(
        "spoofing_proxy",
        "SpoofingSuspected",
        value,
        SPOOF_LIMIT,
        fired,
        "largest quantity more than 50 bps from mid among the top 50 levels of a side, as a "
        "multiple of that side's mean; fires above 5. A proxy: one snapshot cannot show whether "
        "the order is withdrawn",
        {"size_multiple": number(value)},
        prices,
    )


def iceberg_proxy(trades: Sequence[Trade]) -> Finding:
    """Fills of one quantity at one price against the same side: what a refilled order leaves."""
    refills = Counter((trade.price, trade.quantity, trade.is_buyer_maker) for trade in trades)
    if not refills:
        return _iceberg(None, fired=False)
    # The largest group; of equal ones the larger fill, so that the answer does not depend on order.
    (price, quantity, _), count = max(
        refills.items(), key=lambda group: (group[1], group[0][1], group[0][0], group[0][2])
    )
    usual = Decimal(median(refills.values()))
    multiple = count / usual
    return _iceberg(
        Decimal(count),
        fired=count >= REFILL_LIMIT and multiple > REFILL_MULTIPLE,
        numbers={
            "price_level": plain(price),
            "fill_quantity": plain(quantity),
            "refill_rate_multiplier": number(multiple),
            "median_refill_rate": number(usual),
        },
        levels=(price,),
    )


def flash_crash_risk(book: Book, trades: Sequence[Trade], *, as_of: datetime) -> Finding:
    imbalance, acceleration = _near_imbalance(book), flow_acceleration(trades, as_of=as_of)
    signs = (
        book.spread_bps > SPREAD_LIMIT_BPS,
        imbalance is not None and imbalance < CRASH_IMBALANCE,
        acceleration is not None and acceleration < CRASH_ACCELERATION,
    )
    return Finding(
        "flash_crash_risk",
        "FlashCrashRisk",
        Decimal(sum(signs)),
        CRASH_LIMIT,
        sum(signs) >= CRASH_LIMIT,
        "how many hold of: spread over 20 bps; imbalance within 50 bps below -0.3 (asks outweigh "
        "bids); taker flow turned to selling by more than 50 % of the minute's volume; fires "
        "from 2. Depth loss and cancellations need a stream and are not seen",
        {
            "spread_bps": number(book.spread_bps),
            "spread_multiplier": number(book.spread_bps / SPREAD_LIMIT_BPS),
            "imbalance": None if imbalance is None else number(imbalance),
            "flow_acceleration_pct": None if acceleration is None else number(acceleration),
        },
        (book.best_bid.price,),
    )


def quote_stuffing() -> Finding:
    return Finding(
        "quote_stuffing",
        "QuoteStuffing",
        None,
        STUFFING_LIMIT,
        False,
        "order book updates per second with few fills: not observable over REST, needs the "
        "exchange's update stream",
    )


def flow_acceleration(trades: Sequence[Trade], *, as_of: datetime) -> Decimal | None:
    """Net taker volume of the last 30 s less that of the time before, in percent of all volume."""
    turn = as_of - timedelta(seconds=30)
    before = [trade for trade in trades if trade.time < turn]
    after = [trade for trade in trades if trade.time >= turn]
    total = sum((trade.quantity for trade in trades), Decimal(0))
    return (_net(after) - _net(before)) / total * 100 if total else None


def _net(trades: Sequence[Trade]) -> Decimal:
    return bought(trades).quantity - sold(trades).quantity


def _near_imbalance(book: Book) -> Decimal | None:
    bids, asks = depth.within(book, NEAR_BPS)
    # The best bid and ask are equally far from mid, so both are near or neither is.
    if not bids:
        return None
    return depth.imbalance(depth.quantity(bids), depth.quantity(asks))


def _oversized(side: depth.Side, mid: Decimal) -> list[tuple[Decimal, Level]]:
    """The far levels of a side, each with its multiple of that side's mean quantity."""
    top = side[:SPOOF_LEVELS]
    mean = depth.quantity(top) / len(top)
    return [
        (level.quantity / mean, level)
        for level in top
        if abs(level.price - mid) / mid * 10_000 > NEAR_BPS
    ]


def _iceberg(
    value: Decimal | None,
    *,
    fired: bool,
    numbers: Mapping[str, object] | None = None,
    levels: tuple[Decimal, ...] = (),
) -> Finding:
    return Finding(
        "iceberg_proxy",
        "IcebergOrder",
        value,
        REFILL_LIMIT,
        fired,
        "most fills of one quantity at one price against one side in the last 60 s; fires from 10 "
        "when that is also more than 5 x the median group. A proxy: trades do not name their order",
        numbers or {},
        levels,
    )


def _exceeds(value: Decimal | None, limit: Decimal) -> bool:
    return value is not None and abs(value) > limit
