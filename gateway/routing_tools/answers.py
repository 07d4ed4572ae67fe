"""What the routing tools answer: a choice with its grounds, costs and doubts, and the schemas."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from gateway.llm.belief import told
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.provider.pace import Pace
from gateway.llm.route import Route, Step
from gateway.llm.task import band
from gateway.llm.tool_answers import (
    MODELS_SCHEMA,
    NO_STEP,
    ROUTE_SCHEMA,
    record,
    step_to_json,
    usd,
)
from gateway.routing_tools.estimates import ESTIMATE_SCHEMA, Estimate, estimate, why_free
from gateway.routing_tools.free_lists import LIST_SCHEMA

# What a choice from memory does not look at.
UNCHECKED = (
    "quotas and budgets",
    "whether the providers answer now",
    "how fast and how good the models were of late",
)
CLEAR_MARGIN, SLIGHT_MARGIN = 0.05, 0.01
DEAREST = "the dearest alternative of this route"
SAME_MODEL = "the same model at its list price"

Confidence = Literal["high", "medium", "low"]
_TEXT: Mapping[str, Any] = {"type": "string"}
_MAYBE_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
_COUNT: Mapping[str, Any] = {"type": "integer"}
_MAYBE_COUNT: Mapping[str, Any] = {"type": ["integer", "null"]}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_USD: Mapping[str, Any] = {
    "type": ["number", "null"],
    "description": "US dollars; null is unknown, never 0.",
}
_OF_CHOICE = ROUTE_SCHEMA["properties"]
_STEP: Mapping[str, Any] = {
    **{name: _OF_CHOICE[name] for name in NO_STEP},
    "good_enough": {
        "type": ["number", "null"],
        "description": "How likely its answer is good enough, from 0 to 1.",
    },
    "believed": {
        **_MAYBE_TEXT,
        "description": "How good it is believed to be at such tasks, by what, and how old that is.",
    },
}
_NO_STEP = dict.fromkeys(_STEP)
CHOICE_SCHEMA = record(
    {
        **_STEP,
        "task": _TEXT,
        "complexity": {"type": "number"},
        "complexity_level": {"type": "string", "enum": ["low", "medium", "high"]},
        "decided_by": {**_TEXTS, "description": "The words and signs that told the task."},
        "priority": _TEXT,
        "context_length": _COUNT,
        "expected_output_length": _COUNT,
        "reasoning": _TEXT,
        "alternatives": {"type": "array", "items": record(_STEP)},
        "considered": _OF_CHOICE["considered"],
        "excluded": _OF_CHOICE["excluded"],
        "refusal": _OF_CHOICE["refusal"],
        "comparison": {
            **record(
                {
                    "against_model": _TEXT,
                    "against": _TEXT,
                    "against_cost_usd": _USD,
                    "saved_usd": _USD,
                }
            ),
            "type": ["object", "null"],
            "description": "What the choice saves against the stated alternative, at list prices.",
        },
        "is_preemptive": {"type": "boolean"},
        "confidence": {"type": "string", "enum": ["high", "medium", "low"]},
        "unchecked": {**_TEXTS, "description": "What this choice did not look at."},
        "prices_as_of": _TEXT,
    }
)
COSTS_SCHEMA = record(
    {
        "context_length": _COUNT,
        "expected_output_length": _COUNT,
        "estimates": {"type": "array", "items": ESTIMATE_SCHEMA},
        "total": {**_COUNT, "description": "How many there are; not all may be listed."},
        "counts": record({"free": _COUNT, "paid": _COUNT, "unknown_price": _COUNT}),
        "cheapest_paid": {**ESTIMATE_SCHEMA, "type": ["object", "null"]},
        "too_small": {**_COUNT, "description": "Left out: so many tokens do not fit them."},
        "as_of": _TEXT,
    }
)
_FREE_MODEL = record(
    {
        "id": _TEXT,
        "name": _TEXT,
        "provider": _TEXT,
        "why_free": _TEXT,
        "context_tokens": _MAYBE_COUNT,
        "max_output_tokens": _MAYBE_COUNT,
        "abilities": _TEXTS,
        "made_for": _TEXTS,
        "released": _MAYBE_TEXT,
        "tokens_per_second": {"type": ["number", "null"]},
        "as_of": _MAYBE_TEXT,
    }
)
FREE_MODELS_SCHEMA = record(
    {
        "models": {"type": "array", "items": _FREE_MODEL},
        "total": {**_COUNT, "description": "How many there are; not all may be listed."},
        "quota_left": MODELS_SCHEMA["properties"]["quota_left"]["properties"]["free"],
        "lists": {"type": "array", "items": LIST_SCHEMA},
        "as_of": _TEXT,
    }
)
CLEARED_SCHEMA = record(
    {
        "providers": _TEXTS,
        "forgotten": record({"lists": _COUNT, "paces": _COUNT, "evidence": _COUNT}),
        "is_list_new": {"type": "boolean", "description": "Whether the list came anew."},
        "models": _COUNT,
        "free_models": _COUNT,
        "as_of": _TEXT,
    }
)
STRATEGY_SCHEMA = record(
    {
        "model_id": _TEXT,
        "strategy": {
            **record(
                {
                    "system_prompt": _TEXT,
                    "user_template": _TEXT,
                    "assistant_template": _TEXT,
                    "use_chat_format": {"type": "boolean"},
                }
            ),
            "type": ["object", "null"],
            "description": "The whole of it; null where messages go on as they come.",
        },
        "example": {
            "type": "array",
            "items": record({"role": _TEXT, "content": _TEXT}),
            "description": "How a conversation reads with it.",
        },
    }
)


def choice_to_json(
    route: Route, policy: Policy, lineup: Lineup, *, moment: datetime, is_preemptive: bool
) -> dict[str, Any]:
    asked, refusal = route.features, route.error(moment)
    first, *others = [_step(step, moment) for step in route.steps] or [_NO_STEP]
    output_tokens = asked.output_tokens or policy.expected_output_tokens
    return {
        **first,
        "task": asked.task,
        "complexity": round(asked.complexity, 2),
        "complexity_level": band(asked.complexity),
        "decided_by": list(asked.because),
        "priority": asked.priority or policy.priority,
        "context_length": asked.input_tokens,
        "expected_output_length": output_tokens,
        "reasoning": route.reason,
        "alternatives": others,
        "considered": route.considered,
        "excluded": {why: count for why, count in route.excluded_counts.items() if count},
        "refusal": str(refusal) if refusal else None,
        "comparison": _comparison(route, lineup, output_tokens=output_tokens),
        "is_preemptive": is_preemptive,
        "confidence": confidence(route),
        "unchecked": list(UNCHECKED) if is_preemptive else [],
    }


def _step(step: Step, moment: datetime) -> dict[str, Any]:
    return {
        **step_to_json(step),
        "good_enough": round(step.score.quality, 3),
        "believed": told(step.score.belief, moment),
    }


def confidence(route: Route) -> Confidence:
    """By how clearly the task was told, and how far the first model is before the second."""
    if not route.steps or not route.features.because:
        return "low"
    first, *others = [step.score.total for step in route.steps]
    margin = first - others[0] if others else CLEAR_MARGIN
    # Steps of several stages are not in the order of their scores.
    if abs(margin) >= CLEAR_MARGIN:
        return "high"
    return "medium" if abs(margin) >= SLIGHT_MARGIN else "low"


def _comparison(route: Route, lineup: Lineup, *, output_tokens: int) -> dict[str, Any] | None:
    if not route.steps or route.steps[0].expected_microusd is None:
        return None
    found = _dearer_step(route.steps) or _same_model(route, lineup, output_tokens)
    if found is None:
        return None
    model, against, microusd = found
    return {
        "against_model": model.id,
        "against": against,
        "against_cost_usd": usd(microusd),
        "saved_usd": usd(microusd - route.steps[0].expected_microusd),
    }


def _dearer_step(steps: Sequence[Step]) -> tuple[Model, str, int] | None:
    first = steps[0].expected_microusd or 0
    dearer = [
        (step.expected_microusd, step.model)
        for step in steps[1:]
        if step.expected_microusd is not None and step.expected_microusd > first
    ]
    if not dearer:
        return None
    microusd, model = max(dearer, key=lambda one: (one[0], one[1].id))
    return model, DEAREST, microusd


def _same_model(route: Route, lineup: Lineup, output_tokens: int) -> tuple[Model, str, int] | None:
    """The cheapest paid offer of the model that was chosen, if there is one."""
    chosen = route.steps[0].model
    of_id = lineup.named(chosen.id)
    twins = [one.model for one in lineup.same(of_id[0])] if of_id else []
    priced = [
        (costs.total_microusd, one)
        for one in twins
        if one.tier == "paid"
        and (costs := estimate(one, route.features.input_tokens, output_tokens)).total_microusd
    ]
    if not priced:
        return None
    microusd, model = min(priced, key=lambda one: (one[0], one[1].id))
    assert microusd is not None
    return model, SAME_MODEL, microusd


def free_model_to_json(model: Model, pace: Pace | None) -> dict[str, Any]:
    abilities = {
        "tools": model.has_tools,
        "vision": model.has_vision,
        "reasoning": model.has_reasoning,
        "structured_output": model.has_structured_output,
    }
    speed = pace.tokens_per_second if pace else None
    return {
        "id": model.id,
        "name": model.title,
        "provider": model.provider,
        "why_free": why_free(model),
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "abilities": [name for name, can in abilities.items() if can],
        "made_for": list(model.use_cases),
        "released": None if model.released is None else model.released.isoformat(),
        "tokens_per_second": None if speed is None else round(speed, 1),
        "as_of": None if model.as_of is None else model.as_of.isoformat(),
    }


def counts(estimates: Sequence[Estimate]) -> dict[str, int]:
    return {
        "free": sum(one.tier == "free" for one in estimates),
        "paid": sum(one.tier == "paid" for one in estimates),
        "unknown_price": sum(one.total_microusd is None for one in estimates),
    }
