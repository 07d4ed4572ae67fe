"""What a benchmark found, in a few words: for documents, pages and terminals alike."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gateway.benchmarks.comparison import Comparison, Difference, Line
from gateway.benchmarks.figures import ALL_TASKS, Figures, Quality, Spread, figures
from gateway.benchmarks.record import Report, Run, Summary
from gateway.usage.limit import dollars

NONE = "-"
UNKNOWN = "unknown"
_GIB = 1 << 30
_STATUS = {
    "running": "is running, or was cut off",
    "done": "is done",
    "stopped": "was stopped",
    "over_budget": "has used up its budget",
}
HEAD = (
    "Model", "Quality", "Answered", "Time", "First token", "Tokens/s", "Tokens out", "Cost",
    "Cost per answer", "Memory",
)  # fmt: skip
COMPARED = (
    "Model", "Task", "Quality", "Change", "Time", "Change", "First token", "Change", "Tokens/s",
    "Change", "Cost per answer", "Change",
)  # fmt: skip


def row(one: Figures) -> tuple[str, ...]:
    """Of the table whose head is `HEAD`."""
    each = one.microusd_per_answer
    return (
        one.model,
        quality(one.quality),
        f"{one.answered} of {one.calls}",
        duration(one.total_ms),
        duration(one.first_token_ms),
        spread(one.tokens_per_second),
        f"{one.output_tokens:,}",
        cost(one),
        (NONE if not one.answered else UNKNOWN) if each is None else dollars(round(each)),
        memory(one.memory_bytes),
    )


def quality(found: Quality | None) -> str:
    """Such as `0.80 (0.55 to 0.93)`: the bounds that hold in 95 of 100 such benchmarks."""
    if found is None:
        return "not checked"
    opinion = ", an opinion" if found.is_opinion else ""
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f}{opinion})"


def spread(found: Spread | None, digits: int = 0) -> str:
    """Such as `41 (38 to 60)`: the middle one, and the ends."""
    if found is None:
        return NONE
    middle = f"{found.median:.{digits}f}"
    if found.count < 2:
        return middle
    return f"{middle} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def duration(found: Spread | None) -> str:
    """Such as `1.2 s (0.9 to 3.0)`."""
    if found is None:
        return NONE
    middle = f"{found.median / 1000:.2f} s"
    if found.count < 2:
        return middle
    return f"{middle} ({found.low / 1000:.2f} to {found.high / 1000:.2f})"


def cost(one: Figures) -> str:
    if one.cost_microusd is None:
        return UNKNOWN if one.answered else NONE
    return dollars(one.cost_microusd)


def memory(size_bytes: int | None) -> str:
    return NONE if size_bytes is None else f"{size_bytes / _GIB:.1f} GiB"


def failures(one: Figures) -> str:
    """Such as `3 rate_limited, 1 empty`; empty where all were answered."""
    counts = Counter(each.outcome for each in one.results if not each.was_answered)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


def judges(report: Report) -> str:
    """How the answers were judged."""
    by: dict[str, None] = {}
    for one in report.results:
        if one.quality is not None and one.judged_by:
            by[one.judged_by + (" (an opinion)" if one.is_opinion else "")] = None
    return ", ".join(by) or "nothing: no answer was checked"


def headline(report: Report) -> str:
    """Which model did best, in one sentence without its full stop."""
    total = [one for one in figures(report) if one.task == ALL_TASKS]
    judged = [one for one in total if one.quality is not None]
    if not total:
        return "No answer has come yet"
    if not judged:
        return f"{len(total)} models were measured, and no answer was checked"
    best, *others = judged
    said = f"{best.model} did best, with quality {quality(best.quality)}"
    if not others:
        return f"{best.model} has quality {quality(best.quality)}"
    second = others[0]
    assert best.quality is not None
    assert second.quality is not None
    if second.quality.high >= best.quality.low:
        return f"{said}, but {second.model} may be as good: {quality(second.quality)}"
    return f"{said}, ahead of {second.model}: {quality(second.quality)}"


def state(report: Report | Summary) -> str:
    """How far it came, such as `is done: 40 of 40 calls, 2 of them failed, for $0.01`."""
    settings = report.run.settings
    spent = UNKNOWN if report.spent_microusd is None else dollars(report.spent_microusd)
    failed = f", {report.failed} of them failed" if report.failed else ""
    return (
        f"{_STATUS[report.run.status]}: {report.done} of {settings.count} calls{failed}, "
        f"for {spent}"
    )


def asked(run: Run) -> str:
    """Such as `31 cases, each 3 times, of 4 models`."""
    settings = run.settings
    times = "once" if settings.attempts == 1 else f"{settings.attempts} times"
    cases, models = len(settings.cases), len(settings.models)
    return (
        f"{cases} {'case' if cases == 1 else 'cases'}, each {times}, of {models} "
        f"{'model' if models == 1 else 'models'}"
    )


def compared(comparison: Comparison) -> Sequence[tuple[str, ...]]:
    """Rows of the table whose head is `COMPARED`: the second run, and what changed in it."""
    return [_compared(line) for line in comparison.lines]


def _compared(line: Line) -> tuple[str, ...]:
    now = line.second or line.first
    assert now is not None
    gone = "" if line.second else "only in the first"
    new = "" if line.first else "only in the second"

    def changed(found: Difference | None, form: "_Form") -> str:
        return gone or new or change(found, form)

    each = now.microusd_per_answer
    return (
        line.model,
        line.task,
        quality(now.quality),
        changed(line.quality, _QUALITY),
        duration(now.total_ms),
        changed(line.total_ms, _SECONDS),
        duration(now.first_token_ms),
        changed(line.first_token_ms, _SECONDS),
        spread(now.tokens_per_second),
        changed(line.tokens_per_second, _TOKENS),
        UNKNOWN if each is None else dollars(round(each)),
        changed(line.cost_microusd, _USD),
    )


def change(found: Difference | None, form: "_Form") -> str:
    """Such as `+0.20, beyond the spread (±0.08)`."""
    if found is None:
        return NONE
    mean = f"{found.mean * form.scale:+.{form.digits}f}{form.unit}"
    if found.margin is None:
        return f"{mean}, {found.finding}"
    where = "beyond the spread" if found.is_beyond else "within the spread"
    return f"{mean}, {where} (±{found.margin * form.scale:.{form.digits}f}{form.unit})"


class _Form(NamedTuple):
    digits: int
    scale: float = 1.0
    unit: str = ""


_QUALITY = _Form(2)
_SECONDS = _Form(2, 1 / 1000, " s")
_TOKENS = _Form(0)
_USD = _Form(6, 1 / 1_000_000, " USD")
