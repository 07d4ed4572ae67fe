"""The registry of documents: two verbs, `search` and `fetch`, over all sources."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from cachetools import LRUCache
from rapidfuzz import process

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId
from gateway.documents.freshness import Freshness
from gateway.documents.query import Lexicon, Query
from gateway.documents.ranking import rank
from gateway.documents.source import DocumentSource
from gateway.errors import GatewayError, InvalidRequest, NotFound, Unavailable
from gateway.text import shown

logger = logging.getLogger(__name__)

SNIPPET_CHARACTERS = 200
# Many ask the same: reading and ranking a question is half the cost of a search.
MAX_REMEMBERED = 1_024
MAX_NAMED_KINDS = 60
MAX_REMEMBERED_CHARACTERS = 200
# What lies between two slashes of a path, and would not survive.
_TIDIED = frozenset({"", ".", ".."})

# None from a source that failed, or was too slow.
Offer = Sequence[Entry] | None
RETRY_SECONDS = 5.0
Sources = Mapping[str, DocumentSource]
_Remembered = tuple[tuple[object, ...], tuple[Query, list[Entry]]]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How search answers: how many results, and how long it waits for what.

    A source has `deadline_seconds` to offer entries. The titles of the first `live_titles`
    live results carry values that are fresh or arrive within `live_wait_seconds`.
    """

    limit: int = 10
    deadline_seconds: float = 2.0
    live_titles: int = 3
    live_wait_seconds: float = 0.3


