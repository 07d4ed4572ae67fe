from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.market.analytics.book_metrics import book_health, level_one, level_two
from tests.market.analytics.markets import book, steady

CENT = Decimal("0.01")
STATED = {"method", "window", "sample_size", "coverage", "as_of"}


def test_level_one_by_hand() -> None:
    answer = level_one(book("100 2, 99 3, 98 5", "102 6, 103 1, 104 23"))
    assert answer["timestamp"] == 1795262400000
    assert answer["as_of"] == "2026-11-21T12:00:00Z"
    assert answer["last_update_id"] == 77
    assert (answer["best_bid"], answer["best_bid_size"]) == ("100", "2")
    assert (answer["best_ask"], answer["best_ask_size"]) == ("102", "6")
    assert answer["mid_price"] == "101"  # (100 + 102) / 2
    assert answer["spread"] == "2"
    assert answer["spread_bps"] == 198.019801980  # 2 / 101 x 10,000
    assert answer["weighted_mid"] == "100.5"  # (100 x 6 + 102 x 2) / 8
    assert answer["microprice"] == 100.5
    assert (answer["bid_volume"], answer["ask_volume"]) == (10, 30)  # 2+3+5, 6+1+23
    assert answer["imbalance"] == -0.5  # (10 - 30) / 40
    assert answer["imbalance_ratio"] == 0.333333333333  # 10 / 30
    # Median of 1 2 3 5 6 23 is 4, so a wall is over 8.
    assert answer["walls"] == {"bids": [], "asks": [{"price": "104", "qty": "23", "side": "Ask"}]}
    assert (answer["sample_size"], answer["window"]) == (6, "one snapshot")
    assert answer.keys() >= STATED


def test_a_level_of_exactly_twice_the_median_is_no_wall() -> None:
    # Median of 1 1 1 1 2 2 is 1.
    answer = level_one(book("100 1, 99 2, 98 1", "102 1, 103 2, 104 1"))
    assert answer["walls"] == {"bids": [], "asks": []}


def test_a_wall_of_bids_is_called_bid() -> None:
    answer = level_one(book("100 1, 99 2.1", "102 1, 103 1"))
    assert answer["walls"]["bids"] == [{"price": "99", "qty": "2.1", "side": "Bid"}]


def test_only_the_top_twenty_levels_of_a_side_count() -> None:
    asks = ", ".join(f"{101 + step} 1" for step in range(25))
    answer = level_one(book("100 20", asks))
    assert answer["ask_volume"] == 20
    assert answer["imbalance"] == 0
    assert answer["sample_size"] == 21
    assert "25 asks of the snapshot" in answer["coverage"]


def test_slippage_walks_the_book() -> None:
    slippage = level_one(book("99 1000, 98 1000", "100 50, 110 100"))["slippage_estimates"]
    # 50 at 100 cost 5,000; the other 5,000 buy 45.4545 at 110; 10,000 / 95.4545 = 104.7619.
    assert slippage["buy_10k_usd"] == {
        "target_usd": 10_000,
        "avg_price": 104.761904762,
        "slippage_bps": 476.1904762,
        "filled_qty": 95.4545454545,
        "filled_usd": 10_000,
        "is_partial": False,
    }
    # Both levels are worth 5,000 + 11,000; 16,000 / 150 = 106.6667.
    assert slippage["buy_50k_usd"] == {
        "target_usd": 50_000,
        "avg_price": 106.666666667,
        "slippage_bps": 666.6666667,
        "filled_qty": 150,
        "filled_usd": 16_000,
        "is_partial": True,
    }
    # 99 x 1,000 is more than 50,000, so a sale never leaves the best bid.
    for target in ("sell_10k_usd", "sell_25k_usd", "sell_50k_usd"):
        assert slippage[target]["slippage_bps"] == 0
        assert slippage[target]["avg_price"] == 99
        assert not slippage[target]["is_partial"]


def test_a_side_that_is_worth_exactly_the_target_fills_it() -> None:
    slippage = level_one(book("99 1", "100 100"))["slippage_estimates"]
    assert not slippage["buy_10k_usd"]["is_partial"]
    assert slippage["buy_10k_usd"]["filled_qty"] == 100
    assert slippage["sell_10k_usd"]["is_partial"]


quantities = st.integers(1, 10**9)


@st.composite
def books(draw: st.DrawFn) -> tuple[str, str]:
    """Levels a tick apart around a price, in ticks of 0.00000001 to 1."""
    tick = Decimal(1).scaleb(-draw(st.integers(0, 8)))
    middle = draw(st.integers(200, 10**7))
    gap = draw(st.integers(1, 50))
    sizes = [draw(st.lists(quantities, min_size=1, max_size=30)) for _ in range(2)]
    bids, asks = (
        ", ".join(
            f"{(middle + sign * (gap + step)) * tick:f} {Decimal(size).scaleb(-5):f}"
            for step, size in enumerate(side)
        )
        for sign, side in zip((-1, 1), sizes, strict=True)
    )
    return bids, asks


@steady
@given(books())
def test_the_metrics_of_any_book_stay_within_its_prices(sides: tuple[str, str]) -> None:
    market = book(*sides)
    answer = level_one(market)
    bid, ask = market.best_bid.price, market.best_ask.price
    assert bid <= Decimal(answer["weighted_mid"]) <= ask
    assert bid < Decimal(answer["mid_price"]) < ask
    assert -1 < answer["imbalance"] < 1
    for name, estimate in answer["slippage_estimates"].items():
        assert estimate["slippage_bps"] >= 0
        assert estimate["filled_usd"] <= estimate["target_usd"], name
        assert estimate["is_partial"] or estimate["filled_usd"] == estimate["target_usd"], name


