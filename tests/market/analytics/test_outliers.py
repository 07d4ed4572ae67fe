from decimal import Decimal

import pytest

from gateway.market.analytics.outliers import robust_score

# 1 to 21: the median is 11, and the median distance from it 5.
HISTORY = [Decimal(n) for n in range(1, 22)]
SCALE = 5 * Decimal("1.4826")


@pytest.mark.parametrize("score", [-3, 0, 3])
def test_a_score_counts_robust_deviations_from_the_median(score: int) -> None:
    assert robust_score(11 + score * SCALE, HISTORY) == score


def test_one_wild_value_in_the_past_does_not_hide_the_next() -> None:
    assert robust_score(11 + 3 * SCALE, [*HISTORY[:-1], Decimal(10**9)]) == 3


def test_a_still_market_counts_in_floors() -> None:
    assert robust_score(Decimal(16), [Decimal(10)] * 20, floor=Decimal(2)) == 3


def test_the_floor_yields_to_a_larger_deviation() -> None:
    assert robust_score(11 + 3 * SCALE, HISTORY, floor=Decimal(1)) == 3


@pytest.mark.parametrize(
    ("history", "floor"),
    [(HISTORY[:19], Decimal(1)), ([], Decimal(1)), ([Decimal(10)] * 20, None)],
)
def test_without_a_usable_past_there_is_no_score(
    history: list[Decimal], floor: Decimal | None
) -> None:
    assert robust_score(Decimal(16), history, floor=floor) is None
