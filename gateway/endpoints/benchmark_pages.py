"""The page `/benchmarks`: how the models did in a run, and over time, in charts and tables."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.benchmarks import words
from gateway.benchmarks.figures import ALL_TASKS, Figures, figures
from gateway.benchmarks.record import Report, Run, Summary
from gateway.benchmarks.runner import LAST, Benchmarks
from gateway.clock import rfc3339
from gateway.endpoints.authentication import reader
from gateway.endpoints.benchmark_charts import Point, Series, over_time, scatter
from gateway.endpoints.html import PageFrame
from gateway.endpoints.problems import in_our_terms, problem, sentence, suggested
from gateway.errors import NotFound

PATH = "/benchmarks"
MOST_RUNS = 20
# More marks than this could not be told apart.
MOST_CHARTED = 12
# A run, and the quality of each of its models.
_Past = tuple[Run, Mapping[str, float]]


def benchmark_page_routes(
    benchmarks: Benchmarks, *, public_url: str, connector_name: str
) -> list[BaseRoute]:
    """Readable without JavaScript; owners see all runs, any other caller its own."""
    pages = _Pages(benchmarks, urlsplit(public_url).path.rstrip("/"), connector_name)
    return [Route(PATH, pages.guarded)]


class _Pages:
    def __init__(self, benchmarks: Benchmarks, root: str, connector_name: str) -> None:
        self._benchmarks = benchmarks
        self._frame = PageFrame(root, connector_name)

    async def guarded(self, request: Request) -> Response:
        try:
            return await self._shown(request)
        except Exception as error:
            # Whatever broke, the reader gets a page; `in_our_terms` logs the unexpected.
            return self._problem(in_our_terms(error))

    async def _shown(self, request: Request) -> Response:
        who = reader(request.state.caller)
        latest = await self._benchmarks.summaries(who, MOST_RUNS)
        wanted = request.query_params.get("run", LAST)
        if not latest and wanted == LAST:
            return self._frame.page("benchmarks.html", {"report": None, "runs": (), "charts": ()})
        report = await self._benchmarks.report(who, latest[0].run.id if wanted == LAST else wanted)
        qualities = await self._benchmarks.qualities([one.run.id for one in latest])
        history = [(one.run, qualities.get(one.run.id, {})) for one in latest]
        shown = await asyncio.to_thread(_shown, report, history)
        return self._frame.page(
            "benchmarks.html",
            {
                **shown,
                "runs": [self._run(one, is_shown=one.run.id == report.run.id) for one in latest],
                "head": words.HEAD,
                "export": f"{self._frame.root}/v1/benchmarks/{quote(report.run.id)}/export",
            },
        )

    def _run(self, summary: Summary, *, is_shown: bool) -> Mapping[str, object]:
        run = summary.run
        return {
            "path": f"{self._frame.root}{PATH}?run={quote(run.id)}",
            "id": run.id,
            "name": run.name,
            "started": rfc3339(run.started),
            "asked": words.asked(run),
            "state": words.state(summary),
            "is_shown": is_shown,
        }

    def _problem(self, error: Exception) -> Response:
        ours = in_our_terms(error)
        status, _, headers = problem(ours)
        shown = suggested(ours)
        values = {
            "heading": "There is no such benchmark"
            if isinstance(ours, NotFound)
            else "This cannot be shown",
            "words": sentence(str(ours)),
            "suggestions": [
                {"text": one, "path": f"{self._frame.root}{PATH}?run={quote(one)}"} for one in shown
            ],
            "retry_after_seconds": None,
            "status": status,
        }
        kept = {name: headers[name] for name in ("retry-after",) if name in headers}
        return self._frame.page("problem.html", values, status=status, headers=kept)


def _shown(report: Report, history: Sequence[_Past]) -> Mapping[str, object]:
    every = figures(report)
    total = [one for one in every if one.task == ALL_TASKS]
    return {
        "report": _report(report, total),
        "charts": _charts(total, history),
        "tables": _tables(every),
    }


def _report(report: Report, total: Sequence[Figures]) -> Mapping[str, object]:
    run = report.run
    return {
        "id": run.id,
        "name": run.name,
        "headline": sentence(words.headline(report)),
        "asked": words.asked(run),
        "state": words.state(report),
        "started": rfc3339(run.started),
        "judges": words.judges(report),
        "caller": run.caller,
        "failures": [(one.model, words.failures(one)) for one in total if words.failures(one)],
    }


def _tables(every: Sequence[Figures]) -> list[dict[str, Any]]:
    """First all tasks, whose rows have the numbers of the charts; then each task."""
    by_task: dict[str, list[tuple[str, ...]]] = {}
    for one in every:
        by_task.setdefault(one.task, []).append(words.row(one))
    return [
        {"title": "All tasks" if task == ALL_TASKS else task.replace("_", " ").capitalize(),
         "rows": rows, "is_numbered": task == ALL_TASKS}
        for task, rows in by_task.items()
    ]  # fmt: skip


def _charts(total: Sequence[Figures], history: Sequence[_Past]) -> Sequence[Mapping[str, str]]:
    """Those for which something was measured."""
    by_cost = [
        (number, one, one.microusd_per_answer / 1_000)
        for number, one in enumerate(total, 1)
        if one.microusd_per_answer is not None
    ]
    by_time = [
        (number, one, one.total_ms.median / 1000)
        for number, one in enumerate(total, 1)
        if one.total_ms is not None
    ]
    charts = []
    for chart_id, title, unit, measured in (
        ("cost", "Quality and cost of an answer", "US dollars for 1,000 answers", by_cost),
        ("time", "Quality and time of an answer", "seconds an answer", by_time),
    ):
        points = [
            Point(number, one.model, x, one.quality.mean, one.quality.low, one.quality.high)
            for number, one, x in measured[:MOST_CHARTED]
            if one.quality is not None
        ]
        if points:
            svg = scatter(chart_id, points, title=title, unit=unit)
            charts.append({"title": title, "svg": svg})
    if line := _history(total, history):
        charts.append({"title": "Quality over time", "svg": line})
    return charts


def _history(total: Sequence[Figures], history: Sequence[_Past]) -> Markup | None:
    """Of the models of the run that is shown, where there is more than one run."""
    runs = sorted(history, key=lambda one: one[0].id)
    series = []
    for number, one in enumerate(total[:MOST_CHARTED], 1):
        points = [
            (place, qualities[one.model])
            for place, (_, qualities) in enumerate(runs)
            if one.model in qualities
        ]
        if points:
            series.append(Series(number, one.model, points))
    if len(runs) < 2 or not series:
        return None
    days = [f"{run.started:%d %b}".removeprefix("0") for run, _ in runs]
    return over_time("history", series, days, title="Quality over time")
