"""The words of a document: by the templates of its kind, or as tables where it has none."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.downstream.grpc.methods import ExposedMethod
from gateway.sources.grpc.templates import Template, escaped, is_nothing, plain
from gateway.sources.market.rendering import spelled

logger = logging.getLogger(__name__)

NAME_FIELDS = ("name", "title", "label", "display_name")
MAX_TITLE_CHARACTERS = 180
MAX_SUMMARY_CHARACTERS = 400
MAX_TEXT_CHARACTERS = 60_000
MAX_ROWS = 200
MAX_COLUMNS = 12
MAX_DEPTH = 4
_TIME_FIELDS = ("as_of", "time", "updated_at")
_SIMULATED_FIELDS = ("simulated", "is_simulated")
_GAPS = re.compile(r"\n{3,}")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """The templates of one kind; None where it has none."""

    title: Template | None = None
    summary: Template | None = None
    text: Template | None = None

    @classmethod
    def of(cls, method: ExposedMethod, id_fields: Sequence[str]) -> "Rendering":
        """Those that the method declares; one that cannot be read is left out, with a warning."""
        spec = method.document
        assert spec is not None
        templates = {}
        for name in ("title", "summary", "text"):
            template = _parsed(method, name, getattr(spec, name))
            _warn_of_unknown(method, name, template, id_fields)
            templates[name] = template
        return cls(**templates)

    def words(self, answer: Mapping[str, Any], values: Mapping[str, str]) -> tuple[str, str, str]:
        """Title, summary and text of what a method answered about these values of an ID."""
        # The answer's own spelling first: what was asked for may be written differently.
        known = {**values, **{name: one for name, one in answer.items() if not is_nothing(one)}}
        title = self.title.render(known, plain) if self.title else _title(answer, values)
        summary = self.summary.render(known, plain) if self.summary else _summary(answer)
        title = _cut(title, MAX_TITLE_CHARACTERS)
        text = self.text.render(known, block) if self.text else _text(title, answer)
        text = _GAPS.sub("\n\n", text)
        return (
            title,
            _cut(summary or title, MAX_SUMMARY_CHARACTERS),
            _cut(text, MAX_TEXT_CHARACTERS),
        )


def named(fields: Mapping[str, Any]) -> str:
    """What a message calls itself; nothing if it has no name."""
    names = (fields.get(name) for name in NAME_FIELDS)
    return next((plain(name) for name in names if isinstance(name, str) and name.strip()), "")


def block(value: Any) -> str:
    """A value in a text of markdown: repeated messages as a table, all else inside its line."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return f"\n\n{_table_of(value)}\n\n"
    return escaped(value)


def stated_time(answer: Mapping[str, Any], read_at: datetime) -> datetime:
    """When the answer was true by its own words, else when it was read; never in the future."""
    for name in _TIME_FIELDS:
        moment = _moment(answer.get(name))
        if moment:
            return min(moment, read_at)
    return read_at


def says_simulated(answer: Mapping[str, Any]) -> bool:
    return any(answer.get(name) is True for name in _SIMULATED_FIELDS)


def _parsed(method: ExposedMethod, name: str, text: str) -> Template | None:
    if not text.strip():
        return None
    try:
        return Template.parse(text)
    except ValueError as error:
        logger.warning("method=%s %s is left out: %s", method.full_name, name, error)
        return None


def _warn_of_unknown(
    method: ExposedMethod, name: str, template: Template | None, id_fields: Sequence[str]
) -> None:
    schema = method.output_schema
    unknown = template.unknown(schema, id_fields) if template and schema else []
    if unknown:
        missing = ", ".join(f"{{{path}}}" for path in unknown)
        logger.warning("method=%s %s: no answer has %s", method.full_name, name, missing)


def _title(answer: Mapping[str, Any], values: Mapping[str, str]) -> str:
    return named(answer) or " ".join(plain(value) for value in values.values())


def _summary(answer: Mapping[str, Any]) -> str:
    said = [f"{name}: {plain(value)}" for name, value in _fields(answer) if not is_nothing(value)]
    return "; ".join(said)


def _text(title: str, answer: Mapping[str, Any]) -> str:
    """All that the answer has: its fields, then each of its lists."""
    rows = [(escaped(spelled(name)), escaped(value)) for name, value in _fields(answer)]
    parts = [f"**{escaped(title)}**", _table(("Field", "Value"), rows)]
    for name, value in answer.items():
        if _is_rows(value):
            parts += [f"## {escaped(spelled(name)).capitalize()}", _table_of(value)]
    return "\n\n".join(parts)


def _fields(
    answer: Mapping[str, Any], *, depth: int = 1, before: str = ""
) -> list[tuple[str, Any]]:
    """What is no list of messages, each with its path: `price.amount`."""
    fields: list[tuple[str, Any]] = []
    for name, value in list(answer.items())[:MAX_ROWS]:
        if isinstance(value, Mapping) and value and depth < MAX_DEPTH:
            fields += _fields(value, depth=depth + 1, before=f"{before}{name}.")
        elif not _is_rows(value) or depth > 1:
            fields.append((f"{before}{name}", value))
    return fields[:MAX_ROWS]


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _table_of(messages: Sequence[Any]) -> str:
    """One row for each message, one column for each of their fields."""
    flat = [dict(_fields(one)) for one in messages[:MAX_ROWS] if isinstance(one, Mapping)]
    columns = tuple(dict.fromkeys(name for row in flat for name in row))[:MAX_COLUMNS]
    rows = [tuple(escaped(row.get(name)) for name in columns) for row in flat]
    table = _table(tuple(map(spelled, columns)), rows)
    left_out = len(messages) - len(flat)
    return f"{table}\n\n({left_out:,} more are left out.)" if left_out else table


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [tuple(map(escaped, head)), ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo and moment.year > 1970 else None


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
