"""All documents of gRPC services, as their methods come, change and go."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from gateway.clock import Clock, now
from gateway.documents.freshness import Freshness
from gateway.documents.query import Lexicon, Mention, Reading, Word, split
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import ExposedMethod
from gateway.sources.grpc.listing import Listing
from gateway.sources.grpc.source import GrpcSource, pattern_of
from gateway.sources.market.kind import market_kinds
from gateway.sources.router import KINDS as ROUTER_KINDS

logger = logging.getLogger(__name__)

MAX_KINDS_PER_SERVICE = 50
MAX_KINDS_EVER = 200  # of one service, which might try to have them all
MAX_REFUSED = 1_000  # that are told


class GrpcSources:
    """One source for each method that is a document, of all services that are known by now.

    A kind belongs to whoever had it first, as long as the gateway runs: documents are kept by
    their IDs. The gateway's own kinds belong to nobody else.
    """

    def __init__(
        self,
        services: Sequence[GrpcService],
        freshness: Freshness,
        *,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._freshness = freshness
        self._clock = clock
        self._monotonic = monotonic
        self._revisions: tuple[object, ...] = ()
        self._sources: tuple[GrpcSource, ...] = ()
        self._owners: dict[str, GrpcService] = {}
        self._refused: set[tuple[str, str]] = set()
        self._taken = frozenset(
            [kind.pattern.kind for kind in market_kinds()]
            + [kind.pattern.kind for kind in ROUTER_KINDS]
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        refreshes = [one.listing.cancel() for one in self._sources if one.listing]
        await asyncio.gather(*filter(None, refreshes), return_exceptions=True)

    def current(self) -> tuple[GrpcSource, ...]:
        """The same object until something changes."""
        revisions = tuple(service.revision for service in self._services)
        if revisions != self._revisions:
            self._revisions = revisions
            self._sources = self._renewed()
        return self._sources

    async def listed(self, *, within_seconds: float) -> None:
        """Returns when the values of all kinds are known, or the time is over."""
        listings = [one.listing for one in self.current() if one.listing]
        if due := [listing.refresh() for listing in listings if listing.is_due]:
            await asyncio.wait(due, timeout=within_seconds)

    def lexicons(self, others: Sequence[Lexicon]) -> Sequence[Lexicon]:
        """Those of other sources, but for questions that are about our documents alone."""
        return (ExceptOfGrpc(others, self.current),)

    def only(self, services: Sequence[GrpcService]) -> "SomeSources":
        """The sources of some services, for whoever may not see the others."""
        return SomeSources(self, services)

    def _renewed(self) -> tuple[GrpcSource, ...]:
        """Sources for what is declared now, which keep what was listed before."""
        before = {source.pattern.kind: source for source in self._sources}
        declared = [
            (service, method)
            for service in self._services
            for method in [one for one in service.methods if one.document][:MAX_KINDS_PER_SERVICE]
        ]
        sources: dict[str, GrpcSource] = {}
        for service, method in declared:
            source = self._source(service, method, before)
            if source and self._is_free(source, sources):
                sources[source.pattern.kind] = source
        for source in before.values():
            if source.listing:
                source.listing.cancel()
        for source in sources.values():
            if source.listing:
                source.listing.refresh()
        return tuple(sources[kind] for kind in sorted(sources))

    def _source(
        self, service: GrpcService, method: ExposedMethod, before: dict[str, GrpcSource]
    ) -> GrpcSource | None:
        try:
            pattern = pattern_of(method)
            listing = self._listing(service, method, before.get(pattern.kind))
            return GrpcSource(service, method, self._freshness, listing=listing, clock=self._clock)
        except ValueError as error:
            self._refuse(service.name, method.full_name, str(error))
            return None

    def _listing(
        self, service: GrpcService, method: ExposedMethod, before: GrpcSource | None
    ) -> Listing | None:
        assert method.document is not None
        spec = method.document
        if not spec.values:
            return None
        siblings = {one.full_name: one for one in service.methods}
        lister = siblings.get(f"{method.full_name.rpartition('.')[0]}.{spec.values}")
        if lister is None:
            self._refuse(service.name, method.full_name, f"there is no method {spec.values!r}")
            return None
        listing = Listing(
            service,
            lister,
            pattern_of(method),
            fresh_seconds=spec.fresh_seconds,
            monotonic=self._monotonic,
        )
        is_same = before is not None and before.service is service
        if is_same and before and before.listing and before.pattern.template == spec.id:
            listing.values = before.listing.values
        return listing

    def _is_free(self, source: GrpcSource, sources: dict[str, GrpcSource]) -> bool:
        kind = source.pattern.kind
        if kind in self._taken:
            self._refuse(source.service.name, kind, "the gateway's own documents are named so")
            return False
        owner = self._owners.get(kind, source.service)
        if owner is not source.service or kind in sources:
            self._refuse(source.service.name, kind, f"documents of {owner.name} are named so")
            return False
        if kind not in self._owners and self._kinds_of(source.service) >= MAX_KINDS_EVER:
            self._refuse(source.service.name, kind, f"it has had {MAX_KINDS_EVER} others")
            return False
        self._owners[kind] = source.service
        return True

    def _kinds_of(self, service: GrpcService) -> int:
        return sum(owner is service for owner in self._owners.values())

    def _refuse(self, service: str, what: str, reason: str) -> None:
        if (service, what) not in self._refused and len(self._refused) < MAX_REFUSED:
            self._refused.add((service, what))
            logger.warning("service=%s document=%s is left out: %s", service, what, reason)


class SomeSources:
    """Those of a few services, of all that there are.

    Of all, because a kind must mean the same to everybody: documents are kept by their IDs, and
    one that was read for an owner must not answer for another service's.
    """

    def __init__(self, sources: GrpcSources, services: Sequence[GrpcService]) -> None:
        self._sources = sources
        self._services = services
        self._all: tuple[GrpcSource, ...] = ()
        self._some: tuple[GrpcSource, ...] = ()

    def current(self) -> tuple[GrpcSource, ...]:
        """The same object until something changes."""
        everything = self._sources.current()
        if everything is not self._all:
            self._all = everything
            self._some = tuple(one for one in everything if one.service in self._services)
        return self._some

    def lexicons(self, others: Sequence[Lexicon]) -> Sequence[Lexicon]:
        return (ExceptOfGrpc(others, self.current),)


class ExceptOfGrpc:
    """Keeps other lexicons from questions about a service's documents.

    "How many blue widgets are left" is about no coin, and no quota.
    """

    def __init__(
        self, lexicons: Sequence[Lexicon], sources: Callable[[], Sequence[GrpcSource]]
    ) -> None:
        self._lexicons = lexicons
        self._sources = sources

    def read(self, words: Sequence[Word]) -> Reading:
        sources = self._sources()
        reading = self._read_by_others(words)
        if any(source.claims(words, reading.mentions) for source in sources):
            return Reading()
        names = frozenset().union(*(one.names(words, reading.mentions) for one in sources))
        return replace(reading, hints=[hint for hint in reading.hints if not _tells(hint, names)])

    def _read_by_others(self, words: Sequence[Word]) -> Reading:
        readings, mended = [], None
        for lexicon in self._lexicons:
            reading = lexicon.read(mended or words)
            mended = reading.words or mended
            readings.append(reading)
        return Reading(
            tuple(_mentions(readings)),
            tuple(hint for reading in readings for hint in reading.hints),
            mended,
        )


def _tells(hint: str, names: frozenset[str]) -> bool:
    """Whether it says of a name that it means nothing."""
    return not names.isdisjoint(word.raw for word in split(hint))


def _mentions(readings: Sequence[Reading]) -> Iterator[Mention]:
    for reading in readings:
        yield from reading.mentions
