"""A benchmark at a terminal: what it would cost, how far it is, and what came of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gateway.terminal.printable import one_line

if TYPE_CHECKING:
    from gateway.benchmarks.comparison import Comparison
    from gateway.benchmarks.record import Estimate, Report, Run, Settings, Summary
    from gateway.benchmarks.record import Progress as Told
    from gateway.benchmarks.running import OnProgress

# Tables in a file, which has no width, are not broken.
WIDTH_IN_FILES = 240


@dataclass(frozen=True, slots=True)
class Screens:
    """`out` gets the results and nothing else; `aside` whatever is told beside them."""

    out: Console
    aside: Console

    @classmethod
    def usual(cls) -> "Screens":
        out = Console(highlight=False)
        if not out.is_terminal:
            out = Console(highlight=False, width=WIDTH_IN_FILES)
        return cls(out, Console(stderr=True, highlight=False))

    def tell(self, words: str) -> None:
        self.aside.print(Text(one_line(words), style="dim"), soft_wrap=True)


def estimate_words(settings: "Settings", estimate: "Estimate") -> str:
    """Such as `31 cases, 4 models, 3 runs: 372 calls, about $0.02, at most $0.40`."""
    from gateway.usage.limit import dollars

    size = (
        _counted(len(settings.cases), "case"),
        _counted(len(settings.models), "model"),
        _counted(settings.attempts, "run"),
    )
    calls = f"{', '.join(size)}: {_counted(estimate.calls, 'call')}"
    if not estimate.paid:
        return f"{calls}, all free"
    if estimate.expected_microusd is None or estimate.worst_microusd is None:
        return f"{calls}; what {', '.join(estimate.unpriced)} costs is not known"
    return (
        f"{calls}, about {dollars(estimate.expected_microusd)}, at most "
        f"{dollars(estimate.worst_microusd)}"
    )


@asynccontextmanager
async def showing(screens: Screens, run: "Run") -> AsyncIterator["OnProgress"]:
    """A bar where somebody looks on, else a line for each result."""
    if not screens.aside.is_terminal:
        yield _Lines(screens)
        return
    columns = (
        # Names of models and runs are no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with Progress(*columns, console=screens.aside, transient=True) as bar:
        yield _Bar(bar, run)


class _Lines:
    def __init__(self, screens: Screens) -> None:
        self._screens = screens

    async def __call__(self, told: "Told") -> None:
        last = told.last
        if last is None:
            return
        parts = [last.outcome]
        if last.quality is not None:
            parts.append(f"quality {last.quality:.2f}")
        if last.total_ms is not None:
            parts.append(f"{last.total_ms / 1000:.2f} s")
        where = f"{last.case_id}, run {last.attempt}"
        self._screens.tell(f"{told.done}/{told.total} {last.model}, {where}: {', '.join(parts)}")


class _Bar:
    def __init__(self, bar: Progress, run: "Run") -> None:
        self._bar = bar
        self._task = bar.add_task(one_line(run.name), total=run.settings.count, told="")

    async def __call__(self, told: "Told") -> None:
        from gateway.usage.limit import dollars

        failed = f"{told.failed} failed, " if told.failed else ""
        words = f"{failed}{dollars(told.spent_microusd)}"
        self._bar.update(self._task, completed=told.done, told=words)


def show_report(screens: Screens, report: "Report") -> None:
    from gateway.benchmarks import words
    from gateway.benchmarks.figures import ALL_TASKS, figures

    every = figures(report)
    rows = [(one.task.replace("_", " "), *words.row(one)) for one in every]
    screens.out.print(_table(("Task", *words.HEAD), rows))
    for one in every:
        if one.task == ALL_TASKS and (failures := words.failures(one)):
            screens.tell(f"{one.model} did not answer: {failures}")
    screens.tell(f"{words.headline(report)}; judged by {words.judges(report)}")
    screens.tell(f"benchmark {report.run.id} {words.state(report)}")
    if not report.is_whole:
        screens.tell(resume_words(report.run))


def show_comparison(screens: Screens, comparison: "Comparison") -> None:
    from gateway.benchmarks import words

    screens.out.print(_table(words.COMPARED, words.compared(comparison)))
    screens.tell(
        f"{comparison.second.run.id} against {comparison.first.run.id}: changes over "
        f"{len(comparison.shared)} cases that both asked; beyond the spread is what chance alone "
        "would show less than 5 times in 100"
    )


def show_runs(screens: Screens, summaries: "Sequence[Summary]") -> None:
    from gateway.benchmarks import words
    from gateway.clock import rfc3339

    head = ("Run", "Begun", "Name", "Asked", "State")
    rows = [
        (one.run.id, rfc3339(one.run.started), one.run.name, words.asked(one.run), words.state(one))
        for one in summaries
    ]
    screens.out.print(_table(head, rows))


def resume_words(run: "Run") -> str:
    return f"go on with it: gateway benchmark run --resume {run.id}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table
