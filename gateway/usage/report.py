"""What was used in a span of time, by day, week, month or any column of the ledger's lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from gateway.errors import InvalidRequest
from gateway.storage.tables import microseconds, moment, usage
from gateway.usage.window import Window

Column = Literal[
    "model",
    "provider",
    "task",
    "caller",
    "tier",
    "context",
    "outcome",
    "request_type",
    "cost_source",
    "route_id",
    "request_id",
]
Grouping = Literal["day", "week", "month"] | Column

COLUMNS: tuple[str, ...] = get_args(Column)
SPANS = ("day", "week", "month")
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class UsageLine:
    """Sums over one group of calls.

    Days are dates, weeks the date of their Monday, months `2026-11`. Money is the sum of what is
    known, None where nothing is; `calls_with_unknown_cost` says how many calls it leaves out.
    `charged_microusd` is what budgets count. Milliseconds are averages over the calls that have
    them.
    """

    group: Mapping[str, str | None] = field(default_factory=dict)
    calls: int = 0
    failed: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    tool_calls: int = 0
    billed_microusd: int | None = None
    list_microusd: int | None = None
    charged_microusd: int | None = None
    calls_with_unknown_cost: int = 0
    first_token_ms: float | None = None
    total_ms: float | None = None


_WHOLE = (
    "requests input_tokens output_tokens cached_tokens cache_write_tokens reasoning_tokens "
    "tool_calls"
).split()
_MONEY = ("billed_microusd", "list_microusd", "charged_microusd")
_AVERAGES = ("first_token_ms", "total_ms")
_SUMS: tuple[ColumnElement[Any], ...] = (
    func.count().label("calls"),
    (func.count() - func.count(usage.c.outcome).filter(usage.c.outcome == "ok")).label("failed"),
    *(func.sum(usage.c[name]).label(name) for name in (*_WHOLE, *_MONEY, *_AVERAGES)),
    (func.count() - func.count(usage.c.charged_microusd)).label("calls_with_unknown_cost"),
    *(func.count(usage.c[name]).label(f"{name}_count") for name in _AVERAGES),
)


def report(
    connection: Connection,
    start: datetime,
    end: datetime,
    *,
    group_by: Sequence[Grouping],
    where: Mapping[Column, str],
) -> list[UsageLine]:
    """Of the calls that began in `[start, end)`; the groups are in order of their values."""
    columns = [name for name in group_by if name not in SPANS]
    for name in (*columns, *where):
        if name not in COLUMNS:
            takes = ", ".join((*SPANS, *COLUMNS))
            raise InvalidRequest(f"usage has no {name!r}; it takes {takes}")
    keys: list[ColumnElement[Any]] = [usage.c[name] for name in columns]
    if len(columns) < len(group_by):
        keys.append((usage.c.time - usage.c.time % _DAY).label("day"))
    statement = (
        select(*keys, *_SUMS)
        .where(usage.c.time >= microseconds(start), usage.c.time < microseconds(end))
        .where(*(usage.c[name] == value for name, value in where.items()))
        .group_by(*keys)
    )
    sums: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for row in connection.execute(statement).mappings():
        # Without groups, a sum over nothing is still a row.
        if row["calls"]:
            group = tuple(_value(name, row) for name in group_by)
            _add(sums.setdefault(group, {}), row)
    in_order = sorted(sums, key=lambda group: [value or "" for value in group])
    return [_line(dict(zip(group_by, group, strict=True)), sums[group]) for group in in_order]


def _value(name: str, row: RowMapping) -> str | None:
    if name not in SPANS:
        value: str | None = row[name]
        return value
    day = Window.parse(name).bucket(moment(row["day"])).date().isoformat()
    return day[:7] if name == "month" else day


def _add(sums: dict[str, Any], row: RowMapping) -> None:
    for column in _SUMS:
        value = row[column.name]
        if value is not None:
            sums[column.name] = sums.get(column.name, 0) + value


def _line(group: Mapping[str, str | None], sums: Mapping[str, Any]) -> UsageLine:
    whole = ("calls", "failed", "calls_with_unknown_cost", *_WHOLE)
    averages = {
        name: float(sums[name]) / sums[f"{name}_count"] for name in _AVERAGES if name in sums
    }
    return UsageLine(
        group,
        # PostgreSQL sums whole numbers to decimals.
        **{name: int(sums.get(name, 0)) for name in whole},
        **{name: int(sums[name]) for name in _MONEY if name in sums},
        **averages,
    )
