"""What is declared of each kind of market document, in `kinds.yaml`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.documents.document_id import IdPattern
from gateway.documents.query import fold_phrase
from gateway.shipped import shipped

INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
DEFAULT_INTERVAL = "1h"


@dataclass(frozen=True, slots=True)
class MarketKind:
    """One kind: `tool` and `arguments` say how it is read, or `parts` which documents it joins.

    `listed`, `title`, `summary` and `text` are templates; `phrases` are the folded words of a
    question that ask for it.
    """

    pattern: IdPattern
    description: str
    fresh_seconds: float
    prior: float
    phrases: tuple[str, ...]
    listed: str
    is_live: bool = False
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    title: str = ""
    summary: str = ""
    text: str = ""


@lru_cache(maxsize=1)
def market_kinds() -> Sequence[MarketKind]:
    declared = shipped(__package__, "kinds.yaml")
    return tuple(_kind(row) for row in declared)


def _kind(row: dict[str, Any]) -> MarketKind:
    return MarketKind(
        pattern=IdPattern(row.pop("id"), {"symbol": str.upper, "interval": interval}),
        fresh_seconds=row.pop("fresh"),
        phrases=tuple(dict.fromkeys(fold_phrase(word) for word in row.pop("words").split(","))),
        is_live=row.pop("live", False),
        parts=tuple(row.pop("parts", ())),
        **row,
    )


def interval(text: str) -> str:
    """The usual spelling of an interval: `4H` is `4h`, while `1M` is a month and `1m` a minute."""
    return text if text.endswith("M") else text.lower()
