"""The sources of market documents: one for each declared kind that a tool answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import Formatter
from typing import Any

from cachetools import LRUCache

from gateway.clock import Clock, now
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.downstream.provider import Provider
from gateway.errors import BadAnswer, InvalidRequest, NotFound
from gateway.sources.market.kind import DEFAULT_INTERVAL, INTERVALS, MarketKind
from gateway.sources.market.rendering import inert, render, table
from gateway.sources.market.universe import MarketUniverse, Pair

MAX_PAIRS = 8
_EVIDENCE = ("method", "window", "sample_size", "coverage")
_SHORT_EVIDENCE = ("window", "sample_size")


class MarketListing:
    """Offers the documents of one kind for the pairs and intervals that a question names."""

    def __init__(self, kind: MarketKind, universe: MarketUniverse) -> None:
        self.kind = kind
        self.universe = universe
        self._entries: LRUCache[tuple[str, ...], Entry] = LRUCache(4_096)

    def entries(self, query: Query) -> Sequence[Entry]:
        pairs = self.universe.current.pairs
        symbols = [symbol for symbol in query.values("symbol")[:MAX_PAIRS] if symbol in pairs]
        intervals = self._intervals(query)
        return [self._entry(pairs[symbol], one) for symbol in symbols for one in intervals]

    def _intervals(self, query: Query) -> Sequence[str]:
        if "interval" not in self.kind.pattern.fields:
            return ("",)
        return query.values("interval") or (DEFAULT_INTERVAL,)

    def _entry(self, pair: Pair, interval: str) -> Entry:
        key = (pair.symbol, pair.base, interval)
        if key not in self._entries:
            values = {"symbol": pair.symbol, "base": pair.base, "quote": pair.quote}
            title = render(self.kind.listed, {**values, "interval": interval})
            document_id = self.kind.pattern.format(symbol=pair.symbol, interval=interval)
            self._entries[key] = Entry(
                document_id,
                title,
                self.kind.description,
                phrases=self.kind.phrases,
                prior=self.kind.prior,
                is_live=self.kind.is_live,
            )
        return self._entries[key]

    def known_pair(self, document_id: DocumentId) -> Pair:
        """The pair that an ID names.

        Raises:
            InvalidRequest: the interval is none.
            NotFound: the provider lists no such pair; the error suggests others.
        """
        interval = document_id.values.get("interval", DEFAULT_INTERVAL)
        if interval not in INTERVALS:
            raise InvalidRequest(f"{interval!r} is no interval; use one of {', '.join(INTERVALS)}")
        symbol = document_id.values["symbol"]
        universe = self.universe.current
        if pair := universe.pairs.get(symbol):
            return pair
        if not universe.is_verified:
            return Pair(symbol, symbol, "")
        successor, note = universe.successor(symbol)
        near = [successor.symbol] if successor else universe.near(symbol)
        raise NotFound(
            f"{document_id.text[:80]!r} does not exist: no pair {symbol[:40]!r} is listed{note}; "
            "search by the coin's name to find its ID",
            suggestions=[self._id_like(document_id, one) for one in near],
        )

    def _id_like(self, document_id: DocumentId, symbol: str) -> str:
        return self.kind.pattern.format(**{**document_id.values, "symbol": symbol}).text


class MarketSource:
    """Documents of one kind, each the answer of one tool, in the words of the kind's templates."""

    def __init__(
        self,
        kind: MarketKind,
        provider: Provider,
        universe: MarketUniverse,
        *,
        clock: Clock = now,
    ) -> None:
        self._kind = kind
        self._provider = provider
        self._listing = MarketListing(kind, universe)
        self._clock = clock

    @property
    def pattern(self) -> IdPattern:
        return self._kind.pattern

    @property
    def fresh_seconds(self) -> float:
        return self._kind.fresh_seconds

    @property
    def description(self) -> str:
        return self._kind.description

    def entries(self, query: Query) -> Sequence[Entry]:
        return self._listing.entries(query)

    async def read(self, document_id: DocumentId) -> Document:
        pair = self._listing.known_pair(document_id)
        arguments = _filled(self._kind.arguments, document_id.values)
        answer = await self._provider.invoke(self._kind.tool, arguments)
        return self._document(document_id, pair, answer)

    def _document(self, document_id: DocumentId, pair: Pair, answer: Any) -> Document:
        as_of = _as_of(answer, self._clock())
        is_simulated = self._is_simulated(answer)
        title, summary, text = self._words(document_id, pair, answer)
        label = " · simulated" if is_simulated else ""
        return Document(
            id=document_id,
            title=f"{title} · as of {as_of:%H:%M:%S} UTC{label}",
            summary=summary + (" Simulated data." if is_simulated else ""),
            text=_with_evidence(text, answer),
            as_of=as_of,
            source=self._source(answer),
            is_simulated=is_simulated,
            metadata=dict(document_id.values) | _evidence(answer, _SHORT_EVIDENCE),
        )

    def _words(self, document_id: DocumentId, pair: Pair, answer: Any) -> tuple[str, str, str]:
        """Title, summary and text; in plain tables when another provider answers otherwise."""
        fields = answer if isinstance(answer, Mapping) else {}
        context = {
            **fields, **document_id.values, "answer": answer, "base": pair.base, "quote": pair.quote
        }  # fmt: skip
        try:
            return (
                render(self._kind.title, context),
                render(self._kind.summary, context),
                render(self._kind.text, context),
            )
        except BadAnswer:
            if not answer or not isinstance(answer, Mapping | list):
                raise
            return f"{document_id.text} as the provider says it", self.description, table(answer)

    def _source(self, answer: Any) -> str:
        if isinstance(answer, Mapping) and answer.get("source"):
            return str(answer["source"])[:100]
        return "simulated exchange" if self._is_simulated(answer) else self._provider.name

    def _is_simulated(self, answer: Any) -> bool:
        capabilities = self._provider.capabilities
        tools = capabilities.tools if capabilities else ()
        tags = next((tool.tags for tool in tools if tool.name == self._kind.tool), ())
        return "simulated" in tags or (
            isinstance(answer, Mapping) and bool(answer.get("simulated"))
        )


def _filled(arguments: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: Formatter().vformat(value, (), values) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _as_of(answer: Any, read_at: datetime) -> datetime:
    """When the answer was true by its own words, else when it was read; never in the future."""
    newest = answer[-1] if isinstance(answer, list) and answer else answer
    if isinstance(newest, Mapping):
        stated = newest.get("as_of") or newest.get("time_window_end")
        if isinstance(stated, str):
            return min(_parsed(stated) or read_at, read_at)
        stamps = (newest.get(name) for name in ("closeTime", "timestamp", "time"))
        milliseconds = next((stamp for stamp in stamps if isinstance(stamp, int)), None)
        if milliseconds:
            return min(datetime.fromtimestamp(milliseconds / 1_000, UTC), read_at)
    return read_at


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _evidence(answer: Any, names: Sequence[str] = _EVIDENCE) -> dict[str, str]:
    """How the figures were come by, where the answer says so."""
    if not isinstance(answer, Mapping):
        return {}
    return {name: str(inert(str(answer[name]))) for name in names if answer.get(name) is not None}


def _with_evidence(text: str, answer: Any) -> str:
    """The text, and how its figures were come by, where the answer says so."""
    evidence = _evidence(answer)
    if not evidence:
        return text
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in evidence.items()]
    return "\n".join([text, "", "How this was measured:", "", *lines])
