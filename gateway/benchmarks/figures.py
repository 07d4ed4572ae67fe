"""What the results of a run say of each model: how good, how sure, how fast, and at what cost."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.benchmarks.record import Report, Result

Measure = Callable[[Result], float | None]

ALL_TASKS = "all"
# For 95 of 100.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several measurements: the middle one, the ends, and the standard deviation."""

    median: float
    low: float
    high: float
    deviation: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        known = sorted(value for value in values if value is not None)
        if not known:
            return None
        deviation = statistics.stdev(known) if len(known) > 1 else 0.0
        return cls(statistics.median(known), known[0], known[-1], deviation, len(known))


@dataclass(frozen=True, slots=True)
class Quality:
    """The mean over `cases`, between 0 and 1, and where it lies in 95 of 100 such benchmarks.

    Several answers to one case tell of one case. `is_opinion` says that a model judged some.
    """

    mean: float
    low: float
    high: float
    cases: int
    answers: int
    judges: tuple[str, ...]
    is_opinion: bool

    @classmethod
    def of(cls, results: Sequence[Result]) -> "Quality | None":
        judged = [one for one in results if one.quality is not None]
        by_case = case_means(judged, lambda one: one.quality)
        if not by_case:
            return None
        mean = statistics.fmean(by_case.values())
        low, high = _wilson(mean, len(by_case))
        judges = tuple(dict.fromkeys(one.judged_by for one in judged if one.judged_by))
        is_opinion = any(one.is_opinion for one in judged)
        return cls(mean, low, high, len(by_case), len(judged), judges, is_opinion)


@dataclass(frozen=True, slots=True)
class Figures:
    """One model at one task, or at all of them.

    `cost_microusd` is of all its answers, None where any is not known.
    """

    model: str
    task: str
    results: Sequence[Result]
    quality: Quality | None
    total_ms: Spread | None
    first_token_ms: Spread | None
    tokens_per_second: Spread | None
    input_tokens: int
    output_tokens: int
    cost_microusd: int | None
    memory_bytes: int | None
    answered: int

    @property
    def calls(self) -> int:
        return len(self.results)

    @property
    def success(self) -> float:
        """Of its calls, those that were answered at all."""
        return self.answered / self.calls if self.calls else 0.0

    @property
    def microusd_per_answer(self) -> float | None:
        if self.cost_microusd is None or not self.answered:
            return None
        return self.cost_microusd / self.answered


def figures(report: Report) -> Sequence[Figures]:
    """For each model at all tasks, the best first; and then at each task, if there are several."""
    by_model: dict[str, list[Result]] = {}
    by_task: dict[str, dict[str, list[Result]]] = {}
    for one in report.results:
        by_model.setdefault(one.model, []).append(one)
        by_task.setdefault(one.task, {}).setdefault(one.model, []).append(one)
    total = _sorted(ALL_TASKS, by_model)
    if len(by_task) < 2:
        return total
    return [*total, *(one for task in by_task for one in _sorted(task, by_task[task]))]


def _sorted(task: str, by_model: Mapping[str, Sequence[Result]]) -> list[Figures]:
    each = [_figures(model, task, results) for model, results in by_model.items()]
    return sorted(each, key=_best_first)


def case_means(results: Iterable[Result], measure: Measure) -> dict[str, float]:
    """The mean of each case, over the results of which the measure is known."""
    by_case: dict[str, list[float]] = {}
    for one in results:
        value = measure(one)
        if value is not None:
            by_case.setdefault(one.case_id, []).append(value)
    return {case: statistics.fmean(values) for case, values in by_case.items()}


def _figures(model: str, task: str, mine: Sequence[Result]) -> Figures:
    costs = [one.cost_microusd for one in mine if one.total_ms is not None]
    known = [cost for cost in costs if cost is not None]
    sizes = [one.memory_bytes for one in mine if one.memory_bytes is not None]
    return Figures(
        model=model,
        task=task,
        results=mine,
        quality=Quality.of(mine),
        total_ms=Spread.of(one.total_ms for one in mine),
        first_token_ms=Spread.of(one.first_token_ms for one in mine),
        tokens_per_second=Spread.of(one.tokens_per_second for one in mine),
        input_tokens=sum(one.input_tokens for one in mine),
        output_tokens=sum(one.output_tokens for one in mine),
        cost_microusd=sum(known) if costs and len(known) == len(costs) else None,
        memory_bytes=max(sizes, default=None),
        answered=sum(one.was_answered for one in mine),
    )


def _best_first(one: Figures) -> tuple[float, float, str]:
    seconds = one.total_ms.median if one.total_ms else math.inf
    return (-one.quality.mean if one.quality else 1.0, seconds, one.model)


def _wilson(mean: float, count: int) -> tuple[float, float]:
    """Wilson's interval (1927), which keeps within 0 and 1 however few cases there are."""
    z2 = _Z * _Z
    middle = (mean + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z / (1 + z2 / count) * math.sqrt(mean * (1 - mean) / count + z2 / (4 * count * count))
    return max(middle - half, 0.0), min(middle + half, 1.0)
