"""The tools that compute: each reads what it needs side by side, for any symbol, when asked."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.errors import InvalidRequest
from gateway.market.analytics.anomalies import WINDOW_SECONDS as ANOMALY_SECONDS
from gateway.market.analytics.anomalies import market_anomalies
from gateway.market.analytics.book_metrics import book_health, level_one, level_two
from gateway.market.analytics.liquidity_vacuums import liquidity_vacuums
from gateway.market.analytics.microstructure import WINDOW_SECONDS as HEALTH_SECONDS
from gateway.market.analytics.microstructure import microstructure_health
from gateway.market.analytics.order_flow import order_flow
from gateway.market.analytics.readings import Candle
from gateway.market.analytics.volume_profile import volume_profile
from gateway.market.market_tool import SYMBOL, Access, Arguments, MarketTool, input_schema
from gateway.market.symbols import Listing
from gateway.market.venue import Json, Snapshot, Tape, Venue

# Enough to reach 1 % from mid where the market is liquid, at a tenth of the weight of 5,000.
LEVELS = 500
# The top of the book and what fills ordinary orders, at a fifth of that weight.
TOP_LEVELS = 100
# The checks compare the last candle with the sixty before it, and one of them is still open.
HISTORY_HOURS = 2


async def orderbook_l1(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    snapshot = await venue.snapshot(listing, TOP_LEVELS)
    return venue.labelled(level_one(snapshot.book))


async def orderbook_l2(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    levels = arguments["depth_levels"]
    snapshot = await venue.snapshot(listing, levels)
    answer = level_two(
        snapshot.book, levels, tick_size=listing.tick_size, step_size=listing.step_size
    )
    return venue.labelled(answer)


async def orderbook_health(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    snapshot = await venue.snapshot(listing, LEVELS)
    return venue.labelled(book_health(snapshot.book, age_milliseconds=snapshot.age_milliseconds))


async def taker_flow(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    seconds, as_of = arguments["window_duration_secs"], venue.now()
    tape = await venue.tape(listing, since=as_of - timedelta(seconds=seconds))
    answer = order_flow(
        listing.symbol,
        tape.trades,
        window_seconds=seconds,
        as_of=as_of,
        is_complete=tape.is_complete,
    )
    return venue.labelled(answer)


async def traded_prices(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    tick = _tick(arguments.get("tick_size"))
    hours, as_of = arguments["duration_hours"], venue.now()
    answer = volume_profile(
        listing.symbol,
        await venue.candles(listing, hours=hours, as_of=as_of),
        tick_size=listing.tick_size,
        requested_tick=tick,
        as_of=as_of,
        hours=hours,
    )
    return venue.labelled(answer)


async def anomalies(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    as_of = venue.now()
    snapshot, tape, candles = await _lately(venue, listing, seconds=ANOMALY_SECONDS, as_of=as_of)
    answer = market_anomalies(listing.symbol, snapshot.book, tape.trades, candles, as_of=as_of)
    return venue.labelled(answer)


async def microstructure(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    as_of = venue.now()
    snapshot, tape, candles = await _lately(venue, listing, seconds=HEALTH_SECONDS, as_of=as_of)
    return venue.labelled(microstructure_health(snapshot.book, tape.trades, candles, as_of=as_of))


async def _lately(
    venue: Venue, listing: Listing, *, seconds: int, as_of: datetime
) -> tuple[Snapshot, Tape, Sequence[Candle]]:
    """The book, the trades of the last seconds and the candles of the last hours, side by side."""
    return await asyncio.gather(
        venue.snapshot(listing, LEVELS),
        venue.tape(listing, since=as_of - timedelta(seconds=seconds)),
        venue.candles(listing, hours=HISTORY_HOURS, as_of=as_of),
    )


async def vacuums(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    hours, as_of = arguments["duration_hours"], venue.now()
    snapshot, candles = await asyncio.gather(
        venue.snapshot(listing, LEVELS), venue.candles(listing, hours=hours, as_of=as_of)
    )
    answer = liquidity_vacuums(
        snapshot.book, candles, tick_size=listing.tick_size, hours=hours, as_of=as_of
    )
    return venue.labelled(answer)


def _tick(told: Any) -> Decimal | None:
    """A number or a decimal string; some clients send the one, some the other."""
    if told is None:
        return None
    try:
        # Through str, since 0.1 as a binary fraction is not what was meant.
        return Decimal(str(told))
    except InvalidOperation as error:
        raise InvalidRequest(
            f"binance.get_volume_profile: tick_size is {str(told)[:40]!r}; it takes a number "
            "above zero, such as 0.5"
        ) from error


_DURATION_HOURS = {
    "type": "integer",
    "minimum": 1,
    "maximum": 168,
    "default": 24,
    "description": "Hours before now",
}
_ONE_SYMBOL = input_schema(required=("symbol",), symbol=SYMBOL)

ANALYTIC_TOOLS = (
    MarketTool(
        "binance.orderbook_l1",
        Access.PUBLIC,
        "Best bid and ask of a symbol with spread, weighted mid, imbalance, walls and slippage "
        "estimates.",
        _ONE_SYMBOL,
        orderbook_l1,
    ),
    MarketTool(
        "binance.orderbook_l2",
        Access.PUBLIC,
        "Order book of a symbol as whole numbers: divide by price_scale and qty_scale.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            depth_levels={
                "type": "integer",
                "minimum": 5,
                "maximum": 100,
                "default": 20,
                "description": "Levels on each side",
            },
        ),
        orderbook_l2,
    ),
    MarketTool(
        "binance.orderbook_health",
        Access.PUBLIC,
        "Whether a symbol's order book is fresh, tight, deep and balanced, check by check.",
        _ONE_SYMBOL,
        orderbook_health,
    ),
    MarketTool(
        "binance.get_order_flow",
        Access.PUBLIC,
        "Who pressed whom in the last seconds: taker buying against selling, CVD, VWAP.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            window_duration_secs={
                "type": "integer",
                "minimum": 10,
                "maximum": 300,
                "default": 60,
                "description": "Seconds before now",
            },
        ),
        taker_flow,
    ),
    MarketTool(
        "binance.get_volume_profile",
        Access.PUBLIC,
        "At which prices a symbol traded: histogram, point of control, value area.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            duration_hours=_DURATION_HOURS,
            tick_size={
                "type": ["number", "string"],
                "exclusiveMinimum": 0,
                "maxLength": 40,
                "description": "Height of a row in the quote asset; by default a hundredth of "
                "the range",
            },
        ),
        traded_prices,
    ),
    MarketTool(
        "binance.detect_market_anomalies",
        Access.PUBLIC,
        "What is out of the ordinary in a symbol now: price, volume, spread and book checks.",
        _ONE_SYMBOL,
        anomalies,
    ),
    MarketTool(
        "binance.get_microstructure_health",
        Access.PUBLIC,
        "How good a symbol is to trade in now: scores of spread, depth, flow and activity.",
        _ONE_SYMBOL,
        microstructure,
    ),
    MarketTool(
        "binance.get_liquidity_vacuums",
        Access.PUBLIC,
        "Price ranges of a symbol where little was traded, which a price may cross fast.",
        input_schema(required=("symbol",), symbol=SYMBOL, duration_hours=_DURATION_HOURS),
        vacuums,
    ),
)
