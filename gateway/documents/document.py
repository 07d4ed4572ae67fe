"""What search lists (`Entry`) and what fetch returns (`Document`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.documents.document_id import DocumentId


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that could be read, and the words of a question that ask for it.

    `phrases` are lower-case; `prior` orders entries that explain a question equally well.
    """

    id: DocumentId
    title: str
    snippet: str
    phrases: tuple[str, ...] = ()
    prior: float = 0.0
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One answer, cited by its ID.

    `title` carries the value, `summary` is one line of plain text, `text` is markdown.
    `as_of` is when the facts were true, in UTC. `metadata` holds strings only.
    """

    id: DocumentId
    title: str
    summary: str
    text: str
    as_of: datetime
    source: str
    is_simulated: bool = False
    is_stale: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