@dataclass(frozen=True, slots=True)
class Result:
    """One line of a search's answer; `text` is a snippet of at most 200 characters."""

    id: str
    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Results, best first, and what a person should be told beside them."""

    results: tuple[Result, ...]
    message: str = ""


class Registry:
    """All documents there are, each source owning one kind.

    `later` gives sources that come and go, the same object until it gives others. One of a kind
    that is taken is left out: no kind ever becomes somebody else's. `missing` names the services
    whose kinds are not known yet.

    Raises:
        ValueError: two of the first sources own the same kind.
    """

    def __init__(
        self,
        sources: Sequence[DocumentSource],
        freshness: Freshness,
        *,
        public_url: str,
        lexicons: Sequence[Lexicon] = (),
        settings: SearchSettings | None = None,
        later: Callable[[], Sequence[DocumentSource]] = tuple,
        missing: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._first = {source.pattern.kind: source for source in sources}
        if len(self._first) != len(sources):
            raise ValueError("two document sources own the same kind")
        self._later = later
        self._missing = missing
        self._added: Sequence[DocumentSource] = ()
        self._all: Sources = self._first
        self._refused: set[str] = set()
        self._freshness = freshness
        self._documents_url = f"{public_url.rstrip('/')}/data/"
        self.lexicons = lexicons
        self._settings = settings or SearchSettings()
        self._remembered: LRUCache[str, _Remembered] = LRUCache(MAX_REMEMBERED)

    @property
    def sources(self) -> Sequence[DocumentSource]:
        return tuple(self._sources().values())

    @property
    def added(self) -> Sequence[DocumentSource]:
        """Those of `sources` that came later."""
        return tuple(one for kind, one in self._sources().items() if kind not in self._first)

    def url(self, document_id: DocumentId) -> str:
        """Where the document opens in a browser; it is the citation."""
        return self._documents_url + _quoted(document_id.text)

    async def search(self, text: str) -> SearchAnswer:
        """What answers a question in plain words; nothing found is an empty answer."""
        sources = self._sources()
        query, ranked = await self._understood(text, sources)
        live = await self._live_documents(ranked, sources)
        notes = [", ".join(query.notes(entry.id.values)) for entry in ranked]
        results = tuple(
            self._result(entry, live.get(entry.id), note=note)
            for entry, note in zip(ranked, notes, strict=True)
        )
        return SearchAnswer(results, " ".join(query.hints))

    async def fetch(self, text: str) -> Document:
        """The document that an ID, or a URL issued for it, names.

        Raises:
            InvalidRequest: the text is not like an ID of its kind.
            NotFound: no such kind or document; the error suggests others.
            GatewayError: the service behind the document failed.
        """
        source, document_id = self.find(text)
        return await self._freshness.read(source, document_id)

    def find(self, text: str) -> tuple[DocumentSource, DocumentId]:
        """The source and the settled ID that a text names, without reading the document."""
        name = text.strip()
        if name.startswith(self._documents_url):
            name = unquote(name.removeprefix(self._documents_url)).removesuffix(".json")
        kind, colon, rest = name.partition(":")
        source = self._sources().get(kind.lower())
        if source is None:
            raise self._no_such_kind(shown(name))
        return source, source.pattern.parse(kind.lower() + colon + rest)

    def _sources(self) -> Sources:
        """All there are now: whoever waits in between goes on with those it began with."""
        added = self._later()
        if added is not self._added:
            self._all = self._with(added)
            self._added = added
        return self._all

    def _with(self, added: Sequence[DocumentSource]) -> Sources:
        sources = dict(self._first)
        for source in added:
            kind = source.pattern.kind
            if sources.setdefault(kind, source) is not source and kind not in self._refused:
                self._refused.add(kind)
                logger.warning("left out a source of kind=%s: an earlier one owns it", kind)
        return sources

    def _no_such_kind(self, name: str) -> GatewayError:
        sources = self._sources()
        templates = [source.pattern.template for source in sources.values()][:MAX_NAMED_KINDS]
        if ":" not in name or "://" in name:
            example = templates[0] if templates else "kind:value"
            return InvalidRequest(
                f"{name!r} is neither a document ID like {example!r} nor a URL that begins with "
                f"{self._documents_url}; search first, and fetch an ID from its results"
            )
        kind = name.partition(":")[0]
        if missing := self._missing():
            return Unavailable(
                f"no kind of document is named {kind!r} yet: {', '.join(missing)} has not been "
                f"reached since the start; there are: {', '.join(templates)}",
                retry_after_seconds=RETRY_SECONDS,
            )
        near = process.extract(kind, list(sources), limit=3, score_cutoff=60)
        return NotFound(
            f"no kind of document is named {kind!r}; there are: {', '.join(templates)}",
            suggestions=[sources[match[0]].pattern.template for match in near],
        )

    async def _understood(self, text: str, sources: Sources) -> tuple[Query, list[Entry]]:
        """The question as it is read, and what answers it: remembered while no source changed."""
        revisions = (sources, *(source.revision for source in sources.values()))
        remembered = self._remembered.get(text)
        if remembered and remembered[0] == revisions:
            return remembered[1]
        query = Query.read(text, self.lexicons)
        offers, is_settled = await self._offers(query, sources)
        offered = [entry for offer in offers for entry in offer or ()]
        understood = query, rank(offered, query, limit=self._settings.limit)
        # What a source could not offer this time, or looked up elsewhere, is another the next.
        is_whole = is_settled and None not in revisions and None not in offers
        if is_whole and len(text) <= MAX_REMEMBERED_CHARACTERS:
            self._remembered[text] = (revisions, understood)
        return understood

    async def _offers(self, query: Query, sources: Sources) -> tuple[list[Offer], bool]:
        """What all sources offer, and whether all offered it from memory, at once.

        The others are waited for side by side.
        """
        offers: list[Offer] = []
        later = []
        for source in sources.values():
            offer = self._ask(source, query)
            if isinstance(offer, Awaitable):
                later.append(self._wait(source, offer))
            else:
                offers.append(offer)
        return [*offers, *await asyncio.gather(*later)], not later

    def _ask(self, source: DocumentSource, query: Query) -> Offer | Awaitable[Sequence[Entry]]:
        """One broken source costs its own entries, never the whole search."""
        try:
            return source.entries(query)
        except Exception:
            logger.exception("source %s offered nothing", source.pattern.kind)
            return None

    async def _wait(self, source: DocumentSource, offer: Awaitable[Sequence[Entry]]) -> Offer:
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                return await offer
        except Exception:
            logger.exception("source %s offered nothing", source.pattern.kind)
            return None

    async def _live_documents(
        self, ranked: Iterable[Entry], sources: Sources
    ) -> dict[DocumentId, Document]:
        """Those in memory and young, and the first live ones where they arrive in time."""
        documents, reads = {}, {}
        wanted = self._settings.live_titles
        for entry in ranked:
            source = sources[entry.id.kind]
            wanted -= entry.is_live
            if document := self._freshness.fresh(source, entry.id):
                documents[entry.id] = document
            elif entry.is_live and wanted >= 0:
                reads[self._freshness.reading(source, entry.id)] = entry.id
        if reads:
            done, _ = await asyncio.wait(reads, timeout=self._settings.live_wait_seconds)
            arrived = [read for read in done if not read.cancelled() and not read.exception()]
            documents |= {reads[read]: read.result() for read in arrived}
        return documents

    def _result(self, entry: Entry, document: Document | None, *, note: str) -> Result:
        title = document.title if document else entry.title
        title = f"{title} ({note})" if note else title
        text = document.summary if document else entry.snippet
        return Result(entry.id.text, title, self.url(entry.id), text[:SNIPPET_CHARACTERS])


@lru_cache(maxsize=4_096)
def _quoted(text: str) -> str:
    """Readable: slashes stay, unless browsers or proxies would tidy them away with their dots."""
    is_tidy = _TIDIED.isdisjoint(text.split("/"))
    return quote(text, safe=":/" if is_tidy else ":")
