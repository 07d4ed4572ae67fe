from dataclasses import replace

import pytest

from gateway.benchmarks.comparison import Finding, Line, compare, difference
from gateway.benchmarks.figures import ALL_TASKS, Quality, Spread, figures
from gateway.benchmarks.record import Report
from tests.benchmarks.reports import report


def line(first: Report, second: Report, model: str = "p/a", task: str = ALL_TASKS) -> Line:
    return next(
        one for one in compare(first, second).lines if (one.model, one.task) == (model, task)
    )


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0], "more"),
        ([1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 0, 0], "less"),
        ([0, 1, 0, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1, 0, 1], "within the spread"),
        # One lucky case is no change.
        ([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1], "within the spread"),
        ([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], "within the spread"),
        ([0, 0, 0], [1, 1, 1], "too few cases"),
    ],
)
def test_a_difference_counts_only_beyond_the_spread(
    before: list[float], after: list[float], finding: Finding
) -> None:
    found = line(report("b1", {"p/a": before}), report("b2", {"p/a": after})).quality
    assert found is not None
    assert found.finding == finding
    assert found.is_beyond == (finding in ("more", "less"))


def test_only_cases_that_both_runs_asked_alike_are_set_against_each_other() -> None:
    first = report("b1", {"p/a": [1, 1, 1, 1, 1, 1, 1, 1]})
    second = report("b2", {"p/a": [0, 0, 0, 0, 0, 0, 0, 0]})
    one, *others = second.run.settings.cases
    changed = (replace(one, prompt="Another question?"), *others)
    settings = replace(second.run.settings, cases=changed)
    second = replace(second, run=replace(second.run, settings=settings))
    assert compare(first, second).shared == {f"case-{number}" for number in range(1, 8)}
    found = line(first, second).quality
    assert found is not None
    assert found.cases == 7


def test_slower_is_told_apart_from_noise() -> None:
    qualities = {"p/a": [1] * 8}
    found = line(report("b1", qualities), report("b2", qualities, seconds=2.0))
    assert found.total_ms is not None
    assert found.total_ms.finding == "more"
    assert found.total_ms.mean == pytest.approx(1000)
    assert found.quality is not None
    assert found.quality.finding == "within the spread"


def test_a_model_of_one_run_only_has_a_line_without_differences() -> None:
    first, second = report("b1", {"p/a": [1, 1]}), report("b2", {"p/b": [1, 1]})
    gone, new = line(first, second, "p/a"), line(first, second, "p/b")
    assert (gone.second, new.first) == (None, None)
    assert gone.quality is None
    assert new.total_ms is None


def test_differences_of_nothing_are_none() -> None:
    assert difference({"a": 1.0}, {"b": 1.0}) is None


def test_figures_tell_the_middle_the_ends_and_how_sure_it_is() -> None:
    best, other, *by_task = figures(report("b1", {"p/b": [1, 0, 0, None], "p/a": [1, 1, 1, 1]}))
    assert (best.model, other.model) == ("p/a", "p/b")
    assert other.quality is not None
    assert (other.quality.cases, round(other.quality.mean, 2)) == (3, 0.33)
    assert (round(other.quality.low, 2), round(other.quality.high, 2)) == (0.06, 0.79)
    assert (other.calls, other.answered, other.success) == (4, 3, 0.75)
    assert best.total_ms is not None
    assert replace(best.total_ms, deviation=0.0) == Spread(1015.0, 1000.0, 1030.0, 0.0, 4)
    assert best.total_ms.deviation == pytest.approx(12.909944)
    assert (best.cost_microusd, best.microusd_per_answer) == (200, 50)
    assert best.tokens_per_second is not None
    assert best.tokens_per_second.median == pytest.approx(19.7, abs=0.1)
    assert [(one.task, one.model) for one in by_task] == [
        ("quick", "p/a"),
        ("quick", "p/b"),
        ("coding", "p/a"),
        ("coding", "p/b"),
    ]


def test_many_answers_to_one_case_make_nobody_surer_than_one_case_can() -> None:
    whole = report("b1", {"p/a": [1, 0]})
    often = [replace(one, attempt=number) for one in whole.results for number in range(20)]
    once, repeated = Quality.of(whole.results), Quality.of(often)
    assert once is not None
    assert repeated is not None
    assert (once.low, once.high) == (repeated.low, repeated.high)
    assert (once.answers, repeated.answers) == (2, 40)


def test_a_cost_that_is_not_known_of_one_answer_is_not_known_of_all() -> None:
    whole = report("b1", {"p/a": [1, 0]})
    first, second = whole.results
    [found] = [
        one
        for one in figures(replace(whole, results=[first, replace(second, cost_microusd=None)]))
        if one.task == ALL_TASKS
    ]
    assert found.cost_microusd is None
    assert found.microusd_per_answer is None
