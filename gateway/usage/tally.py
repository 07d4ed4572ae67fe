"""What is used of each limit: the rows of `totals`, read and written in one transaction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, cast, func, select

from gateway.storage.statement import Statement
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


def _sum(name: str) -> ColumnElement[int]:
    # PostgreSQL sums whole numbers to decimals.
    return cast(func.sum(totals.c[name]), BigInteger).label(name)


_COUNTS = ("settled", "reserved", "unknown_costs")
_SUMS = tuple(_sum(name) for name in _COUNTS)
_IN_WINDOW = (totals.c.limit_id == bindparam("limit_id"), totals.c.bucket >= bindparam("start"))
_OF_KEY = (*_IN_WINDOW, totals.c.key == bindparam("key"))
_OF_LIMIT = (
    select(totals.c.key, *_SUMS, func.min(totals.c.bucket))
    .where(*_IN_WINDOW)
    .group_by(totals.c.key)
)
_BUCKETS = (
    select(totals.c.bucket, totals.c.settled, totals.c.reserved)
    .where(*_OF_KEY)
    .order_by(totals.c.bucket)
)
_USE = Statement(lambda _: select(*_SUMS).where(*_OF_KEY))
_ADD = Statement(
    lambda insert: (added := insert(totals)).on_conflict_do_update(
        index_elements=["limit_id", "key", "bucket"],
        set_={name: totals.c[name] + added.excluded[name] for name in _COUNTS},
    )
)


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
        new = {pair for pair in pairs if pair[0] in self._limits} - self.uses.keys()
        asked = [
            {"limit_id": limit_id, "key": key, "start": self._start(limit_id)}
            for limit_id, key in new
        ]
        for pair, sums in zip(new, _USE.rows(self._connection, asked), strict=True):
            # Sums over nothing are null.
            self.uses[pair] = Use(*(number or 0 for number in sums))

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
        _ADD.run(self._connection, rows)

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
