"""The time that a report is about: `today`, `yesterday`, `7d`, `month`, `2026-11`, `2026-11-20`."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gateway.errors import InvalidRequest
from gateway.text import shown

EXAMPLES = "today, yesterday, 7d, 30d, week, month, 2026-W47, 2026-11, 2026-11-20 or 2026"
MAX_DAYS = 366
DAYS = re.compile(r"([1-9]\d{0,2})d")
WEEK = re.compile(r"(20\d\d)-w(\d{1,2})")
MONTH = re.compile(r"(20\d\d)-(\d{1,2})")
DATE = re.compile(r"(20\d\d)-(\d{1,2})-(\d{1,2})")
YEAR = re.compile(r"20\d\d")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to `end`, both in UTC; `title` is how a sentence says it."""

    start: datetime
    end: datetime
    title: str


def settled(text: str) -> str:
    """The usual spelling: `Today` is `today`, `2026-w7` is `2026-W07`, `2026-3` is `2026-03`."""
    low = text.strip().lower()
    if found := WEEK.fullmatch(low):
        return f"{found[1]}-W{int(found[2]):02d}"
    if found := DATE.fullmatch(low) or MONTH.fullmatch(low):
        return "-".join([found[1], *(f"{int(part):02d}" for part in found.groups()[1:])])
    return low


def span(window: str, now: datetime) -> Span:
    """Raises:
    InvalidRequest: the text names no time.
    """
    today = now.astimezone(UTC).date()
    try:
        found = _span(settled(window), today)
    except ValueError:
        found = None
    if found is None:
        raise InvalidRequest(f"{shown(window)!r} is no time; use one such as {EXAMPLES}")
    return found


def _span(window: str, today: date) -> Span | None:
    if window == "today":
        return _between(today, today + _DAY, "today")
    if window == "yesterday":
        return _between(today - _DAY, today, "yesterday")
    if window == "week":
        monday = today - today.weekday() * _DAY
        return _between(monday, monday + 7 * _DAY, "this week")
    if window == "month":
        first = today.replace(day=1)
        return _between(first, _next_month(first), "this month")
    if (found := DAYS.fullmatch(window)) and int(found[1]) <= MAX_DAYS:
        days = int(found[1])
        title = "today" if days == 1 else f"in the last {days} days"
        return _between(today - (days - 1) * _DAY, today + _DAY, title)
    return _calendar_span(window)


def _calendar_span(window: str) -> Span | None:
    if found := WEEK.fullmatch(window.lower()):
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        title = f"in the week of {_day_words(monday)}"
        return _between(monday, monday + 7 * _DAY, title)
    if DATE.fullmatch(window):
        day = date.fromisoformat(window)
        return _between(day, day + _DAY, f"on {_day_words(day)}")
    if MONTH.fullmatch(window):
        first = date.fromisoformat(f"{window}-01")
        return _between(first, _next_month(first), f"in {first:%B %Y}")
    if YEAR.fullmatch(window):
        return _between(date(int(window), 1, 1), date(int(window) + 1, 1, 1), f"in {window}")
    return None


def _between(first: date, end: date, title: str) -> Span:
    return Span(_midnight(first), _midnight(end), title)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _day_words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
