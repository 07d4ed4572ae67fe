"""The composite document `report:{symbol}`: several documents of one pair on one page."""

import asyncio
from collections.abc import Mapping, Sequence
from string import Formatter

from gateway.documents.document import Document
from gateway.documents.document_id import DocumentId
from gateway.documents.freshness import Freshness
from gateway.documents.source import DocumentSource
from gateway.errors import GatewayError, Unavailable
from gateway.sources.market.kind import MarketKind
from gateway.sources.market.universe import Pair

Part = Document | GatewayError


class ReportReader:
    """Joins the parts that its kind declares; a part that failed is named, with the reason."""

    def __init__(
        self, kind: MarketKind, parts: Sequence[DocumentSource], freshness: Freshness
    ) -> None:
        self._kind = kind
        self._sources = {source.pattern.kind: source for source in parts}
        self._freshness = freshness

    async def read(self, document_id: DocumentId, pair: Pair) -> Document:
        """Raises:
        Unavailable: no part could be read.
        """
        names = [Formatter().vformat(part, (), document_id.values) for part in self._kind.parts]
        read = await asyncio.gather(*(self._part(name) for name in names))
        parts = dict(zip(names, read, strict=True))
        documents = [part for part in parts.values() if isinstance(part, Document)]
        if not documents:
            raise self._failure(parts)
        first = documents[0]
        return Document(
            id=document_id,
            title=first.title.replace(
                f"{pair.base}/{pair.quote}", f"{pair.base}/{pair.quote} report:", 1
            ),
            summary=first.summary,
            text=_joined(parts),
            as_of=min(document.as_of for document in documents),
            source=first.source,
            is_simulated=any(document.is_simulated for document in documents),
            is_stale=any(document.is_stale for document in documents),
            metadata={
                "symbol": pair.symbol,
                "failed_parts": ", ".join(name for name in parts if parts[name] not in documents),
            },
        )

    async def _part(self, name: str) -> Part:
        source = self._sources[name.partition(":")[0]]
        try:
            return await self._freshness.read(source, source.pattern.parse(name))
        except GatewayError as error:
            return error

    def _failure(self, parts: Mapping[str, Part]) -> GatewayError:
        error = next(part for part in parts.values() if isinstance(part, GatewayError))
        if isinstance(error, Unavailable):
            return error
        return Unavailable(f"no part of the report could be read: {error}", retry_after_seconds=5)


def _joined(parts: Mapping[str, Part]) -> str:
    return "\n\n".join(
        f"## {name}\n\n{part.text}"
        if isinstance(part, Document)
        else f"## {name}\n\nThis part failed: {part}"
        for name, part in parts.items()
    )
