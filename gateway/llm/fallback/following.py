"""Which strategies may mend what went wrong: pure, by the kind of error."""

from collections.abc import Collection, Mapping

from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PaymentRequired,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from gateway.llm.answering import Answering
from gateway.llm.policy import FallbackStrategy

# After these, another model may still answer; after the others it would fail the same way.
NEXT_MODEL_AFTER = (
    BadAnswer,
    ContextTooLong,
    DeadlineExceeded,
    NotFound,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
# Of what the next model may mend, these know more of one kind.
_SPECIAL: Mapping[FallbackStrategy, tuple[type[GatewayError], ...]] = {
    "larger_context": (ContextTooLong,),
    "cheaper": (LimitExceeded, PaymentRequired),
    "local": (Unavailable, DeadlineExceeded),
}


def may_follow(answering: Answering, error: GatewayError) -> bool:
    """Whether another model may still answer, or this one what is asked otherwise."""
    if not answering.was_reserved:
        # The ledger does not answer, or does not take the request.
        return isinstance(error, LimitExceeded)
    # What one provider's format cannot say, another's can.
    is_unsaid = isinstance(error, InvalidRequest) and not answering.was_sent
    return is_unsaid or isinstance(error, NEXT_MODEL_AFTER)


def mends(
    strategy: FallbackStrategy,
    error: GatewayError,
    *,
    others: Collection[FallbackStrategy],
    is_planned: bool,
) -> bool:
    """Whether a strategy is for such an error; `is_planned` if no model was tried yet.

    The next model may be too small or too dear as well: where `others` know better, they are
    asked.
    """
    if strategy == "next_model":
        is_for_others = (isinstance(error, ContextTooLong) and "larger_context" in others) or (
            isinstance(error, LimitExceeded) and "cheaper" in others
        )
        return not is_planned and not is_for_others
    if strategy == "degraded":
        return not isinstance(error, PermissionDenied)
    return isinstance(error, _SPECIAL[strategy])
