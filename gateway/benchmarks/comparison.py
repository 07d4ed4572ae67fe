"""Two runs side by side: what changed for each model and task, and whether it is mere luck."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.benchmarks.case_json import digest
from gateway.benchmarks.figures import Figures, Measure, case_means, figures
from gateway.benchmarks.record import Report

# Fewer cases than this say nothing of a difference.
LEAST_CASES = 6
# Student's t for 95 of 100, by degrees of freedom; beyond them it is nearly the normal's.
_T = {
    5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 12: 2.179, 15: 2.131,
    20: 2.086, 30: 2.042, 60: 2.0,
}  # fmt: skip
_NORMAL = 1.96

Finding = Literal["more", "less", "within the spread", "too few cases"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of the second less the first, case by case; beyond `margin` it is no luck."""

    mean: float
    margin: float | None
    cases: int

    @property
    def finding(self) -> Finding:
        if self.margin is None:
            return "too few cases"
        if abs(self.mean) <= self.margin:
            return "within the spread"
        return "more" if self.mean > 0 else "less"

    @property
    def is_beyond(self) -> bool:
        return self.finding in ("more", "less")


@dataclass(frozen=True, slots=True)
class Line:
    """One model at one task in both runs; a run that has none of it gives None."""

    model: str
    task: str
    first: Figures | None
    second: Figures | None
    quality: Difference | None
    total_ms: Difference | None
    first_token_ms: Difference | None
    tokens_per_second: Difference | None
    cost_microusd: Difference | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`shared` cases are the same in both runs, and only they are set against each other."""

    first: Report
    second: Report
    shared: frozenset[str]
    lines: Sequence[Line]


def compare(first: Report, second: Report) -> Comparison:
    """Lines for every model and task of either, in the order of the second's figures."""
    shared = frozenset(_digests(first).items()) & frozenset(_digests(second).items())
    cases = frozenset(case for case, _ in shared)
    before = {(one.model, one.task): one for one in figures(first)}
    after = {(one.model, one.task): one for one in figures(second)}
    return Comparison(
        first,
        second,
        cases,
        [_line(*key, before.get(key), after.get(key), cases) for key in {**after, **before}],
    )


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> Difference | None:
    """Of the cases that both have, each counted once; a paired t-test tells luck from change."""
    changes = [after[case] - before[case] for case in before.keys() & after.keys()]
    if not changes:
        return None
    count = len(changes)
    mean = statistics.fmean(changes)
    if count < LEAST_CASES:
        return Difference(mean, None, count)
    margin = _t(count - 1) * statistics.stdev(changes) / math.sqrt(count)
    return Difference(mean, margin, count)


def _line(
    model: str, task: str, before: Figures | None, after: Figures | None, cases: frozenset[str]
) -> Line:
    def changed(measure: Measure) -> Difference | None:
        if before is None or after is None:
            return None
        return difference(*(_means(one, measure, cases) for one in (before, after)))

    return Line(
        model,
        task,
        before,
        after,
        quality=changed(lambda one: one.quality),
        total_ms=changed(lambda one: one.total_ms),
        first_token_ms=changed(lambda one: one.first_token_ms),
        tokens_per_second=changed(lambda one: one.tokens_per_second),
        cost_microusd=changed(lambda one: one.cost_microusd),
    )


def _means(of: Figures, measure: Measure, cases: frozenset[str]) -> Mapping[str, float]:
    return case_means([one for one in of.results if one.case_id in cases], measure)


def _digests(report: Report) -> Mapping[str, str]:
    return {case.id: digest(case) for case in report.run.settings.cases}


def _t(freedom: int) -> float:
    """Of the next smaller number that is known, which asks for a little more."""
    known = [degrees for degrees in _T if degrees <= freedom]
    return _NORMAL if freedom > 200 else _T[max(known)]
