from math import log

import pytest

from gateway.learning.strength_regression import (
    Sparse,
    logistic_scale,
    mean_and_spread,
    ridge,
    shrunken_means,
    sigmoid,
    sparse_ridge,
)

# Cells are 2 * 1, 2 * 3 / 1 * 3 / 1 * 1.
TABLE = Sparse(rows=[[0, 1], [1], [0]], row_scale=[2.0, 1.0, 1.0], column_scale=[1.0, 3.0])
TARGET = [1.0, -2.0, 0.5]


def test_weights_without_a_penalty_solve_equations_exactly() -> None:
    assert ridge([[1, 2], [3, 4]], [5, 11], penalties=[0, 0]) == pytest.approx([1, 2])


def test_a_penalty_draws_a_weight_to_zero() -> None:
    # 2 * weight * 2 + 4 * weight = 2 * 6
    assert ridge([[2]], [6], penalties=[4]) == pytest.approx([1.5])


def test_a_sparse_regression_finds_what_the_exact_one_finds() -> None:
    dense = [[2.0, 6.0], [0.0, 3.0], [1.0, 0.0]]
    exact = ridge(dense, TARGET, penalties=[0.7, 0.7])
    assert sparse_ridge(TABLE, TARGET, penalty=0.7) == pytest.approx(exact, abs=1e-6)


def test_a_sparse_table_multiplies_from_both_sides() -> None:
    assert TABLE.of_rows([1.0, 1.0]) == [8.0, 3.0, 1.0]
    assert TABLE.of_columns([1.0, 1.0, 1.0], TABLE.columns()) == [3.0, 9.0]


def test_a_scale_turns_scores_into_the_share_that_was_seen() -> None:
    scores = [0.0] * 4 + [1.0] * 4
    shares = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    intercept, slope = logistic_scale(scores, shares)
    assert (intercept, slope) == pytest.approx((-log(3), 2 * log(3)), abs=1e-3)
    assert sigmoid(intercept + slope) == pytest.approx(0.75, abs=1e-3)


def test_a_probability_of_far_away_scores_stays_a_number() -> None:
    assert 0 < sigmoid(-1e9) < 1e-9
    assert sigmoid(1e9) == pytest.approx(1)


def test_a_mean_of_few_rows_is_drawn_to_zero() -> None:
    found = shrunken_means(["law", "law", "art"], [1.0, 1.0, 1.0], weight=2)
    assert found == {"law": 0.5, "art": pytest.approx(1 / 3)}


def test_a_spread_is_the_standard_deviation() -> None:
    assert mean_and_spread([1.0, 3.0]) == (2.0, 1.0)
