"""The one tree of errors; a message says what was wrong, with the value, and what is right.

    GatewayError              internal             500
    ├── ConfigurationError    configuration        500  stops the start
    ├── InvalidRequest        invalid_request      400
    ├── PermissionDenied      permission_denied    403
    │   └── Unauthenticated   unauthenticated      401
    ├── NotFound              not_found            404  may carry suggestions
    ├── Refused               failed_precondition  409
    ├── RateLimited           rate_limited         429  says when to come back
    ├── BadAnswer             bad_answer           502  a service answered nonsense
    ├── OutcomeUnknown        outcome_unknown      502  a write may have happened; look it up
    ├── Unavailable           unavailable          503  says when to come back
    └── DeadlineExceeded      deadline_exceeded    504

`code` and `status` (HTTP) are API: clients may branch on them.
"""

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500


class ConfigurationError(GatewayError):
    code = "configuration"


class InvalidRequest(GatewayError):
    code = "invalid_request"
    status = 400


class PermissionDenied(GatewayError):
    code = "permission_denied"
    status = 403


class Unauthenticated(PermissionDenied):
    code = "unauthenticated"
    status = 401


class NotFound(GatewayError):
    code = "not_found"
    status = 404

    def __init__(self, message: str, *, suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.suggestions = tuple(suggestions)


class Refused(GatewayError):
    code = "failed_precondition"
    status = 409


class RateLimited(GatewayError):
    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BadAnswer(GatewayError):
    code = "bad_answer"
    status = 502


class OutcomeUnknown(GatewayError):
    code = "outcome_unknown"
    status = 502


class Unavailable(GatewayError):
    code = "unavailable"
    status = 503

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(GatewayError):
    code = "deadline_exceeded"
    status = 504
