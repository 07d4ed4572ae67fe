"""Our errors as gRPC statuses, with messages that a person can mend the call by."""

import grpc

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
    Unauthenticated,
    Unavailable,
)

# gRPC's own: a client that knows it waits so long before it asks again.
PUSHBACK = "grpc-retry-pushback-ms"
# No status means "it may have happened", so that is said beside it.
ERROR_CODE = "x-error-code"

# The first that fits.
_STATUSES: tuple[tuple[type[GatewayError], grpc.StatusCode], ...] = (
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (RateLimited, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    # Both say that asking again the same way is no cure.
    (BadAnswer, grpc.StatusCode.UNKNOWN),
    (OutcomeUnknown, grpc.StatusCode.UNKNOWN),
)


def status_of(error: GatewayError) -> grpc.StatusCode:
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return grpc.StatusCode.INTERNAL


def trailing_metadata(error: GatewayError) -> tuple[tuple[str, str], ...]:
    if isinstance(error, OutcomeUnknown):
        return ((ERROR_CODE, error.code),)
    if not isinstance(error, RateLimited | Unavailable):
        return ()
    return ((PUSHBACK, str(int(error.retry_after_seconds * 1000))),)
