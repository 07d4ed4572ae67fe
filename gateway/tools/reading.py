"""Search and fetch as tools, in the exact shapes that ChatGPT's connector contract asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document
from gateway.documents.registry import SNIPPET_CHARACTERS, Registry
from gateway.documents.source import DocumentSource
from gateway.tools.guidance import MARKET, id_shapes, topics
from gateway.tools.tool import Answer, Arguments, Tool

MAX_TEXT_CHARACTERS = 50_000
MAX_ID_CHARACTERS = 2_000

_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_URL = {"type": "string", "description": "An absolute URL that opens in a browser; cite it."}


class ReadingTools:
    """`search` and `fetch` over the registry, for whoever may read.

    With `has_snippets`, each result of a search carries a `text` of at most 200 characters.
    """

    def __init__(
        self, registry: Registry, *, has_snippets: bool = True, clock: Clock = now
    ) -> None:
        self._registry = registry
        self._has_snippets = has_snippets
        self._clock = clock
        self._described: Sequence[DocumentSource] = ()
        self._tools: Sequence[Tool] = ()

    async def tools(self) -> Sequence[Tool]:
        """The same until documents of other kinds come or go, which their descriptions name."""
        sources = self._registry.sources
        if not self._tools or sources != self._described:
            self._described = sources
            self._tools = (self._search_tool(), self._fetch_tool())
        return self._tools

    async def search(self, arguments: Arguments) -> Answer:
        found = await self._registry.search(arguments["query"])
        fields = ("id", "title", "url", *(("text",) if self._has_snippets else ()))
        results = [{name: getattr(result, name) for name in fields} for result in found.results]
        # The contract allows the one key; what else there is to say goes beside it.
        meta = {"gateway/message": found.message} if found.message else None
        return Answer({"results": results}, meta)

    async def fetch(self, arguments: Arguments) -> Answer:
        document = await self._registry.fetch(arguments["id"])
        url = self._registry.url(document.id)
        return Answer(fetched(document, url, clock=self._clock))

    def _search_tool(self) -> Tool:
        registry = self._registry
        about = topics(registry.sources, added=registry.added)
        known = "; ".join((f"{MARKET}, several coins at once", *about))
        return Tool(
            name="search",
            title="Search live documents",
            description=(
                f"Use this when the user asks about anything live that this gateway knows: {known}."
                " Ask in plain words. Titles often carry the value, its unit and its time already. "
                "Fetch a result's id for the whole document, and cite its url. An empty list means "
                "that nothing listed matches: say so, and do not answer with another coin or model."
                " Do not use it for news or general knowledge."
            ),
            input_schema=_one_string(
                "query", "The question in plain words, such as 'bitcoin price' or 'ETH 4h candles'."
            ),
            output_schema=_search_schema(has_snippets=self._has_snippets),
            call=self.search,
        )

    def _fetch_tool(self) -> Tool:
        shapes = id_shapes(self._registry.sources, added=self._registry.added)
        return Tool(
            name="fetch",
            title="Fetch a live document",
            description=(
                "Use this when you have an id (or url) from search and need the whole document: "
                "a short summary, tables with units, when it was true, and its source. IDs may "
                f"also be written by hand; they are like {shapes}."
            ),
            input_schema=_one_string(
                "id",
                "A document's id, such as 'ticker:BTCUSDT', or its url.",
                most_characters=MAX_ID_CHARACTERS,
            ),
            output_schema=_FETCH_SCHEMA,
            call=self.fetch,
        )


def fetched(document: Document, url: str, *, clock: Clock = now) -> dict[str, Any]:
    """What fetch answers: `id`, `title`, `text`, `url`, and `metadata` of strings only."""
    age_seconds = max(0.0, (clock() - document.as_of).total_seconds())
    metadata = {
        **document.metadata,
        "kind": document.id.kind,
        "as_of": rfc3339(document.as_of),
        "age_seconds": f"{age_seconds:.1f}",
        "source": document.source,
        "simulated": str(document.is_simulated).lower(),
        "stale": str(document.is_stale).lower(),
    }
    text = _cut(f"{document.text}\n\n{_origin(document, age_seconds)}")
    return {
        "id": document.id.text,
        "title": document.title,
        "text": text,
        "url": url,
        "metadata": metadata,
    }


def _origin(document: Document, age_seconds: float) -> str:
    """When and from where, and whatever keeps it from being the current truth."""
    said = [f"As of {rfc3339(document.as_of)}, from {document.source}."]
    if document.is_stale:
        said.append(f"Stale: the source is failing; this copy is {age_seconds:.0f} s old.")
    if document.is_simulated:
        said.append("Simulated data: these are not real prices.")
    return " ".join(said)


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    note = f"\n\n[Cut here: {len(text):,} characters in all.]"
    return text[: MAX_TEXT_CHARACTERS - len(note)] + note


def _one_string(
    name: str, description: str, *, most_characters: int | None = None
) -> Mapping[str, Any]:
    value: dict[str, Any] = {"type": "string", "description": description}
    if most_characters:
        value["maxLength"] = most_characters
    return {
        "type": "object",
        "properties": {name: value},
        "required": [name],
        "additionalProperties": False,
    }


def _search_schema(*, has_snippets: bool) -> Mapping[str, Any]:
    snippet = {"text": {"type": "string", "maxLength": SNIPPET_CHARACTERS}} if has_snippets else {}
    fields = {"id": {"type": "string"}, "title": {"type": "string"}, "url": _URL, **snippet}
    result = {"type": "object", "properties": fields, "required": list(fields)}
    return {
        "type": "object",
        "properties": {"results": {"type": "array", "maxItems": 10, "items": result}},
        "required": ["results"],
    }


_FETCH_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "string"},
        "text": {"type": "string", "description": "Markdown: a short summary, then tables."},
        "url": _URL,
        "metadata": _STRINGS,
    },
    "required": ["id", "title", "text", "url", "metadata"],
}
