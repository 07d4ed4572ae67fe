"""Documents that are the answer of one tool, in the words of the kind's templates."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import Formatter
from typing import Any

from gateway.clock import Clock, now
from gateway.documents.document import Document
from gateway.documents.document_id import DocumentId
from gateway.downstream.provider import Provider
from gateway.errors import BadAnswer
from gateway.sources.market.kind import MarketKind
from gateway.sources.market.rendering import inert, render, table
from gateway.sources.market.universe import Pair

_EVIDENCE = ("method", "window", "sample_size", "coverage")
_SHORT_EVIDENCE = ("window", "sample_size")


class ToolReader:
    """Asks a provider's tool, with the arguments that the kind declares."""

    def __init__(self, kind: MarketKind, provider: Provider, *, clock: Clock = now) -> None:
        self._kind = kind
        self._provider = provider
        self._clock = clock

    async def read(self, document_id: DocumentId, pair: Pair) -> Document:
        arguments = _filled(self._kind.arguments, document_id.values)
        answer = await self._provider.invoke(self._kind.tool, arguments)
        return self._document(document_id, pair, answer)

    def _document(self, document_id: DocumentId, pair: Pair, answer: Any) -> Document:
        as_of = _as_of(answer, self._clock())
        is_simulated = self._is_simulated(answer)
        title, summary, text = self._words(document_id, pair, answer)
        label = " · simulated" if is_simulated else ""
        return Document(
            id=document_id,
            title=f"{title} · as of {as_of:%H:%M:%S} UTC{label}",
            summary=summary + (" Simulated data." if is_simulated else ""),
            text=_with_evidence(text, answer),
            as_of=as_of,
            source=self._source(answer),
            is_simulated=is_simulated,
            metadata=dict(document_id.values) | _evidence(answer, _SHORT_EVIDENCE),
        )

    def _words(self, document_id: DocumentId, pair: Pair, answer: Any) -> tuple[str, str, str]:
        """Title, summary and text; in plain tables when another provider answers otherwise."""
        fields = answer if isinstance(answer, Mapping) else {}
        context = {
            **fields, **document_id.values, "answer": answer, "base": pair.base, "quote": pair.quote
        }  # fmt: skip
        try:
            return (
                render(self._kind.title, context),
                render(self._kind.summary, context),
                render(self._kind.text, context),
            )
        except BadAnswer:
            if not answer or not isinstance(answer, Mapping | list):
                raise
            return (
                f"{document_id.text} as the provider says it",
                self._kind.description,
                table(answer),
            )

    def _source(self, answer: Any) -> str:
        if isinstance(answer, Mapping) and answer.get("source"):
            return str(answer["source"])[:100]
        return "simulated exchange" if self._is_simulated(answer) else self._provider.name

    def _is_simulated(self, answer: Any) -> bool:
        capabilities = self._provider.capabilities
        tools = capabilities.tools if capabilities else ()
        tags = next((tool.tags for tool in tools if tool.name == self._kind.tool), ())
        return "simulated" in tags or (
            isinstance(answer, Mapping) and bool(answer.get("simulated"))
        )


def _filled(arguments: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: Formatter().vformat(value, (), values) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _as_of(answer: Any, read_at: datetime) -> datetime:
    """When the answer was true by its own words, else when it was read; never in the future."""
    newest = answer[-1] if isinstance(answer, list) and answer else answer
    if isinstance(newest, Mapping):
        stated = newest.get("as_of") or newest.get("time_window_end")
        if isinstance(stated, str):
            return min(_parsed(stated) or read_at, read_at)
        stamps = (newest.get(name) for name in ("closeTime", "timestamp", "time"))
        milliseconds = next((stamp for stamp in stamps if isinstance(stamp, int)), None)
        if milliseconds:
            return min(datetime.fromtimestamp(milliseconds / 1_000, UTC), read_at)
    return read_at


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _evidence(answer: Any, names: Sequence[str] = _EVIDENCE) -> dict[str, str]:
    """How the figures were come by, where the answer says so."""
    if not isinstance(answer, Mapping):
        return {}
    return {name: str(inert(str(answer[name]))) for name in names if answer.get(name) is not None}


def _with_evidence(text: str, answer: Any) -> str:
    """The text, and how its figures were come by, where the answer says so."""
    evidence = _evidence(answer)
    if not evidence:
        return text
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in evidence.items()]
    return "\n".join([text, "", "How this was measured:", "", *lines])
