"""Templates of documents: text with `{name}`, `{price.amount}` and `{count:,}` in it."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from string import Formatter
from typing import Any

from gateway.sources.market.rendering import inert
from gateway.text import displayable, shown

MAX_TEMPLATE_CHARACTERS = 20_000
MISSING = "–"  # noqa: RUF001 - the dash that stands for no value in tables
MAX_VALUE_CHARACTERS = 2_000
# A service writes its templates itself: thousands of short names may each stand for a table.
MAX_FILLED_CHARACTERS = 100_000
# More digits than anything countable has; writing them out could stop the process.
MOST_DIGITS = 40
FORMATS = "',', '.2f', ',.2f' or '.1%'"

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_FORMAT = re.compile(r",?(?:\.\d)?[f%]?")
# What a value could begin a heading, a list, a line or an emphasis with.
_MARKS = re.compile(r"[\\*~]|(?<!\w)_|_(?!\w)|^#|^[-+](?=\s)|^[-=](?=[-=]+$)")

Write = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value at `path` goes; a number is written as `format` says."""

    path: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """Text and placeholders, in their order."""

    parts: tuple[str | Placeholder, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Raises:
        ValueError: it is too long, a brace stands alone, or a placeholder is none of ours.
        """
        if len(text) > MAX_TEMPLATE_CHARACTERS:
            raise ValueError(f"it is longer than {MAX_TEMPLATE_CHARACTERS:,} characters")
        parts: list[str | Placeholder] = []
        for literal, path, form, conversion in Formatter().parse(displayable(text)):
            parts += [literal] if literal else []
            if path is not None:
                parts.append(_placeholder(path, form or "", conversion))
        return cls(tuple(parts))

    def render(self, values: Mapping[str, Any], write: Write) -> str:
        """What is missing is a dash, whatever is missing; what is too long is not written on."""
        plainly = cache(lambda path: write(value_at(values, path)))
        said: list[str] = []
        room = MAX_FILLED_CHARACTERS
        for part in self.parts:
            said.append(part if isinstance(part, str) else _written(part, values, write, plainly))
            room -= len(said[-1])
            if room < 0:
                break
        return "".join(said).strip()

    def unknown(self, schema: Mapping[str, Any], known: Collection[str]) -> list[str]:
        """The paths that an answer of this JSON Schema never has, and that are not `known`."""
        paths = dict.fromkeys(part.path for part in self.parts if isinstance(part, Placeholder))
        return [path for path in paths if path not in known and not _is_in(schema, path)]


def plain(value: Any) -> str:
    """A value inside a line of plain text."""
    return _in_a_line(value, lambda text: text)


def escaped(value: Any) -> str:
    """A value inside a line of markdown, which it cannot change."""
    return _in_a_line(value, lambda text: _MARKS.sub(r"\\\g<0>", text))


def value_at(values: Mapping[str, Any], path: str) -> Any:
    value: Any = values
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def is_nothing(value: Any) -> bool:
    """Whether there is nothing to show: zero and false are something."""
    return value is None or value in ("", [], {})


def _placeholder(path: str, form: str, conversion: str | None) -> Placeholder:
    if conversion or not _PATH.fullmatch(path):
        raise ValueError(f"{{{shown(path)}}} is no placeholder like {{name}} or {{price.amount}}")
    if not _FORMAT.fullmatch(form):
        raise ValueError(f"{shown(form)!r} is no format of a number; use {FORMATS}")
    return Placeholder(path, form)


def _written(
    part: Placeholder, values: Mapping[str, Any], write: Write, plainly: Callable[[str], str]
) -> str:
    number = part.format and _formatted(value_at(values, part.path), part.format)
    return write(number) if number else plainly(part.path)


def _formatted(value: Any, form: str) -> str | None:
    """Numbers beyond 53 bits come as text, which is a number all the same."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    is_writable = amount.is_finite() and abs(amount.adjusted()) <= MOST_DIGITS
    return format(amount, form) if is_writable else None


def _in_a_line(value: Any, mark: Callable[[str], str]) -> str:
    if is_nothing(value):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        pairs = (f"{_text(name)}: {_in_a_line(one, mark)}" for name, one in value.items())
        return _joined(", ", pairs)
    if isinstance(value, list):
        return _joined("; ", (_in_a_line(one, mark) for one in value))
    return mark(_text(value)) or MISSING


def _joined(separator: str, texts: Iterable[str]) -> str:
    """No more of them than are shown."""
    said: list[str] = []
    room = MAX_VALUE_CHARACTERS
    for text in texts:
        said.append(text)
        room -= len(text)
        if room < 0:
            break
    return _cut(separator.join(said))


def _text(value: Any) -> str:
    # Cut before it is cleaned too: a megabyte of text is one value as well.
    return _cut(str(inert(str(value)[: 2 * MAX_VALUE_CHARACTERS])).strip())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"


def _is_in(schema: Mapping[str, Any], path: str) -> bool:
    """Where the schema leaves open what there is, everything is."""
    at: Any = schema
    for name in path.split("."):
        at = _resolved(schema, at)
        properties = at.get("properties")
        if not isinstance(properties, Mapping):
            return at.get("type") in (None, "object")
        if name not in properties:
            return False
        at = properties[name]
    return True


def _resolved(schema: Mapping[str, Any], at: Any) -> Mapping[str, Any]:
    """What a reference inside the schema points at, or the schema itself."""
    reference = at.get("$ref") if isinstance(at, Mapping) else None
    found: Any = schema if reference else at
    for name in str(reference).removeprefix("#/").split("/") if reference else ():
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or (reference and "$ref" in found):
        return {}
    return found
