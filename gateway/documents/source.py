"""A source of documents: it owns one kind, offers entries for a question, and reads a document."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query


class DocumentSource(Protocol):
    """One kind of document.

    What it offers, it can read. Order is not its business: the registry ranks the entries
    of all sources together.
    """

    @property
    def pattern(self) -> IdPattern: ...

    @property
    def fresh_seconds(self) -> float:
        """How long a document that was read may be shown again."""
        ...

    @property
    def description(self) -> str:
        """One sentence on what a document of this kind says."""
        ...

    @property
    def revision(self) -> object | None:
        """Another object whenever it may offer something else; None, when that is any time."""
        ...

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        """What answers the question: at once from memory, or later from elsewhere."""
        ...

    async def read(self, document_id: DocumentId) -> Document:
        """Read one document.

        Raises:
            NotFound: nothing has this ID; the error suggests IDs that exist.
            GatewayError: the service behind it failed.
        """
        ...
