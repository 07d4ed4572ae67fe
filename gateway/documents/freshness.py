"""Answers from memory while a document is young enough, else by exactly one read of its source."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from cachetools import LRUCache

from gateway.documents.document import Document
from gateway.documents.document_id import DocumentId
from gateway.documents.source import DocumentSource
from gateway.errors import BadAnswer, DeadlineExceeded, GatewayError, RateLimited, Unavailable

logger = logging.getLogger(__name__)

# Failures of the service, not of the question: an older copy is better than no answer.
PASSING = (Unavailable, DeadlineExceeded, RateLimited, BadAnswer)


class Freshness:
    """The documents read lately, keyed by their whole ID.

    However many ask for the same document at once, its source is read once; a reader who
    leaves does not end the read for the others. When the source fails for a passing reason,
    a copy of up to `stale_seconds` is shown instead, marked as stale.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        max_documents: int = 2_048,
        stale_seconds: float = 300,
    ) -> None:
        self._monotonic = monotonic
        self._stale_seconds = stale_seconds
        self._kept: LRUCache[str, tuple[float, Document]] = LRUCache(max_documents)
        self._reads: dict[str, asyncio.Task[Document]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        reads = list(self._reads.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    def fresh(self, source: DocumentSource, document_id: DocumentId) -> Document | None:
        """The copy in memory, when it is still young enough."""
        kept = self._kept.get(document_id.text)
        if kept and self._age_seconds(kept[0]) < source.fresh_seconds:
            return kept[1]
        return None

    async def read(self, source: DocumentSource, document_id: DocumentId) -> Document:
        """The document, from memory or from its source.

        Raises:
            GatewayError: as `source.read` does, when no usable copy is left.
        """
        if document := self.fresh(source, document_id):
            return document
        try:
            return await asyncio.shield(self.reading(source, document_id))
        except PASSING as error:
            return self._stale_copy(document_id, error)

    def reading(self, source: DocumentSource, document_id: DocumentId) -> asyncio.Task[Document]:
        """The one read of the document that is under way, or a new one; it is not the caller's."""
        if document_id.text not in self._reads:
            read = asyncio.create_task(
                self._read(source, document_id), name=f"read {document_id.text}"
            )
            read.add_done_callback(lambda done: self._forget(document_id.text, done))
            self._reads[document_id.text] = read
        return self._reads[document_id.text]

    async def _read(self, source: DocumentSource, document_id: DocumentId) -> Document:
        document = await source.read(document_id)
        self._kept[document_id.text] = (self._monotonic(), document)
        return document

    def _forget(self, text: str, read: asyncio.Task[Document]) -> None:
        self._reads.pop(text, None)
        # Looked at here, because every reader may have left before the read failed.
        error = None if read.cancelled() else read.exception()
        kind = text.partition(":")[0]
        if isinstance(error, GatewayError):
            logger.info("read kind=%s failed=%s", kind, error.code)
        elif error:
            logger.error("read kind=%s failed", kind, exc_info=error)

    def _stale_copy(self, document_id: DocumentId, error: Exception) -> Document:
        kept = self._kept.get(document_id.text)
        if kept is None or self._age_seconds(kept[0]) > self._stale_seconds:
            raise error
        return replace(kept[1], is_stale=True)

    def _age_seconds(self, read_at: float) -> float:
        return self._monotonic() - read_at
