"""The model lists of a stand-in in each provider's shape, and NanoGPT's two shapes of usage."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.stand_ins.llm.account import Offer

Offers = Sequence[Offer]
List = Callable[[Offers], Any]
CREATED = 1788220800  # 2026-09-01
NEXT_MONDAY_MS = 1795392000000  # 2026-11-23


def openai(offers: Offers) -> Any:
    return {
        "object": "list",
        "data": [
            {"id": offer.name, "object": "model", "created": CREATED, "owned_by": "stand-in"}
            for offer in offers
        ],
    }


def nanogpt(offers: Offers) -> Any:
    return {
        "object": "list",
        "data": [
            {
                "id": offer.name,
                "object": "model",
                "created": CREATED,
                "owned_by": "stand-in",
                "name": offer.name.title(),
                "description": f"The stand-in's {offer.name} model.",
                "context_length": offer.context_tokens,
                "max_output_tokens": offer.max_output_tokens,
                "capabilities": {
                    "vision": offer.has_vision,
                    "reasoning": False,
                    "tool_calling": offer.has_tools,
                    "structured_output": True,
                },
                "architecture": {
                    "input_modalities": ["text", "image"] if offer.has_vision else ["text"]
                },
                "pricing": {
                    "prompt": float(offer.input),
                    "completion": float(offer.output),
                    "currency": "USD",
                    "unit": "per_million_tokens",
                },
                "cost_estimate": "$",
                "category": "general",
            }
            for offer in offers
        ],
    }


def nanogpt_included(offers: Offers) -> Any:
    return nanogpt([offer for offer in offers if offer.is_included])


def nanogpt_paid(offers: Offers) -> Any:
    return nanogpt([offer for offer in offers if not offer.is_included])


def openrouter(offers: Offers) -> Any:
    return {"data": [_openrouter(offer) for offer in offers], "total_count": len(offers)}


def _openrouter(offer: Offer) -> dict[str, Any]:
    pricing = {"prompt": f"{offer.input / 10**6:f}", "completion": f"{offer.output / 10**6:f}"}
    if offer.cache_read is not None:
        pricing["input_cache_read"] = f"{offer.cache_read / 10**6:f}"
    return {
        "id": offer.name,
        "canonical_slug": offer.name,
        "name": f"Stand-in: {offer.name.title()}",
        "created": CREATED,
        "description": f"The stand-in's {offer.name} model.",
        "context_length": offer.context_tokens,
        "architecture": {
            "input_modalities": ["text", "image"] if offer.has_vision else ["text"],
            "output_modalities": ["text"],
        },
        "pricing": pricing,
        "top_provider": {
            "context_length": offer.context_tokens,
            "max_completion_tokens": offer.max_output_tokens,
        },
        "supported_parameters": ["temperature", *(["tools"] if offer.has_tools else [])],
    }


def anthropic(offers: Offers) -> Any:
    return {
        "data": [
            {
                "type": "model",
                "id": offer.name,
                "display_name": offer.name.title(),
                "created_at": "2026-09-01T00:00:00Z",
                "max_input_tokens": offer.context_tokens,
                "max_tokens": offer.max_output_tokens,
                "capabilities": {"image_input": {"supported": offer.has_vision}},
            }
            for offer in offers
        ],
        "has_more": False,
        "first_id": offers[0].name if offers else None,
        "last_id": offers[-1].name if offers else None,
    }


def ollama_tags(offers: Offers) -> Any:
    details = {"family": "qwen3", "parameter_size": "8.2B", "quantization_level": "Q4_K_M"}
    return {
        "models": [
            {"name": offer.name, "model": offer.name, "size": 5_200_000_000, "details": details}
            for offer in offers
        ]
    }


def ollama_show(offers: Offers) -> Any:
    if not offers:
        return {"error": "model not found"}
    offer = offers[0]
    capabilities = ["completion"]
    capabilities += ["tools"] if offer.has_tools else []
    capabilities += ["vision"] if offer.has_vision else []
    facts = {"general.architecture": "qwen3", "qwen3.context_length": offer.context_tokens}
    return {"details": {"family": "qwen3"}, "model_info": facts, "capabilities": capabilities}


def ollama_ps(offers: Offers) -> Any:
    loaded = [
        {"name": offer.name, "size_vram": 5_100_000_000, "expires_at": "2026-11-20T12:05:00Z"}
        for offer in offers[:1]
    ]
    return {"models": loaded}


def lmstudio(offers: Offers) -> Any:
    return {
        "models": [
            {
                "type": "llm",
                "publisher": "stand-in",
                "key": offer.name,
                "display_name": offer.name.title(),
                "architecture": "qwen3",
                "loaded_instances": [],
                "max_context_length": offer.context_tokens,
                "capabilities": {
                    "vision": offer.has_vision,
                    "trained_for_tool_use": offer.has_tools,
                },
            }
            for offer in offers
        ]
    }


LISTS: dict[str, dict[str, List]] = {
    "nanogpt": {
        "/api/v1/models": nanogpt,
        "/api/subscription/v1/models": nanogpt_included,
        "/api/paid/v1/models": nanogpt_paid,
        "/api/personalized/v1/models": nanogpt,
    },
    "openrouter": {"/api/v1/models": openrouter},
    "anthropic": {"/v1/models": anthropic},
    "ollama": {
        "/api/tags": ollama_tags,
        "/api/show": ollama_show,
        "/api/ps": ollama_ps,
        "/v1/models": openai,
    },
    "lmstudio": {"/api/v1/models": lmstudio, "/v1/models": openai},
}


def weekly_usage(used: int, *, limit: int = 60_000_000) -> dict[str, Any]:
    """As the subscription answers since March 2026: weekly input tokens and daily images."""
    return {
        "active": True,
        "limits": {"weeklyInputTokens": limit, "dailyInputTokens": None, "dailyImages": 100},
        "weeklyInputTokens": {
            "used": used,
            "remaining": limit - used,
            "percentUsed": used / limit,
            "resetAt": NEXT_MONDAY_MS,
        },
        "dailyInputTokens": None,
        "dailyImages": {
            "used": 0,
            "remaining": 100,
            "percentUsed": 0,
            "resetAt": NEXT_MONDAY_MS - 2 * 86_400_000,
        },
        "period": {"currentPeriodEnd": "2026-12-15T09:00:00.000Z"},
        "state": "active",
        "graceUntil": None,
    }


def documented_usage(used: int) -> dict[str, Any]:
    """As NanoGPT still documents it: requests a day and a month."""
    return {
        "active": True,
        "limits": {"daily": 5000, "monthly": 60000},
        "enforceDailyLimit": True,
        "daily": {
            "used": used,
            "remaining": 5000 - used,
            "percentUsed": used / 5000,
            "resetAt": NEXT_MONDAY_MS - 2 * 86_400_000,
        },
        "monthly": {
            "used": used,
            "remaining": 60000 - used,
            "percentUsed": used / 60000,
            "resetAt": NEXT_MONDAY_MS + 8 * 86_400_000,
        },
        "period": {"currentPeriodEnd": "2026-12-01T00:00:00.000Z"},
        "state": "active",
        "graceUntil": None,
    }
