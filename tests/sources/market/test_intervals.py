"""The intervals that a question names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.query import Query
from gateway.sources.market.intervals import IntervalLexicon
from gateway.sources.market.kind import INTERVALS


def intervals(question: str) -> tuple[str, ...]:
    return Query.read(question, [IntervalLexicon()]).values("interval")


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_read_as_it_is_written(interval: str) -> None:
    assert intervals(f"btc {interval}") == (interval,)


@pytest.mark.parametrize(
    ("question", "interval"),
    [
        ("15 minute candles", "15m"),
        ("fifteen-minute chart", "15m"),
        ("4hr klines", "4h"),
        ("four hourly candles", "4h"),
        ("H4", "4h"),
        ("m15", "15m"),
        ("60 min candles", "1h"),
        ("24h chart", "1d"),
        ("daily chart", "1d"),
        ("xrp weekly", "1w"),
        ("a candle per week", "1w"),
        ("chart by day", "1d"),
        ("month by month history", "1M"),
        ("half-hour bars", "30m"),
        ("quarter hour closes", "15m"),
        ("the last 4h candles", "4h"),
        ("Tageskerzen", "1d"),
        ("4 Stunden Kerzen", "4h"),
        ("velas diarias", "1d"),
        ("gráfico de 4 horas", "4h"),
        ("bougies de quinze minutes", "15m"),
        ("candele da 15 minuti", "15m"),
        ("grafico settimanale", "1w"),
        ("4 saatlik mum", "4h"),
        ("günlük grafik", "1d"),
        ("gráfico mensal", "1M"),
    ],
)
def test_an_interval_is_read_in_words(question: str, interval: str) -> None:
    assert intervals(question) == (interval,)


@pytest.mark.parametrize(
    "question",
    ["24h change", "the last 5 minutes", "up in a day", "7h candles",
     "in the past 4 hours", "100 m", "12345678901234567890h"],
)  # fmt: skip
def test_a_window_of_time_is_no_interval(question: str) -> None:
    assert intervals(question) == ()


@pytest.mark.parametrize(
    ("question", "asked"),
    [("btc 90m candles", "90m"), ("eth candles every 7 minutes", "7 minutes"),
     ("10 minute bars", "10 minute"), ("quarterly sol chart", "quarterly"),
     ("yearly candles", "yearly"), ("1y chart", "1y"), ("a candle per year", "year"),
     ("btc 4h and 10m candles", "10m")],
)  # fmt: skip
def test_an_interval_that_no_candle_has_is_told(question: str, asked: str) -> None:
    (hint,) = Query.read(question, [IntervalLexicon()]).hints
    assert hint == f"There are no {asked} candles; the intervals are {', '.join(INTERVALS)}."
    assert set(intervals(question)) <= {"4h"}


@pytest.mark.parametrize(
    "question",
    ["the last 90 minutes of candles", "yearly report", "1d chart of 90 days", "24h chart",
     "chart for the last year", "7d candles", "100 candles", "4 hours"],
)  # fmt: skip
def test_other_times_need_no_word(question: str) -> None:
    assert Query.read(question, [IntervalLexicon()]).hints == ()


def test_minutes_and_months_differ_by_the_case_of_one_letter() -> None:
    assert intervals("1m klines") == ("1m",)
    assert intervals("1M klines") == ("1M",)


def test_several_intervals_are_read_in_their_order() -> None:
    assert intervals("15m, 1h and daily candles") == ("15m", "1h", "1d")


@given(st.text(max_size=300))
def test_any_text_names_only_intervals_that_exist(text: str) -> None:
    assert set(intervals(text)) <= set(INTERVALS)
