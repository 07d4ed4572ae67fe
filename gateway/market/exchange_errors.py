"""What the exchange's error codes mean, in the gateway's own errors."""

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)

TIMESTAMP_OUTSIDE_WINDOW = -1021
NO_SUCH_ORDER = -2013

BUSY_SECONDS = 5.0
UNKNOWN_OUTCOME = frozenset({-1006, -1007})
BUSY = frozenset({-1000, -1001, -1008, -1016})
LIMITED = frozenset({-1003, -1015, -1034})
SIGNATURE = frozenset({-1022, -2014})
KEY = frozenset({-1002, -2015})
REFUSED = frozenset({-1020, -1220, -2010, -2011})
UNKNOWN_ORDER = frozenset({NO_SUCH_ORDER, -2026})
UNKNOWN_SYMBOL = -1121


class UnknownSymbol(NotFound):
    """The exchange does not list the symbol, whatever our copy of its list says."""


class AnswerLost(OutcomeUnknown):
    """A write was sent, and `why` nobody here can say whether it was done."""

    def __init__(self, why: str) -> None:
        super().__init__(outcome_unknown(why))
        self.why = why


class ClockApart(Refused):
    """The exchange did nothing, because its clock and ours are too far apart."""


def exchange_error(
    code: int, message: str, *, is_write: bool, retry_after_seconds: float
) -> GatewayError:
    """What `{"code": …, "msg": …}` means to the caller; the exchange's words are kept.

    `retry_after_seconds` is what a limit says when it says nothing itself.
    """
    told = f"{_plain(message)} ({code})"
    if code in LIMITED:
        return RateLimited(
            f"the exchange limits requests: {told}; ask again in {retry_after_seconds:.0f} s",
            retry_after_seconds=retry_after_seconds,
        )
    if code in UNKNOWN_OUTCOME | BUSY:
        return _busy(told, is_write)
    return _refusal(code, told)


def _busy(told: str, is_write: bool) -> GatewayError:
    if is_write:
        return AnswerLost(told)
    return Unavailable(
        f"the exchange is busy: {told}; ask again in {BUSY_SECONDS:.0f} s",
        retry_after_seconds=BUSY_SECONDS,
    )


def outcome_unknown(why: str) -> str:
    """The exchange's own words come last, since long messages lose their ends on the way."""
    return f"outcome unknown, look the order up before trying again: {why}"


def _refusal(code: int, told: str) -> GatewayError:
    if code == UNKNOWN_SYMBOL:
        return UnknownSymbol(f"the exchange does not know that symbol: {told}")
    if code in UNKNOWN_ORDER:
        return NotFound(f"the exchange does not know that order: {told}")
    if code in SIGNATURE:
        return Unauthenticated(f"the exchange does not accept the signature or the key: {told}")
    if code in KEY:
        return PermissionDenied(f"the exchange does not let this key do that: {told}")
    if code == TIMESTAMP_OUTSIDE_WINDOW:
        return ClockApart(f"this machine's clock is too far from the exchange's: {told}")
    if code in REFUSED:
        return Refused(f"the exchange refused: {told}")
    if code == -1013:
        return InvalidRequest(f"the order breaks a filter of the symbol: {told}")
    return InvalidRequest(f"the exchange does not take this request: {told}")


def _plain(message: str) -> str:
    return " ".join(message.split())[:200].rstrip(".") or "no reason given"
