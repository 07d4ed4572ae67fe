"""Reads single values out of JSON that others wrote; whatever is not what it should be is None."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from sys import intern
from typing import Any

# Finer than any list price; it removes what floating point left in some of them.
_STEP = Decimal("0.000000001")
_DEAREST = Decimal(10**9)
# What only one list calls differently.
_MODALITIES = {"file": "pdf", "embeddings": "embedding"}


def text(value: Any) -> str | None:
    return intern(value) if isinstance(value, str) and value.strip() else None


def count(value: Any) -> int | None:
    """A limit in tokens; lists say 0 where there is none to speak of."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 < value < 10**12 else None


def truth(value: Any) -> bool | None:
    """Also of Anthropic's `{"supported": true}`."""
    if isinstance(value, dict):
        value = value.get("supported")
    return value if isinstance(value, bool) else None


def dollars(value: Any, *, scale: int = 1) -> Decimal | None:
    """An amount that is a number or text. A negative one, such as OpenRouter's "-1", is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    return _dollars(str(value), scale)


@lru_cache(maxsize=4_096)
def _dollars(said: str, scale: int) -> Decimal | None:
    try:
        amount = Decimal(said) * scale
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < _DEAREST:
        return None
    return Decimal(plain(amount.quantize(_STEP)))


def plain(amount: Decimal) -> str:
    """Without exponent and without zeros at its end."""
    written = f"{amount:f}"
    return (written.rstrip("0").rstrip(".") if "." in written else written) or "0"


@lru_cache(maxsize=2_048)
def day(value: str | None) -> date | None:
    """Of `2026-11-20`, of a month as its first day, or of a moment in RFC 3339."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(f"{value}-01" if len(value) == 7 else value[:10])
    except ValueError:
        return None


def day_of_seconds(value: Any) -> date | None:
    """Of seconds since 1970; lists that do not know say 0 or the moment of asking."""
    seconds = count(value)
    if seconds is None or seconds > 10**11:
        return None
    return day(datetime.fromtimestamp(seconds, UTC).date().isoformat())


def modalities(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    return shared({_MODALITIES.get(one, one) for one in value if isinstance(one, str)}) or None


def shared(words: Iterable[str]) -> frozenset[str]:
    """The same object for the same words: there are hundreds of models and few such sets."""
    return _shared(tuple(sorted(words)))


@lru_cache(maxsize=512)
def _shared(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(intern, words))


def rows(body: Any, key: str = "data") -> list[dict[str, Any]] | None:
    """The objects of a list that is the body itself or stands in it under a key."""
    listed = body.get(key) if isinstance(body, dict) else body
    if not isinstance(listed, list):
        return None
    return [row for row in listed if isinstance(row, dict)]


def part(row: dict[str, Any], key: str) -> dict[str, Any]:
    """An object inside of another; an empty one where there is none."""
    value = row.get(key)
    return value if isinstance(value, dict) else {}
