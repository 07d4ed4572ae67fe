"""Documents about benchmarks: `benchmark:{id}`, and `benchmark:last` for the latest."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from gateway.benchmarks import words
from gateway.benchmarks.comparison import compare
from gateway.benchmarks.figures import ALL_TASKS, Figures, figures
from gateway.benchmarks.record import Report, Summary
from gateway.benchmarks.runner import LAST, Benchmarks
from gateway.caller import LOCAL
from gateway.clock import rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.llm.task import TASKS
from gateway.sources.models.rendering import plain, table
from gateway.sources.models.source import words_at
from gateway.sources.router_reader import RouterReader

LISTED = 10
MOST_FAILURES = 20
NONE_YET = (
    "no benchmark has been run yet; run one over the free models with `gateway benchmark run`, or "
    "with the tool benchmark_free_models"
)
_HOW_SURE = (
    "The range behind a quality is where it lies in 95 of 100 such benchmarks (Wilson's interval "
    "over the cases): where the ranges of two models overlap, neither is known to be better. "
    "Behind times stand the shortest and the longest. What a rate limit or an outage took the "
    "place of is no answer, and counts for no quality."
)


class BenchmarkSource:
    """`benchmark:{id}`: how each model did, how that was judged, when, and how sure it is."""

    pattern = IdPattern("benchmark:{id}", {"id": str.lower})
    fresh_seconds = 2.0
    description = (
        "How models did in a benchmark: quality and how sure it is, times, tokens, cost and "
        "memory, by model and task; `benchmark:last` is the latest."
    )
    example = "benchmark:last"
    told_by = "this gateway's benchmarks"
    phrases = (
        "how did the models do in the last benchmark",
        "benchmark results",
        "which model is best at coding by my benchmarks",
    )
    is_private = True

    def __init__(self, benchmarks: Benchmarks, reader: RouterReader) -> None:
        self._benchmarks = benchmarks
        self._reader = reader

    @property
    def revision(self) -> object:
        return BenchmarkSource

    def entries(self, query: Query) -> Sequence[Entry]:
        """Only the latest: which it is, its page knows when it is read."""
        if "benchmark" not in query.values("topic"):
            return ()
        cues = self._reader.read(query.words).cues
        asked = cues.places("benchmark", "model", "llm", "best", *TASKS)
        return [
            Entry(
                self.pattern.format(id=LAST),
                "How the models did in the last benchmark",
                self.description,
                phrases=words_at(query, asked),
                prior=1.0,
                is_live=True,
            )
        ]

    async def read(self, document_id: DocumentId) -> Document:
        wanted = document_id.values["id"]
        latest = await self._benchmarks.summaries(LOCAL, LISTED)
        if wanted == LAST and not latest:
            raise NotFound(NONE_YET)
        report = await self._report(latest[0].run.id if wanted == LAST else wanted, latest)
        before = _before(report, latest)
        earlier = None if before is None else await self._report(before.run.id, latest)
        return await asyncio.to_thread(
            self._document, document_id, report, latest=latest, earlier=earlier
        )

    def _document(
        self,
        document_id: DocumentId,
        report: Report,
        *,
        latest: Sequence[Summary],
        earlier: Report | None,
    ) -> Document:
        headline = plain(words.headline(report))
        run = report.run
        return Document(
            id=document_id,
            title=f"Benchmark {plain(run.name)}, {run.started:%Y-%m-%d}: {headline}",
            summary=f"{headline}; {words.asked(run)}; judged by {plain(words.judges(report))}.",
            text=_text(report, latest, earlier),
            as_of=_as_of(report),
            source=self.told_by,
            metadata={
                "benchmark_id": run.id,
                "status": run.status,
                "started": rfc3339(run.started),
                "models": ", ".join(plain(one) for one in report.models),
            },
        )

    async def _report(self, run_id: str, latest: Sequence[Summary]) -> Report:
        try:
            return await self._benchmarks.report(LOCAL, run_id)
        except NotFound as error:
            suggestions = [f"benchmark:{one.run.id}" for one in latest[:3]]
            raise NotFound(str(error), suggestions=suggestions) from error


def _text(report: Report, latest: Sequence[Summary], earlier: Report | None) -> str:
    every = figures(report)
    run = report.run
    facts = {
        "Benchmark": f"`{plain(run.id)}`, of {plain(run.caller)}",
        "Begun": rfc3339(run.started),
        "Ended": "not yet" if run.ended is None else rfc3339(run.ended),
        "Asked": words.asked(run),
        "The run": words.state(report),
        "Judged by": plain(words.judges(report)),
    }
    parts = [
        f"**{plain(words.headline(report))}.**",
        table(("What", "Value"), facts.items()),
        *_tables(every),
        _failures(every),
        "" if earlier is None else _changes(earlier, report),
        f"## How sure that is\n\n{_HOW_SURE}",
        _others(report, latest),
    ]
    return "\n\n".join(part for part in parts if part)


def _tables(every: Sequence[Figures]) -> list[str]:
    by_task: dict[str, list[Figures]] = {}
    for one in every:
        by_task.setdefault(one.task, []).append(one)
    return [
        f"## {_title(task)}\n\n{table(words.HEAD, map(_row, several))}"
        for task, several in by_task.items()
    ]


def _row(one: Figures) -> tuple[str, ...]:
    model, *cells = words.row(one)
    return (f"`{plain(model)}`", *cells)


def _failures(every: Sequence[Figures]) -> str:
    rows = [
        (f"`{plain(one.model)}`", words.failures(one), plain(_reason(one)))
        for one in every
        if one.task == ALL_TASKS and words.failures(one)
    ][:MOST_FAILURES]
    head = ("Model", "Outcomes", "Such as")
    return f"## What was not answered\n\n{table(head, rows)}" if rows else ""


def _reason(one: Figures) -> str:
    failed = (each.detail for each in one.results if not each.was_answered and each.detail)
    return next(failed, "")


def _before(report: Report, latest: Sequence[Summary]) -> Summary | None:
    """The latest run before it that asked some of the same, of some of the same models."""
    models = set(report.models)
    cases = {case.id: case for case in report.run.settings.cases}
    return next(
        (
            one
            for one in latest
            if one.run.id < report.run.id
            and one.done
            and not models.isdisjoint(one.run.settings.models)
            and any(cases.get(case.id) == case for case in one.run.settings.cases)
        ),
        None,
    )


def _changes(before: Report, report: Report) -> str:
    comparison = compare(before, report)
    both = {line.model for line in comparison.lines if line.first and line.second}
    rows = [
        (f"`{plain(row[0])}`", *row[1:]) for row in words.compared(comparison) if row[0] in both
    ]
    if not rows:
        return ""
    title = f"## Since {rfc3339(before.run.started)}, over {len(comparison.shared)} cases"
    return f"{title}\n\n{table(words.COMPARED, rows)}"


def _others(report: Report, latest: Sequence[Summary]) -> str:
    rows = [
        (
            f"`benchmark:{plain(one.run.id)}`",
            plain(one.run.name),
            words.asked(one.run),
            words.state(one),
        )
        for one in latest
        if one.run.id != report.run.id
    ]
    head = ("Document", "Name", "Asked", "The run")
    return f"## Other benchmarks\n\n{table(head, rows)}" if rows else ""


def _title(task: str) -> str:
    return "All tasks" if task == ALL_TASKS else task.replace("_", " ").capitalize()


def _as_of(report: Report) -> datetime:
    """When the last result came."""
    return max((one.time for one in report.results), default=report.run.started)
