from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.market.analytics.liquidity_vacuums import expected_impact, liquidity_vacuums
from tests.market.analytics.markets import NOW, book, minutes


def _vacuums(mid: str, volumes: dict[int, int], *, hours: int = 1) -> list[dict[str, Any]]:
    """In a market that traded those volumes at those whole prices, a tick of 1 apart."""
    middle = Decimal(mid)
    market = book(f"{middle - Decimal('0.1')} 1", f"{middle + Decimal('0.1')} 1")
    candles = minutes(*(f"{price} volume {volume}" for price, volume in volumes.items()))
    answer = liquidity_vacuums(market, candles, tick_size=Decimal(1), hours=hours, as_of=NOW)
    assert {"symbol", "as_of", "method", "window", "sample_size", "coverage"} <= answer.keys()
    vacuums: list[dict[str, Any]] = answer["vacuums"]
    return vacuums


def _ranges(vacuums: list[dict[str, Any]]) -> list[tuple[object, object]]:
    return [(vacuum["price_range_low"], vacuum["price_range_high"]) for vacuum in vacuums]


# Thin: 1001 (1 of 10), 1004 and 1005 (empty), 1008 to 1013 (empty).
THREE_GAPS = {1000: 10, 1001: 1, 1002: 10, 1003: 10, 1006: 10, 1007: 10, 1014: 10}


def test_gaps_are_found_nearest_first_with_every_impact() -> None:
    vacuums = _vacuums("1007.2", THREE_GAPS)
    # 0.8 above mid, 1.2 below, 5.2 below.
    assert _ranges(vacuums) == [("1008", "1014"), ("1004", "1006"), ("1001", "1002")]
    assert [vacuum["expected_impact"] for vacuum in vacuums] == [
        "FastMovement",  # 6 / 1007.2 = 0.596 %
        "ModerateMovement",  # 2 / 1007.2 = 0.199 %
        "Negligible",  # 1 / 1007.2 = 0.099 %
    ]
    assert [vacuum["volume_deficit_pct"] for vacuum in vacuums] == [100, 100, 90]
    assert [vacuum["actual_volume"] for vacuum in vacuums] == ["0", "0", "1"]
    assert {vacuum["median_volume"] for vacuum in vacuums} == {"10"}
    assert {vacuum["detection_timestamp"] for vacuum in vacuums} == {"2026-11-21T12:00:00Z"}


def test_from_the_other_side_the_order_turns() -> None:
    assert _ranges(_vacuums("1001.5", THREE_GAPS))[0] == ("1001", "1002")


def test_a_fifth_of_the_median_is_not_thin() -> None:
    assert _vacuums("100", {100: 10, 101: 2, 102: 10}) == []
    assert len(_vacuums("100", {100: 100, 101: 19, 102: 100})) == 1


def test_the_median_is_of_rows_that_traded() -> None:
    # Five of seven rows are empty; with them the median would be 0 and nothing thin.
    assert _ranges(_vacuums("100", {100: 10, 106: 10})) == [("101", "106")]


def test_near_gaps_are_one_when_what_divides_them_is_small() -> None:
    # The row at 1003 is 1 of 1,005 wide: less than 0.1 %. Mean of 0 0 9 0 0 is 1.8 < 2.
    small = {1000: 10, 1003: 9, 1006: 10, 1007: 10}
    (vacuum,) = _vacuums("1005", small)
    assert _ranges([vacuum]) == [("1001", "1006")]
    assert vacuum["actual_volume"] == "1.8"
    assert vacuum["volume_deficit_pct"] == 82


def test_near_gaps_stay_two_around_a_price_that_really_traded() -> None:
    # Mean of 0 0 10 0 0 is 2, no longer under 2.
    busy = {1000: 10, 1003: 10, 1006: 10, 1007: 10}
    assert _ranges(_vacuums("1003.5", busy)) == [("1001", "1003"), ("1004", "1006")]


def test_gaps_a_tenth_of_a_percent_apart_stay_two() -> None:
    small = {1000: 10, 1003: 9, 1006: 10, 1007: 10}
    assert len(_vacuums("1000", small)) == 2


def test_the_vacuum_that_the_price_enters_comes_before_one_below_it() -> None:
    volumes = {500: 10, 502: 10, 504: 10, 505: 10}
    assert _ranges(_vacuums("503", volumes)) == [("503", "504"), ("501", "502")]


def test_a_market_where_nothing_traded_has_no_vacuum() -> None:
    assert _vacuums("100", {100: 0, 110: 0}) == []


def test_without_candles_there_is_no_answer() -> None:
    with pytest.raises(Refused, match="BTCUSDT has no candles"):
        _vacuums("100", {})


def test_a_vacuum_keeps_its_id() -> None:
    first = _vacuums("1007.2", THREE_GAPS)
    again = _vacuums("1003", THREE_GAPS, hours=2)
    ids = {vacuum["vacuum_id"] for vacuum in first}
    assert ids == {vacuum["vacuum_id"] for vacuum in again}
    assert len(ids) == 3


def test_only_the_asked_for_hours_count() -> None:
    market = book("99 1", "101 1")
    old = minutes("1 volume 5", until=NOW - timedelta(hours=1))
    candles = (*old, *minutes("100 volume 5"))
    answer = liquidity_vacuums(market, candles, tick_size=Decimal(1), hours=1, as_of=NOW)
    assert answer["sample_size"] == 1
    assert answer["vacuums"] == []


@pytest.mark.parametrize(
    ("width", "impact"),
    [
        ("0.005", "FastMovement"),
        ("0.0049", "ModerateMovement"),
        ("0.001", "ModerateMovement"),
        ("0.00099", "Negligible"),
    ],
)
def test_the_impact_is_by_width(width: str, impact: str) -> None:
    assert expected_impact(Decimal(width)) == impact
