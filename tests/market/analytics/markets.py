"""Small markets, written the way a person would: `book("100 2, 99 3", "101 6")`.

They become Binance's JSON and are read back, so that each test also reads what a service sends.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import settings

from gateway.market.analytics.readings import (
    Book,
    Candle,
    Trade,
    read_book,
    read_candles,
    read_trades,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE_MILLISECONDS = 60_000
# Other work on the machine must not make a property fail, and each run tries the same examples.
steady = settings(deadline=None, derandomize=True)


def book(bids: str, asks: str, *, symbol: str = "BTCUSDT") -> Book:
    answer = {"lastUpdateId": 77, "bids": _levels(bids), "asks": _levels(asks)}
    return read_book(symbol, answer, as_of=NOW)


def tape(*lines: str) -> tuple[Trade, ...]:
    """Each line is like `-12.5 buy 2 @ 100`: seconds before now, the taker's side, the fill."""
    return read_trades("BTCUSDT", [_trade(number, line) for number, line in enumerate(lines)])


def minutes(*lines: str, until: datetime = NOW) -> tuple[Candle, ...]:
    """Finished one-minute candles up to `until`; each line is like `100-103 volume 8 trades 4`.

    A single price stands for all four; `worth` (quote volume) is volume x low if not given.
    """
    first = int(until.timestamp() * 1000) - len(lines) * MINUTE_MILLISECONDS
    rows = [_row(first + index * MINUTE_MILLISECONDS, line) for index, line in enumerate(lines)]
    return read_candles("BTCUSDT", rows)


def closes(prices: Sequence[str]) -> tuple[Candle, ...]:
    return minutes(*(f"{price} volume 10" for price in prices))


def _levels(text: str) -> list[list[str]]:
    return [level.split() for level in text.split(",") if level.strip()]


def _trade(number: int, line: str) -> dict[str, object]:
    seconds, taker, quantity, _, price = line.split()
    moment = NOW + timedelta(seconds=float(seconds))
    return {
        "a": number,
        "p": price,
        "q": quantity,
        "f": number,
        "l": number,
        "T": round(moment.timestamp() * 1000),
        "m": {"buy": False, "sell": True}[taker],
    }


def _row(opened: int, line: str) -> list[object]:
    prices, *pairs = line.split()
    low, _, high = prices.partition("-")
    high = high or low
    given = dict(zip(pairs[::2], pairs[1::2], strict=True))
    volume = given["volume"]
    worth = given.get("worth") or f"{float(volume) * float(low):.8f}"
    count = int(given.get("trades", "1"))
    closed = opened + MINUTE_MILLISECONDS - 1
    return [opened, low, high, low, high, volume, closed, worth, count, "0", "0", "0"]
