"""Windows: which time a limit looks back on."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.usage.window import Window

WINDOWS = [
    Window.parse(text) for text in ("day", "week", "month", "rolling_1_day", "rolling_30_days")
]
moments = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
windows = st.sampled_from(WINDOWS)


@pytest.mark.parametrize(
    ("text", "now", "start", "resets_at"),
    [
        ("day", "2026-11-21T23:59:59", "2026-11-21T00", "2026-11-22T00"),
        ("week", "2026-11-22T12:00", "2026-11-16T00", "2026-11-23T00"),
        ("week", "2026-11-23T00:00", "2026-11-23T00", "2026-11-30T00"),
        ("month", "2026-12-31T12:00", "2026-12-01T00", "2027-01-01T00"),
        ("month", "2028-02-29T12:00", "2028-02-01T00", "2028-03-01T00"),
        ("rolling_30_days", "2026-11-21T12:34", "2026-10-22T12", "2026-12-21T13"),
        ("rolling_1_day", "2026-11-21T12:34", "2026-11-20T12", "2026-11-22T13"),
    ],
)
def test_a_window_has_a_beginning_and_an_end(
    text: str, now: str, start: str, resets_at: str
) -> None:
    window = Window.parse(text)
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert window.start(moment) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert window.resets_at(moment) == datetime.fromisoformat(resets_at).replace(tzinfo=UTC)


@given(windows, moments)
def test_now_is_inside_of_its_window(window: Window, now: datetime) -> None:
    assert window.start(now) <= window.bucket(now) <= now < window.resets_at(now)
    assert window.bucket(window.bucket(now)) == window.bucket(now)


@given(windows, moments, st.timedeltas(timedelta(0), timedelta(days=70)))
def test_a_bucket_counts_until_it_leaves(window: Window, used: datetime, later: timedelta) -> None:
    now = used + later
    counts = window.bucket(used) >= window.start(now)
    assert counts == (now < window.leaves_at(window.bucket(used)))


@given(moments, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_rolling_window_never_looks_back_less_far_than_it_says(
    used: datetime, later: timedelta
) -> None:
    window = Window.parse("rolling_30_days")
    assert window.bucket(used) >= window.start(used + later)


@given(moments, st.timezones())
def test_a_window_is_the_same_from_every_time_zone(now: datetime, zone: tzinfo) -> None:
    for window in WINDOWS:
        assert window.start(now.astimezone(zone)) == window.start(now)


@given(windows)
def test_what_parses_is_written_back_to_the_same_window(window: Window) -> None:
    assert Window.parse(str(window)) == window


@pytest.mark.parametrize("text", ["year", "rolling_0_days", "rolling_30", "30d", "", "Month"])
def test_another_word_is_refused_with_what_it_takes(text: str) -> None:
    with pytest.raises(ConfigurationError, match="rolling_30_days"):
        Window.parse(text)
