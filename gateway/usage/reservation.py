"""What a running call holds of its limits, until it settles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from gateway.storage.statement import Row
from gateway.storage.tables import microseconds, moment, reservations
from gateway.usage.call import Amount, Call, Unit

READ = tuple(reservations.c[name] for name in ("id", "call", "worst", "time", "holds"))
"""The columns that a Reservation is read from."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held of one limit, in one bucket of its window; `reserved` None is unknown."""

    limit_id: str
    key: str
    bucket: int
    unit: Unit
    reserved: int | None

    @property
    def pair(self) -> tuple[str, str]:
        return self.limit_id, self.key


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst case of a call that began at `time`, held until it settles."""

    id: str
    call: Call
    worst: Amount
    time: datetime
    holds: tuple[Hold, ...]

    def row(self, owner: str, lease_until: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "owner": owner,
            "time": microseconds(self.time),
            "lease_until": microseconds(lease_until),
            "call": json.dumps(self.call.columns()),
            "worst": json.dumps(self.worst.columns()),
            "holds": holds_text(self.holds),
        }

    @classmethod
    def read(cls, row: Row) -> Self:
        reservation_id, call, worst, time, holds = row
        return cls(
            reservation_id,
            Call(**json.loads(call)),
            Amount(**json.loads(worst)),
            moment(time),
            tuple(Hold(*hold) for hold in json.loads(holds)),
        )


def holds_text(holds: Sequence[Hold]) -> str:
    return json.dumps(
        [(hold.limit_id, hold.key, hold.bucket, hold.unit, hold.reserved) for hold in holds]
    )
