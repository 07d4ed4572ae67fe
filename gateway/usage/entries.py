"""What can be asked of the books; what is asked at the same time is booked in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    """Of a call that never began; if it holds nothing, nothing happens."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class Observe:
    """A provider says so much of a limit is used, until it resets."""

    limit: Limit
    key: str
    reported: int
    at: datetime
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """A call of a tool has ended."""

    call: ToolCall


Entry = Reserve | Settle | Release | Observe | Note
Answer = Reservation | GatewayError | None


@dataclass(frozen=True, slots=True)
class Booked:
    """What one transaction did: an answer for each entry, and what is now used of its limits."""

    answers: Sequence[Answer] = ()
    uses: Mapping[Pair, Use] = field(default_factory=dict)
    observations: Mapping[Pair, Observation] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    given: Sequence[GivenAlert] = ()
