"""One declared kind of market document: offered for the pairs that a question names, and read."""

from collections.abc import Sequence
from typing import Protocol

from cachetools import LRUCache

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import InvalidRequest, NotFound
from gateway.sources.market.kind import DEFAULT_INTERVAL, INTERVALS, MarketKind
from gateway.sources.market.rendering import render
from gateway.sources.market.universe import MarketUniverse, Pair, Universe
from gateway.text import shown

MAX_PAIRS = 8


class Reader(Protocol):
    """Where the documents of a kind come from."""

    async def read(self, document_id: DocumentId, pair: Pair) -> Document: ...


class MarketSource:
    """A kind, the pairs there are, and the reader of its documents."""

    def __init__(self, kind: MarketKind, universe: MarketUniverse, reader: Reader) -> None:
        self._kind = kind
        self._universe = universe
        self._reader = reader
        self._entries: LRUCache[tuple[str, ...], Entry] = LRUCache(4_096)

    @property
    def pattern(self) -> IdPattern:
        return self._kind.pattern

    @property
    def fresh_seconds(self) -> float:
        return self._kind.fresh_seconds

    @property
    def description(self) -> str:
        return self._kind.description

    @property
    def revision(self) -> Universe:
        return self._universe.current

    def entries(self, query: Query) -> Sequence[Entry]:
        pairs = self._universe.current.pairs
        symbols = [symbol for symbol in query.values("symbol")[:MAX_PAIRS] if symbol in pairs]
        intervals = self._intervals(query)
        return [self._entry(pairs[symbol], one) for symbol in symbols for one in intervals]

    async def read(self, document_id: DocumentId) -> Document:
        return await self._reader.read(document_id, self._known_pair(document_id))

    def _intervals(self, query: Query) -> Sequence[str]:
        if "interval" not in self._kind.pattern.fields:
            return ("",)
        return query.values("interval") or (DEFAULT_INTERVAL,)

    def _entry(self, pair: Pair, interval: str) -> Entry:
        key = (pair.symbol, pair.base, interval)
        if key not in self._entries:
            values = {"symbol": pair.symbol, "base": pair.base, "quote": pair.quote}
            self._entries[key] = Entry(
                self._kind.pattern.format(symbol=pair.symbol, interval=interval),
                render(self._kind.listed, {**values, "interval": interval}),
                self._kind.description,
                phrases=self._kind.phrases,
                prior=self._kind.prior,
                is_live=self._kind.is_live,
            )
        return self._entries[key]

    def _known_pair(self, document_id: DocumentId) -> Pair:
        """Raises:
        InvalidRequest: the interval is none.
        NotFound: the provider lists no such pair; the error suggests others.
        """
        interval = document_id.values.get("interval", DEFAULT_INTERVAL)
        if interval not in INTERVALS:
            known = ", ".join(INTERVALS)
            raise InvalidRequest(f"{shown(interval)!r} is no interval; use one of {known}")
        symbol = document_id.values["symbol"]
        universe = self._universe.current
        if pair := universe.pairs.get(symbol):
            return pair
        if universe.is_verified:
            raise self._no_such_pair(document_id, symbol)
        return Pair(symbol, symbol, "")

    def _no_such_pair(self, document_id: DocumentId, symbol: str) -> NotFound:
        universe = self._universe.current
        successor, note = universe.successor(symbol)
        near = [successor.symbol] if successor else universe.near(symbol)
        values = document_id.values
        alike = [self._kind.pattern.format(**{**values, "symbol": one}) for one in near]
        return NotFound(
            f"{shown(document_id.text)!r} does not exist: no pair {shown(symbol)!r} is listed"
            f"{note}; search by the coin's name to find its ID",
            suggestions=[one.text for one in alike],
        )
