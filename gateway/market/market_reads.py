"""The tools that hand on what the exchange says: prices, books, trades, candles, symbols."""

from typing import Any

from gateway.market.market_tool import (
    SYMBOL,
    TRADE_LIMIT,
    Access,
    Arguments,
    MarketTool,
    input_schema,
)
from gateway.market.venue import Json, Venue

INTERVALS = (
    "1m",
    "3m",
    "5m",
    "15m",
    "30m",
    "1h",
    "2h",
    "4h",
    "6h",
    "8h",
    "12h",
    "1d",
    "3d",
    "1w",
    "1M",
)
BOOK_SIZES = (5, 10, 20, 50, 100, 500, 1000, 5000)
_INFO_FIELDS = ("timezone", "serverTime", "symbols")


async def ticker(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    answer = await venue.object("/api/v3/ticker/24hr", {"symbol": listing.symbol}, weight=2)
    return venue.labelled(answer)


async def order_book(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    answer = await venue.depth(listing.symbol, arguments["limit"])
    return venue.labelled({"symbol": listing.symbol, **answer})


async def recent_trades(venue: Venue, arguments: Arguments) -> list[Any]:
    listing = await venue.symbols.find(arguments["symbol"])
    parameters = {"symbol": listing.symbol, "limit": arguments["limit"]}
    return await venue.array("/api/v3/trades", parameters, weight=25)


async def candles(venue: Venue, arguments: Arguments) -> list[Any]:
    listing = await venue.symbols.find(arguments["symbol"])
    parameters = {
        "symbol": listing.symbol,
        "interval": arguments["interval"],
        "startTime": arguments.get("start_time"),
        "endTime": arguments.get("end_time"),
        "limit": arguments["limit"],
    }
    return await venue.array("/api/v3/klines", parameters, weight=2)


async def exchange_info(venue: Venue, arguments: Arguments) -> Json:
    if "symbol" not in arguments:
        return await _all_symbols(venue)
    listing = await venue.symbols.find(arguments["symbol"])
    answer = await venue.object("/api/v3/exchangeInfo", {"symbol": listing.symbol}, weight=20)
    return venue.labelled({name: answer[name] for name in _INFO_FIELDS if name in answer})


async def _all_symbols(venue: Venue) -> Json:
    """Short rows of all symbols: the full ones of a real exchange are 15 MB."""
    listings = await venue.symbols.listings()
    rows = [
        {
            "symbol": listing.symbol,
            "status": listing.status,
            "baseAsset": listing.base_asset,
            "quoteAsset": listing.quote_asset,
        }
        for listing in listings.by_symbol.values()
    ]
    answer = {"timezone": listings.timezone, "serverTime": listings.server_time, "symbols": rows}
    return venue.labelled(answer, as_of=listings.as_of)


async def average_price(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    answer = await venue.object("/api/v3/avgPrice", {"symbol": listing.symbol}, weight=2)
    return venue.labelled({"symbol": listing.symbol, **answer})


MARKET_READS = (
    MarketTool(
        "binance.get_ticker",
        Access.PUBLIC,
        "Price and 24-hour statistics of a symbol: last price, change, high, low, volume.",
        input_schema(required=("symbol",), symbol=SYMBOL),
        ticker,
    ),
    MarketTool(
        "binance.get_orderbook",
        Access.PUBLIC,
        "Order book of a symbol: bids and asks as [price, quantity], best first.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            limit={
                "type": "integer",
                "enum": list(BOOK_SIZES),
                "default": 100,
                "description": "Levels on each side",
            },
        ),
        order_book,
    ),
    MarketTool(
        "binance.get_recent_trades",
        Access.PUBLIC,
        "Latest trades of a symbol, oldest first.",
        input_schema(required=("symbol",), symbol=SYMBOL, limit=TRADE_LIMIT),
        recent_trades,
    ),
    MarketTool(
        "binance.get_klines",
        Access.PUBLIC,
        "Candles of a symbol, oldest first: [open time, open, high, low, close, volume, close "
        "time, quote volume, trades, taker buy volume, taker buy quote volume, unused].",
        input_schema(
            required=("symbol", "interval"),
            symbol=SYMBOL,
            interval={
                "type": "string",
                "enum": list(INTERVALS),
                "description": "Length of a candle; 1m is a minute, 1M a month",
            },
            limit=TRADE_LIMIT,
            start_time={
                "type": "integer",
                "minimum": 0,
                "description": "First open time, in milliseconds since 1970",
            },
            end_time={
                "type": "integer",
                "minimum": 0,
                "description": "Last open time, in milliseconds since 1970",
            },
        ),
        candles,
    ),
    MarketTool(
        "binance.get_exchange_info",
        Access.PUBLIC,
        "Trading rules of one symbol, or the list of all symbols when none is named.",
        input_schema(symbol=SYMBOL),
        exchange_info,
    ),
    MarketTool(
        "binance.get_avg_price",
        Access.PUBLIC,
        "Average price of a symbol over the last minutes (the exchange's own, usually five).",
        input_schema(required=("symbol",), symbol=SYMBOL),
        average_price,
    ),
)
