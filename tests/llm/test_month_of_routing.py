"""A month in small: our routing keeps all limits, and is worth what it costs."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.load.month import Row, Variant, simulated

REQUESTS = 400
DEFAULT, BEST = Variant("ours, cost"), Variant("ours, quality", "quality")
CHEAPEST, DEAREST, KEYWORDS = "always the cheapest", "always the dearest", "keyword rules"


@pytest.fixture(scope="module")
def rows() -> Mapping[str, Row]:
    others = (CHEAPEST, DEAREST, KEYWORDS)
    month = simulated(REQUESTS, seed=1, variants=(DEFAULT, BEST), only=others)
    return {row.name: row for row in asyncio.run(month)}


def test_no_limit_is_exceeded_in_any_window(rows: Mapping[str, Row]) -> None:
    assert [row.name for row in rows.values() if row.exceeded] == []
    assert all(row.tally.charged for row in rows.values())


def test_every_request_is_answered_in_spite_of_outages(rows: Mapping[str, Row]) -> None:
    ours = rows[DEFAULT.name].tally
    assert ours.unanswered == 0
    assert ours.fell_back > 0


def test_ours_is_much_cheaper_than_the_dearest_and_better_than_the_cheapest(
    rows: Mapping[str, Row],
) -> None:
    ours = rows[DEFAULT.name]
    assert ours.cost_usd < rows[DEAREST].cost_usd / 10
    assert ours.good > rows[CHEAPEST].good + 0.03


def test_who_asks_for_the_best_gets_more_good_answers(rows: Mapping[str, Row]) -> None:
    best = rows[BEST.name]
    assert best.good > rows[DEFAULT.name].good + 0.1
    assert best.good > rows[KEYWORDS].good + 0.05
    assert best.cost_usd < rows[DEAREST].cost_usd
