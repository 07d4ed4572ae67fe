"""The public answers of the exchange: what each endpoint says at one moment."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.market.simulated.book import book_at
from gateway.market.simulated.candle import Candle
from gateway.market.simulated.candles import DAY_MS, LISTING_MS, MINUTE_MS
from gateway.market.simulated.intervals import INTERVALS, Interval
from gateway.market.simulated.parameters import Parameters
from gateway.market.simulated.symbols import SYMBOLS, Symbol, symbol_json
from gateway.market.simulated.tape import (
    Trade,
    last_trade,
    span,
    trades_between,
    trades_from_id,
)
from gateway.market.simulated.wire import Refusal, decimal_text

Json = dict[str, Any] | list[Any]
Answer = Callable[[Parameters, int], Json]

_AVERAGE_MINUTES = 5
_NO_BOOLEAN = "Data sent for parameter 'showPermissionSets' is not valid."


def ping(_: Parameters, __: int) -> Json:
    return {}


def server_time(_: Parameters, now_ms: int) -> Json:
    return {"serverTime": now_ms}


def exchange_information(parameters: Parameters, now_ms: int, *, weight_limit: int) -> Json:
    symbols = parameters.some_symbols()
    # Every pair here has one permission set; Binance lets a client leave out its many.
    parameters.choice("showPermissionSets", ("true", "false"), code=-1130, message=_NO_BOOLEAN)
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": weight_limit,
            }
        ],
        "exchangeFilters": [],
        "symbols": [symbol_json(symbol) for symbol in symbols or SYMBOLS.values()],
    }


def depth(parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    book = book_at(symbol, now_ms, levels=parameters.limit(100, most=5000))
    return {
        "lastUpdateId": book.update_id,
        "bids": [[symbol.price_text(p), symbol.quantity_text(q)] for p, q in book.bids],
        "asks": [[symbol.price_text(p), symbol.quantity_text(q)] for p, q in book.asks],
    }


def trades(parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    count = parameters.limit(500, most=1000)
    return [_trade_json(symbol, trade) for trade in _latest(symbol, count, now_ms)]


def historical_trades(parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    count = parameters.limit(500, most=1000)
    first_id = parameters.integer("fromId")
    if first_id is None:
        found = _latest(symbol, count, now_ms)
    else:
        found = trades_from_id(symbol, first_id, count, now_ms=now_ms)
    return [_trade_json(symbol, trade) for trade in found]


def aggregate_trades(parameters: Parameters, now_ms: int) -> Json:
    """Every trade is an aggregate of its own: both kinds share their ids."""
    symbol = parameters.symbol()
    count = parameters.limit(500, most=1000)
    first_id = parameters.integer("fromId")
    start_ms, end_ms = parameters.integer("startTime"), parameters.integer("endTime")
    if first_id is not None and not (start_ms is None and end_ms is None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise Refusal(-1127, "Lookup window is invalid: endTime is before startTime.")
    if first_id is not None:
        found = trades_from_id(symbol, first_id, count, now_ms=now_ms)
    elif start_ms is not None:
        end_ms = now_ms if end_ms is None else end_ms
        found = trades_between(symbol, start_ms, end_ms, count=count, now_ms=now_ms)
    else:
        found = _latest(symbol, count, now_ms if end_ms is None else min(end_ms, now_ms))
    return [_aggregate_json(symbol, trade) for trade in found]


def klines(parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    parameters.required("interval")
    name = parameters.choice("interval", INTERVALS, code=-1120, message="Invalid interval.")
    interval = INTERVALS[str(name)]
    # Days begin at midnight UTC, whatever else may be asked for.
    parameters.choice(
        "timeZone",
        ("0", "0:00", "00:00", "+00:00"),
        code=-1130,
        message="Data sent for parameter 'timeZone' is not valid.",
    )
    openings = _openings(
        interval,
        parameters.integer("startTime"),
        parameters.integer("endTime"),
        count=parameters.limit(500, most=1000),
        now_ms=now_ms,
    )
    return [_kline_json(symbol, opening, interval.after(opening), now_ms) for opening in openings]


def average_price(parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    recent = span(symbol, now_ms - _AVERAGE_MINUTES * MINUTE_MS, now_ms + 1)
    return {
        "mins": _AVERAGE_MINUTES,
        "price": decimal_text(_mean_price(symbol, recent)),
        "closeTime": last_trade(symbol, now_ms).time_ms,
    }


def ticker_24h(parameters: Parameters, now_ms: int) -> Json:
    form = parameters.choice("type", ("FULL", "MINI"), code=-1139, message="Invalid ticker type.")
    answer = _mini_ticker if form == "MINI" else _full_ticker
    return _for_symbols(parameters, lambda symbol: answer(symbol, now_ms))


def ticker_price(parameters: Parameters, now_ms: int) -> Json:
    return _for_symbols(
        parameters,
        lambda symbol: {
            "symbol": symbol.name,
            "price": symbol.price_text(last_trade(symbol, now_ms).price),
        },
    )


def ticker_book(parameters: Parameters, now_ms: int) -> Json:
    return _for_symbols(parameters, lambda symbol: _best(symbol, now_ms))


def _for_symbols(parameters: Parameters, answer: Callable[[Symbol], dict[str, Any]]) -> Json:
    """One object for `symbol`; a list for `symbols` or for all."""
    symbols = parameters.some_symbols()
    if symbols is not None and parameters.has("symbol"):
        return answer(symbols[0])
    return [answer(symbol) for symbol in symbols or SYMBOLS.values()]


def _latest(symbol: Symbol, count: int, now_ms: int) -> list[Trade]:
    newest = last_trade(symbol, now_ms).id
    return trades_from_id(symbol, newest - count + 1, count, now_ms=now_ms)


def _openings(
    interval: Interval, start_ms: int | None, end_ms: int | None, *, count: int, now_ms: int
) -> Iterable[int]:
    """From a start forwards, or from the end (at the latest now) backwards; in order either way."""
    last = min(now_ms, now_ms if end_ms is None else end_ms)
    if start_ms is None:
        backwards: list[int] = []
        opening = interval.start(last)
        while len(backwards) < count and opening >= interval.start(LISTING_MS) and last >= 0:
            backwards.append(opening)
            opening = interval.before(opening)
        return reversed(backwards)
    start_ms = max(start_ms, LISTING_MS)
    forwards: list[int] = []
    opening = interval.start(start_ms)
    if opening < start_ms:
        opening = interval.after(opening)
    while len(forwards) < count and opening <= last:
        forwards.append(opening)
        opening = interval.after(opening)
    return forwards


def _kline_json(symbol: Symbol, opening_ms: int, next_ms: int, now_ms: int) -> list[Any]:
    candle = span(symbol, max(opening_ms, LISTING_MS), min(next_ms, now_ms + 1))
    return [
        opening_ms,
        symbol.price_text(candle.open),
        symbol.price_text(candle.high),
        symbol.price_text(candle.low),
        symbol.price_text(candle.close),
        symbol.quantity_text(candle.volume),
        next_ms - 1,
        symbol.quote_text(candle.quote_volume),
        candle.trades,
        symbol.quantity_text(candle.buy_volume),
        symbol.quote_text(candle.buy_quote_volume),
        "0",
    ]


def _trade_json(symbol: Symbol, trade: Trade) -> dict[str, Any]:
    return {
        "id": trade.id,
        "price": symbol.price_text(trade.price),
        "qty": symbol.quantity_text(trade.quantity),
        "quoteQty": symbol.quote_text(trade.price * trade.quantity),
        "time": trade.time_ms,
        "isBuyerMaker": trade.is_buyer_maker,
        "isBestMatch": True,
    }


def _aggregate_json(symbol: Symbol, trade: Trade) -> dict[str, Any]:
    return {
        "a": trade.id,
        "p": symbol.price_text(trade.price),
        "q": symbol.quantity_text(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.time_ms,
        "m": trade.is_buyer_maker,
        "M": True,
    }


def _mean_price(symbol: Symbol, candle: Candle) -> int:
    """In 10^-8, rounded to the nearest."""
    return (2 * candle.quote_volume * symbol.tick + candle.volume) // (2 * candle.volume)


def _best(symbol: Symbol, now_ms: int) -> dict[str, Any]:
    book = book_at(symbol, now_ms, levels=1)
    (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
    return {
        "symbol": symbol.name,
        "bidPrice": symbol.price_text(bid),
        "bidQty": symbol.quantity_text(bid_size),
        "askPrice": symbol.price_text(ask),
        "askQty": symbol.quantity_text(ask_size),
    }


def _mini_ticker(symbol: Symbol, now_ms: int) -> dict[str, Any]:
    return _mini(symbol, _last_day(symbol, now_ms), now_ms)


def _full_ticker(symbol: Symbol, now_ms: int) -> dict[str, Any]:
    candle = _last_day(symbol, now_ms)
    newest = last_trade(symbol, now_ms)
    change = candle.close - candle.open
    before = last_trade(symbol, max(LISTING_MS, now_ms - DAY_MS - 1))
    mini = _mini(symbol, candle, now_ms)
    return {
        "symbol": symbol.name,
        "priceChange": symbol.price_text(change),
        "priceChangePercent": f"{100 * change / candle.open:.3f}",
        "weightedAvgPrice": decimal_text(_mean_price(symbol, candle)),
        "prevClosePrice": symbol.price_text(before.price),
        "lastPrice": symbol.price_text(candle.close),
        "lastQty": symbol.quantity_text(newest.quantity),
        **_best(symbol, now_ms),
        **mini,
    }


def _last_day(symbol: Symbol, now_ms: int) -> Candle:
    return span(symbol, max(LISTING_MS, now_ms - DAY_MS), now_ms + 1)


def _mini(symbol: Symbol, candle: Candle, now_ms: int) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "openPrice": symbol.price_text(candle.open),
        "highPrice": symbol.price_text(candle.high),
        "lowPrice": symbol.price_text(candle.low),
        "lastPrice": symbol.price_text(candle.close),
        "volume": symbol.quantity_text(candle.volume),
        "quoteVolume": symbol.quote_text(candle.quote_volume),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": candle.first_id,
        "lastId": candle.first_id + candle.trades - 1,
        "count": candle.trades,
    }
