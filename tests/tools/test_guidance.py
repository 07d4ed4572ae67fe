"""What models are told fits into what clients show them, whatever documents there are."""

from dataclasses import dataclass

from gateway.documents.document_id import IdPattern
from gateway.sources.market.kind import market_kinds
from gateway.sources.router import KINDS as ROUTER_KINDS
from gateway.tools.guidance import instructions, topics


@dataclass(frozen=True, slots=True)
class Kind:
    pattern: IdPattern
    description: str


MARKET = [Kind(kind.pattern, kind.description) for kind in market_kinds()]
ROUTER = [Kind(kind.pattern, kind.description) for kind in ROUTER_KINDS]


def test_the_instructions_fit_with_every_kind_of_document() -> None:
    written = instructions([*MARKET, *ROUTER])  # type: ignore[arg-type]  # nothing is read here
    first, kinds, _ = written.split("\n\n")
    assert len(first) <= 512
    assert len(written) <= 2_000
    assert all(f"{one.pattern.kind}: " in kinds for one in (*MARKET, *ROUTER))
    assert "model: What a model can do, its limits;" in kinds


def test_only_what_there_are_documents_about_is_offered() -> None:
    assert topics(MARKET) == []  # type: ignore[arg-type]  # nothing is read here
    assert "what was spent" not in instructions(MARKET)  # type: ignore[arg-type]  # as above
    assert "what was spent" in topics(ROUTER)  # type: ignore[arg-type]  # as above
