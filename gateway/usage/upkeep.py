"""What a ledger needs now and then: leases renewed, lost calls charged, old lines removed."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, update

from gateway.storage.tables import (
    alerts,
    microseconds,
    reservations,
    routes,
    tool_calls,
    totals,
    usage,
)
from gateway.usage.limit import Limit

# The longest window that can be set; what is older counts nowhere.
_LONGEST = timedelta(days=1000)

_RENEW = (
    update(reservations)
    .where(reservations.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=bindparam("until"))
)


_EXPIRE = (
    update(reservations)
    .where(reservations.c.owner == bindparam("of"), reservations.c.lease_until > bindparam("at"))
    .values(lease_until=bindparam("at"))
)


def expire(connection: Connection, owner: str, *, at: datetime) -> None:
    """What a process holds is lost then, unless it lives, and vouches for it until then."""
    connection.execute(_EXPIRE, {"of": owner, "at": microseconds(at)})


def renew(connection: Connection, ids: Collection[str], *, until: datetime) -> None:
    """A process that lives vouches for its calls, however long they run."""
    if ids:
        connection.execute(_RENEW, {"ids": list(ids), "until": microseconds(until)})


def prune(
    connection: Connection,
    limits: Sequence[Limit],
    *,
    now: datetime,
    retention: timedelta | None,
) -> None:
    """Removes the lines and routes that are too old, and totals of windows that are over."""
    for limit in limits:
        start = microseconds(limit.window.start(now))
        connection.execute(
            delete(totals).where(totals.c.limit_id == limit.id, totals.c.bucket < start)
        )
    too_old = microseconds(now - _LONGEST)
    connection.execute(delete(totals).where(totals.c.bucket < too_old))
    connection.execute(delete(alerts).where(alerts.c.time < too_old))
    if retention is not None:
        start = microseconds(now - retention)
        connection.execute(delete(usage).where(usage.c.time < start))
        connection.execute(delete(routes).where(routes.c.time < start))
        connection.execute(delete(tool_calls).where(tool_calls.c.time < start))
