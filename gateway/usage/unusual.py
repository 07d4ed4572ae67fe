"""Days on which far more was spent, called or failed than on the days before.

A day is compared with the 28 before it, by their median and how far they lie from it (MAD), which
one odd day among them does not move. The day that still runs is compared with the same hours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from math import sqrt
from statistics import median
from typing import Literal

from gateway.usage.history import DAY, DayOfCalls

What = Literal["spend", "calls", "failures", "new model"]
Dimension = Literal["all", "model", "caller"]

LOOK_BACK_DAYS = 28
# What began so long before a window is told with it.
MOST_DAYS_BEFORE = 7
HISTORY_DAYS = LOOK_BACK_DAYS + MOST_DAYS_BEFORE
# With fewer days of history nothing is usual yet.
LEAST_HISTORY_DAYS = 7
# So many deviations above the median, at least twice it, and more than these at all.
DEVIATIONS, TIMES = 4.0, 2.0
LEAST_MICROUSD, LEAST_CALLS = 500_000, 30
# Where days hardly differ, they are still taken to differ by this part of the median.
LEAST_DEVIATION = 0.1
# What makes the MAD of normal numbers their standard deviation.
_MAD_SCALE = 1.4826
# On fewer days of use than this, those without any are usual too.
_REGULAR_DAYS = 4
# Of failures: so many calls, and so many points more of them failed than used to.
LEAST_CALLS_OF_RATES, RATE_POINTS = 20, 0.15
_LEAST_RATE = 0.02
MOST_SHARE = 0.5


_Key = tuple[What, Dimension, str]


@dataclass(frozen=True, slots=True)
class Unusual:
    """On these days, both counted, `value` was used where `usual` is usual in a day.

    Money is in micro-dollars; of failures, `value` failed of `calls`, and `usual` is the part that
    usually fails. `bound` is what hardly any usual day exceeds. `mostly` names what made up most
    of it. `is_so_far` says that the last day still runs.
    """

    what: What
    dimension: Dimension
    name: str
    first: date
    last: date
    value: int
    usual: float
    bound: float
    calls: int = 0
    mostly: tuple[str, ...] = ()
    is_so_far: bool = False

    @property
    def key(self) -> _Key:
        return self.what, self.dimension, self.name

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(slots=True)
class _Day:
    """Sums over one day of one series."""

    microusd: int = 0
    calls: int = 0
    failed: int = 0

    def add(self, one: DayOfCalls) -> None:
        self.microusd += one.used.microusd or 0
        self.calls += one.calls
        self.failed += one.failed


_NOTHING = _Day()
_Series = Mapping[tuple[Dimension, str], Mapping[date, _Day]]


def unusual(
    history: Sequence[DayOfCalls], start: datetime, end: datetime, *, now: datetime
) -> Sequence[Unusual]:
    """What lasts into the days of `[start, end)`, the dearest first.

    `history` begins `HISTORY_DAYS` before, and is split at the time of day that it is now.
    """
    today = now.astimezone(UTC).date()
    past = _series(one for one in history if one.day < today)
    so_far = _series(one for one in history if one.is_early or one.day == today)
    began = min((one.day for one in history), default=today)
    first = start.astimezone(UTC).date()
    found: list[Unusual] = []
    running: Mapping[_Key, int] = {}
    day = max(first - MOST_DAYS_BEFORE * DAY, began)
    while day <= today and day < end.astimezone(UTC).date():
        series = so_far if day == today else past
        days = _days_before(day, began)
        flags = _flags(series, day, days, running) if len(days) >= LEAST_HISTORY_DAYS else []
        running = {flag.key: running.get(flag.key, 0) + 1 for flag in flags}
        found += [replace(one, is_so_far=day == today) for one in _without_their_parts(flags)]
        day += DAY
    return sorted((one for one in _joined(found) if one.last >= first), key=_weight)


def _days_before(day: date, began: date) -> list[date]:
    return [
        before for days in range(1, LOOK_BACK_DAYS + 1) if (before := day - days * DAY) >= began
    ]


def _series(history: Iterable[DayOfCalls]) -> _Series:
    found: dict[tuple[Dimension, str], dict[date, _Day]] = {}
    for one in history:
        keys: tuple[tuple[Dimension, str], ...] = (
            ("all", ""), ("model", one.call.model), ("caller", one.call.caller)
        )  # fmt: skip
        for key in keys:
            found.setdefault(key, {}).setdefault(one.day, _Day()).add(one)
    return found


def _flags(
    series: _Series, day: date, days: Sequence[date], running: Mapping[_Key, int]
) -> list[Unusual]:
    """`running` is for how many days what was unusual until yesterday has been."""
    found = []
    whole = series.get(("all", ""), {}).get(day, _NOTHING)
    for (dimension, name), of_day in series.items():
        here = of_day.get(day)
        if here is None or not _is_enough(here):
            continue
        before = [of_day.get(one, _NOTHING) for one in days]
        flag = Unusual("calls", dimension, name, day, day, here.calls, 0, 0, here.calls)
        if dimension == "model" and _is_new(here, before, whole):
            found.append(replace(flag, what="new model", value=here.microusd))
            continue
        found += _far_above(flag, here, before, running)
        found += _failing(flag, here, before)
    return [replace(flag, mostly=_mostly(flag, series, days)) for flag in found]


def _is_enough(here: _Day) -> bool:
    """Most days of most callers are too small to stand out, whatever was before."""
    return here.microusd >= LEAST_MICROUSD or here.calls >= min(LEAST_CALLS, LEAST_CALLS_OF_RATES)


def _is_new(here: _Day, before: Sequence[_Day], whole: _Day) -> bool:
    is_most = here.microusd >= MOST_SHARE * whole.microusd
    return is_most and here.microusd >= LEAST_MICROUSD and not any(one.calls for one in before)


def _far_above(
    flag: Unusual, here: _Day, before: Sequence[_Day], running: Mapping[_Key, int]
) -> Iterable[Unusual]:
    tests: tuple[tuple[What, Callable[[_Day], int], int], ...] = (
        ("spend", lambda one: one.microusd, LEAST_MICROUSD),
        ("calls", lambda one: one.calls, LEAST_CALLS),
    )
    for what, amount, least in tests:
        value, amounts = amount(here), [amount(one) for one in before]
        usual, bound = expected(amounts)
        flag = replace(flag, what=what, value=value, usual=usual, bound=bound)
        # One day alone may have been odd; what was seen on two days before these is not new.
        seen_before = sorted(amounts[running.get(flag.key, 0) :])[-2:-1]
        if value > max(bound, TIMES * usual, *seen_before) and value - usual >= least:
            yield flag


def expected(amounts: Sequence[int]) -> tuple[float, float]:
    """What a day usually uses, and what hardly any usual day exceeds.

    What is used now and then is compared with the days on which it was used.
    """
    used = [amount for amount in amounts if amount]
    usual_days = used if len(used) >= _REGULAR_DAYS else amounts
    usual = float(median(usual_days))
    deviation = _MAD_SCALE * float(median(abs(amount - usual) for amount in usual_days))
    return usual, usual + DEVIATIONS * max(deviation, LEAST_DEVIATION * usual)


def _failing(flag: Unusual, here: _Day, before: Sequence[_Day]) -> Iterable[Unusual]:
    """A part of calls that fails by chance differs by the root of their number."""
    # One day may have been odd.
    days = sorted(before, key=lambda one: one.failed)[:-1]
    calls = sum(one.calls for one in days)
    if here.calls < LEAST_CALLS_OF_RATES or calls < LEAST_CALLS_OF_RATES:
        return
    usual = sum(one.failed for one in days) / calls
    likely = max(usual, _LEAST_RATE)
    chance = sqrt(likely * (1 - likely) / here.calls) if likely < 1 else 0.0
    bound = likely + max(DEVIATIONS * chance, RATE_POINTS)
    if here.failed / here.calls > bound:
        yield replace(flag, what="failures", value=here.failed, usual=usual, bound=bound)


def _mostly(flag: Unusual, series: _Series, days: Sequence[date]) -> tuple[str, ...]:
    """The model and the caller that made up most of what is beyond the usual of all."""
    if flag.dimension != "all":
        return ()
    amount: Callable[[_Day], int] = {
        "spend": lambda one: one.microusd,
        "calls": lambda one: one.calls,
        "failures": lambda one: one.failed,
    }[flag.what]
    usual = flag.usual * flag.calls if flag.what == "failures" else flag.usual
    beyond = flag.value - usual
    return tuple(
        f"{dimension} {name}"
        for (dimension, name), of_day in sorted(
            series.items(), key=lambda one: one[0], reverse=True
        )
        if dimension != "all" and flag.first in of_day
        if _excess(of_day, flag.first, days, amount) > MOST_SHARE * beyond
    )


def _excess(
    of_day: Mapping[date, _Day], day: date, days: Sequence[date], amount: Callable[[_Day], int]
) -> float:
    usual = median(amount(of_day.get(one, _NOTHING)) for one in days)
    return amount(of_day[day]) - float(usual)


def _without_their_parts(flags: Sequence[Unusual]) -> list[Unusual]:
    """Where all spent more, each model and caller may have; only failures are told of each."""
    of_all = {flag.what for flag in flags if flag.dimension == "all"}
    told = {(flag.what, part) for flag in flags for part in flag.mostly}
    return [
        flag
        for flag in flags
        if flag.dimension == "all"
        or flag.what not in of_all
        or (flag.what == "failures" and ("failures", f"{flag.dimension} {flag.name}") not in told)
    ]


def _joined(flags: Sequence[Unusual]) -> list[Unusual]:
    """Days that follow each other are one story."""
    found: dict[_Key, list[Unusual]] = {}
    for flag in flags:
        stories = found.setdefault(flag.key, [])
        if stories and stories[-1].last + DAY == flag.first:
            stories[-1] = _with_next(stories[-1], flag)
        else:
            stories.append(flag)
    return [story for stories in found.values() for story in stories]


def _with_next(story: Unusual, flag: Unusual) -> Unusual:
    return replace(
        story,
        last=flag.last,
        value=story.value + flag.value,
        calls=story.calls + flag.calls,
        mostly=tuple(dict.fromkeys((*story.mostly, *flag.mostly))),
        is_so_far=flag.is_so_far,
    )


_ORDER: tuple[What, ...] = ("spend", "new model", "failures", "calls")


def _weight(flag: Unusual) -> tuple[int, float, str]:
    """Money before what only costs nerves; the most beyond its usual first."""
    return _ORDER.index(flag.what), flag.usual * flag.days - flag.value, flag.name
