"""A route: the models to try in order, why each of them, and why not the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gateway.errors import (
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    PaymentRequired,
    PermissionDenied,
    Unavailable,
)
from gateway.llm.features import Features
from gateway.llm.model import Model, Tier
from gateway.llm.scoring import Score
from gateway.usage.limit import Shortage

Why = Literal[
    "limit",
    "cooling",
    "max_cost",
    "unpaid",
    "price",
    "permission",
    "context",
    "text",
    "tools",
    "vision",
    "json_schema",
    "audio",
    "doubtful",
    "provider",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One model to try. Costs are micro-dollars of one call; None is not known.

    `worst_microusd` is what it can cost at most, `most_microusd` what it may: None is no bound but
    the limits of the caller.
    """

    model: Model
    reason: str
    score: Score
    expected_microusd: int | None
    worst_microusd: int | None
    most_microusd: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model.id,
            "provider": self.model.provider,
            "tier": self.model.tier,
            "reason": self.reason,
            "score": round(self.score.total, 3),
            "score_parts": {
                "quality": round(self.score.quality, 3),
                "cost": round(self.score.cost, 3),
                "time": round(self.score.time, 3),
                "bonus": round(self.score.bonus, 3),
            },
            "belief": self.score.belief.to_json(),
            "expected_microusd": self.expected_microusd,
            "worst_microusd": self.worst_microusd,
        }


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A model that is not tried; `why` is the kind of reason, `reason` the whole of it."""

    model_id: str
    tier: Tier
    why: Why
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model_id,
            "tier": self.tier,
            "why": self.why,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a route has no steps. `shortage` is what a caller should wait for the end of."""

    why: Why | None
    message: str
    shortage: Shortage | None = None
    wait_seconds: float = 0.0

    def error(self, now: datetime) -> GatewayError:
        message = self.message
        if self.shortage is not None:
            return self.shortage.exceeded(message, now)
        if self.why in {"cooling", None}:
            return Unavailable(message, retry_after_seconds=self.wait_seconds)
        if self.why in {"unpaid", "max_cost"}:
            return PaymentRequired(message)
        if self.why == "permission":
            return PermissionDenied(message)
        return ContextTooLong(message) if self.why == "context" else InvalidRequest(message)


@dataclass(frozen=True, slots=True)
class Route:
    """What `choose` decided.

    `features` are those that were decided by, with what `wanted` says. `excluded` lists the
    best of those left out; `excluded_counts` counts all of them by the kind of reason.
    `considered` counts the models that could be called at all. Without steps, `error` says
    what a caller should be told.
    """

    wanted: str
    features: Features
    steps: tuple[Step, ...]
    excluded: tuple[Exclusion, ...]
    excluded_counts: Mapping[Why, int]
    considered: int
    reason: str
    refusal: Refusal | None = None

    def error(self, now: datetime) -> GatewayError | None:
        """Which limit it is and when it resets, what it would cost, or what else to change."""
        return self.refusal.error(now) if self.refusal else None

    def to_json(self) -> dict[str, Any]:
        asked = self.features
        return {
            "wanted": self.wanted,
            "task": asked.task,
            "complexity": round(asked.complexity, 2),
            "demand": round(asked.demand, 2),
            "because": list(asked.because),
            "context": asked.context,
            "priority": asked.priority,
            "input_tokens": asked.input_tokens,
            "output_tokens": asked.output_tokens,
            "needs": [
                name
                for name in ("tools", "vision", "json_schema", "audio")
                if getattr(asked.needs, name)
            ],
            "context_tokens": asked.needs.context_tokens,
            "reason": self.reason,
            "steps": [step.to_json() for step in self.steps],
            "excluded": [one.to_json() for one in self.excluded],
            "excluded_counts": dict(self.excluded_counts),
            "considered": self.considered,
        }
