"""What models are told fits into what clients show them, whatever documents there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.sources.market.kind import market_kinds
from gateway.sources.router import KINDS as ROUTER_KINDS
from gateway.tools.guidance import id_shapes, instructions, topics


@dataclass(frozen=True, slots=True)
class Kind:
    """A source that nothing is asked of but its own words."""

    pattern: IdPattern
    description: str
    fresh_seconds: float = 0.0
    revision: object | None = None

    def entries(self, query: Query) -> Sequence[Entry]:
        raise AssertionError(query)

    async def read(self, document_id: DocumentId) -> Document:
        raise AssertionError(document_id)


MARKET = [Kind(kind.pattern, kind.description) for kind in market_kinds()]
ROUTER = [Kind(kind.pattern, kind.description) for kind in ROUTER_KINDS]


def test_the_instructions_fit_with_every_kind_of_document() -> None:
    written = instructions([*MARKET, *ROUTER])
    first, kinds, _ = written.split("\n\n")
    assert len(first) <= 512
    assert len(written) <= 2_000
    assert all(f"{one.pattern.kind}: " in kinds for one in (*MARKET, *ROUTER))
    assert "model: What a model can do, its limits;" in kinds


def test_only_what_there_are_documents_about_is_offered() -> None:
    assert topics(MARKET) == []
    assert "what was spent" not in instructions(MARKET)
    assert "what was spent" in topics(ROUTER)


ADDED = [
    Kind(IdPattern(f"kind_{number}:{{name}}"), "What a service says, at length. " * 9)
    for number in range(500)
]


@pytest.mark.parametrize("write", [instructions, id_shapes, topics])
def test_what_services_add_is_named_but_never_without_end(write: Callable[..., object]) -> None:
    said, before = str(write([*MARKET, *ROUTER, *ADDED], added=ADDED)), str(write(MARKET + ROUTER))
    assert "kind_0:" in said
    assert "kind_499" not in said
    assert "more" in said
    assert len(said) < len(before) + 700


def test_what_clients_show_first_stays_short_whatever_services_add() -> None:
    written = instructions([*MARKET, *ROUTER, *ADDED], added=ADDED)
    assert len(written.split("\n\n")[0]) <= 512
    assert len(written) <= 2_300
