"""Turns a provider's answer into the words of a document, by the templates of its kind."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError

from gateway.errors import BadAnswer
from gateway.text import displayable

# More digits than any price has; writing them out is how a number could stop the process.
_MOST_DIGITS = 40
_SPACE = re.compile(r"[\t\n]+")
_MARKUP = str.maketrans("|<>`[]", "/()'()")
_SCALES = ((Decimal(10**12), "T"), (Decimal(10**9), "B"), (Decimal(10**6), "M"))
NOTHING = ("", "")


def render(template: str, context: Mapping[str, Any]) -> str:
    """Raises:
    BadAnswer: the answer lacks what the template shows, or has another shape.
    """
    try:
        return _compiled(template).render(context).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise BadAnswer("the answer has another shape than expected") from error


def inert(value: object) -> object:
    """Text from elsewhere as plain text: it may not speak in markdown, HTML or control codes."""
    if not isinstance(value, str):
        return value
    return _SPACE.sub(" ", displayable(value)).translate(_MARKUP)


def number(value: object) -> str:
    """Every digit there is, grouped by thousands: `0067890.1200` is `67,890.12`."""
    amount = _decimal(value)
    if amount is None:
        return str(value)
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: object) -> str:
    """Eight significant digits, for figures that were computed: `2684.30837231` is `2,684.3084`."""
    amount = _decimal(value)
    if not amount:
        return number(value)
    places = max(0, 7 - amount.adjusted())
    return number(round(amount, places))


def rounded(value: object, digits: int = 0) -> str:
    amount = _decimal(value)
    return str(value) if amount is None else f"{amount:,.{digits}f}"


def signed(value: object, digits: int | None = None) -> str:
    amount = _decimal(value)
    if amount is None:
        return str(value)
    text = number(amount) if digits is None else rounded(amount, digits)
    text = text.removeprefix("-") if not text.strip("-0.,") else text
    return text if text.startswith("-") or not text.strip("0.,") else f"+{text}"


def compact(value: object) -> str:
    """Three or four digits and a scale: `1234567` is `1.23 M`."""
    amount = _decimal(value)
    if amount is None:
        return str(value)
    for scale, letter in _SCALES:
        if abs(amount) >= scale:
            return f"{amount / scale:,.2f} {letter}"
    return rounded(amount, 2) if abs(amount) >= 1 else number(amount)


def clock(milliseconds: int) -> str:
    return _moment(milliseconds).strftime("%H:%M:%S")


def moment(milliseconds: int) -> str:
    return _moment(milliseconds).strftime("%Y-%m-%d %H:%M")


def spelled(name: str) -> str:
    """A name from a program in words: `STRONG_BUY` and `StrongBuy` are `strong buy`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s]+", " ", name).lower()


def largest(rows: Sequence[Mapping[str, Any]], field: str, count: int) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: Decimal(row[field]), reverse=True)[:count]


def scaled(value: int, scale: int) -> Decimal:
    return Decimal(value) / scale


def pairs(first: Sequence[Any], second: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip_longest(first, second, fillvalue=NOTHING)


def table(answer: Any) -> str:
    """Any answer as markdown, for a provider whose answers no template fits."""
    if isinstance(answer, Mapping):
        rows = [("Field", "Value"), ("---", "---"), *answer.items()]
        return "\n".join(f"| {inert(str(name))} | {inert(str(value))} |" for name, value in rows)
    return "\n".join(f"- {inert(str(row))}" for row in answer)


def _decimal(value: object) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    is_writable = amount.is_finite() and abs(amount.adjusted()) <= _MOST_DIGITS
    return amount if is_writable else None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(undefined=StrictUndefined, finalize=inert, trim_blocks=True)
    environment.filters.update(
        number=number,
        short=short,
        round=rounded,
        signed=signed,
        compact=compact,
        clock=clock,
        moment=moment,
        words=spelled,
        largest=largest,
    )
    environment.globals.update(pairs=pairs, scaled=scaled)
    return environment
