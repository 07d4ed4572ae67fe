from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, Refused
from gateway.market.analytics.price_bins import Bin, bins, choose_bin_size
from gateway.market.analytics.readings import Candle
from gateway.market.analytics.volume_profile import point_of_control, value_area, volume_profile
from tests.market.analytics.markets import NOW, minutes, steady

ONE = Decimal(1)


def _profile(
    *candles: Candle, tick_size: str = "1", requested_tick: str | None = None, hours: int = 1
) -> dict[str, Any]:
    return volume_profile(
        "BTCUSDT",
        candles,
        tick_size=Decimal(tick_size),
        requested_tick=Decimal(requested_tick) if requested_tick else None,
        as_of=NOW,
        hours=hours,
    )


def _rows(*volumes: int) -> list[Bin]:
    return [Bin(Decimal(i), Decimal(i + 1), Decimal(v), 1) for i, v in enumerate(volumes)]


def test_a_profile_by_hand() -> None:
    profile = _profile(
        *minutes("100-103 volume 8 trades 6 worth 812", "102 volume 6 trades 5 worth 612")
    )
    # 8 over the four rows that 100 to 103 touches is 2 each; 6 more at 102.
    # Of 6 trades each row gets one, and the two that are left go to the lowest rows.
    assert [
        (row["price_level"], row["price_low"], row["price_high"], row["volume"], row["trade_count"])
        for row in profile["histogram"]
    ] == [
        ("100.5", "100", "101", "2", 2),
        ("101.5", "101", "102", "2", 2),
        ("102.5", "102", "103", "8", 6),
        ("103.5", "103", "104", "2", 1),
    ]
    assert (profile["bin_size"], profile["bin_count"]) == ("1", 4)
    assert (profile["price_range_low"], profile["price_range_high"]) == ("100", "103")
    assert profile["total_volume"] == "14"
    assert profile["point_of_control"] == "102.5"
    # 70 % of 14 is 9.8: to the 8 come the two below (4), more than the one above (2).
    assert (profile["value_area_low"], profile["value_area_high"]) == ("100", "103")
    assert profile["value_area_percent"] == 85.7142857143  # 12 / 14
    assert profile["vwap"] == "101.714285714"  # (812 + 612) / 14
    assert profile["time_period_start"] == "2026-11-21T11:00:00Z"
    assert profile["time_period_end"] == profile["as_of"] == "2026-11-21T12:00:00Z"
    assert (profile["window"], profile["sample_size"]) == ("1 h", 2)
    assert profile["coverage"] == "0.03 h of 1 h, 2 candles"
    assert "spread evenly" in profile["method"]


@pytest.mark.parametrize(
    ("volumes", "area"),
    [
        # 35 of 50 wanted: 20, then 8+4 above beat 6+5 below, then 6+5 beat the 7 that is left.
        # Row by row it would have taken 8, 7, and stopped at other rows.
        ((5, 6, 20, 4, 8, 7), (0, 4)),
        # 23.8 of 34 wanted: 7 above and 7 below tie, so up.
        ((3, 4, 20, 4, 3), (2, 4)),
        # 23.8 of 34 wanted: the two below hold 2, less than 6; a third row would have made it 8.
        ((6, 1, 1, 20, 3, 3), (3, 5)),
        # 70 % exactly is enough.
        ((3, 7), (1, 1)),
        ((30, 69), (0, 1)),
        # Nothing above the highest row, nothing below the lowest.
        ((1, 1, 1, 9), (3, 3)),
        ((9, 1, 1, 1, 1), (0, 2)),
        ((5,), (0, 0)),
        ((0, 0, 0), (1, 1)),
    ],
)
def test_the_value_area_grows_by_the_larger_pair(
    volumes: tuple[int, ...], area: tuple[int, int]
) -> None:
    rows = _rows(*volumes)
    assert value_area(rows, point_of_control(rows)) == area


@pytest.mark.parametrize(
    ("volumes", "control"),
    [
        ((1, 2, 3), 2),
        ((9, 1, 9, 1, 1), 2),  # the middle
        ((9, 1, 1, 9, 1, 1), 3),  # half a row from the middle, against two and a half
        ((9, 1, 1, 9), 3),  # as near, so the higher
        ((0, 0, 0), 1),
    ],
)
def test_equal_points_of_control_go_to_the_middle(volumes: tuple[int, ...], control: int) -> None:
    assert point_of_control(_rows(*volumes)) == control


def test_one_price_is_one_row() -> None:
    profile = _profile(*minutes("0.00001234 volume 5", "0.00001234 volume 7"), tick_size="1e-8")
    assert profile["bin_count"] == 1
    assert profile["bin_size"] == "0.00000001"
    assert profile["point_of_control"] == "0.000012345"
    assert (profile["value_area_low"], profile["value_area_high"]) == ("0.00001234", "0.00001235")
    assert profile["value_area_percent"] == 100
    assert profile["price_range_low"] == profile["price_range_high"] == "0.00001234"


def test_candles_without_a_trade_make_a_profile_without_a_percentage() -> None:
    profile = _profile(*minutes("100-102 volume 0 worth 0"))
    assert profile["total_volume"] == "0"
    assert profile["vwap"] is None
    assert profile["value_area_percent"] == 0
    assert profile["point_of_control"] == "101.5"
    assert "none of which traded" in profile["coverage"]


