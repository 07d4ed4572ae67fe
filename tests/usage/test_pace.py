"""How much is used in a day, from the days that were."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gateway.usage.history import DayOfUse
from gateway.usage.pace import Pace, TooLittle, midnight, pace

# A Saturday.
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def day(days_ago: int, used: int, *, calls: int = 10, hour: int = 0) -> DayOfUse:
    on = NOW.date() - days_ago * DAY
    return DayOfUse(on, used, calls, midnight(on) + timedelta(hours=hour))


def known(found: Pace | TooLittle) -> Pace:
    assert isinstance(found, Pace)
    return found


def test_the_day_that_still_runs_counts_for_the_part_of_it_that_is_over() -> None:
    found = known(pace([day(2, 100), day(1, 100), day(0, 50)], NOW))
    assert found.a_day == pytest.approx(100)
    assert found.days == 2.5


def test_a_day_without_use_is_a_day_of_no_use() -> None:
    found = known(pace([day(3, 70), day(0, 0)], NOW))
    assert found.a_day == pytest.approx(70 / 3.5, rel=0.2)


def test_the_last_days_weigh_most() -> None:
    slower = [day(days_ago, 100 if days_ago > 7 else 10) for days_ago in range(1, 29)]
    assert 10 < known(pace(slower, NOW)).a_day < 55


@pytest.mark.parametrize(
    ("used", "why"),
    [
        ([], TooLittle(0.0, 0)),
        ([day(0, 40, calls=40, hour=9)], TooLittle(0.125, 40)),
        ([day(3, 400, calls=4)], TooLittle(3.5, 4)),
        ([day(29, 400, calls=400)], TooLittle(0.0, 0)),
    ],
)
def test_of_too_little_nothing_is_guessed(used: list[DayOfUse], why: TooLittle) -> None:
    assert pace(used, NOW) == why


def test_days_that_are_alike_leave_less_doubt_than_bursts() -> None:
    even = known(pace([day(one, 100) for one in range(1, 15)], NOW))
    bursts = known(pace([day(one, 700 * (one % 7 == 0)) for one in range(1, 15)], NOW))
    assert even.spread < bursts.spread
    assert even.deviation(10) < bursts.deviation(10)
    # Even of days that never differed some doubt remains.
    assert even.deviation(1) > 0


def test_from_three_weeks_on_a_sunday_may_differ_from_a_monday() -> None:
    def at_work(days_ago: int) -> DayOfUse:
        return day(days_ago, 0 if (NOW.date() - days_ago * DAY).weekday() >= 5 else 100)

    short = known(pace([at_work(one) for one in range(14, 0, -1)], NOW))
    long = known(pace([at_work(one) for one in range(27, 0, -1)], NOW))
    assert (short.has_weekdays, long.has_weekdays) == (False, True)
    monday, sunday = midnight(date(2026, 11, 23)), midnight(date(2026, 11, 22))
    assert long.use(monday, monday + DAY) > 3 * long.use(sunday, sunday + DAY)
    # A whole week is a whole week.
    assert long.use(monday, monday + 7 * DAY) == pytest.approx(7 * long.a_day)
    assert short.use(monday, monday + DAY) == pytest.approx(short.use(sunday, sunday + DAY))


def test_a_day_is_one_of_utc_wherever_the_clock_stands() -> None:
    used = [day(2, 100), day(1, 100), day(0, 50)]
    there = NOW.astimezone(timezone(timedelta(hours=13)))
    assert pace(used, there) == pace(used, NOW)
