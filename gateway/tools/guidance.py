"""What a model is told about the gateway before it calls a tool."""

import re
from collections.abc import Iterable, Mapping, Sequence

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
MOST_DESCRIPTION_CHARACTERS = 120
# Of documents that services add there may be any number, and a description has an end.
MOST_ADDED_IN_INSTRUCTIONS = 240
MOST_ADDED_CHARACTERS = 500
_CLAUSE_END = re.compile(r"[.;:](?=\s|$)| \(")


def instructions(sources: Sequence[DocumentSource], *, added: Sequence[DocumentSource] = ()) -> str:
    """The server's instructions: how to ask, then every kind of document there is.

    `added` are those of `sources` that services added, of which not all may be named.
    """
    own = _without(sources, added)
    first = _FIRST.format(topics="; ".join(("coin markets", *topics(own))))
    named = _bounded(map(_named, added), MOST_ADDED_IN_INSTRUCTIONS)
    kinds = "; ".join([*map(_named, own), *named])
    return f"{first}\n\nKinds of documents: {kinds}.\n\n{_TOOLS}"


def topics(
    sources: Sequence[DocumentSource], *, added: Sequence[DocumentSource] = ()
) -> Sequence[str]:
    """What there are documents about, beside markets."""
    kinds = {source.pattern.kind for source in _without(sources, added)}
    own = [words for kind, words in _TOPICS.items() if kind in kinds]
    return [*own, *_bounded(map(_named, added), MOST_ADDED_CHARACTERS)]


def id_shapes(sources: Sequence[DocumentSource], *, added: Sequence[DocumentSource] = ()) -> str:
    own = [source.pattern.template for source in _without(sources, added)]
    shapes = (source.pattern.template for source in added)
    return ", ".join([*own, *_bounded(shapes, MOST_ADDED_CHARACTERS)])


def _without(
    sources: Sequence[DocumentSource], added: Sequence[DocumentSource]
) -> list[DocumentSource]:
    left_out = set(map(id, added))
    return [source for source in sources if id(source) not in left_out]


def _bounded(phrases: Iterable[str], most_characters: int) -> list[str]:
    """As many as fit, and how many more there are."""
    named, left_out = [], 0
    for phrase in phrases:
        most_characters -= len(phrase)
        if most_characters >= 0:
            named.append(phrase)
        else:
            left_out += 1
    return [*named, f"and {left_out} more"] if left_out else named


def _named(source: DocumentSource) -> str:
    return f"{source.pattern.kind}: {_clause(source.description)}"


def _clause(description: str) -> str:
    """Its beginning: all descriptions together are more than what clients read."""
    clause = _CLAUSE_END.split(description, maxsplit=1)[0]
    while len(clause) > MOST_CLAUSE_CHARACTERS and "," in clause:
        clause = clause.rpartition(",")[0]
    return clause[:MOST_DESCRIPTION_CHARACTERS]
