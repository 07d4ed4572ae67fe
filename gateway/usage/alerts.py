"""Alerts: a limit is used to 50, 80 or 100 %, said once by one of all processes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam

from gateway.clock import rfc3339
from gateway.storage.statement import Statement
from gateway.storage.tables import alerts, microseconds
from gateway.usage.limit import Limit

_GIVE = Statement(
    lambda insert: (
        (put := insert(alerts))
        .on_conflict_do_update(
            index_elements=["limit_id", "key", "percent"],
            set_={"time": put.excluded.time},
            # An alert of an earlier window does not count any more.
            where=alerts.c.time < bindparam("start"),
        )
        .returning(alerts.c.percent)
    )
)


GivenAlert = tuple[str, str, int, datetime]
"""A limit's ID, whose share, the percent, and the bucket in which it was seen to be given."""


@dataclass(frozen=True, slots=True)
class Alert:
    """So much of a limit was used at `at`, by calls that have ended.

    Given once in each calendar window; of a rolling one, once in its length.
    """

    limit: Limit
    key: str
    percent: int
    used: int
    at: datetime

    @property
    def given(self) -> GivenAlert:
        return self.limit.id, self.key, self.percent, self.limit.window.bucket(self.at)

    def __str__(self) -> str:
        limit = self.limit
        name = f"{limit.kind} {limit.name!r}" + (f" of {self.key}" if self.key else "")
        resets = rfc3339(limit.window.resets_at(self.at))
        return (
            f"{self.percent} % of the {name} is used: {limit.shown(self.used)} of "
            f"{limit.shown(limit.most)}, until {resets}"
        )


def reached(limit: Limit, used: int, percents: tuple[int, ...]) -> list[int]:
    return [percent for percent in percents if 100 * used >= percent * limit.most]


def is_first(connection: Connection, alert: Alert) -> bool:
    """Whether nobody has given this alert in this window; from now on somebody has."""
    values = {
        "limit_id": alert.limit.id,
        "key": alert.key,
        "percent": alert.percent,
        "time": microseconds(alert.at),
        "start": microseconds(alert.limit.window.start(alert.at)),
    }
    return bool(_GIVE.rows(connection, [values]))
