"""What is used of each limit: the rows of `totals`, read and written in one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.storage.tables import microseconds, moment, totals
from gateway.usage.limit import Limit

Pair = tuple[str, str]
"""The ID of a limit, and whose share of it."""


@dataclass(slots=True)
class Use:
    settled: int = 0
    reserved: int = 0
    unknown_costs: int = 0

    def add(self, other: "Use") -> None:
        self.settled += other.settled
        self.reserved += other.reserved
        self.unknown_costs += other.unknown_costs


# As text, because four of these statements would take longer to build than to run.
_USE = """
    SELECT {number}, CAST(SUM(settled) AS BIGINT), CAST(SUM(reserved) AS BIGINT),
        CAST(SUM(unknown_costs) AS BIGINT)
    FROM totals WHERE limit_id = {mark} AND key = {mark} AND bucket >= {mark}
"""
_PLACEHOLDERS = {"sqlite": "?", "postgresql": "%s"}
# SQLite joins at most 500 queries to one.
_MOST_AT_ONCE = 100


def _sum(name: str) -> ColumnElement[int]:
    # PostgreSQL sums whole numbers to decimals.
    return cast(func.sum(totals.c[name]), BigInteger).label(name)


_OF_LIMIT = (
    select(
        totals.c.key,
        _sum("settled"),
        _sum("reserved"),
        _sum("unknown_costs"),
        func.min(totals.c.bucket),
    )
    .where(totals.c.limit_id == bindparam("limit_id"), totals.c.bucket >= bindparam("start"))
    .group_by(totals.c.key)
)
_BUCKETS = (
    select(totals.c.bucket, totals.c.settled, totals.c.reserved)
    .where(
        totals.c.limit_id == bindparam("limit_id"),
        totals.c.key == bindparam("key"),
        totals.c.bucket >= bindparam("start"),
    )
    .order_by(totals.c.bucket)
)
_ADD = {
    dialect.__name__.rpartition(".")[2]: insert.on_conflict_do_update(
        index_elements=["limit_id", "key", "bucket"],
        set_={
            name: totals.c[name] + insert.excluded[name]
            for name in ("settled", "reserved", "unknown_costs")
        },
    )
    for dialect, insert in (
        (sqlite, sqlite.insert(totals)),
        (postgresql, postgresql.insert(totals)),
    )
}


class Tally:
    """The totals that one transaction touches: read once, counted on in memory, written once."""

    def __init__(
        self, connection: Connection, limits: Mapping[str, Limit], *, now: datetime
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._now = now
        self._changes: dict[tuple[str, str, int], Use] = {}
        self._starts: dict[str, int] = {}
        self._room_at: dict[Pair, list[tuple[int, int]]] = {}
        self.uses: dict[Pair, Use] = {}

    def read(self, pairs: Iterable[Pair]) -> None:
        """Of limits that this process does not know, nothing is read and all is written."""
        new = list(
            dict.fromkeys(pair for pair in pairs if pair[0] in self._limits) - self.uses.keys()
        )
        for first in range(0, len(new), _MOST_AT_ONCE):
            self._read(new[first : first + _MOST_AT_ONCE])

    def _read(self, pairs: Sequence[Pair]) -> None:
        mark = _PLACEHOLDERS[self._connection.dialect.name]
        query = " UNION ALL ".join(
            _USE.format(number=number, mark=mark) for number in range(len(pairs))
        )
        values = tuple(value for pair in pairs for value in (*pair, self._start(pair[0])))
        for number, settled, reserved, unknown in self._connection.exec_driver_sql(query, values):
            # Sums over nothing are null.
            self.uses[pairs[number]] = Use(settled or 0, reserved or 0, unknown or 0)

    def add(self, pair: Pair, bucket: int, use: Use) -> None:
        change = (*pair, bucket)
        if change not in self._changes:
            self._changes[change] = Use()
        self._changes[change].add(use)
        if pair in self.uses and bucket >= self._start(pair[0]):
            self.uses[pair].add(use)

    def write(self) -> None:
        # In one order, so that no two processes ever wait for each other.
        rows = [
            {
                "limit_id": limit_id,
                "key": key,
                "bucket": bucket,
                "settled": use.settled,
                "reserved": use.reserved,
                "unknown_costs": use.unknown_costs,
            }
            for (limit_id, key, bucket), use in sorted(self._changes.items(), key=lambda x: x[0])
            if use != Use()
        ]
        if rows:
            self._connection.execute(_ADD[self._connection.dialect.name], rows)

    def room_at(self, limit: Limit, key: str, *, excess: int) -> datetime:
        """When so much of what is used has left the window, if nothing is added until then."""
        if limit.window.kind != "rolling":
            return limit.window.resets_at(self._now)
        for bucket, used in self._buckets(limit, key):
            excess -= used
            if excess <= 0:
                return limit.window.leaves_at(moment(bucket))
        return limit.window.resets_at(self._now)

    def _buckets(self, limit: Limit, key: str) -> list[tuple[int, int]]:
        pair = (limit.id, key)
        if pair not in self._room_at:
            values = {"limit_id": limit.id, "key": key, "start": self._start(limit.id)}
            rows = self._connection.execute(_BUCKETS, values)
            self._room_at[pair] = [(bucket, settled + held) for bucket, settled, held in rows]
        return self._room_at[pair]

    def _start(self, limit_id: str) -> int:
        if limit_id not in self._starts:
            start = self._limits[limit_id].window.start(self._now)
            self._starts[limit_id] = microseconds(start)
        return self._starts[limit_id]


def every_use(
    connection: Connection, limits: Iterable[Limit], *, now: datetime
) -> Iterator[tuple[Limit, str, Use, datetime]]:
    """All keys of the limits that have used something, with the first bucket that counts."""
    for limit in limits:
        values = {"limit_id": limit.id, "start": microseconds(limit.window.start(now))}
        for key, settled, reserved, unknown, first in connection.execute(_OF_LIMIT, values):
            yield limit, key, Use(settled, reserved, unknown), moment(first)
