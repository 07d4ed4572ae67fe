"""Counts what limits that are new have used so far, from the ledger's lines and running calls."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from gateway.storage.tables import (
    counted_limits,
    microseconds,
    moment,
    reservations,
    totals,
    usage,
)
from gateway.usage.call import Call
from gateway.usage.limit import Limit
from gateway.usage.reservation import READ, Hold, Reservation, holds_text
from gateway.usage.tally import Tally, Use

_HOUR = 3_600_000_000
_DIMENSIONS = ("caller", "provider", "model", "tier", "task", "context")
_HOUR_OF_LINE = (usage.c.time - usage.c.time % _HOUR).label("hour")
_USED = (
    select(
        *(usage.c[name] for name in _DIMENSIONS),
        _HOUR_OF_LINE,
        func.sum(usage.c.requests).label("requests"),
        func.sum(usage.c.input_tokens).label("input_tokens"),
        func.sum(usage.c.input_tokens + usage.c.output_tokens).label("tokens"),
        func.sum(usage.c.charged_microusd).label("microusd"),
        (func.count() - func.count(usage.c.charged_microusd)).label("unknown_costs"),
    )
    .where(usage.c.time >= bindparam("start"))
    .group_by(*(usage.c[name] for name in _DIMENSIONS), _HOUR_OF_LINE)
)
_HOLD = (
    update(reservations).where(reservations.c.id == bindparam("of")).values(holds=bindparam("held"))
)


def count_new_limits(connection: Connection, limits: Sequence[Limit], *, now: datetime) -> None:
    """A budget that is set in the middle of a month knows what the month has cost so far."""
    counted = set(connection.scalars(select(counted_limits.c.limit_id)))
    ids = [limit.id for limit in limits]
    # What is not counted from here on has a gap if it ever comes back.
    connection.execute(delete(counted_limits).where(counted_limits.c.limit_id.not_in(ids)))
    new = [limit for limit in limits if limit.id not in counted]
    if not new:
        return
    new_ids = [limit.id for limit in new]
    connection.execute(delete(totals).where(totals.c.limit_id.in_(new_ids)))
    tally = Tally(connection, {limit.id: limit for limit in new}, now=now)
    for limit in new:
        _count_lines(connection, limit, tally=tally, start=limit.window.start(now))
    _hold(connection, new, tally)
    tally.write()
    connection.execute(insert(counted_limits), [{"limit_id": limit_id} for limit_id in new_ids])


def _count_lines(connection: Connection, limit: Limit, *, tally: Tally, start: datetime) -> None:
    for row in connection.execute(_USED, {"start": microseconds(start)}).mappings():
        call = Call(request_id="", **{name: row[name] for name in _DIMENSIONS})
        if limit.binds(call):
            bucket = microseconds(limit.window.bucket(moment(row["hour"])))
            unknown = row["unknown_costs"] if limit.is_budget else 0
            use = Use(settled=int(row[limit.unit] or 0), unknown_costs=unknown)
            tally.add((limit.id, limit.key(call)), bucket, use)


def _hold(connection: Connection, limits: Sequence[Limit], tally: Tally) -> None:
    """Calls that run hold their worst case of the new limits too."""
    running = [Reservation.read(tuple(row)) for row in connection.execute(select(*READ))]
    ids = {limit.id for limit in limits}
    for reservation in running:
        kept = [hold for hold in reservation.holds if hold.limit_id not in ids]
        added = [_held(limit, reservation) for limit in limits if limit.binds(reservation.call)]
        for hold in added:
            tally.add(hold.pair, hold.bucket, Use(reserved=hold.reserved or 0))
        held = holds_text((*kept, *added))
        connection.execute(_HOLD, {"of": reservation.id, "held": held})


def _held(limit: Limit, reservation: Reservation) -> Hold:
    bucket = microseconds(limit.window.bucket(reservation.time))
    worst = reservation.worst.of(limit.unit)
    return Hold(limit.id, limit.key(reservation.call), bucket, limit.unit, worst)
