"""What a service says went wrong, in the gateway's own errors.

| the service says                    | we raise                                   |
|-------------------------------------|--------------------------------------------|
| NOT_FOUND                           | NotFound                                   |
| INVALID_ARGUMENT, OUT_OF_RANGE      | InvalidRequest                             |
| UNAUTHENTICATED, PERMISSION_DENIED  | PermissionDenied                           |
| FAILED_PRECONDITION, ABORTED, ALREADY_EXISTS | Refused                           |
| RESOURCE_EXHAUSTED                  | RateLimited; BadAnswer when it is the size of the answer |
| UNAVAILABLE                         | Unavailable; ServiceDown without a connection |
| DEADLINE_EXCEEDED                   | DeadlineExceeded                           |
| anything else                       | BadAnswer                                  |
| `x-error-code: outcome_unknown` in the trailing metadata | OutcomeUnknown        |
| OK and an `error` with "not found", "unknown" or "no such" | NotFound            |
| OK and any other `error`            | InvalidRequest                             |

A write that was sent, and whose end nobody can tell, is OutcomeUnknown whatever the table says:
the connection broke, the deadline passed, or the answer makes no sense.
"""

import math
import re
from dataclasses import dataclass

import grpc
import grpc.aio

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
)

RETRY_AFTER_SECONDS = 2.0
RATE_LIMIT_SECONDS = 5.0
PUSHBACK = "grpc-retry-pushback-ms"
ERROR_CODE = "x-error-code"
MAX_SAID_CHARACTERS = 400

# What the gRPC library says when a call never left, for lack of a connection.
_NEVER_SENT = re.compile(
    r"failed to connect to all|all backends failing|errors? resolving|dns resol"
)
# What it says when the connection went under a call.
_LOST = re.compile(
    r"(socket|transport) closed|stream removed|connection reset|broken pipe|goaway|cancelling all"
)
# What else it says of a connection, and what that means in plain words. Whoever calls a tool may
# read them: addresses inside are for the log.
_CONNECTION = (
    (r"connection refused", "nothing listens at its address"),
    (r"resolv|domain name|lookup", "its host is not known"),
    (r"hostname verification", "its certificate is for another host"),
    (r"handshake|ssl|tls|certificate", "the TLS handshake failed"),
    (r"closed|reset|cancelling|goaway|broken|removed", "the connection broke"),
)
_MISSING = re.compile(r"\b(not found|unknown|no such)\b", re.IGNORECASE)


class ServiceDown(Unavailable):
    """The whole service is down, not this call: there is no connection, or it does not serve.

    `reason` is the message without the name and the time.
    """

    def __init__(self, name: str, reason: str, *, retry_after_seconds: float) -> None:
        super().__init__(
            unavailable_sentence(name, reason, retry_after_seconds),
            retry_after_seconds=retry_after_seconds,
        )
        self.reason = reason


