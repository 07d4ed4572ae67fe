"""The one tree of errors; a message says what was wrong, with the value, and what is right.

    GatewayError              internal             500
    ├── ConfigurationError    configuration        500  stops the start
    ├── InvalidRequest        invalid_request      400
    │   ├── ContextTooLong    context_length_exceeded
    │   └── ContentRefused    content_filter       by a provider's own rules
    ├── PaymentRequired       payment_required     402  a provider has no balance of ours left
    ├── PermissionDenied      permission_denied    403
    │   └── Unauthenticated   unauthenticated      401
    │       └── InvalidSignature  invalid_signature  of a webhook
    ├── NotFound              not_found            404  says of what, may carry suggestions
    ├── Refused               failed_precondition  409
    ├── RateLimited           rate_limited         429  says when to come back
    │   └── LimitExceeded     limit_exceeded       429  a limit of ours is spent, or held
    ├── BadAnswer             bad_answer           502  a service answered nonsense
    │   ├── KeyRefused        provider_key_refused 502  a provider does not take our key
    │   └── ToolFailed        tool_failed          502  a tool says itself that it failed
    ├── OutcomeUnknown        outcome_unknown      502  a write may have happened; look it up
    ├── Unavailable           unavailable          503  says when to come back
    └── DeadlineExceeded      deadline_exceeded    504

`code` and `status` (HTTP) are API: clients may branch on them.
"""

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """It no longer `is_repeatable` once a tool has written: asked again, it would write twice.

    `route_id` is of the route on which models were tried until it came to this.
    """

    is_repeatable: bool = True
    route_id: str | None = None
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500


class ConfigurationError(GatewayError):
    code = "configuration"


class InvalidRequest(GatewayError):
    code = "invalid_request"
    status = 400


class ContextTooLong(InvalidRequest):
    code = "context_length_exceeded"


class ContentRefused(InvalidRequest):
    code = "content_filter"


class PaymentRequired(GatewayError):
    code = "payment_required"
    status = 402


class PermissionDenied(GatewayError):
    code = "permission_denied"
    status = 403


class Unauthenticated(PermissionDenied):
    code = "unauthenticated"
    status = 401


class InvalidSignature(Unauthenticated):
    code = "invalid_signature"


class NotFound(GatewayError):
    """`what` is the kind of thing that is not there, such as `model`; the doors of `/v1` say it."""

    code = "not_found"
    status = 404

    def __init__(self, message: str, *, what: str = "", suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.what = what
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


class LimitExceeded(RateLimited):
    """`limit` is its name; `retry_after_seconds` is the time until it resets.

    If it `is_only_held`, there may be room much sooner: once calls under way have ended, which hold
    the most that they may use.
    """

    code = "limit_exceeded"

    def __init__(
        self, message: str, *, limit: str, retry_after_seconds: float, is_only_held: bool = False
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.limit = limit
        self.is_only_held = is_only_held


class BadAnswer(GatewayError):
    code = "bad_answer"
    status = 502


class KeyRefused(BadAnswer):
    code = "provider_key_refused"


class ToolFailed(BadAnswer):
    code = "tool_failed"


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
