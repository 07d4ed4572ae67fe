"""What calls used on each of the last days, by all that limits look at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, case, func, select

from gateway.storage.tables import microseconds, moment, totals, usage
from gateway.usage.call import Amount, Call
from gateway.usage.limit import Limit
from gateway.usage.tally import Pair

DAY = timedelta(days=1)
_DAY = 86_400_000_000
_DIMENSIONS = ("caller", "provider", "model", "tier", "task", "context")
_BUCKETS = (
    select(totals.c.key, totals.c.bucket, totals.c.settled)
    .where(totals.c.limit_id == bindparam("limit_id"), totals.c.bucket >= bindparam("start"))
    .order_by(totals.c.bucket)
)


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """What calls of one kind used on one day in UTC, before a time of the day or behind it.

    `call` holds what limits look at, and nothing else. `used.microusd` is what budgets count of
    it, None where no cost is known.
    """

    day: date
    is_early: bool
    call: Call
    calls: int
    failed: int
    used: Amount
    first: datetime


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What one limit counted on one day, and when the first call of it began."""

    day: date
    used: int
    calls: int
    first: datetime


@dataclass(frozen=True, slots=True)
class Leaving:
    """So much of what is used leaves a rolling window then."""

    at: datetime
    used: int


def read(
    connection: Connection, start: datetime, end: datetime, *, now: datetime, caller: str | None
) -> list[DayOfCalls]:
    """Of the calls that began in `[start, end)`; early are those before the time of day of now."""
    early = case((usage.c.time % _DAY < microseconds(now) % _DAY, 1), else_=0).label("early")
    day = (usage.c.time - usage.c.time % _DAY).label("day")
    keys: list[ColumnElement[Any]] = [*(usage.c[name] for name in _DIMENSIONS), day, early]
    asked = (
        select(
            *keys,
            func.count().label("calls"),
            func.count().filter(usage.c.outcome != "ok").label("failed"),
            func.min(usage.c.time).label("first"),
            func.sum(usage.c.requests).label("requests"),
            func.sum(usage.c.input_tokens).label("input_tokens"),
            func.sum(usage.c.input_tokens + usage.c.output_tokens).label("tokens"),
            func.sum(usage.c.charged_microusd).label("microusd"),
        )
        .where(usage.c.time >= microseconds(start), usage.c.time < microseconds(end))
        .group_by(*keys)
        .order_by(day)
    )
    if caller is not None:
        asked = asked.where(usage.c.caller == caller)
    return [_day(row) for row in connection.execute(asked).mappings()]


def by_limit(
    days: Iterable[DayOfCalls], limits: Sequence[Limit]
) -> Mapping[Pair, Sequence[DayOfUse]]:
    """What each limit, and each key of it, counted on the days that have any, in their order."""
    found: dict[Pair, dict[date, DayOfUse]] = {}
    for one in days:
        for limit in limits:
            if limit.binds(one.call):
                of_pair = found.setdefault((limit.id, limit.key(one.call)), {})
                of_pair[one.day] = _sum(of_pair.get(one.day), one, one.used.of(limit.unit) or 0)
    return {pair: [of[day] for day in sorted(of)] for pair, of in found.items()}


def leaving(
    connection: Connection, limits: Iterable[Limit], *, now: datetime
) -> Mapping[Pair, Sequence[Leaving]]:
    """What leaves each rolling window when, the next first."""
    found: dict[Pair, list[Leaving]] = {}
    for limit in limits:
        if limit.window.kind != "rolling":
            continue
        values = {"limit_id": limit.id, "start": microseconds(limit.window.start(now))}
        for key, bucket, settled in connection.execute(_BUCKETS, values):
            one = Leaving(limit.window.leaves_at(moment(bucket)), settled)
            found.setdefault((limit.id, key), []).append(one)
    return found


def _day(row: RowMapping) -> DayOfCalls:
    # PostgreSQL sums whole numbers to decimals.
    microusd = None if row["microusd"] is None else int(row["microusd"])
    used = Amount(int(row["requests"]), int(row["tokens"]), int(row["input_tokens"]), microusd)
    call = Call(request_id="", **{name: row[name] for name in _DIMENSIONS})
    return DayOfCalls(
        moment(row["day"]).date(),
        bool(row["early"]),
        call,
        row["calls"],
        row["failed"],
        used,
        moment(row["first"]),
    )


def _sum(known: DayOfUse | None, one: DayOfCalls, used: int) -> DayOfUse:
    if known is None:
        return DayOfUse(one.day, used, one.calls, one.first)
    return DayOfUse(
        one.day, known.used + used, known.calls + one.calls, min(known.first, one.first)
    )
