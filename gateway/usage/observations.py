"""What providers say was used of a quota, by whomever."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds, moment, observations

_COLUMNS = ("reported", "others", "time", "resets_at")
_PUT = Statement(
    lambda insert: (put := insert(observations)).on_conflict_do_update(
        index_elements=["limit_id", "key"],
        set_={name: put.excluded[name] for name in _COLUMNS},
    )
)


@dataclass(frozen=True, slots=True)
class Observation:
    """`reported` is what a provider counted at `at`; `others` is the part that is not ours."""

    reported: int
    others: int
    at: datetime
    resets_at: datetime

    def others_at(self, now: datetime) -> int:
        return self.others if now < self.resets_at else 0


def write(connection: Connection, written: Mapping[tuple[str, str], Observation]) -> None:
    rows = [{"limit_id": pair[0], "key": pair[1]} | _row(seen) for pair, seen in written.items()]
    _PUT.run(connection, rows)


def read(connection: Connection) -> dict[tuple[str, str], Observation]:
    return {
        (row.limit_id, row.key): Observation(
            row.reported, row.others, moment(row.time), moment(row.resets_at)
        )
        for row in connection.execute(select(observations))
    }


def _row(seen: Observation) -> dict[str, Any]:
    return {
        "reported": seen.reported,
        "others": seen.others,
        "time": microseconds(seen.at),
        "resets_at": microseconds(seen.resets_at),
    }
