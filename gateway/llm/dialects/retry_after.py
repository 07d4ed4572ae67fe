"""When a provider wants to be asked again, in all the ways that providers say it."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 31 * 24 * 3600.0

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# What is at least so large is no wait but a moment: seconds since 1970, or milliseconds.
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11
_WINDOW = re.compile(
    r"(?:x|anthropic)-ratelimit-(?:(remaining|reset)-?(.*)|(.+)-(remaining|reset))"
)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """From `retry-after-ms`, `retry-after`, or the reset of the window that is used up."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = lower.get("retry-after-ms", "")
    if _NUMBER.fullmatch(milliseconds):
        return _bounded(float(milliseconds) / 1000)
    if (told := waited_seconds(lower.get("retry-after", ""), now)) is not None:
        return told
    return _until_reset(lower, now)


def waited_seconds(text: str, now: datetime) -> float | None:
    """From seconds, a duration such as `6m0s`, a moment since 1970, or a date."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _bounded(_from_now(float(text), now))
    if _DURATION.fullmatch(text):
        pieces = _PIECE.findall(text)
        return _bounded(sum(float(count) * _UNIT_SECONDS[unit] for count, unit in pieces))
    moment = _date(text)
    return None if moment is None else _bounded((moment - now).total_seconds())


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """The window that has nothing left is the one to wait for; else the longest."""
    remaining, resets = _windows(headers)
    waits = {name: waited_seconds(reset, now) for name, reset in resets.items()}
    used_up = [waits[name] for name in waits if remaining.get(name) in ("0", "-1")]
    return _longest(used_up) or _longest(waits.values())


def _windows(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    remaining: dict[str, str] = {}
    resets: dict[str, str] = {}
    for header, value in headers.items():
        if found := _WINDOW.fullmatch(header):
            what, name = found[1] or found[4], found[2] or found[3] or ""
            (remaining if what == "remaining" else resets)[name] = value
    return remaining, resets


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


def _from_now(number: float, now: datetime) -> float:
    if number >= _EPOCH_MILLISECONDS:
        return number / 1000 - now.timestamp()
    return number - now.timestamp() if number >= _EPOCH_SECONDS else number


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_SECONDS)
