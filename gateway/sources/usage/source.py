"""Documents about what was spent: `usage:{window}`."""

from collections.abc import Sequence

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import InvalidRequest, NotFound
from gateway.llm.alternative import saved
from gateway.llm.catalog.catalog import Catalog
from gateway.sources.models.source import words_at
from gateway.sources.router_reader import RouterReader
from gateway.sources.usage.findings import findings_summary, savings_section, unusual_section
from gateway.sources.usage.rendering import (
    NOTHING,
    Breakdown,
    usage_summary,
    usage_text,
    usage_title,
)
from gateway.usage.ledger import Ledger
from gateway.usage.report import Grouping
from gateway.usage.savings import Savings, savings
from gateway.usage.span import EXAMPLES, Span, settled, span

# Offered, after what the question names itself.
USUAL = ("today", "7d", "30d")
_BREAKDOWNS: tuple[tuple[Grouping, str], ...] = (
    ("model", "By model"),
    ("provider", "By provider"),
    ("task", "By task"),
    ("tier", "By tier"),
    ("caller", "By caller"),
    ("day", "By day"),
)


class UsageSource:
    """What calls cost and used in a window: today, seven days, a month, a day."""

    pattern = IdPattern("usage:{window}", {"window": settled})
    fresh_seconds = 2.0
    description = (
        "What was spent and used in a time, by model, provider, task, tier, caller, day and tool; "
        "what of it is unusual, and what was saved against list prices and another model. "
        f"A time is {EXAMPLES}, in UTC."
    )
    example = "usage:30d"
    told_by = "the ledger"
    phrases = ("what did I spend yesterday", "usage last month", "how much did I save this month")
    is_private = True

    def __init__(
        self,
        ledger: Ledger,
        reader: RouterReader,
        *,
        catalog: Catalog | None = None,
        clock: Clock = now,
    ) -> None:
        """Without a catalog, no alternative is known that savings could be told against."""
        self._ledger = ledger
        self._reader = reader
        self._catalog = catalog
        self._clock = clock

    @property
    def revision(self) -> object:
        return self._clock().date()

    def entries(self, query: Query) -> Sequence[Entry]:
        if "usage" not in query.values("topic"):
            return ()
        question = self._reader.read(query.words)
        asked = question.cues.places("spent", "used", "usage_part") | question.name_places
        named = {one.window: frozenset(range(one.start, one.end)) for one in question.windows}
        this_month = f"{self._clock():%Y-%m}"
        windows = named or {this_month: asked, **dict.fromkeys(USUAL, asked)}
        return [
            Entry(
                self.pattern.format(window=window),
                f"Spent {title}",
                self.description,
                phrases=words_at(query, asked | places),
                prior=1 - 0.1 * rank,
                is_live=rank == 0,
            )
            for rank, (window, places) in enumerate(windows.items())
            if (title := self._title(window))
        ]

    async def read(self, document_id: DocumentId) -> Document:
        """Raises:
        NotFound: the ID names no time.
        """
        moment = self._clock()
        try:
            asked = span(document_id.values["window"], moment)
        except InvalidRequest as error:
            usual = (*USUAL, f"{moment:%Y-%m}")
            raise NotFound(str(error), suggestions=[f"usage:{one}" for one in usual]) from error
        total = await self._ledger.report(asked.start, asked.end)
        breakdowns = [
            Breakdown(by, title, await self._ledger.report(asked.start, asked.end, group_by=(by,)))
            for by, title in _BREAKDOWNS
            if total
        ]
        tools = await self._ledger.tool_report(asked.start, asked.end)
        line = total[0] if total else NOTHING
        flags = await self._ledger.unusual(asked.start, asked.end)
        figures = await self._saved(asked)
        findings = (*unusual_section(flags), *savings_section(figures))
        return Document(
            id=document_id,
            title=usage_title(asked, line),
            summary=f"{usage_summary(asked, line)}{findings_summary(flags, figures)}",
            text=usage_text(asked, line, breakdowns, tools, findings=findings),
            as_of=moment,
            source="this gateway's ledger",
            metadata={"from": rfc3339(asked.start), "to": rfc3339(asked.end)},
        )

    async def _saved(self, asked: Span) -> Savings:
        if self._catalog is None:
            return savings(await self._ledger.workloads(asked.start, asked.end))
        return await saved(self._ledger, self._catalog, asked.start, asked.end)

    def _title(self, window: str) -> str:
        """Empty for a day that no month has."""
        try:
            return span(window, self._clock()).title
        except InvalidRequest:
            return ""
