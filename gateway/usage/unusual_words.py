"""What was unusual, as a person says it: how much of what, when, and against what usual."""

from collections.abc import Callable, Mapping
from datetime import date

from gateway.usage.forecast_words import rounded
from gateway.usage.limit import dollars
from gateway.usage.unusual import LOOK_BACK_DAYS, Unusual, What

METHOD = (
    f"A day is compared with the {LOOK_BACK_DAYS} before it, by their median and how far days lie "
    "from it; the day that still runs with the same hours of those."
)


def sentence(flag: Unusual) -> str:
    """Such as `Spent on 20 Nov 2026: $12.40, where a day usually has $2.10.`"""
    more = f" Most of it: {' and '.join(flag.mostly)}." if flag.mostly else ""
    return f"{_SAID[flag.what](flag)}{more}"


def _spend(flag: Unusual) -> str:
    usual = f"a day usually costs {_dollars(flag.usual)}, hardly ever over {_dollars(flag.bound)}"
    return f"Spent{_by(flag)} {_when(flag)}: {_dollars(flag.value)}, where {usual}."


def _calls(flag: Unusual) -> str:
    usual = f"a day usually has {flag.usual:,.0f}, hardly ever over {flag.bound:,.0f}"
    return f"Calls{_by(flag)} {_when(flag)}: {flag.value:,}, where {usual}."


def _failures(flag: Unusual) -> str:
    part = f"{flag.value / flag.calls:.0%} of {flag.calls:,} calls" if flag.calls else ""
    return f"Failed{_by(flag)} {_when(flag)}: {part}, where {flag.usual:.0%} usually fail."


def _new_model(flag: Unusual) -> str:
    return (
        f"New model {flag.name} took most of what was spent {_when(flag)}: "
        f"{_dollars(flag.value)} for {flag.calls:,} calls; it was not called in the "
        f"{LOOK_BACK_DAYS} days before."
    )


_SAID: Mapping[What, Callable[[Unusual], str]] = {
    "spend": _spend,
    "calls": _calls,
    "failures": _failures,
    "new model": _new_model,
}


def _by(flag: Unusual) -> str:
    if flag.dimension == "all":
        return ""
    return f" on {flag.name}" if flag.dimension == "model" else f" by {flag.name}"


def _when(flag: Unusual) -> str:
    so_far = " so far" if flag.is_so_far else ""
    if flag.days == 1:
        return f"on {_day(flag.last)}{so_far}"
    return f"since {_day(flag.first)}, until {_day(flag.last)}{so_far} ({flag.days} days)"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _dollars(microusd: float) -> str:
    return dollars(rounded(microusd))
