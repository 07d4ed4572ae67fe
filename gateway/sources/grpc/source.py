"""One kind of document that a gRPC service says of itself: offered by name, read by its method."""

import asyncio
import re
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any

from cachetools import LRUCache

from gateway.clock import Clock, now
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.freshness import Freshness
from gateway.documents.query import Mention, Query, Word, fold_phrase
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import ExposedMethod
from gateway.errors import BadAnswer, GatewayError, InvalidRequest, NotFound
from gateway.sources.grpc.listing import Listing
from gateway.sources.grpc.question import Asked, Candidate
from gateway.sources.grpc.rendering import Rendering, says_simulated, stated_time
from gateway.sources.grpc.values import Match, Values
from gateway.text import displayable, shown

# Of those that explain a question equally well, the gateway's own documents come first.
PRIOR = -1.0
# A search waits so long for what may have been listed since, and to look up what looks like an ID.
LISTING_WAIT_SECONDS = 0.3
LOOKUP_WAIT_SECONDS = 1.5
MAX_WORDS = 50
MAX_DESCRIPTION_CHARACTERS = 200
_REMEMBERED = 256
_NONE = Values(())
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")


class GrpcSource:
    """A method whose answer is a document, and the values that it may be asked for.

    Without a `listing`, what looks like an ID is read before it is offered.

    Raises:
        ValueError: the method's ID is no pattern.
    """

    def __init__(
        self,
        service: GrpcService,
        method: ExposedMethod,
        freshness: Freshness,
        *,
        listing: Listing | None = None,
        clock: Clock = now,
    ) -> None:
        assert method.document is not None
        spec = method.document
        fields = pattern_of(method).fields
        self.pattern = IdPattern(
            method.document.id, {name: partial(self._spelled, name) for name in fields}
        )
        self.fresh_seconds = spec.fresh_seconds
        self.description = _description(service.name, method, self.pattern.kind)
        self.listing = listing
        self.service = service
        self._method = method
        self._freshness = freshness
        self._clock = clock
        words = [fold_phrase(displayable(word)) for word in (self.pattern.kind, *spec.words)]
        self._phrases = tuple(dict.fromkeys(filter(None, words)))[:MAX_WORDS]
        self._rendering = Rendering.of(method, self.pattern.fields)
        self._asked: LRUCache[tuple[object, ...], Asked] = LRUCache(_REMEMBERED)

    @property
    def revision(self) -> object | None:
        if self.listing is None:
            return self
        return None if self.listing.is_due else self.listing.values

    def claims(self, words: Sequence[Word], mentions: Sequence[Mention]) -> bool:
        """Whether a question is about this kind alone, whatever others read into it."""
        asked = self._asked_by(words)
        if self.listing is not None:
            return asked.claims(mentions)
        has_candidates = bool(asked.candidates(mentions, fields=len(self.pattern.fields)))
        return has_candidates and not mentions

    def names(self, words: Sequence[Word], mentions: Sequence[Mention]) -> frozenset[str]:
        """The words of a question that name documents of this kind, as they are written."""
        return self._asked_by(words).names(mentions)

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        asked = self._asked_by(query.words)
        if self.listing is None:
            candidates = asked.candidates(query.mentions, fields=len(self.pattern.fields))
            return self._looked_up(candidates, asked) if candidates else ()
        if not self.listing.is_due:
            return self._listed(query)
        # A question about something else does not wait for this service.
        is_waited_for = asked.is_spoken_of or bool(asked.matches(query.mentions))
        self.listing.refresh()
        return self._listed_anew(query) if is_waited_for else ()

    async def read(self, document_id: DocumentId) -> Document:
        arguments = _arguments(document_id.values, self._method.input_schema)
        try:
            answer = await self.service.call(self._method, arguments)
        except NotFound as error:
            spelled = await self._spelled_anew(document_id)
            if spelled == document_id:
                raise self._not_found(document_id) from error
            return await self.read(spelled)
        if not isinstance(answer, Mapping):
            raise BadAnswer(f"{self.service.name} answered {self._method.name} with no message")
        return self._document(document_id, answer)

    def _document(self, document_id: DocumentId, answer: Mapping[str, Any]) -> Document:
        title, summary, text = self._rendering.words(answer, document_id.values)
        as_of = stated_time(answer, self._clock())
        is_simulated = says_simulated(answer)
        label = " · simulated" if is_simulated else ""
        return Document(
            id=document_id,
            title=f"{title} · as of {as_of:%H:%M:%S} UTC{label}",
            summary=summary,
            text=text,
            as_of=as_of,
            source=self.service.name,
            is_simulated=is_simulated,
            metadata={**document_id.values, "method": self._method.full_name},
        )

    def _not_found(self, document_id: DocumentId) -> NotFound:
        near = self.listing.values.near(document_id) if self.listing else []
        return NotFound(
            f"{shown(document_id.text)!r} does not exist: {self.service.name} has no such "
            f"{self.pattern.kind}; search by its name to find its ID",
            suggestions=near,
        )

    async def _listed_anew(self, query: Query) -> Sequence[Entry]:
        assert self.listing is not None
        await self.listing.refreshed(within_seconds=LISTING_WAIT_SECONDS)
        return self._listed(query)

    def _listed(self, query: Query) -> Sequence[Entry]:
        asked = self._asked_by(query.words)
        return [
            self._entry(match, asked, place)
            for place, match in enumerate(asked.matches(query.mentions))
        ]

    def _entry(self, match: Match, asked: Asked, place: int) -> Entry:
        value = match.value
        title = f"{value.name} · {value.id.text}" if value.name else value.id.text
        return Entry(
            value.id,
            title,
            self.description,
            phrases=(*self._phrases, *asked.phrases_at(match.places)),
            # Equals stay in the order in which the service lists them.
            prior=PRIOR - place / 1_000,
            is_live=True,
        )

    async def _looked_up(self, candidates: Sequence[Candidate], asked: Asked) -> Sequence[Entry]:
        reads: dict[asyncio.Task[Document | None], Candidate] = {}
        for candidate in candidates:
            document_id = self.pattern.format(
                **dict(zip(self.pattern.fields, candidate.values, strict=True))
            )
            reads[asyncio.create_task(self._found(document_id), name="look up")] = candidate
        try:
            await asyncio.wait(reads, timeout=LOOKUP_WAIT_SECONDS)
        finally:
            for read in reads:
                read.cancel()
        return [
            Entry(
                document.id,
                document.title,
                document.summary,
                phrases=(*self._phrases, *asked.phrases_at(candidate.places)),
                prior=PRIOR,
                is_live=True,
            )
            for read, candidate in reads.items()
            if read.done() and not read.cancelled() and (document := read.result())
        ]

    async def _found(self, document_id: DocumentId) -> Document | None:
        try:
            return await self._freshness.read(self, document_id)
        except GatewayError:
            return None

    async def _spelled_anew(self, document_id: DocumentId) -> DocumentId:
        """The ID as the service lists it now; the list may not have been there a moment ago."""
        if self.listing is not None and self.listing.is_due:
            await self.listing.refreshed(within_seconds=LISTING_WAIT_SECONDS)
        return self.pattern.format(**document_id.values)

    def _spelled(self, field: str, text: str) -> str:
        """A value of an ID as it is listed: `widget-blue` is `WIDGET-BLUE`."""
        return self.listing.values.spelled(field, text) if self.listing else text

    def _asked_by(self, words: Sequence[Word]) -> Asked:
        values = self.listing.values if self.listing else _NONE
        key = (tuple(words), values)
        if key not in self._asked:
            self._asked[key] = Asked(words, self._phrases, values)
        return self._asked[key]


