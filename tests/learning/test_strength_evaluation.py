from pathlib import Path

import pytest

from gateway.learning.strength_evaluation import (
    apgr,
    cpt,
    evaluate,
    evaluate_slice,
    recovered,
)
from tests.learning.strength_questions import write_sets

STRONG = [1.0, 1.0, 1.0, 1.0]
WEAK = [0.0, 0.0, 1.0, 1.0]


def test_the_best_order_recovers_the_gap_with_half_of_the_calls() -> None:
    assert recovered([4, 3, 2, 1], STRONG, WEAK) == [0, 0.5, 1, 1, 1]
    # Trapezes of 0.25, 0.75, 1 and 1, on average.
    assert apgr([4, 3, 2, 1], STRONG, WEAK) == 0.75
    assert cpt([4, 3, 2, 1], STRONG, WEAK, share=0.5) == 0.25
    assert cpt([4, 3, 2, 1], STRONG, WEAK, share=0.8) == 0.5


def test_the_worst_order_recovers_it_last() -> None:
    assert apgr([1, 2, 3, 4], STRONG, WEAK) == 0.25
    assert cpt([1, 2, 3, 4], STRONG, WEAK, share=0.5) == 0.75


def test_equal_scores_are_as_good_as_chance() -> None:
    assert recovered([0, 0, 0, 0], STRONG, WEAK) == [0, 0.25, 0.5, 0.75, 1]
    assert apgr([0, 0, 0, 0], STRONG, WEAK) == 0.5


def test_a_question_that_only_the_weak_model_answers_costs_what_was_recovered() -> None:
    strong, weak = [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]
    assert recovered([1, 2, 3], strong, weak) == [0, -1, 0, 1]
    assert recovered([3, 2, 1], strong, weak) == [0, 1, 2, 1]


def test_scores_of_answers_may_lie_between_right_and_wrong() -> None:
    assert recovered([2, 1], [0.75, 1.0], [0.25, 0.5]) == [0, 0.5, 1]


def test_without_a_gap_there_is_nothing_to_recover() -> None:
    with pytest.raises(ValueError, match="no gap"):
        apgr([1, 2], [0.0, 1.0], [1.0, 0.0])


def test_learning_beats_chance_on_rows_that_it_has_not_seen(tmp_path: Path) -> None:
    write_sets(tmp_path)
    found = {one.name: one for one in evaluate(tmp_path, repeats=1)}
    assert set(found) == {"GSM8K", "MMLU", "MMLU-Pro"}
    assert found["GSM8K"].cross_validated.apgr > 0.62
    assert found["MMLU"].cross_validated.apgr > 0.6
    assert found["MMLU"].random.apgr == pytest.approx(0.5, abs=0.1)
    assert found["MMLU"].cross_validated.cpt_half < found["MMLU"].cross_validated.cpt_most


def test_a_slice_scores_the_model_that_ships(tmp_path: Path) -> None:
    write_sets(tmp_path)
    found = evaluate_slice(tmp_path, most_rows=200)
    # It has learned other sums, and that those of many steps need more.
    assert found["GSM8K"].apgr > 0.6
    assert found["GSM8K"].spread == 0