def unavailable_sentence(name: str, reason: str, seconds: float) -> str:
    return f"{name} is unavailable ({reason}); retry in {max(1, math.ceil(seconds))} s"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call: what the gRPC library raised, and what it knew of the connection then."""

    service: str
    address: str
    error: grpc.aio.AioRpcError
    is_connected: bool
    is_read: bool
    deadline_seconds: float

    @property
    def code(self) -> grpc.StatusCode:
        return self.error.code()

    @property
    def pushback_seconds(self) -> float | None:
        """When the service wants to be asked again; negative for never, None if it does not say."""
        text = self._trailing(PUSHBACK)
        try:
            seconds = None if text is None else float(text) / 1000
        except ValueError:
            return -1  # the gRPC retry design reads nonsense as "do not retry"
        return seconds if seconds is None or math.isfinite(seconds) else -1

    @property
    def said(self) -> str:
        return plain(self.error.details() or "") or self.code.name

    def translated(self) -> GatewayError:
        if self._trailing(ERROR_CODE) == OutcomeUnknown.code:
            return OutcomeUnknown(self.said)
        error = self._by_status()
        if self.is_read or not self._may_be_done(error):
            return error
        is_lost = self.code is grpc.StatusCode.UNAVAILABLE
        return outcome_unknown(self.service, self._connection() if is_lost else str(error))

    def _may_be_done(self, error: GatewayError) -> bool:
        """Whether the call may have had its effect, although it failed."""
        if isinstance(error, Unavailable):
            return self._is_lost
        is_unclear = isinstance(error, DeadlineExceeded | BadAnswer)
        return is_unclear and self.code is not grpc.StatusCode.UNIMPLEMENTED

    @property
    def _is_lost(self) -> bool:
        """Whether the connection went after the call was sent; in doubt it was sent."""
        details = (self.error.details() or "").lower()
        if _NEVER_SENT.search(details):
            return False
        # A new connection can be there already by the time that the call has failed.
        return not self.is_connected or _LOST.search(details) is not None

    def _by_status(self) -> GatewayError:
        match self.code:
            case grpc.StatusCode.NOT_FOUND:
                return NotFound(self.said)
            case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
                return InvalidRequest(self.said)
            case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
                return PermissionDenied(f"{self.service} does not permit it: {self.said}")
            case (
                grpc.StatusCode.FAILED_PRECONDITION
                | grpc.StatusCode.ABORTED
                | grpc.StatusCode.ALREADY_EXISTS
            ):
                return Refused(self.said)
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return self._exhausted()
            case grpc.StatusCode.UNAVAILABLE:
                return self._unavailable()
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                within = f"{self.deadline_seconds:g} s"
                return DeadlineExceeded(f"{self.service} did not answer within {within}")
        return BadAnswer(f"{self.service} failed: {self.said}")

    def _exhausted(self) -> GatewayError:
        if "larger than max" in self.said:
            # The library reports a message over the limit with the status of a rate limit.
            if "SERVER" in self.said:
                return InvalidRequest(f"the arguments are too large for {self.service}")
            return BadAnswer(f"{self.service} sent an answer that is too large")
        seconds = self._retry_after(RATE_LIMIT_SECONDS)
        return RateLimited(
            f"{self.service} limits the rate: {self.said}; retry in {max(1, math.ceil(seconds))} s",
            retry_after_seconds=seconds,
        )

    def _unavailable(self) -> Unavailable:
        seconds = self._retry_after(RETRY_AFTER_SECONDS)
        if not self.is_connected:
            return ServiceDown(self.service, self._connection(), retry_after_seconds=seconds)
        return Unavailable(
            unavailable_sentence(self.service, self.said, seconds), retry_after_seconds=seconds
        )

    def _connection(self) -> str:
        details = (self.error.details() or "").lower()
        for pattern, meaning in _CONNECTION:
            if re.search(pattern, details):
                return meaning
        return "there is no connection"

    def _trailing(self, key: str) -> str | bytes | None:
        return dict(self.error.trailing_metadata() or ()).get(key)

    def _retry_after(self, default_seconds: float) -> float:
        pushback = self.pushback_seconds
        return default_seconds if pushback is None or pushback < 0 else pushback


def refuse_error(service: str, text: str) -> None:
    """The contract's second error style: an OK answer with a text in `error`.

    Raises:
        NotFound: the text speaks of something unknown.
        InvalidRequest: it says anything else.
    """
    if not text:
        return
    said = plain(text) or f"{service} failed and does not say why"
    raise NotFound(said) if _MISSING.search(said) else InvalidRequest(said)


def outcome_unknown(service: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{service}: the outcome is unknown, so look it up before trying again: {why}"
    )


def unreadable(service: str, why: str, *, is_read: bool) -> GatewayError:
    """An answer that makes no sense: what a read lost can be read again, a write may be done."""
    return BadAnswer(f"{service} {why}") if is_read else outcome_unknown(service, f"it {why}")


def plain(text: str, *, limit: int = MAX_SAID_CHARACTERS) -> str:
    """One short line: no control or invisible characters, which could forge logs or pages."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
