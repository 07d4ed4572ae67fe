"""What became of a request so far: which models were tried, and why each of them gave no answer."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from gateway.clock import rfc3339
from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    NotFound,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.answering import Answering
from gateway.llm.model import Model, Tier
from gateway.llm.route import Route, Step

logger = logging.getLogger(__name__)

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


class Story:
    """`told` is kept with each call of the request; `route` is the one that is being tried."""

    def __init__(self, caller: str, route: Route, *, began_at: datetime, most: int) -> None:
        self.id = f"r{uuid4().hex[:15]}"
        self.route = route
        self.attempts = 0
        self.first_error: GatewayError | None = None
        self._caller = caller
        self._began_at = began_at
        self._most = most
        self._tried: set[tuple[str, Tier]] = set()
        self._failures: list[Mapping[str, Any]] = []

    @property
    def next_step(self) -> Step | None:
        """The best of the route that was not tried yet, as long as `most` models were not."""
        if len(self._tried) >= self._most:
            return None
        return next((one for one in self.route.steps if _key(one.model) not in self._tried), None)

    def failed(self, answering: Answering, error: GatewayError) -> None:
        model = answering.model
        self._tried.add(_key(model))
        self.attempts = answering.attempts
        self.first_error = self.first_error or error
        self._failures.append({"model": model.id, "outcome": error.code, "error": str(error)})
        logger.info("route_id=%s model=%s failed=%s", self.id, model.id, error.code)

    def told(self) -> Mapping[str, Any]:
        return {
            "id": self.id,
            "time": rfc3339(self._began_at),
            "caller": self._caller,
            **self.route.to_json(),
            "tried": tuple(self._failures),
        }


def _key(model: Model) -> tuple[str, Tier]:
    """A model that is included and the same one paid have one ID, and are two."""
    return model.id, model.tier


def may_follow(answering: Answering, error: GatewayError) -> bool:
    """Whether another model may still answer."""
    if not answering.was_reserved:
        # The ledger does not answer, or does not take the request.
        return False
    # What one provider's format cannot say, another's can.
    is_unsaid = isinstance(error, InvalidRequest) and not answering.was_sent
    return is_unsaid or isinstance(error, NEXT_MODEL_AFTER)
