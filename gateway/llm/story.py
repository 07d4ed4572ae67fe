"""What became of a request so far: which models were tried, and why each of them gave no answer."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from gateway.clock import rfc3339
from gateway.errors import GatewayError
from gateway.llm.answering import Answering
from gateway.llm.fallback.course import Pick

logger = logging.getLogger(__name__)

MOST_ERROR_CHARACTERS = 2_000


class Story:
    """`told` is kept with each call of the request; `attempts` are requests that were sent."""

    def __init__(
        self,
        caller: str,
        *,
        began_at: datetime,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.id = f"r{uuid4().hex[:15]}"
        self.attempts = 0
        self.caller = caller
        self.began_at = began_at
        self._seconds = seconds
        self._tried: list[Mapping[str, Any]] = []
        self._spent_microusd: int | None = 0
        self._since = seconds()

    def told(self, pick: Pick) -> Mapping[str, Any]:
        """All until now, of which `pick` is about to be tried."""
        return {
            "id": self.id,
            "time": rfc3339(self.began_at),
            "caller": self.caller,
            **pick.route.to_json(),
            "tried": tuple(self._tried),
            "trying": {**_begun(pick), "spent_microusd": self._spent_microusd},
            "warnings": list(pick.warnings),
        }

    def ended(self, pick: Pick, error: GatewayError) -> Mapping[str, Any]:
        """All of it, where no model answered, and `pick` was the last that failed."""
        told = {name: value for name, value in self.told(pick).items() if name != "trying"}
        return {
            **told,
            "answered_by": None,
            "attempts": self.attempts,
            "outcome": error.code,
            "cost_microusd": self._spent_microusd,
        }

    def failed(self, answering: Answering, pick: Pick, error: GatewayError) -> None:
        self.attempts = answering.attempts
        cost = answering.cost_microusd if answering.was_sent else 0
        if self._spent_microusd is not None:
            self._spent_microusd = None if cost is None else self._spent_microusd + cost
        before, self._since = self._since, self._seconds()
        self._tried.append(
            {
                **_begun(pick),
                "outcome": error.code,
                "error": str(error)[:MOST_ERROR_CHARACTERS],
                "was_sent": answering.was_sent,
                "milliseconds": round((self._since - before) * 1000, 1),
                "cost_microusd": cost,
                "spent_microusd": self._spent_microusd,
            }
        )
        logger.info(
            "route_id=%s model=%s strategy=%s failed=%s",
            self.id,
            pick.step.model.id,
            pick.strategy or "none",
            error.code,
        )


def _begun(pick: Pick) -> Mapping[str, Any]:
    model = pick.step.model
    return {
        "model": model.id,
        "provider": model.provider,
        "tier": model.tier,
        "strategy": pick.strategy,
        "why": pick.why,
    }
