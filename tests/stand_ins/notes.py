"""A small source of documents, `note:{name}`, that a test can slow down, break and count."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import GatewayError, NotFound

WRITTEN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Notes:
    """Notes by name; each is asked for by its own name."""

    description = "A note that somebody wrote."

    def __init__(self, *names: str, kind: str = "note", fresh_seconds: float = 60) -> None:
        self.pattern = IdPattern(f"{kind}:{{name}}", {"name": str.lower})
        self.fresh_seconds = fresh_seconds
        self.names = list(names)
        self.revision: object | None = None
        self.asked = 0
        self.reads = 0
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.failure: GatewayError | None = None

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        self.asked += 1
        words = {word.text for word in query.words}
        return [self._entry(name) for name in self.names if name in words]

    async def read(self, document_id: DocumentId) -> Document:
        self.reads += 1
        await self.may_read.wait()
        if self.failure:
            raise self.failure
        name = document_id.values["name"]
        if name not in self.names:
            raise NotFound(f"no note is named {name!r}", suggestions=[f"note:{self.names[0]}"])
        return Document(
            id=document_id,
            title=f"The note {name}, read {self.reads} times",
            summary=f"What {name} says.",
            text=f"**{name}**",
            as_of=WRITTEN,
            source="a notebook",
        )

    def _entry(self, name: str) -> Entry:
        return Entry(
            self.pattern.format(name=name), f"The note {name}", "A note.", (name,), is_live=True
        )


class SlowNotes(Notes):
    """Offers its entries later, when `may_offer` is set."""

    def __init__(self, *names: str, kind: str = "slow") -> None:
        super().__init__(*names, kind=kind)
        self.may_offer = asyncio.Event()

    async def entries(self, query: Query) -> Sequence[Entry]:
        await self.may_offer.wait()
        return [self._entry(name) for name in self.names]


class BrokenNotes(Notes):
    """Fails whenever it is asked what it offers."""

    def entries(self, query: Query) -> Sequence[Entry]:
        raise RuntimeError("the notebook is wet")
