"""Which time a question or an ID names, and from when to when it is."""

from datetime import UTC, datetime

import pytest

from gateway.documents.query import split
from gateway.errors import InvalidRequest
from gateway.sources.usage.windows import named_windows
from gateway.usage.span import settled, span

# A Saturday.
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("what did I spend today", "today"),
        ("spent yesterday", "yesterday"),
        ("day before yesterday", "2026-11-19"),
        ("the last 7 days", "7d"),
        ("usage 30d", "30d"),
        ("last two weeks", "14d"),
        ("past week", "7d"),
        ("this week", "2026-W47"),
        ("last week", "2026-W46"),
        ("this month", "2026-11"),
        ("last month", "2026-10"),
        ("this year", "2026"),
        ("in october", "2026-10"),
        ("december", "2025-12"),
        ("december 2024", "2024-12"),
        ("on november 3rd", "2026-11-03"),
        ("3 november", "2026-11-03"),
        ("december 24", "2025-12-24"),
        ("2026-11-20", "2026-11-20"),
        ("2026-3", "2026-03"),
        ("2026-W07", "2026-W07"),
        ("on monday", "2026-11-16"),
        ("last saturday", "2026-11-14"),
        ("in may", "2026-05"),
        ("gestern", "yesterday"),
        ("letzten Monat", "2026-10"),
        ("la semana pasada", "2026-W46"),
        ("aujourd'hui", "today"),
        ("geçen ay", "2026-10"),
    ],
)
def test_a_question_names_a_time(text: str, window: str) -> None:
    assert [one.window for one in named_windows(split(text), NOW)] == [window]


@pytest.mark.parametrize("text", ["may I ask", "march on", "the sun", "model 3", "hello"])
def test_an_ordinary_word_names_no_time(text: str) -> None:
    assert named_windows(split(text), NOW) == ()


def test_a_question_names_several_times_in_its_order() -> None:
    found = named_windows(split("last month vs this month, and yesterday"), NOW)
    assert [one.window for one in found] == ["2026-10", "2026-11", "yesterday"]


def test_a_unit_beside_a_time_only_says_how_to_count() -> None:
    assert [one.window for one in named_windows(split("last month by week"), NOW)] == ["2026-10"]
    assert [one.window for one in named_windows(split("yesterday and yesterday"), NOW)] == [
        "yesterday"
    ]


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("today", (2026, 11, 21), (2026, 11, 22)),
        ("yesterday", (2026, 11, 20), (2026, 11, 21)),
        ("7d", (2026, 11, 15), (2026, 11, 22)),
        ("2026-W47", (2026, 11, 16), (2026, 11, 23)),
        ("2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("2026-11-20", (2026, 11, 20), (2026, 11, 21)),
        ("2025", (2025, 1, 1), (2026, 1, 1)),
    ],
)
def test_a_window_is_whole_days_in_utc(
    window: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    found = span(window, NOW)
    assert (found.start, found.end) == (datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))


@pytest.mark.parametrize(
    "window", ["2026-13", "2026-02-30", "2026-W60", "999d", "0d", "soon", "x" * 500]
)
def test_what_is_no_time_is_told_with_what_would_be(window: str) -> None:
    with pytest.raises(InvalidRequest, match="yesterday"):
        span(window, NOW)


def test_an_id_has_one_spelling() -> None:
    assert [settled(text) for text in ("Today", "2026-w7", "2026-3-9")] == [
        "today",
        "2026-W07",
        "2026-03-09",
    ]
