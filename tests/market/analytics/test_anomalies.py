from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.market.analytics.anomalies import confidence, market_anomalies, severity
from gateway.market.analytics.decimal_text import short
from gateway.market.analytics.detectors import (
    Finding,
    flash_crash_risk,
    flow_acceleration,
    iceberg_proxy,
    one_sided_book,
    price_shock,
    quote_stuffing,
    spoofing_proxy,
    spread_blowout,
    volume_spike,
)
from tests.market.analytics.markets import NOW, book, closes, minutes, tape

CALM_BOOK = book("99.99 5, 99.9 5", "100.01 5, 100.1 5")
CALM_TAPE = tape(*(f"-{n} {'buy' if n % 2 else 'sell'} {n} @ 100" for n in range(1, 11)))
CALM_HOUR = closes(["100"] * 62)
NAMES = [
    "price_shock",
    "volume_spike",
    "spread_blowout",
    "one_sided_book",
    "spoofing_proxy",
    "iceberg_proxy",
    "flash_crash_risk",
    "quote_stuffing",
]


def test_a_calm_market_has_every_check_and_no_anomaly() -> None:
    answer = market_anomalies("BTCUSDT", CALM_BOOK, CALM_TAPE, CALM_HOUR, as_of=NOW)
    assert answer["anomalies"] == []
    assert [check["name"] for check in answer["checks"]] == NAMES
    assert not any(check["fired"] for check in answer["checks"])
    assert answer["coverage"].startswith("10 trades, 61 candles")
    assert answer["coverage"].endswith("not measured: quote_stuffing")
    assert answer["as_of"] == "2026-11-21T12:00:00Z"
    assert answer["sample_size"] == 10
    assert {"method", "window"} <= answer.keys()


def test_without_trades_and_candles_the_checks_that_need_them_say_so() -> None:
    answer = market_anomalies("BTCUSDT", CALM_BOOK, (), (), as_of=NOW)
    unmeasured = {check["name"] for check in answer["checks"] if check["value"] is None}
    assert unmeasured == {"price_shock", "volume_spike", "iceberg_proxy", "quote_stuffing"}
    assert all(name in answer["coverage"] for name in unmeasured)
    assert answer["anomalies"] == []


@pytest.mark.parametrize(
    ("last", "score", "fired"),
    [
        # In a market at rest a deviation counts as 4 bps: 20 bps are five of them.
        ("100.2", "5", False),
        ("100.21", "5.25", True),
        ("99.8", "-5", False),
        ("99.79", "-5.25", True),
    ],
)
def test_a_price_that_jumps_out_of_its_hour_is_a_shock(last: str, score: str, fired: bool) -> None:
    found = price_shock(closes(["100"] * 61 + [last]))
    assert found.value == Decimal(score)
    assert found.fired is fired
    assert found.numbers == {"return_pct": pytest.approx(float(last) - 100)}
    assert found.levels == (Decimal(last),)


def test_a_shock_is_measured_against_sixty_candles() -> None:
    # Thirty returns of 0 and thirty of 1 %: median and MAD are 0.5 %. (6 - 0.5) / (0.5 x 1.4826)
    # is 7.419. One return more, the doubling before them, would make the median 1 %.
    rising = [f"{100 * 1.01**step:.8f}" for step in range(31)]
    market = closes(["50", *["100"] * 30, *rising, f"{100 * 1.01**30 * 1.06:.8f}"])
    assert price_shock(market).value == pytest.approx(Decimal("7.419"), abs=Decimal("0.001"))


def test_a_spike_is_measured_against_sixty_candles() -> None:
    # Thirty of 10 and thirty of 20: the median is 15 and the MAD 5. (60 - 15) / (5 x 1.4826)
    volumes = [1000, *[10] * 30, *[20] * 30, 60]
    found = volume_spike(minutes(*(f"100 volume {volume}" for volume in volumes)))
    assert found.value == pytest.approx(Decimal("6.0704"), abs=Decimal("0.0001"))
    assert found.numbers == {"volume": "60", "median_volume": "15"}


