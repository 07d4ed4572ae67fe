"""The reference of document IDs, as markdown, from what the kinds declare."""

from collections.abc import Sequence

from gateway.documents.document_id import IdPattern
from gateway.sources.agents.sources import KINDS as AGENT_KINDS
from gateway.sources.market.kind import DEFAULT_INTERVAL, INTERVALS, MarketKind
from gateway.sources.router import KINDS as ROUTER_KINDS

OWN_KINDS = (*ROUTER_KINDS, *AGENT_KINDS)
EXAMPLE = {"symbol": "BTCUSDT", "interval": "4h"}
SHOWN_PHRASES = 6

_HEAD = f"""# Documents

Written by `gateway documents`; do not edit.

`search` lists these documents and `fetch` reads them by ID. An ID is `kind:value`, and opens in a
browser under `/data/{{id}}`. Symbols are written without a separator and in any case (`btcusdt` is
`BTCUSDT`); intervals are {", ".join(f"`{one}`" for one in INTERVALS)}, where `1M` is a month and
`1m` a minute. A search that names no interval gets `{DEFAULT_INTERVAL}`.

Models are named by provider and wire name, which may hold slashes and colons. What tells of
spending, limits, routes, tasks and agents is for the owner's keys only.

| ID | What it says | Fresh for | From |
|---|---|---|---|
"""


def reference(kinds: Sequence[MarketKind]) -> str:
    """All kinds: those of the market, of the router, and of agents."""
    market = "".join(_market_row(kind) for kind in kinds)
    own = "".join(
        _row(kind.pattern, kind.description, kind.fresh_seconds, kind.told_by) for kind in OWN_KINDS
    )
    sections = [*map(_market_section, kinds)]
    sections += [
        _section(kind.pattern, kind.description, kind.example, kind.phrases) for kind in OWN_KINDS
    ]
    return f"{_HEAD}{market}{own}\n{''.join(sections)}"


def _market_row(kind: MarketKind) -> str:
    tool = f"`{kind.tool}`" if kind.tool else "the documents it joins"
    return _row(kind.pattern, kind.description, kind.fresh_seconds, tool)


def _row(pattern: IdPattern, description: str, fresh_seconds: float, told_by: str) -> str:
    return f"| `{pattern.template}` | {description} | {fresh_seconds:g} s | {told_by} |\n"


def _market_section(kind: MarketKind) -> str:
    live = "Its title in search carries the value.\n" if kind.is_live else ""
    example = kind.pattern.format(**EXAMPLE).text
    return _section(kind.pattern, f"{kind.description}\n{live}".rstrip(), example, kind.phrases)


def _section(pattern: IdPattern, description: str, example: str, phrases: Sequence[str]) -> str:
    asked = ", ".join(f'"{phrase}"' for phrase in phrases[:SHOWN_PHRASES])
    return (
        f"\n## {pattern.kind}\n\n{description}\n\n"
        f"- Example: `{example}`\n- Asked for by words such as {asked}.\n"
    )
