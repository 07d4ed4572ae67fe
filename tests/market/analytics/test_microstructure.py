from decimal import Decimal

import pytest

from gateway.market.analytics.microstructure import (
    balance_score,
    depth_score,
    health_level,
    microstructure_health,
    rate_score,
    spread_score,
)
from tests.market.analytics.markets import NOW, book, minutes, tape

# Mid is 100; each side holds about 1,000 within 1 %, and reaches past it.
GOOD_BOOK = book("99.99 10, 98.99 10", "100.01 10, 101.01 10")
HOUR = minutes(*["100 volume 15 worth 1500"] * 60)  # so each side needs 750
BALANCED = tape(*(f"-{n} {'buy' if n % 2 else 'sell'} 1 @ 100" for n in range(1, 13)))


def test_a_normal_market_reaches_one_hundred() -> None:
    health = microstructure_health(GOOD_BOOK, BALANCED, HOUR, as_of=NOW)
    for name in ("spread_stability", "liquidity_depth", "flow_balance", "update_rate", "overall"):
        assert health[f"{name}_score"] == 100, name
    assert health["health_level"] == "Excellent"
    assert health["timestamp"] == 1795262400000
    assert health["as_of"] == "2026-11-21T12:00:00Z"
    assert health["sample_size"] == 12
    assert health["coverage"] == "12 trades, 60 finished candles, one book snapshot"
    assert {"symbol", "recommended_action", "method", "window"} <= health.keys()


def test_the_overall_score_weighs_its_parts() -> None:
    market = book("99.725 2, 98 1", "100.275 2, 102 1")  # 55 bps; 2 x 99.725 = 199.45 on bids
    lines = ["-3 buy 3 @ 100", "-2 sell 1 @ 100"]
    hour = minutes("100 volume 10 worth 797.8")  # half is 398.9, of which 199.45 is a half
    health = microstructure_health(market, tape(*lines), hour, as_of=NOW)
    assert health["spread_stability_score"] == 50  # (100 - 55) / (100 - 10)
    assert health["liquidity_depth_score"] == 50
    assert health["flow_balance_score"] == 50  # 1 - (3 - 1) / 4
    assert health["update_rate_score"] == 20  # two trades
    assert health["overall_score"] == 45.5  # (.25 + .35 + .25) x 50 + .15 x 20
    assert health["health_level"] == "Fair"


@pytest.mark.parametrize(
    ("worth", "lines", "overall"),
    [
        # Only one part at a time is away from 100, so that its weight shows.
        ("3999.6", None, 82.5),  # depth: 999.9 of 1,999.8 is 50; 100 - .35 x 50
        ("1500", ["-1 buy 1 @ 100"] * 20, 75),  # flow 0
        ("1500", ["-1 buy 1 @ 100", "-1 sell 1 @ 100"], 88),  # update rate 20
    ],
)
def test_each_part_has_its_weight(worth: str, lines: list[str] | None, overall: float) -> None:
    trades = tape(*lines) if lines else BALANCED
    hour = minutes(f"100 volume 15 worth {worth}")
    health = microstructure_health(GOOD_BOOK, trades, hour, as_of=NOW)
    assert health["overall_score"] == overall


@pytest.mark.parametrize(
    ("half_spread", "score"),
    [("0.05", 100), ("0.1", "88.8888888889"), ("0.275", 50), ("0.5", 0), ("2", 0)],
)
def test_a_wide_spread_scores_less(half_spread: str, score: str) -> None:
    half = Decimal(half_spread)
    market = book(f"{100 - half} 1", f"{100 + half} 1")
    assert round(spread_score(market), 10) == Decimal(score)


def test_depth_is_judged_on_the_thinner_side_and_within_one_percent() -> None:
    market = book("99.9 100, 98 1000", "100.1 1, 102 1000")
    # An average minute of 400 needs 200 on a side; the asks hold 100.1.
    hour = minutes("100 volume 0 worth 0", "100 volume 8 worth 800")
    assert depth_score(market, hour) == Decimal("50.05")


@pytest.mark.parametrize(
    ("lines", "score"),
    [
        (["-1 buy 1 @ 1", "-1 sell 1 @ 1"], 100),
        (["-1 buy 3 @ 1", "-1 sell 1 @ 1"], 50),
        (["-1 buy 1 @ 1", "-1 sell 3 @ 1"], 50),
        (["-1 sell 1 @ 1"], 0),
        ([], None),
    ],
)
def test_balanced_flow_scores_most(lines: list[str], score: int | None) -> None:
    assert balance_score(tape(*lines)) == score


@pytest.mark.parametrize(("count", "score"), [(0, 0), (1, 10), (9, 90), (10, 100), (500, 100)])
def test_ten_trades_a_minute_are_lively_enough(count: int, score: int) -> None:
    trades = tape("-300 buy 1 @ 1", *["-1 buy 1 @ 1"] * count)
    assert rate_score(trades, trades[1:]) == score


def test_what_nothing_is_known_about_counts_as_neutral_and_is_named() -> None:
    health = microstructure_health(GOOD_BOOK, (), (), as_of=NOW)
    for name in ("liquidity_depth", "flow_balance", "update_rate"):
        assert health[f"{name}_score"] == 50
        assert f"no data for {name}_score, counted as 50" in health["coverage"]
    assert health["overall_score"] == 62.5  # .25 x 100 + .75 x 50


def test_a_snapshot_that_ends_early_makes_the_depth_a_lower_bound() -> None:
    health = microstructure_health(book("99.9 1", "100.1 1"), BALANCED, HOUR, as_of=NOW)
    assert "lower bound" in health["coverage"]


def test_older_trades_and_candles_do_not_count() -> None:
    trades = tape("-60.5 buy 100 @ 100", *(f"-{n} sell 1 @ 100" for n in range(1, 5)))
    hour = minutes("100 volume 15 worth 9000000", *["100 volume 15 worth 1500"] * 60)
    health = microstructure_health(GOOD_BOOK, trades, hour, as_of=NOW)
    assert health["update_rate_score"] == 40
    assert health["flow_balance_score"] == 0
    assert health["liquidity_depth_score"] == 100
    assert "60 finished candles" in health["coverage"]


def test_an_unfinished_candle_does_not_count() -> None:
    unfinished = minutes("100 volume 1 worth 100", until=NOW.replace(second=30))
    health = microstructure_health(GOOD_BOOK, BALANCED, unfinished, as_of=NOW)
    assert "no data for liquidity_depth_score" in health["coverage"]


@pytest.mark.parametrize(
    ("overall", "weakest", "level"),
    [
        ("80", "50", "Excellent"),
        ("95", "49.9", "Good"),
        ("79.9", "79", "Good"),
        ("60", "0", "Good"),
        ("59.9", "50", "Fair"),
        ("40", "0", "Fair"),
        ("39.9", "0", "Poor"),
        ("20", "0", "Poor"),
        ("19.9", "0", "Critical"),
    ],
)
def test_the_level_needs_a_score_and_for_excellent_no_weak_part(
    overall: str, weakest: str, level: str
) -> None:
    assert health_level(Decimal(overall), [Decimal(100), Decimal(weakest)]) == level
