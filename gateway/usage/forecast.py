"""How long a limit lasts at this pace: when it ends, or how much of it is left when it resets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from gateway.usage.history import DAY, DayOfUse, Leaving
from gateway.usage.limit import LimitState
from gateway.usage.pace import USUAL_DIFFERENCE, Pace, TooLittle, pace

# Four of five times the truth lies within the range, if days go on to differ as they did.
DEVIATIONS = 1.28
# Of rolling windows that are longer, no more is looked at.
MOST_DAYS_AHEAD = 90
# What others use is known from one count of a provider: it takes a day to be a pace.
_LEAST_DAYS_OF_OTHERS = 1.0
_FINE_STEP, _COARSE_STEP = timedelta(hours=1), timedelta(hours=6)
_FINE_DAYS = 8


@dataclass(frozen=True, slots=True)
class Range:
    """Of what is used or left: likely so much, between two bounds."""

    least: int
    likely: int
    most: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a limit until it resets, or while a rolling window turns over once.

    `ends_at` is when it is likely used up, between `earliest` and `latest`; None is not before
    `until`. `left` is what remains then. What runs now is not counted before it ends. `others`
    is what is used by others in a day, as a provider counted it.
    """

    state: LimitState
    at: datetime
    until: datetime
    pace: Pace | TooLittle
    others: float = 0.0
    ends_at: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    left: Range | None = None

    @property
    def is_known(self) -> bool:
        return self.left is not None

    @property
    def is_used_up(self) -> bool:
        return self.ends_at == self.at

    @property
    def a_day(self) -> float:
        """What all together use in a day."""
        return self.others + (self.pace.a_day if isinstance(self.pace, Pace) else 0.0)


@dataclass(frozen=True, slots=True)
class _Step:
    """What may be used at a moment: at the least, likely, and at the most."""

    at: datetime
    used: tuple[float, float, float]


def forecast(
    state: LimitState,
    used: Sequence[DayOfUse],
    *,
    now: datetime,
    leaving: Sequence[Leaving] = (),
) -> Forecast:
    """By the pace of the days that are given; `leaving` is what leaves a rolling window."""
    now = now.astimezone(UTC)
    limit, current = state.limit, pace(used, now)
    until = _until(state, now)
    if state.settled + state.others >= limit.most:
        return Forecast(
            state, now, until, current, ends_at=now, earliest=now, latest=now, left=Range(0, 0, 0)
        )
    others = _others_in_a_day(state, now)
    if isinstance(current, TooLittle) and not others:
        return Forecast(state, now, until, current)
    steps = list(_steps(state, current, others=others, until=until, now=now, leaving=leaving))
    least, likely, most = (_reaches(steps, limit.most, one) for one in range(3))
    left = [max(round(limit.most - used), 0) for used in steps[-1].used]
    return Forecast(
        state,
        now,
        until,
        current,
        others,
        ends_at=likely,
        earliest=most,
        latest=least,
        left=Range(left[2], left[1], left[0]),
    )


def _until(state: LimitState, now: datetime) -> datetime:
    """A calendar window resets at once; of a rolling one, all that is in it leaves in its length.

    Behind that it holds as much as the pace uses in its length, and not more.
    """
    window = state.limit.window
    if window.kind != "rolling":
        return window.resets_at(now)
    return now + min(window.days, MOST_DAYS_AHEAD) * DAY


def _others_in_a_day(state: LimitState, now: datetime) -> float:
    """In a rolling window, as much of theirs is taken to leave as comes."""
    window = state.limit.window
    if window.kind == "rolling" or not state.others:
        return 0.0
    days = ((state.reported_at or now) - window.start(now)) / DAY
    return state.others / days if days >= _LEAST_DAYS_OF_OTHERS else 0.0


def _steps(
    state: LimitState,
    current: Pace | TooLittle,
    *,
    others: float,
    until: datetime,
    now: datetime,
    leaving: Sequence[Leaving],
) -> Iterator[_Step]:
    used = float(state.settled + state.others)
    yield _Step(now, (used, used, used))
    at, added, gone, deviation = now, 0.0, 0, 0.0
    step = _FINE_STEP if until - now <= _FINE_DAYS * DAY else _COARSE_STEP
    while at < until:
        begin, at = at, min(at + step, until)
        days = (at - now) / DAY
        added += others * ((at - begin) / DAY)
        deviation = USUAL_DIFFERENCE * others * days
        if isinstance(current, Pace):
            added += current.use(begin, at)
            deviation += current.deviation(days)
        while gone < len(leaving) and leaving[gone].at <= at:
            used -= leaving[gone].used
            gone += 1
        off = DEVIATIONS * deviation
        yield _Step(at, (used + max(added - off, 0.0), used + added, used + added + off))


def _reaches(steps: Sequence[_Step], most: int, which: int) -> datetime | None:
    """When so much is used for the first time, between the steps as on a straight line."""
    for before, after in pairwise(steps):
        low, high = before.used[which], after.used[which]
        if high >= most:
            part = (most - low) / (high - low) if high > low else 0.0
            return before.at + max(part, 0.0) * (after.at - before.at)
    return None
