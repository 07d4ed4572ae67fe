"""What can be asked of the books; what is asked at the same time is booked in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.errors import GatewayError
from gateway.usage.alerts import Alert, GivenAlert
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.limit import Limit
from gateway.usage.observations import Observation
from gateway.usage.reservation import Reservation
from gateway.usage.tally import Pair, Use
from gateway.usage.tool_call import ToolCall


@dataclass(frozen=True, slots=True)
class Reserve:
    """Answered with a Reservation, or with the error of the limit that has too little left."""

    reservation_id: str
    call: Call
    worst: Amount


@dataclass(frozen=True, slots=True)
class Settle:
    reservation: Reservation
    settlement: Settlement


@dataclass(frozen=True, slots=True)
class Release:
    """Of a call that never began; if it holds nothing, nothing happens.

    With its `reservation` it is made good also if it was written off meanwhile.
    """

    reservation_id: str
    reservation: Reservation | None = None


@dataclass(frozen=True, slots=True)
class Observe:
    """A provider says so much of a limit is used, until it resets."""

    limit: Limit
    key: str
    reported: int
    at: datetime
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """How a request ended whose last tries were never sent, so that nothing of them settles."""

    route_id: str
    caller: str
    time: datetime
    route: Mapping[str, Any]


Entry = Reserve | Settle | Release | Observe | ToolCall | Told
Answer = Reservation | GatewayError | None


@dataclass(frozen=True, slots=True)
class Booked:
    """What one transaction did: an answer for each entry, and what is now used of its limits.

    Of the limits named in `freed`, calls that ended have given back what they held.
    """

    answers: Sequence[Answer] = ()
    uses: Mapping[Pair, Use] = field(default_factory=dict)
    observations: Mapping[Pair, Observation] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    given: Sequence[GivenAlert] = ()
    freed: Collection[str] = ()
