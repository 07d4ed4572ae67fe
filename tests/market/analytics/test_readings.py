from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.errors import BadAnswer, Refused
from gateway.market.analytics.readings import (
    Level,
    read_book,
    read_candles,
    read_trades,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TRADE = {
    "a": 26129,
    "p": "0.01633102",
    "q": "4.70443515",
    "f": 27781,
    "l": 27781,
    "T": 1498793709153,
    "m": True,
    "M": True,
}
CANDLE = [
    1499040000000,
    "0.01634790",
    "0.80000000",
    "0.01575800",
    "0.01577100",
    "148976.11427815",
    1499644799999,
    "2434.19055334",
    308,
    "1756.87402397",
    "28.46694368",
    "0",
]


def test_a_book_is_read_exactly() -> None:
    answer = {
        "lastUpdateId": 1027024,
        "bids": [["4.00000000", "431.00000000"]],
        "asks": [["4.00000200", "12.00000000"]],
    }
    book = read_book("BNBBTC", answer, as_of=NOW)
    assert book.best_bid == Level(Decimal(4), Decimal(431))
    assert book.best_ask == Level(Decimal("4.000002"), Decimal(12))
    assert (book.symbol, book.last_update_id, book.as_of) == ("BNBBTC", 1027024, NOW)
    assert book.mid == Decimal("4.000001")
    assert book.spread == Decimal("0.000002")


def test_a_trade_is_read_exactly() -> None:
    (trade,) = read_trades("BNBBTC", [TRADE])
    assert trade.id == 26129
    assert trade.price == Decimal("0.01633102")
    assert trade.quantity == Decimal("4.70443515")
    assert trade.time == datetime(2017, 6, 30, 3, 35, 9, 153_000, tzinfo=UTC)
    assert trade.is_buyer_maker


def test_a_candle_is_read_exactly() -> None:
    (candle,) = read_candles("BNBBTC", [CANDLE])
    assert candle.open_time == datetime(2017, 7, 3, tzinfo=UTC)
    assert candle.close_time == datetime(2017, 7, 9, 23, 59, 59, 999_000, tzinfo=UTC)
    assert (candle.open, candle.close) == (Decimal("0.0163479"), Decimal("0.015771"))
    assert (candle.low, candle.high) == (Decimal("0.015758"), Decimal("0.8"))
    assert (candle.volume, candle.quote_volume) == (
        Decimal("148976.11427815"),
        Decimal("2434.19055334"),
    )
    assert candle.trade_count == 308
    assert candle.taker_buy_volume == Decimal("1756.87402397")
    assert candle.taker_buy_quote_volume == Decimal("28.46694368")


@pytest.mark.parametrize(
    ("bids", "asks", "complaint"),
    [
        ([], [["101", "1"]], r"empty on a side \(best bid missing, best ask 101\)"),
        ([["100", "1"]], [], r"empty on a side \(best bid 100, best ask missing\)"),
        ([["101", "1"]], [["100", "1"]], r"crossed \(best bid 101, best ask 100\)"),
        ([["100", "1"]], [["100", "1"]], r"crossed \(best bid 100, best ask 100\)"),
        ([["99", "1"], ["100", "1"]], [["101", "1"]], "not sorted"),
        ([["100", "1"], ["100", "2"]], [["101", "1"]], "not sorted"),
        ([["100", "1"]], [["102", "1"], ["101", "1"]], "not sorted"),
        ([["100", "0"]], [["101", "1"]], "not positive"),
        ([["100", "1"]], [["101", "-1"]], "not positive"),
        ([["100", "1"], ["0", "1"]], [["101", "1"]], "not positive"),
        ([["100", "1"], ["-5", "1"]], [["101", "1"]], "not positive"),
    ],
)
def test_a_book_that_cannot_be_true_is_refused_by_name(
    bids: object, asks: object, complaint: str
) -> None:
    answer = {"lastUpdateId": 1, "bids": bids, "asks": asks}
    with pytest.raises(Refused, match=f"BTCUSDT .*{complaint}"):
        read_book("BTCUSDT", answer, as_of=NOW)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "<html>busy</html>",
        {},
        {"lastUpdateId": 1, "bids": [], "asks": None},
        {"lastUpdateId": 1, "bids": {"100": "1"}, "asks": []},
        {"lastUpdateId": 1, "bids": ["100"], "asks": []},
        {"lastUpdateId": 1, "bids": [["100"]], "asks": []},
        {"lastUpdateId": 1, "bids": [[100.5, "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": 1, "bids": [["NaN", "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": 1, "bids": [["Infinity", "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": 1, "bids": [["1e999999", "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": 1, "bids": [["\u0661\u0660\u0660", "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": 1, "bids": [["9" * 500, "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": "1", "bids": [["100", "1"]], "asks": [["101", "1"]]},
        {"lastUpdateId": True, "bids": [["100", "1"]], "asks": [["101", "1"]]},
        {"bids": [["100", "1"]], "asks": [["101", "1"]]},
    ],
)
def test_garbage_instead_of_a_book_is_a_bad_answer(answer: object) -> None:
    with pytest.raises(BadAnswer, match="BTCUSDT"):
        read_book("BTCUSDT", answer, as_of=NOW)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": -1121},
        ["trade"],
        [{}],
        [{**TRADE, "m": 1}],
        [{**TRADE, "a": None}],
        [{**TRADE, "p": "0"}],
        [{**TRADE, "q": "-1"}],
        [{**TRADE, "q": 4.7}],
        [{**TRADE, "T": 10**18}],
        [{**TRADE, "T": -1}],
        [{**TRADE, "T": "yesterday"}],
    ],
)
def test_garbage_instead_of_trades_is_a_bad_answer(answer: object) -> None:
    with pytest.raises(BadAnswer, match="BTCUSDT"):
        read_trades("BTCUSDT", answer)


def _candle_with(index: int, value: object) -> list[object]:
    return [*CANDLE[:index], value, *CANDLE[index + 1 :]]


@pytest.mark.parametrize(
    "answer",
    [
        "none",
        [{}],
        [CANDLE[:10]],
        [_candle_with(0, None)],
        [_candle_with(1, "0")],
        [_candle_with(2, "0.001")],  # a high under the open
        [_candle_with(3, "0.5")],  # a low over the close
        [_candle_with(5, "-1")],
        [_candle_with(7, None)],
        [_candle_with(8, "308")],
        [_candle_with(9, "-0.1")],
        [CANDLE, CANDLE],  # the same minute twice
    ],
)
def test_garbage_instead_of_candles_is_a_bad_answer(answer: object) -> None:
    with pytest.raises(BadAnswer, match="BTCUSDT"):
        read_candles("BTCUSDT", answer)


def test_what_garbage_is_repeated_in_the_message_is_short() -> None:
    with pytest.raises(BadAnswer) as caught:
        read_trades("BTCUSDT", "x" * 100_000)
    assert len(str(caught.value)) < 200
