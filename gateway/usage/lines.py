"""The ledger's lines: one row of `usage` for each call that ended."""

from typing import Any

from gateway.storage.tables import microseconds
from gateway.usage.call import Amount, Settlement
from gateway.usage.reservation import Reservation

LOST = "lost"


def line(reservation: Reservation, settlement: Settlement) -> dict[str, Any]:
    """Of a call that ended; it counts when it began, as its limits do."""
    named = reservation.call.columns() | settlement.columns()
    return {name: _storable(value) for name, value in named.items()} | {
        "reservation_id": reservation.id,
        "time": microseconds(reservation.time),
        "charged_microusd": settlement.charged(reservation.worst).microusd,
    }


def lost(worst: Amount) -> Settlement:
    """What is assumed of a call whose process died: that it used all it could."""
    return Settlement(
        requests=worst.requests,
        input_tokens=worst.input_tokens,
        output_tokens=worst.tokens - worst.input_tokens,
        cost_source="reserved",
        outcome=LOST,
    )


def _storable(value: Any) -> Any:
    """Databases take neither half characters nor NUL, and no call may stay unwritten for that."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
