"""How much of a limit is used in a day: the pace of the last weeks, and how far days differ."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from gateway.usage.history import DAY, DayOfUse

LOOK_BACK_DAYS = 28
# A day counts half as much as one that is a week younger.
HALF_LIFE_DAYS = 7.0
# Less says nothing of a pace.
LEAST_DAYS, LEAST_CALLS = 1.0, 5
# From so many whole weeks on, Mondays may differ from Sundays.
LEAST_WEEKS = 3
# Before anything was seen, one day is taken to differ from the next by half of what it uses. It
# counts as much as one day that was seen.
USUAL_DIFFERENCE = 0.5
# A shorter part of a day says little of how days differ.
_TELLING_PART = 0.5
_EVEN = (1.0,) * 7


@dataclass(frozen=True, slots=True)
class Pace:
    """`a_day` is the mean by recency; `spread` is how far one day lies from it.

    The mean is known as well as from `looks` days. `weekdays` are the factors of Monday to
    Sunday; they are 1 until there are weeks enough to tell.
    """

    a_day: float
    spread: float
    looks: float
    days: float
    calls: int
    weekdays: tuple[float, ...] = _EVEN

    @property
    def has_weekdays(self) -> bool:
        return self.weekdays != _EVEN

    def use(self, start: datetime, end: datetime) -> float:
        """What may be expected to be used from `start` to `end`, spread evenly over each day."""
        return self.a_day * _exposure(start, end, self.weekdays)

    def deviation(self, days: float) -> float:
        """How far the use of so many days may lie from that: days differ, and the mean is a guess.

        Chance evens out over the days, while a wrong mean adds up.
        """
        return self.spread * math.sqrt(days + days * days / self.looks)


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why there is no pace: so many calls in so many days."""

    days: float
    calls: int


def pace(used: Sequence[DayOfUse], now: datetime) -> Pace | TooLittle:
    """From the first use, or of the last four weeks, until now."""
    now = now.astimezone(UTC)
    first_day = now.date() - LOOK_BACK_DAYS * DAY
    recent = [one for one in used if one.day >= first_day]
    calls = sum(one.calls for one in recent)
    start = min((one.first for one in recent), default=now)
    days = max((now - start) / DAY, 0.0)
    if days < LEAST_DAYS or calls < LEAST_CALLS:
        return TooLittle(days, calls)
    by_day = {one.day: one.used for one in recent}
    weekdays = _weekdays(by_day, start, now)
    parts = _parts(start, now, weekdays)
    weights = {day: 0.5 ** ((now.date() - day) / (HALF_LIFE_DAYS * DAY)) for day in parts}
    a_day = sum(weights[day] * by_day.get(day, 0) for day in parts) / (
        sum(weights[day] * part for day, part in parts.items()) or 1.0
    )
    telling = {day: part for day, part in parts.items() if part >= _TELLING_PART}
    spread = _spread(by_day, telling, weights, a_day=a_day)
    looks = sum(weights.values()) ** 2 / sum(one * one for one in weights.values())
    return Pace(a_day, spread, looks, days, calls, weekdays)


def _spread(
    by_day: Mapping[date, int],
    parts: Mapping[date, float],
    weights: Mapping[date, float],
    *,
    a_day: float,
) -> float:
    """The root of the mean square by which days differ from what was to be expected of them."""
    squares = (USUAL_DIFFERENCE * a_day) ** 2
    squares += sum(
        weights[day] * (by_day.get(day, 0) - a_day * part) ** 2 / part
        for day, part in parts.items()
    )
    return math.sqrt(squares / (1 + sum(weights[day] for day in parts)))


def _parts(start: datetime, end: datetime, weekdays: Sequence[float]) -> dict[date, float]:
    """Each day from `start` to `end`, and how much of a day's use it has room for."""
    found = {}
    day = start.astimezone(UTC).date()
    while midnight(day) < end:
        begin, over = max(midnight(day), start), min(midnight(day + DAY), end)
        found[day] = (over - begin) / DAY * weekdays[day.weekday()]
        day += DAY
    return found


def _exposure(start: datetime, end: datetime, weekdays: Sequence[float]) -> float:
    if weekdays == _EVEN:
        return (end - start) / DAY
    return sum(_parts(start, end, weekdays).values())


def _weekdays(by_day: Mapping[date, int], start: datetime, now: datetime) -> tuple[float, ...]:
    """What each day of the week uses of an average one, drawn to 1 as if by one week more."""
    whole = [day for day, part in _parts(start, now, _EVEN).items() if part >= 1]
    mean = sum(by_day.get(day, 0) for day in whole) / len(whole) if whole else 0.0
    if len(whole) < 7 * LEAST_WEEKS or not mean:
        return _EVEN
    factors = []
    for weekday in range(7):
        of_weekday = [by_day.get(day, 0) / mean for day in whole if day.weekday() == weekday]
        factors.append((1 + sum(of_weekday)) / (1 + len(of_weekday)))
    average = sum(factors) / 7
    return tuple(factor / average for factor in factors)


def midnight(day: date) -> datetime:
    """When a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)
