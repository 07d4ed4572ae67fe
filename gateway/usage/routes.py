"""Why calls went where they went: the whole route of each, by its ID."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.clock import rfc3339
from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds, moment, routes
from gateway.usage.entries import Told

# A call that tried several models settles several times; its last settlement knows the most.
_PUT = Statement(
    lambda insert: (put := insert(routes)).on_conflict_do_update(
        index_elements=["route_id"], set_={"route": put.excluded.route}
    )
)


def row(told: Told) -> dict[str, Any]:
    return {
        "route_id": told.route_id,
        "time": microseconds(told.time),
        "caller": told.caller,
        "route": json.dumps(told.route, default=str),
    }


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    _PUT.run(connection, rows)


def read(connection: Connection, route_id: str) -> dict[str, Any] | None:
    """What was settled with, and `route_id`, `time` and `caller`."""
    found = connection.execute(select(routes).where(routes.c.route_id == route_id)).first()
    return None if found is None else _read(found)


def latest(connection: Connection, most: int) -> list[dict[str, Any]]:
    rows = connection.execute(select(routes).order_by(routes.c.time.desc()).limit(most))
    return [_read(row) for row in rows]


def _read(found: Row[Any]) -> dict[str, Any]:
    route: dict[str, Any] = json.loads(found.route)
    return route | {
        "route_id": found.route_id,
        "time": rfc3339(moment(found.time)),
        "caller": found.caller,
    }
