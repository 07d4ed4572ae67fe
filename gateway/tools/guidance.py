"""What a model is told about the gateway before it calls a tool."""

from collections.abc import Sequence

from gateway.documents.source import DocumentSource

# Clients may show a model no more than the first 512 characters: they stand alone.
_FIRST = """\
Live documents about markets. Call search with the user's question in plain words; titles carry \
the value, its unit and its time. Call fetch with a result's id for the whole document, and cite \
its url. Several coins or kinds may be asked for at once ("btc and eth order flow"). An empty \
result means that nothing listed matches: say so and never answer with another coin. Data that \
is labelled simulated is not a real price: always say so."""
_TOOLS = """\
The tools named binance_... return raw figures; prefer search and fetch when an answer needs a \
citation."""


def instructions(sources: Sequence[DocumentSource]) -> str:
    """The server's instructions: how to ask, then every kind of document there is."""
    kinds = " ".join(f"{source.pattern.kind}: {source.description}" for source in sources)
    return f"{_FIRST}\n\nKinds of documents: {kinds}\n\n{_TOOLS}"


def id_shapes(sources: Sequence[DocumentSource]) -> str:
    return ", ".join(source.pattern.template for source in sources)