def test_the_same_jump_is_no_shock_where_the_hour_was_as_wild() -> None:
    wild = ["100", "100.5"] * 30
    assert not price_shock(closes([*wild, "100", "100.6"])).fired


@pytest.mark.parametrize(("last", "score", "fired"), [("22", "6", False), ("22.2", "6.1", True)])
def test_a_volume_far_over_its_hour_is_a_spike(last: str, score: str, fired: bool) -> None:
    # A steady volume of 10 counts a deviation of 2: (22 - 10) / 2 = 6.
    found = volume_spike(minutes(*["100 volume 10"] * 60, f"100 volume {last}"))
    assert found.value == Decimal(score)
    assert found.fired is fired


def test_a_quiet_minute_is_no_spike() -> None:
    found = volume_spike(minutes(*["100 volume 1000"] * 60, "100 volume 0"))
    assert found.value == -5
    assert not found.fired


@pytest.mark.parametrize(
    ("asks", "fired"),
    [("100.1 1", False), ("100.11 1", True)],  # 0.2 / 100 is 20 bps
)
def test_a_spread_over_twenty_basis_points_is_a_blowout(asks: str, fired: bool) -> None:
    assert spread_blowout(book("99.9 1", asks)).fired is fired


@pytest.mark.parametrize(
    ("bids", "asks", "value", "fired"),
    [
        ("99.9 8", "100.1 2", "0.6", False),
        ("99.9 8.1", "100.1 1.9", "0.62", True),
        ("99.9 1.9", "100.1 8.1", "-0.62", True),
        ("99.9 5, 99.49 900", "100.1 5", "0", False),  # 51 bps away
        ("99.9 3, 99.5 4", "100.1 3", "0.4", False),  # 50 bps away
    ],
)
def test_a_book_is_one_sided_by_what_rests_near_mid(
    bids: str, asks: str, value: str, fired: bool
) -> None:
    found = one_sided_book(book(bids, asks))
    assert found.value == Decimal(value)
    assert found.fired is fired


def test_a_book_with_nothing_near_mid_is_not_judged() -> None:
    assert one_sided_book(book("90 1", "110 1")).value is None


def _nine_and(far: str) -> str:
    return ", ".join([*(f"{99.9 - step / 100:.2f} 1" for step in range(9)), far])


@pytest.mark.parametrize(
    ("far", "value", "fired"),
    [
        ("99.0 9", "5", False),  # the mean of nine 1 and a 9 is 1.8
        ("99.0 11", "5.5", True),  # and of nine 1 and an 11 it is 2
        ("99.0 11, 98.9 1", "5.76190476190", True),  # 11 of a mean of 21 / 11
        ("99.5 11", "0", False),  # 50 bps from mid is near
        ("99.49 11", "5.5", True),
    ],
)
def test_a_large_order_far_from_mid_may_be_a_spoof(far: str, value: str, fired: bool) -> None:
    found = spoofing_proxy(book(_nine_and(far), "100.1 1"))
    assert found.value is not None
    assert short(found.value) == Decimal(value)
    assert found.fired is fired
    assert found.levels == ((Decimal(far.split()[0]),) if fired else ())


@pytest.mark.parametrize(("before", "fired"), [(49, True), (50, False)])
def test_only_the_top_fifty_levels_are_searched_for_spoofs(before: int, fired: bool) -> None:
    near = [f"{99.9 - step / 1000:.3f} 1" for step in range(before)]
    assert spoofing_proxy(book(", ".join([*near, "99 20"]), "100.1 1")).fired is fired


def _singles(count: int) -> list[str]:
    return [f"-1 buy {n} @ 101" for n in range(1, count + 1)]


@pytest.mark.parametrize(("refills", "fired"), [(9, False), (10, True)])
def test_equal_fills_at_one_price_may_be_an_iceberg(refills: int, fired: bool) -> None:
    found = iceberg_proxy(tape(*["-2 sell 0.5 @ 100"] * refills, *_singles(3)))
    assert found.value == refills
    assert found.fired is fired
    assert found.numbers == {
        "price_level": "100",
        "fill_quantity": "0.5",
        "refill_rate_multiplier": refills,  # the median group has one fill
        "median_refill_rate": 1,
    }


