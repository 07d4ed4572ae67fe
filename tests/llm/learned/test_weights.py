"""Weights are packed into integers, and sums of many features come out as they went in."""

from random import Random

import pytest

from gateway.llm.learned.reading import read
from gateway.llm.learned.weights import (
    BUCKETS,
    LEARNED_TASKS,
    MODEL_FILE,
    MOST,
    STEPS_OF_ONE,
    chances,
    packed,
    said,
    shipped,
    unpacked,
)


def test_sums_are_those_of_the_weights_that_were_packed() -> None:
    chance = Random(1)
    table = {
        place: [chance.uniform(-3, 3) for _ in LEARNED_TASKS]
        for place in chance.sample(range(BUCKETS), 1_500)
    }
    total = said(unpacked(packed(table)).sum(table))
    for number, found in enumerate(total):
        assert found == pytest.approx(sum(row[number] for row in table.values()), abs=8)


def test_the_largest_weights_of_a_text_never_spill_into_another_task() -> None:
    most = MOST / STEPS_OF_ONE
    weights = unpacked(packed({1: [most, -most, most, -most, most, -most]}))
    assert said(weights.sum([1] * 2_000)) == [
        *(2_000 * most, -2_000 * most) * 3,
    ]


def test_a_weight_beyond_the_scale_is_the_largest() -> None:
    weights = unpacked(packed({7: [99.0, -99.0, 0, 0, 0, 0]}))
    assert said(weights.sum([7]))[:2] == [MOST / STEPS_OF_ONE, -MOST / STEPS_OF_ONE]


def test_chances_sum_to_one() -> None:
    each = chances(shipped().scores(read("who was the first person on the moon")))
    assert sum(each) == pytest.approx(1)
    assert LEARNED_TASKS[max(range(len(each)), key=each.__getitem__)] == "quick"


def test_the_shipped_model_is_small() -> None:
    assert MODEL_FILE.stat().st_size < 3_000_000
