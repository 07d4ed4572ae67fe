from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.market.analytics.order_flow import flow_direction, order_flow
from tests.market.analytics.markets import NOW, steady, tape


def _flow(*lines: str, window_seconds: int = 60, is_complete: bool = True) -> dict[str, Any]:
    return order_flow(
        "BTCUSDT", tape(*lines), window_seconds=window_seconds, as_of=NOW, is_complete=is_complete
    )


def test_order_flow_by_hand() -> None:
    flow = _flow("-50 buy 2 @ 100", "-40 sell 1 @ 101", "-5 buy 3 @ 102")
    assert flow["time_window_start"] == "2026-11-21T11:59:00Z"
    assert flow["time_window_end"] == flow["as_of"] == "2026-11-21T12:00:00Z"
    assert flow["window_duration_secs"] == 60
    assert flow["bid_flow_rate"] == 0.0333333333333  # 2 / 60
    assert flow["ask_flow_rate"] == 0.0166666666667  # 1 / 60
    assert flow["net_flow"] == 0.0166666666667  # (2 - 1) / 60
    assert (flow["buy_volume"], flow["sell_volume"]) == ("5", "1")
    assert flow["cumulative_delta"] == "4"  # 5 - 1
    assert flow["buy_quote_volume"] == "506"  # 2 x 100 + 3 x 102
    assert flow["sell_quote_volume"] == "101"
    assert flow["vwap"] == "101.166666667"  # 607 / 6
    assert flow["imbalance"] == 0.666666666667  # 4 / 6
    assert flow["flow_direction"] == "STRONG_BUY"  # 5 / 1
    assert flow["trade_count"] == flow["sample_size"] == 3
    assert flow["coverage"] == "the whole window of 60.0 s"
    assert "OFI" in flow["method"]


def test_takers_that_sell_make_the_delta_negative() -> None:
    flow = _flow("-3 sell 2.5 @ 100", "-2 buy 1 @ 100")
    assert flow["cumulative_delta"] == "-1.5"
    assert flow["flow_direction"] == "STRONG_SELL"
    assert flow["imbalance"] == pytest.approx(-1.5 / 3.5)


def test_trades_outside_the_window_do_not_count() -> None:
    flow = _flow(
        "-10.001 buy 100 @ 1",
        "-10 buy 1 @ 1",
        "0 sell 1 @ 1",
        "0.001 sell 50 @ 1",
        window_seconds=10,
    )
    assert (flow["buy_volume"], flow["sell_volume"]) == ("1", "1")


def test_no_trades_are_neutral() -> None:
    flow = _flow()
    assert flow["flow_direction"] == "NEUTRAL"
    assert flow["vwap"] is None
    assert flow["cumulative_delta"] == flow["buy_volume"] == flow["sell_volume"] == "0"
    assert flow["imbalance"] == flow["net_flow"] == flow["bid_flow_rate"] == 0
    assert flow["trade_count"] == 0


def test_a_tape_that_ends_early_says_so_and_rates_what_it_covers() -> None:
    flow = _flow("-20 buy 1 @ 100", "-4 buy 1 @ 100", is_complete=False)
    assert flow["bid_flow_rate"] == 0.1  # 2 trades in the 20 s that the tape covers
    assert flow["coverage"].startswith("the last 20.0 s of 60.0 s")


def test_a_tape_shorter_than_a_second_counts_as_a_second() -> None:
    assert _flow("-0.25 buy 1 @ 100", is_complete=False)["bid_flow_rate"] == 1


def test_an_early_end_without_any_trade_still_answers() -> None:
    flow = _flow(is_complete=False)
    assert flow["bid_flow_rate"] == 0
    assert flow["coverage"].startswith("the last 0.0 s of 60.0 s")


@pytest.mark.parametrize(
    ("buy", "sell", "direction"),
    [
        ("0", "0", "NEUTRAL"),
        ("1", "0", "STRONG_BUY"),
        ("0", "1", "STRONG_SELL"),
        ("2.01", "1", "STRONG_BUY"),
        ("2", "1", "MODERATE_BUY"),
        ("1.21", "1", "MODERATE_BUY"),
        ("1.2", "1", "NEUTRAL"),
        ("1", "1", "NEUTRAL"),
        ("0.8", "1", "NEUTRAL"),
        ("0.79", "1", "MODERATE_SELL"),
        ("0.5", "1", "MODERATE_SELL"),
        ("0.49", "1", "STRONG_SELL"),
    ],
)
def test_the_direction_follows_the_volumes(buy: str, sell: str, direction: str) -> None:
    assert flow_direction(Decimal(buy), Decimal(sell)) == direction


def test_the_direction_is_of_volume_and_not_of_the_number_of_trades() -> None:
    flow = _flow("-3 buy 9 @ 1", "-2 sell 1 @ 1", "-2 sell 1 @ 1", "-2 sell 1 @ 1")
    assert flow["net_flow"] < 0
    assert flow["flow_direction"] == "STRONG_BUY"


@steady
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**6)), max_size=30))
def test_volumes_and_delta_of_any_tape_add_up(fills: list[tuple[bool, int]]) -> None:
    lines = [f"-1 {'buy' if is_buy else 'sell'} {quantity} @ 7" for is_buy, quantity in fills]
    flow = _flow(*lines)
    assert Decimal(flow["cumulative_delta"]) == sum(
        quantity if is_buy else -quantity for is_buy, quantity in fills
    )
    assert Decimal(flow["buy_volume"]) + Decimal(flow["sell_volume"]) == sum(
        quantity for _, quantity in fills
    )
    assert flow["vwap"] == ("7" if fills else None)
    assert -1 <= flow["imbalance"] <= 1