def test_where_every_fill_repeats_none_is_an_iceberg() -> None:
    groups = [f"-2 sell {n} @ 100" for n in range(1, 4) for _ in range(12)]
    assert not iceberg_proxy(tape(*groups)).fired


def test_an_iceberg_has_more_than_five_times_the_usual_fills() -> None:
    pairs = [f"-2 buy {n} @ 101" for n in (1, 1, 2, 2)]
    assert not iceberg_proxy(tape(*["-2 sell 0.5 @ 100"] * 10, *pairs)).fired  # 10 / 2 = 5
    assert iceberg_proxy(tape(*["-2 sell 0.5 @ 100"] * 11, *pairs)).fired


def test_fills_of_both_sides_are_not_one_order() -> None:
    lines = [f"-2 {'buy' if n % 2 else 'sell'} 0.5 @ 100" for n in range(18)]
    assert iceberg_proxy(tape(*lines)).value == 9


@pytest.mark.parametrize(
    ("lines", "acceleration"),
    [
        (["-45 buy 3 @ 1", "-10 sell 1 @ 1"], -100),  # (-1 - 3) / 4
        (["-45 sell 3 @ 1", "-10 buy 1 @ 1"], 100),
        (["-45 buy 1 @ 1", "-30 buy 1 @ 1"], 0),  # 30 s ago is in the later half
        (["-45 buy 3 @ 1", "-10 buy 1 @ 1"], -50),
        (["-30.5 buy 1 @ 1", "-10 buy 1 @ 1"], 0),
        ([], None),
    ],
)
def test_flow_accelerates_from_one_half_to_the_other(
    lines: list[str], acceleration: int | None
) -> None:
    assert flow_acceleration(tape(*lines), as_of=NOW) == acceleration


TIGHT, WIDE = ("99.95", "100.05"), ("99.8", "100.2")
TURNED = ["-45 buy 3 @ 100", "-10 sell 1 @ 100"]


@pytest.mark.parametrize(
    ("prices", "bids", "asks", "lines", "signs"),
    [
        (TIGHT, 5, 5, [], 0),
        (("99.9", "100.1"), 3, 7, [], 1),  # 20 bps is the limit
        (WIDE, 5, 5, [], 1),
        (WIDE, 3, 7, [], 2),  # (3 - 7) / 10 = -0.4
        (WIDE, 7, 3, [], 1),  # more bids than asks does not threaten a fall
        (WIDE, 3.5, 6.5, [], 1),  # -0.3 is the limit
        (TIGHT, 3, 7, TURNED, 2),
        (WIDE, 3, 7, TURNED, 3),
        (TIGHT, 5, 5, ["-45 buy 3 @ 1", "-10 buy 1 @ 1"], 0),  # -50 % is the limit
    ],
)
def test_two_signs_make_a_flash_crash_risk(
    prices: tuple[str, str], bids: float, asks: float, lines: list[str], signs: int
) -> None:
    market = book(f"{prices[0]} {bids}", f"{prices[1]} {asks}")
    found = flash_crash_risk(market, tape(*lines), as_of=NOW)
    assert found.value == signs
    assert found.fired is (signs >= 2)


def test_a_flash_crash_risk_names_its_numbers() -> None:
    market = book("99.8 3", "100.2 7")
    assert flash_crash_risk(market, tape(*TURNED), as_of=NOW).numbers == {
        "spread_bps": 40,
        "spread_multiplier": 2,  # of the limit, 20
        "imbalance": -0.4,
        "flow_acceleration_pct": -100,
    }


def test_quote_stuffing_is_never_claimed_over_rest() -> None:
    found = quote_stuffing()
    assert (found.value, found.fired) == (None, False)
    assert "not observable over REST" in found.meaning