def test_no_candle_in_the_window_is_refused() -> None:
    with pytest.raises(Refused, match=r"BTCUSDT has no candles in the 2 h before 2026-11-21T12"):
        _profile(*minutes("100 volume 1", until=NOW - timedelta(hours=2)), hours=2)
    with pytest.raises(Refused, match="BTCUSDT"):
        _profile()


def test_candles_before_and_after_the_window_do_not_count() -> None:
    early = minutes("50 volume 1", until=NOW - timedelta(hours=1))
    late = minutes("500 volume 1", until=NOW + timedelta(minutes=2))
    profile = _profile(*early, *minutes("100 volume 3"), *late)
    assert profile["total_volume"] == "3"


@pytest.mark.parametrize(
    ("low", "high", "tick", "requested", "size"),
    [
        ("100", "110", "1", None, "1"),  # a tenth of a tick would do; a row is a tick at least
        ("100", "200", "1", None, "1"),  # 100 / 100
        ("100", "201", "1", None, "2"),  # 1.01, rounded up
        ("100", "1100", "0.5", None, "10"),
        ("100", "100.73", "0.01", None, "0.01"),
        ("100", "100", "0", None, "0.00000001"),  # a symbol without a tick
        ("100", "110", "0.01", "0.5", "0.5"),
        ("100", "110", "0.01", "0.015", "0.02"),
        ("100", "110", "0.01", "0.01", "0.01"),  # 1,000 rows are still allowed
        ("100", "110", "0.01", "0.001", "0.01"),
        ("100", "110", "0.01", "50", "50"),
    ],
)
def test_the_row_is_a_multiple_of_the_tick(
    low: str, high: str, tick: str, requested: str | None, size: str
) -> None:
    wanted = Decimal(requested) if requested else None
    candles = minutes(f"{low}-{high} volume 1")
    assert choose_bin_size(candles, tick_size=Decimal(tick), requested=wanted) == Decimal(size)


@pytest.mark.parametrize("requested", ["0", "-1", "NaN", "Infinity"])
def test_a_size_that_is_no_size_is_an_invalid_request(requested: str) -> None:
    with pytest.raises(InvalidRequest, match="above zero"):
        _profile(*minutes("100-110 volume 1"), requested_tick=requested)


def test_too_many_rows_are_an_invalid_request_that_says_what_would_do() -> None:
    with pytest.raises(InvalidRequest, match=r"0\.05 .* 1000 rows; take 0\.1 or more"):
        _profile(*minutes("100-200 volume 1"), tick_size="0.01", requested_tick="0.05")


candles_of_any_kind = st.lists(
    st.tuples(st.integers(1, 5_000), st.integers(0, 3_000), st.integers(0, 10**6)),
    min_size=1,
    max_size=20,
)


@steady
@given(candles_of_any_kind, st.sampled_from(["0.00000001", "0.01", "1"]))
def test_the_area_holds_the_control_and_no_volume_is_lost(
    shapes: list[tuple[int, int, int]], tick: str
) -> None:
    lines = [
        f"{low * Decimal(tick):f}-{(low + span) * Decimal(tick):f} volume {volume} worth 1 trades 7"
        for low, span, volume in shapes
    ]
    profile = _profile(*minutes(*lines), tick_size=tick)
    low, control, high = (
        Decimal(profile[name]) for name in ("value_area_low", "point_of_control", "value_area_high")
    )
    assert low <= control <= high
    assert profile["bin_count"] == len(profile["histogram"]) <= 101
    assert Decimal(profile["bin_size"]) % Decimal(tick) == 0
    volume = sum(Decimal(row["volume"]) for row in profile["histogram"])
    assert volume == pytest.approx(Decimal(profile["total_volume"]), rel=Decimal("1e-9"))
    assert sum(row["trade_count"] for row in profile["histogram"]) == 7 * len(lines)
    assert profile["value_area_percent"] >= 69.999 or profile["total_volume"] == "0"


def test_the_row_follows_from_the_range_of_all_candles() -> None:
    candles = minutes("100 volume 1", "150 volume 1", "300 volume 1", "200 volume 1")
    assert choose_bin_size(candles, tick_size=ONE) == 2  # 200 / 100


def test_trades_that_do_not_divide_go_to_the_lowest_rows_of_their_candle() -> None:
    rows = bins(minutes("100 volume 1 trades 1", "101-102 volume 2 trades 3"), size=ONE)
    assert [row.trade_count for row in rows] == [1, 2, 1]


def test_coverage_ends_with_the_window_even_when_a_candle_goes_on() -> None:
    running = minutes("100 volume 1", until=NOW + timedelta(seconds=24))
    assert _profile(*running)["coverage"].startswith("0.01 h of 1 h")  # 36 s


def test_rows_follow_each_other_without_a_gap() -> None:
    rows = bins(minutes("100 volume 1", "104 volume 1"), size=ONE)
    assert [row.volume for row in rows] == [1, 0, 0, 0, 1]
    assert all(upper.low == lower.high for lower, upper in pairwise(rows))
