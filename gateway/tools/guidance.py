"""What a model is told about the gateway before it calls a tool."""

import re
from collections.abc import Mapping, Sequence

from gateway.documents.source import DocumentSource

MARKET = "prices, order books, candles, order flow and other market data of coins"
# What the documents of some kinds are about, in the words of a user.
_TOPICS: Mapping[str, str] = {
    "model": "language models, their abilities and prices",
    "usage": "what was spent",
    "quota": "what is left of quotas and budgets",
    "routing": "which model is chosen, and why",
}
# Clients may show a model no more than the first 512 characters: they stand alone.
_FIRST = """\
Live documents about {topics}. Call search with the user's question in plain words; titles carry \
the value, its unit and time. Call fetch with a result's id for the whole document, and cite its \
url. Several coins or kinds may be asked for at once. An empty result means that nothing matches: \
say so, never answer with another. Data labelled simulated is not real: always say so."""
_TOOLS = """\
The tools named binance_... return raw figures; prefer search and fetch when an answer needs a \
citation."""
MOST_CLAUSE_CHARACTERS = 60
_CLAUSE_END = re.compile(r"[.;:](?=\s|$)| \(")


def instructions(sources: Sequence[DocumentSource]) -> str:
    """The server's instructions: how to ask, then every kind of document there is."""
    first = _FIRST.format(topics="; ".join(("coin markets", *topics(sources))))
    kinds = "; ".join(f"{one.pattern.kind}: {_clause(one.description)}" for one in sources)
    return f"{first}\n\nKinds of documents: {kinds}.\n\n{_TOOLS}"


def topics(sources: Sequence[DocumentSource]) -> Sequence[str]:
    """What there are documents about, beside markets."""
    kinds = {source.pattern.kind for source in sources}
    return [words for kind, words in _TOPICS.items() if kind in kinds]


def id_shapes(sources: Sequence[DocumentSource]) -> str:
    return ", ".join(source.pattern.template for source in sources)


def _clause(description: str) -> str:
    """Its beginning: all descriptions together are more than what clients read."""
    clause = _CLAUSE_END.split(description, maxsplit=1)[0]
    while len(clause) > MOST_CLAUSE_CHARACTERS and "," in clause:
        clause = clause.rpartition(",")[0]
    return clause