def _finding(kind: str, value: str, limit: str) -> Finding:
    return Finding("check", kind, Decimal(value), Decimal(limit), True, "meaning")


@pytest.mark.parametrize(
    ("kind", "value", "limit", "grade", "sureness"),
    [
        ("PriceShock", "5.1", "5", "Low", 0.509803921569),  # 1 - 0.5 x 5 / 5.1
        ("PriceShock", "6.25", "5", "Medium", 0.6),
        ("PriceShock", "-6.25", "5", "Medium", 0.6),
        ("PriceShock", "9.9", "5", "Medium", 0.747474747475),
        ("PriceShock", "10", "5", "High", 0.75),
        ("PriceShock", "-20", "5", "Critical", 0.875),
        ("FlashCrashRisk", "2", "2", "High", 0.666666666667),
        ("FlashCrashRisk", "3", "2", "Critical", 1),
    ],
)
def test_severity_and_confidence_follow_the_distance_from_the_limit(
    kind: str, value: str, limit: str, grade: str, sureness: float
) -> None:
    finding = _finding(kind, value, limit)
    assert severity(finding) == grade
    assert confidence(finding) == sureness


def test_an_anomaly_says_what_was_seen_and_what_to_do() -> None:
    market = book("99.8 5", "100.2 5")
    answer = market_anomalies("BTCUSDT", market, CALM_TAPE, CALM_HOUR, as_of=NOW)
    (anomaly,) = answer["anomalies"]
    assert anomaly.pop("anomaly_id")
    assert anomaly.pop("recommended_action").startswith("Use limit orders")
    assert anomaly == {
        "symbol": "BTCUSDT",
        "anomaly_type": {"type": "SpreadBlowout", "spread_bps": 40},
        "detection_timestamp": "2026-11-21T12:00:00Z",
        "confidence_score": 0.75,  # 1 - 0.5 x 20 / 40
        "affected_price_levels": ["99.8", "100.2"],
        "severity": "High",
        "metadata": {"check": "spread_blowout", "value": "40", "limit": "20"},
    }


def test_every_kind_of_anomaly_can_be_told() -> None:
    bids = ", ".join([*(f"{99.7 - step / 100:.2f} 1" for step in range(9)), "98 60"])
    market = book(bids, "100.2 900")
    fills = tape(*["-2 sell 0.5 @ 100"] * 12, *_singles(3), "-50 buy 99 @ 100")
    candles = minutes(*["100 volume 10"] * 61, "90 volume 500")
    answer = market_anomalies("BTCUSDT", market, fills, candles, as_of=NOW)
    assert {anomaly["anomaly_type"]["type"] for anomaly in answer["anomalies"]} == {
        "PriceShock",
        "VolumeSpike",
        "SpreadBlowout",
        "OneSidedBook",
        "SpoofingSuspected",
        "IcebergOrder",
        "FlashCrashRisk",
    }
    ids = [anomaly["anomaly_id"] for anomaly in answer["anomalies"]]
    assert len(set(ids)) == 7


def test_an_anomaly_keeps_its_id_for_a_minute() -> None:
    market = book("99.8 5", "100.2 5")

    def anomaly_id(symbol: str, seconds: int) -> str:
        moment = NOW + timedelta(seconds=seconds)
        answer = market_anomalies(symbol, market, (), (), as_of=moment)
        return str(answer["anomalies"][0]["anomaly_id"])

    assert anomaly_id("BTCUSDT", 0) == anomaly_id("BTCUSDT", 59)
    assert anomaly_id("BTCUSDT", 0) != anomaly_id("BTCUSDT", 60)
    assert anomaly_id("BTCUSDT", 0) != anomaly_id("ETHUSDT", 0)


def test_trades_older_than_a_minute_are_not_looked_at() -> None:
    old = tape(*["-61 sell 0.5 @ 100"] * 12, *_singles(3))
    answer = market_anomalies("BTCUSDT", CALM_BOOK, old, CALM_HOUR, as_of=NOW)
    assert answer["sample_size"] == 3
    assert answer["anomalies"] == []