@steady
@given(st.lists(quantities, min_size=1, max_size=30))
def test_a_symmetric_book_is_balanced(sizes: list[int]) -> None:
    bids = ", ".join(f"{1000 - step} {size}" for step, size in enumerate(sizes))
    asks = ", ".join(f"{1001 + step} {size}" for step, size in enumerate(sizes))
    answer = level_one(book(bids, asks))
    assert answer["imbalance"] == 0
    assert answer["imbalance_ratio"] == 1
    assert answer["weighted_mid"] == answer["mid_price"] == "1000.5"


@steady
@given(books(), st.integers(1, 100))
def test_level_two_gives_back_every_level_exactly(sides: tuple[str, str], levels: int) -> None:
    market = book(*sides)
    answer = level_two(market, levels, tick_size=CENT, step_size=CENT)
    for name, side in (("bids", market.bids), ("asks", market.asks)):
        assert [
            (
                Decimal(price) / answer["price_scale"],
                Decimal(quantity) / answer["qty_scale"],
            )
            for price, quantity in answer[name]
        ] == [(level.price, level.quantity) for level in side[:levels]]


def test_a_coin_below_a_cent_keeps_every_level() -> None:
    market = book("0.00001234 5000, 0.00001233 7", "0.00001235 1, 0.00001236 2")
    answer = level_two(market, 20, tick_size=Decimal("0.00000001"), step_size=Decimal("1.00"))
    assert answer["price_scale"] == 100_000_000
    assert answer["qty_scale"] == 1
    assert answer["bids"] == [[1234, 5000], [1233, 7]]
    assert answer["asks"] == [[1235, 1], [1236, 2]]
    assert answer["levels"] == 2
    assert answer["sample_size"] == 4
    assert answer.keys() >= STATED


def test_the_scale_follows_the_tick_even_when_no_level_needs_it() -> None:
    answer = level_two(book("100 1", "101 1"), 5, tick_size=CENT, step_size=Decimal("0.00001"))
    assert (answer["price_scale"], answer["qty_scale"]) == (100, 100_000)
    assert answer["bids"] == [[10_000, 100_000]]


def test_a_short_side_does_not_shorten_the_other() -> None:
    answer = level_two(book("100 1", "101 1, 102 1"), 20, tick_size=CENT, step_size=CENT)
    assert (len(answer["bids"]), len(answer["asks"]), answer["levels"]) == (1, 2, 2)
    assert answer["coverage"] == "1 bids and 2 asks of 20 asked for on each side"


def test_level_two_gives_as_many_levels_as_asked_for() -> None:
    market = book("100 1, 99 1, 98 1", "101 1, 102 1, 103 1")
    answer = level_two(market, 2, tick_size=CENT, step_size=CENT)
    assert (len(answer["bids"]), len(answer["asks"]), answer["levels"]) == (2, 2, 2)
    assert answer["bids"][0] == [10_000, 100]


# Mid is 100; 1 % reaches from 99 to 101.
HEALTHY = ("99.9 10, 99 10, 98.99 10", "100.1 10, 101 10, 101.01 10")


def test_a_fresh_tight_deep_book_is_ok() -> None:
    answer = book_health(book(*HEALTHY), age_milliseconds=5_000)
    assert (answer["status"], answer["reason"]) == ("ok", None)
    assert answer["spread_bps"] == 20  # 0.2 / 100 x 10,000
    assert answer["bid_depth_1pct"] == "1989"  # 99.9 x 10 + 99 x 10
    assert answer["ask_depth_1pct"] == "2011"  # 100.1 x 10 + 101 x 10
    assert answer["imbalance"] == 0
    assert answer["last_update_age_ms"] == 5_000
    assert answer["orderbook_symbols_active"] == 1
    assert answer["websocket_connected"] is False
    assert answer["sample_size"] == 6
    assert all(check["passed"] for check in answer["checks"])
    assert "which reach 1 %" in answer["coverage"]
    assert answer.keys() >= STATED


@pytest.mark.parametrize(
    ("bids", "asks", "age", "status", "failed"),
    [
        (*HEALTHY, 5_001, "degraded", ["last_update_age_ms"]),
        (*HEALTHY, 60_000, "degraded", ["last_update_age_ms"]),
        (*HEALTHY, 60_001, "error", ["last_update_age_ms"]),
        ("99.7 1", "100.3 1", 0, "degraded", ["spread_bps"]),  # 60 bps
        ("99.745 1", "100.255 1", 0, "degraded", ["spread_bps"]),  # 51 bps
        ("99.75 1", "100.25 1", 0, "ok", []),  # 50 bps
        ("99.9 8", "100.1 2", 0, "ok", []),  # (8 - 2) / 10 = 0.6
        ("99.9 8.1", "100.1 1.9", 0, "degraded", ["absolute_imbalance"]),
        ("99.9 1.9", "100.1 8.1", 0, "degraded", ["absolute_imbalance"]),
        ("98 1", "102 1", 0, "error", ["spread_bps", "bid_depth_1pct", "ask_depth_1pct"]),
    ],
)
def test_a_book_is_as_healthy_as_its_checks(
    bids: str, asks: str, age: int, status: str, failed: list[str]
) -> None:
    answer = book_health(book(bids, asks), age_milliseconds=age)
    assert answer["status"] == status
    assert [check["name"] for check in answer["checks"] if not check["passed"]] == failed
    assert all(name in (answer["reason"] or "") for name in failed)


def test_depth_that_the_snapshot_does_not_reach_is_called_a_lower_bound() -> None:
    for sides in (("99.9 1", "100.1 1, 102 1"), ("99.9 1, 98 1", "100.1 1, 100.9 1")):
        assert "lower bounds" in book_health(book(*sides), age_milliseconds=0)["coverage"]