def pattern_of(method: ExposedMethod) -> IdPattern:
    """The pattern of a method's documents as it is declared.

    Raises:
        ValueError: it is no pattern, or its kind could not be asked for.
    """
    assert method.document is not None
    pattern = IdPattern(method.document.id)
    if not _KIND.fullmatch(pattern.kind):
        raise ValueError(f"{shown(pattern.kind)!r} is no kind: letters a-z, figures and _")
    return pattern


def _description(service: str, method: ExposedMethod, kind: str) -> str:
    assert method.document is not None
    said = method.document.description or method.description
    words = " ".join(displayable(said).split())
    return words[:MAX_DESCRIPTION_CHARACTERS] or f"What {service} says of one {kind}."


def _arguments(values: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an ID as the request has them.

    Raises:
        InvalidRequest: one is no number where the request wants one.
    """
    properties = schema.get("properties", {})
    return {name: _typed(name, text, properties.get(name, {})) for name, text in values.items()}


def _typed(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    types = schema.get("type", "string")
    types = [types] if isinstance(types, str) else types
    if "string" in types:
        return text
    try:
        if "integer" in types:
            return int(text)
        if "number" in types:
            return float(text)
    except ValueError as error:
        raise InvalidRequest(f"{name} is {shown(text)!r}, and should be a number") from error
    return text == "true" if "boolean" in types else text
