"""The reference of document IDs, as markdown, from what the kinds declare."""

from collections.abc import Sequence

from gateway.sources.market.kind import DEFAULT_INTERVAL, INTERVALS, MarketKind

EXAMPLE = {"symbol": "BTCUSDT", "interval": "4h"}
SHOWN_PHRASES = 6

_HEAD = f"""# Documents

Written by `gateway documents`; do not edit.

`search` lists these documents and `fetch` reads them by ID. An ID is `kind:value`, and opens in a
browser under `/data/{{id}}`. Symbols are written without a separator and in any case (`btcusdt` is
`BTCUSDT`); intervals are {", ".join(f"`{one}`" for one in INTERVALS)}, where `1M` is a month and
`1m` a minute. A search that names no interval gets `{DEFAULT_INTERVAL}`.

| ID | What it says | Fresh for | Tool behind it |
|---|---|---|---|
"""


def reference(kinds: Sequence[MarketKind]) -> str:
    rows = "".join(_row(kind) for kind in kinds)
    return f"{_HEAD}{rows}\n{''.join(_section(kind) for kind in kinds)}"


def _row(kind: MarketKind) -> str:
    tool = f"`{kind.tool}`" if kind.tool else "the documents it joins"
    fresh = f"{kind.fresh_seconds:g} s"
    return f"| `{kind.pattern.template}` | {kind.description} | {fresh} | {tool} |\n"


def _section(kind: MarketKind) -> str:
    example = kind.pattern.format(**EXAMPLE).text
    phrases = ", ".join(f'"{phrase}"' for phrase in kind.phrases[:SHOWN_PHRASES])
    live = "Its title in search carries the value.\n" if kind.is_live else ""
    return (
        f"\n## {kind.pattern.kind}\n\n{kind.description}\n{live}\n"
        f"- Example: `{example}`\n- Asked for by words such as {phrases}.\n"
    )
