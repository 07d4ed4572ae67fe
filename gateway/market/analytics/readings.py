"""What the exchange said, read from Binance's REST JSON into exact values.

A reading that cannot be read is a `BadAnswer`. An order book that can be read but cannot be
true (a side empty, crossed, unsorted, a price or quantity that is not positive) is `Refused`:
every number made from it would be wrong, and mending it would hide that.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from gateway.errors import BadAnswer, Refused

# 28 digits in all is what the default decimal context holds exactly.
_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,12})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows
_CANDLE_FIELDS = 11  # the twelfth is unused and may be missing


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    quantity: Decimal

    @property
    def value(self) -> Decimal:
        """In the quote asset."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Book:
    """One snapshot; the best level comes first on both sides.

    Raises:
        Refused: the book cannot be true.
    """

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_update_id: int
    as_of: datetime

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise Refused(
                f"the order book of {self.symbol} {fault} (best bid {_best(self.bids)}, "
                f"best ask {_best(self.asks)}), so nothing is computed from it; ask again"
            )

    def _fault(self) -> str | None:
        if not self.bids or not self.asks:
            return "is empty on a side"
        if any(level.price <= 0 or level.quantity <= 0 for level in (*self.bids, *self.asks)):
            return "holds a price or quantity that is not positive"
        if self.bids[0].price >= self.asks[0].price:
            return "is crossed"
        if not (_falls(self.bids) and _falls(self.asks[::-1])):
            return "is not sorted from the best price outwards"
        return None

    @property
    def best_bid(self) -> Level:
        return self.bids[0]

    @property
    def best_ask(self) -> Level:
        return self.asks[0]

    @property
    def mid(self) -> Decimal:
        return (self.best_bid.price + self.best_ask.price) / 2

    @property
    def spread(self) -> Decimal:
        return self.best_ask.price - self.best_bid.price

    @property
    def spread_bps(self) -> Decimal:
        return self.spread / self.mid * 10_000


@dataclass(frozen=True, slots=True)
class Trade:
    """One aggregate trade. When the buyer was the maker, the taker sold."""

    id: int
    price: Decimal
    quantity: Decimal
    time: datetime
    is_buyer_maker: bool


@dataclass(frozen=True, slots=True)
class Candle:
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_time: datetime
    quote_volume: Decimal
    trade_count: int
    taker_buy_volume: Decimal
    taker_buy_quote_volume: Decimal


def read_book(symbol: str, answer: object, *, as_of: datetime) -> Book:
    """Read what `/depth` answered at `as_of`.

    Raises:
        BadAnswer: it is not shaped like a book.
        Refused: it is, but the book cannot be true.
    """
    if not isinstance(answer, dict):
        raise BadAnswer(f"the order book of {symbol} is {_shown(answer)}, not a JSON object")
    return Book(
        symbol,
        _levels(symbol, answer.get("bids")),
        _levels(symbol, answer.get("asks")),
        _whole(answer.get("lastUpdateId"), "lastUpdateId", symbol),
        as_of,
    )


def read_trades(symbol: str, answer: object) -> tuple[Trade, ...]:
    """Read what `/aggTrades` answered, oldest first.

    Raises:
        BadAnswer: it is not a list of aggregate trades.
    """
    return tuple(_trade(symbol, item) for item in _list(answer, f"the trades of {symbol}"))


def read_candles(symbol: str, answer: object) -> tuple[Candle, ...]:
    """Read what `/klines` answered, oldest first.

    Raises:
        BadAnswer: it is not a list of candles in order of time.
    """
    candles = tuple(_candle(symbol, row) for row in _list(answer, f"the candles of {symbol}"))
    if any(later.open_time <= earlier.open_time for earlier, later in pairwise(candles)):
        raise BadAnswer(f"the candles of {symbol} are not in order of time")
    return candles


def _levels(symbol: str, side: object) -> tuple[Level, ...]:
    return tuple(_level(symbol, item) for item in _list(side, f"a side of the book of {symbol}"))


def _level(symbol: str, item: object) -> Level:
    if not isinstance(item, list) or len(item) < 2:
        raise BadAnswer(f"a level of the book of {symbol} is {_shown(item)}, not [price, quantity]")
    return Level(_amount(item[0], "price", symbol), _amount(item[1], "quantity", symbol))


def _trade(symbol: str, item: object) -> Trade:
    if not isinstance(item, dict) or not isinstance(item.get("m"), bool):
        raise BadAnswer(f"a trade of {symbol} is {_shown(item)}, not an aggregate trade")
    return Trade(
        id=_whole(item.get("a"), "trade ID", symbol),
        price=_positive(item.get("p"), "trade price", symbol),
        quantity=_positive(item.get("q"), "trade quantity", symbol),
        time=_time(item.get("T"), "trade time", symbol),
        is_buyer_maker=item["m"],
    )


def _candle(symbol: str, row: object) -> Candle:
    if not isinstance(row, list) or len(row) < _CANDLE_FIELDS:
        raise BadAnswer(f"a candle of {symbol} is {_shown(row)}, not a row of 12 values")
    opened, high, low, closed = (_positive(price, "price", symbol) for price in row[1:5])
    if not low <= min(opened, closed) <= max(opened, closed) <= high:
        raise BadAnswer(f"a candle of {symbol} has its open or close outside {low} to {high}")
    volume, quote_volume, bought, bought_value = (
        _not_negative(row[index], "volume", symbol) for index in (5, 7, 9, 10)
    )
    return Candle(
        open_time=_time(row[0], "candle's open time", symbol),
        open=opened,
        high=high,
        low=low,
        close=closed,
        volume=volume,
        close_time=_time(row[6], "candle's close time", symbol),
        quote_volume=quote_volume,
        trade_count=_whole(row[8], "trade count", symbol),
        taker_buy_volume=bought,
        taker_buy_quote_volume=bought_value,
    )


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise BadAnswer(f"{what} came as {_shown(value)}, not as a JSON array")
    return value


def _amount(value: object, what: str, symbol: str) -> Decimal:
    # A JSON number has already been through a float and lost its exactness.
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise BadAnswer(
            f"the {what} of {symbol} is {_shown(value)}, not a decimal string like '1.25'"
        )
    return Decimal(value)


def _positive(value: object, what: str, symbol: str) -> Decimal:
    amount = _amount(value, what, symbol)
    if amount <= 0:
        raise BadAnswer(f"the {what} of {symbol} is {_shown(value)}, not more than zero")
    return amount


def _not_negative(value: object, what: str, symbol: str) -> Decimal:
    amount = _amount(value, what, symbol)
    if amount < 0:
        raise BadAnswer(f"the {what} of {symbol} is {_shown(value)}, less than zero")
    return amount


def _whole(value: object, what: str, symbol: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadAnswer(f"the {what} of {symbol} is {_shown(value)}, not a whole number")
    return value


def _time(value: object, what: str, symbol: str) -> datetime:
    milliseconds = _whole(value, what, symbol)
    if milliseconds > _LAST_MILLISECOND:
        raise BadAnswer(f"the {what} of {symbol} is {_shown(value)}, not a time in milliseconds")
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _falls(levels: Iterable[Level]) -> bool:
    return all(first.price > second.price for first, second in pairwise(levels))


def _best(side: tuple[Level, ...]) -> str:
    return f"{side[0].price:f}" if side else "missing"


def _shown(value: object) -> str:
    return repr(value)[:60]
