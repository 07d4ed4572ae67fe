"""One exchange as the tools see it: symbols checked, readings in exact shapes, answers labelled."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from gateway.clock import Clock, rfc3339
from gateway.errors import BadAnswer
from gateway.market.analytics.readings import (
    Book,
    Candle,
    Trade,
    read_book,
    read_candles,
    read_trades,
)
from gateway.market.exchange import Exchange
from gateway.market.settings import MarketSettings
from gateway.market.signing import Parameters
from gateway.market.symbols import Listing, Symbols

Json = dict[str, Any]

PAGE = 1000  # the most that the exchange gives at once
FIRST_PAGE = 200
PAGES_AT_ONCE = 5
MOST_PAGES = 20

# By how many levels are asked for, as the exchange counts.
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))


@dataclass(frozen=True, slots=True)
class Tape:
    """Aggregate trades, oldest first; `is_complete` when they reach back to the window's start."""

    trades: Sequence[Trade]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A book, and how old it may be: it was true at some moment of the request."""

    book: Book
    age_milliseconds: int


class Venue:
    def __init__(
        self, settings: MarketSettings, exchange: Exchange, symbols: Symbols, *, clock: Clock
    ) -> None:
        self.settings = settings
        self.exchange = exchange
        self.symbols = symbols
        self._clock = clock

    def now(self) -> datetime:
        """The exchange's own time: trades carry it, and clocks differ."""
        return self.exchange.now()

    def labelled(self, answer: Mapping[str, object], *, as_of: datetime | None = None) -> Json:
        """The answer with `as_of` and `source`, and `simulated` when it is."""
        label: Json = {"as_of": rfc3339(as_of or self.now()), "source": self.settings.source}
        if self.settings.is_simulated:
            label["simulated"] = True
        # An analytic answer says its own `as_of`, which is when its window ended.
        return {**answer, **{name: value for name, value in label.items() if name not in answer}}

    async def object(self, path: str, parameters: Parameters, *, weight: int) -> Json:
        """Raises:
        BadAnswer: the exchange answered something else than a JSON object.
        """
        return as_object(await self.exchange.read(path, parameters, weight=weight), path)

    async def array(self, path: str, parameters: Parameters, *, weight: int) -> list[Any]:
        """Raises:
        BadAnswer: the exchange answered something else than a JSON array.
        """
        return as_array(await self.exchange.read(path, parameters, weight=weight), path)

    async def depth(self, symbol: str, levels: int) -> Json:
        weight = next(weight for most, weight in _DEPTH_WEIGHTS if levels <= most)
        return await self.object(
            "/api/v3/depth", {"symbol": symbol, "limit": levels}, weight=weight
        )

    async def snapshot(self, listing: Listing, levels: int) -> Snapshot:
        """Raises:
        Refused: the book cannot be true: crossed, empty, unsorted.
        """
        asked = self._clock()
        answer = await self.depth(listing.symbol, levels)
        age = int((self._clock() - asked).total_seconds() * 1000)
        return Snapshot(read_book(listing.symbol, answer, as_of=self.now()), max(age, 0))

    async def candles(self, listing: Listing, *, hours: int, as_of: datetime) -> Sequence[Candle]:
        """Those that overlap the `hours` before `as_of`, their pages side by side."""
        interval, minutes = _candle_size(hours)
        step = timedelta(minutes=minutes) * PAGE
        # The candle that was open when the hours began overlaps them too.
        starts = [as_of - timedelta(hours=hours, minutes=minutes)]
        while starts[-1] + step < as_of:
            starts.append(starts[-1] + step)
        pages = await asyncio.gather(
            *(
                self._candle_page(listing, interval, start, min(start + step, as_of))
                for start in starts
            )
        )
        # A candle may begin exactly where two pages meet.
        rows = {row[0]: row for page in pages for row in page if isinstance(row, list) and row}
        return read_candles(listing.symbol, [rows[opened] for opened in sorted(rows)])

    async def tape(self, listing: Listing, *, since: datetime) -> Tape:
        """Trades up to now, read backwards, so that the cap loses the oldest and not the newest."""
        # A quiet minute fits into a small page; a busy one shows its pace there.
        trades = list(await self._trade_page(listing, None, limit=FIRST_PAGE))
        pages = 1
        while trades and trades[0].time >= since and trades[0].id > 0 and pages < MOST_PAGES:
            batch = min(_pages_missing(trades, since), PAGES_AT_ONCE, MOST_PAGES - pages)
            older = await self._older_pages(listing, trades[0].id, batch)
            if not older:
                return Tape(trades, is_complete=False)
            trades = older + trades
            pages += batch
        is_complete = not trades or trades[0].time < since or trades[0].id == 0
        return Tape(trades, is_complete=is_complete)

    async def _older_pages(self, listing: Listing, before: int, count: int) -> list[Trade]:
        firsts = [max(before - PAGE * (page + 1), 0) for page in range(count)]
        pages = await asyncio.gather(
            *(self._trade_page(listing, first, limit=PAGE) for first in dict.fromkeys(firsts))
        )
        known = {trade.id: trade for page in pages for trade in page if trade.id < before}
        return [known[id_] for id_ in sorted(known)]

    async def _trade_page(
        self, listing: Listing, first: int | None, *, limit: int
    ) -> Sequence[Trade]:
        parameters: Parameters = {"symbol": listing.symbol, "fromId": first, "limit": limit}
        answer = await self.exchange.read("/api/v3/aggTrades", parameters, weight=4)
        return read_trades(listing.symbol, answer)

    async def _candle_page(
        self, listing: Listing, interval: str, start: datetime, end: datetime
    ) -> list[Any]:
        return await self.array(
            "/api/v3/klines",
            {
                "symbol": listing.symbol,
                "interval": interval,
                "startTime": int(start.timestamp() * 1000),
                "endTime": int(end.timestamp() * 1000),
                "limit": PAGE,
            },
            weight=2,
        )


def _candle_size(hours: int) -> tuple[str, int]:
    """The finest interval, and its minutes, that covers the hours in at most three pages."""
    if hours <= 24:
        return "1m", 1
    return ("3m", 3) if hours <= 72 else ("5m", 5)


def as_object(answer: object, path: str) -> Json:
    if not isinstance(answer, dict):
        raise BadAnswer(f"the exchange answered {path} with no JSON object; ask again later")
    return answer


def as_array(answer: object, path: str) -> list[Any]:
    if not isinstance(answer, list):
        raise BadAnswer(f"the exchange answered {path} with no JSON array; ask again later")
    return answer


def _pages_missing(trades: Sequence[Trade], start: datetime) -> int:
    """As many as the window's start is away, at the pace of the trades already read."""
    covered = max(trades[-1].time - trades[0].time, timedelta(milliseconds=1))
    pace = len(trades) * ((trades[0].time - start) / covered)
    return max(1, ceil(pace / PAGE))
