"""What was asked of each model: tokens, calls and money, for comparing prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, func, literal, select

from gateway.storage.tables import microseconds, usage

_NAMES = ("provider", "model", "tier", "request_type", "cost_source")
_SUMS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "charged_microusd",
    "list_microusd",
)


@dataclass(frozen=True, slots=True)
class Workload:
    """The calls of one model that are alike: how they ended, what is known of them, how long.

    `input_step` says how many of the bounds that were asked for the input of each call exceeds.
    Money is None where it is not known of any of these calls; it is known of all or of none.
    """

    provider: str
    model: str
    tier: str
    request_type: str
    cost_source: str
    is_ok: bool
    is_counted: bool
    input_step: int
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    charged_microusd: int | None = None
    list_microusd: int | None = None


def read(
    connection: Connection,
    start: datetime,
    end: datetime,
    *,
    above_tokens: Sequence[int],
    caller: str | None,
) -> list[Workload]:
    """Of the calls that began in `[start, end)`; `is_counted` is whether any token was counted."""
    step: ColumnElement[Any] = literal(0)
    for bound in above_tokens:
        step = step + _is(usage.c.input_tokens > bound)
    keys: list[ColumnElement[Any]] = [
        *(usage.c[name] for name in _NAMES),
        _is(usage.c.outcome == "ok").label("is_ok"),
        _is(usage.c.input_tokens + usage.c.output_tokens > 0).label("is_counted"),
        _is(usage.c.charged_microusd.is_(None)).label("is_uncharged"),
        _is(usage.c.list_microusd.is_(None)).label("is_unlisted"),
        step.label("input_step"),
    ]
    asked = (
        select(*keys, func.count().label("calls"), *(_sum(name) for name in _SUMS))
        .where(usage.c.time >= microseconds(start), usage.c.time < microseconds(end))
        .group_by(*keys)
        .order_by(usage.c.model)
    )
    if caller is not None:
        asked = asked.where(usage.c.caller == caller)
    return [_workload(row) for row in connection.execute(asked).mappings()]


def _is(condition: ColumnElement[bool]) -> ColumnElement[int]:
    # Both kinds of database know numbers.
    return case((condition, 1), else_=0)


def _sum(name: str) -> ColumnElement[Any]:
    return func.sum(usage.c[name]).label(name)


def _workload(row: RowMapping) -> Workload:
    # PostgreSQL sums whole numbers to decimals.
    sums = {name: None if row[name] is None else int(row[name]) for name in _SUMS}
    return Workload(
        **{name: row[name] for name in _NAMES},
        is_ok=bool(row["is_ok"]),
        is_counted=bool(row["is_counted"]),
        input_step=row["input_step"],
        calls=row["calls"],
        **sums,  # type: ignore[arg-type]  # tokens are never null
    )
