"""What the router's tools answer: models, choices and spending as JSON, and the schemas of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import rfc3339
from gateway.llm.answering import Answering
from gateway.llm.messages import Usage
from gateway.llm.model import Model, Price
from gateway.llm.route import Step
from gateway.usage.limit import LimitState
from gateway.usage.report import UsageLine

Schema = Mapping[str, Any]


def record(properties: Mapping[str, Any], *, optional: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of an object; `tools.arguments` reads the same part of JSON Schema."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }


def _listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"]}
_MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
_USD: Schema = {"type": ["number", "null"], "description": "US dollars; null is unknown, never 0."}
_TIER: Schema = {"type": "string", "enum": ["free", "paid"]}


def model_to_json(offers: Sequence[Model]) -> dict[str, Any]:
    """One ID; a model that a subscription includes can also be paid for, which is two offers."""
    tiers = sorted({offer.tier for offer in offers})
    model = offers[0]
    abilities = {
        "tools": model.has_tools,
        "vision": model.has_vision,
        "reasoning": model.has_reasoning,
        "structured_output": model.has_structured_output,
    }
    return {
        "id": model.id,
        "name": model.title,
        "tiers": tiers,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "price": next((_price(offer.price) for offer in offers if offer.price), None),
        "abilities": [name for name, can in abilities.items() if can],
    }


def _price(price: Price) -> dict[str, Any]:
    rates = price.rates
    return {
        "input_usd_per_million_tokens": None if rates.input is None else float(rates.input),
        "output_usd_per_million_tokens": None if rates.output is None else float(rates.output),
        "as_of": price.as_of.isoformat(),
        "source": price.source,
    }


def quota_to_json(state: LimitState) -> dict[str, Any]:
    return {
        "name": state.limit.name,
        "unit": state.limit.unit,
        "limit": state.limit.most,
        "used": state.used,
        "left": state.remaining,
        "resets_at": rfc3339(state.resets_at),
    }


_QUOTA = record(
    {
        "name": _TEXT,
        "unit": _TEXT,
        "limit": _COUNT,
        "used": _COUNT,
        "left": _COUNT,
        "resets_at": _TEXT,
    }
)
_PRICE = record(
    {
        "input_usd_per_million_tokens": _USD,
        "output_usd_per_million_tokens": _USD,
        "as_of": _TEXT,
        "source": _TEXT,
    }
)
_MODEL = record(
    {
        "id": _TEXT,
        "name": _TEXT,
        "tiers": _listed(_TIER),
        "context_tokens": _MAYBE_COUNT,
        "max_output_tokens": _MAYBE_COUNT,
        "price": {**_PRICE, "type": ["object", "null"]},
        "abilities": _listed(_TEXT),
    }
)
MODELS_SCHEMA = record(
    {
        "models": _listed(_MODEL),
        "total": {"type": "integer", "description": "How many there are; not all may be listed."},
        "quota_left": record({"free": _listed(_QUOTA), "paid": _listed(_QUOTA)}),
        "as_of": _TEXT,
    }
)


def call_to_json(answering: Answering) -> dict[str, Any]:
    """Of an answer that is whole."""
    used = answering.usage or Usage()
    return {
        "model": answering.model.id,
        "provider": answering.provider,
        "tier": answering.tier,
        "cost_usd": usd(answering.cost_microusd),
        "usage": {name: getattr(used, name) for name in _TOKENS},
        "route_id": answering.route_id,
        "quota_remaining": answering.quota_remaining,
    }


_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_TOKEN_COUNTS: Schema = dict.fromkeys(_TOKENS, _COUNT)
CHAT_SCHEMA = record(
    {
        "content": _TEXT,
        "finish_reason": _TEXT,
        "model": _TEXT,
        "provider": _TEXT,
        "tier": _TIER,
        "cost_usd": _USD,
        "usage": record(_TOKEN_COUNTS),
        "route_id": {"type": "string", "description": "Fetch route:{route_id} for the whole why."},
        "quota_remaining": _MAYBE_COUNT,
        "task_type": _MAYBE_TEXT,
        "complexity": _MAYBE_NUMBER,
        "reason": _MAYBE_TEXT,
    }
)


def step_to_json(step: Step) -> dict[str, Any]:
    return {
        "model": step.model.id,
        "provider": step.model.provider,
        "tier": step.model.tier,
        "reason": step.reason,
        "score": round(step.score.total, 3),
        "expected_cost_usd": usd(step.expected_microusd),
        "worst_cost_usd": usd(step.worst_microusd),
    }


_STEP: Schema = {
    "model": _MAYBE_TEXT,
    "provider": _MAYBE_TEXT,
    "tier": _MAYBE_TEXT,
    "reason": _MAYBE_TEXT,
    "score": _MAYBE_NUMBER,
    "expected_cost_usd": _USD,
    "worst_cost_usd": _USD,
}
NO_STEP: dict[str, Any] = dict.fromkeys(_STEP)
ROUTE_SCHEMA = record(
    {
        **_STEP,
        "task_type": _TEXT,
        "complexity": _NUMBER,
        "reasoning": _listed(_TEXT),
        "alternatives": _listed(record(_STEP)),
        "considered": _COUNT,
        "excluded": {"type": "object", "additionalProperties": _COUNT},
        "refusal": {
            "type": ["string", "null"],
            "description": "Why no model could be called now; then there is no model.",
        },
    }
)


def line_to_json(line: UsageLine) -> dict[str, Any]:
    return {
        "calls": line.calls,
        "failed": line.failed,
        **{name: getattr(line, name) for name in _TOKENS},
        "cost_usd": usd(line.charged_microusd),
        "list_cost_usd": usd(line.list_microusd),
        "calls_with_unknown_cost": line.calls_with_unknown_cost,
    }


_LINE: Schema = {
    "calls": _COUNT,
    "failed": _COUNT,
    **_TOKEN_COUNTS,
    "cost_usd": _USD,
    "list_cost_usd": _USD,
    "calls_with_unknown_cost": _COUNT,
}


def usage_schema(breakdowns: Sequence[str]) -> Schema:
    return record(
        {
            "timeframe": _TEXT,
            "from": _TEXT,
            "to": _TEXT,
            "whose": _TEXT,
            "total": record(_LINE),
            **{f"by_{by}": _listed(record({by: _MAYBE_TEXT, **_LINE})) for by in breakdowns},
        }
    )


def usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000
