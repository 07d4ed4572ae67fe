"""A forecast as a person says it: "at this pace it ends on 24 Nov 2026, in about 3 days"."""

from datetime import UTC, datetime, timedelta

from gateway.usage.forecast import MOST_DAYS_AHEAD, Forecast, Range
from gateway.usage.history import DAY
from gateway.usage.pace import LEAST_CALLS, LEAST_DAYS, LOOK_BACK_DAYS, TooLittle

_HOUR = timedelta(hours=1)
# Ends that are nearer are told by the hour.
_BY_THE_HOUR = 2 * DAY


def sentence(one: Forecast) -> str:
    """Whole, with its range; of too little use it says what is missing."""
    if one.is_used_up:
        return f"It is used up; {_resets(one)}."
    if not one.is_known:
        return _too_little(one)
    if one.ends_at is None:
        return _lasts(one)
    early = one.until - one.ends_at
    before = "" if _is_rolling(one) else f", {span(early)} before it resets"
    bounds = f", {_between(one)}" if one.earliest else ""
    return (
        f"At this pace it ends {_when(one.ends_at, one.at)} (in about "
        f"{span(one.ends_at - one.at)}{bounds}){before}."
    )


def clause(one: Forecast) -> str:
    """For a title, such as `at this pace it ends on 24 Nov 2026`; empty where nothing is known."""
    if not one.is_known or one.is_used_up:
        return ""
    if one.ends_at is None:
        return "at this pace it lasts"
    return f"at this pace it ends {_when(one.ends_at, one.at)}"


def span(length: timedelta) -> str:
    """Such as `3 days`, `5 hours`, `20 minutes`."""
    unit, name = timedelta(minutes=1), "minute"
    if length >= _BY_THE_HOUR:
        unit, name = DAY, "day"
    elif length >= _HOUR:
        unit, name = _HOUR, "hour"
    count = round(length / unit)
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def rounded(value: float) -> int:
    """To three digits: more would claim to know more."""
    digits = len(str(int(abs(value))))
    return int(round(value, min(3 - digits, 0)))


def day(moment: datetime) -> str:
    """Such as `1 Dec 2026`."""
    return f"{moment.astimezone(UTC):%d %b %Y}".removeprefix("0")


def _lasts(one: Forecast) -> str:
    limit, left = one.state.limit, one.left
    assert left is not None
    rest = f"about {limit.shown(rounded(left.likely))} left{_range(one, left)}"
    risk = f" It may end {_when(one.earliest, one.at)} already." if one.earliest else ""
    if _is_rolling(one):
        days = limit.window.days
        lasts = "it lasts" if days <= MOST_DAYS_AHEAD else f"it lasts {MOST_DAYS_AHEAD} days"
        return f"At this pace {lasts}, with {rest} on {day(one.until)}.{risk}"
    return f"At this pace it lasts until it resets on {day(one.until)}, with {rest}.{risk}"


def _range(one: Forecast, left: Range) -> str:
    if left.least == left.most:
        return ""
    limit = one.state.limit
    least, most = (limit.shown(rounded(value)) for value in (left.least, left.most))
    return f" (between {least} and {most})"


def _too_little(one: Forecast) -> str:
    assert isinstance(one.pace, TooLittle)
    calls = f"{one.pace.calls} call" if one.pace.calls == 1 else f"{one.pace.calls} calls"
    seen = f"{calls} in {span(one.pace.days * DAY)}"
    if not one.pace.calls:
        seen = f"no calls in the last {LOOK_BACK_DAYS} days"
    return (
        f"Too little was used to tell how long it lasts: {seen}; it takes at least {LEAST_CALLS} "
        f"calls over {LEAST_DAYS * 24:.0f} hours."
    )


def _between(one: Forecast) -> str:
    """By the hour where the end is told by the hour."""
    assert one.ends_at is not None
    assert one.earliest is not None
    is_near = one.ends_at - one.at < _BY_THE_HOUR
    early = _short(one.earliest, is_near=is_near)
    if one.latest is not None:
        late = _short(one.latest, is_near=is_near)
        return f"between {early} and {late}" if early != late else f"{early} in any case"
    return f"{early} at the earliest, or not {'at all' if _is_rolling(one) else 'before it resets'}"


def _when(moment: datetime | None, now: datetime) -> str:
    assert moment is not None
    if moment - now < _BY_THE_HOUR:
        name = "today" if moment.date() == now.date() else f"on {day(moment)}"
        return f"{name} at about {_clock(moment)} UTC"
    return f"on {day(moment)}"


def _short(moment: datetime, *, is_near: bool) -> str:
    on = f"{moment.astimezone(UTC):%d %b}".removeprefix("0")
    return f"{on}, {_clock(moment)}" if is_near else on


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M}"


def _resets(one: Forecast) -> str:
    if _is_rolling(one):
        return f"the first of it is free again on {day(one.state.resets_at)}"
    return f"it resets on {day(one.until)}"


def _is_rolling(one: Forecast) -> bool:
    return one.state.limit.window.kind == "rolling"
