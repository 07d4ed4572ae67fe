"""What an answer tells beside itself: who gave it, on which route, and what it cost."""

from typing import Any

from gateway import request_id
from gateway.llm.answering import Answering
from gateway.llm.loop.turns import Turns
from gateway.llm.model import Model


def answer_headers(answering: Answering | Turns) -> dict[str, str]:
    """What is known before the answer is whole."""
    facts = {
        **model_headers(answering.model),
        "x-gateway-route-id": answering.route_id,
        "x-gateway-attempts": str(answering.attempts),
        "x-request-id": request_id.current(),
    }
    if answering.quota_remaining is not None:
        facts["x-gateway-quota-remaining"] = str(answering.quota_remaining)
    if answering.warnings:
        facts["x-gateway-warning"] = headed("; ".join(answering.warnings))
    return facts


def model_headers(model: Model) -> dict[str, str]:
    return {
        "x-gateway-model": headed(model.id),
        "x-gateway-provider": headed(model.provider),
        "x-gateway-tier": model.tier,
    }


def cost_headers(cost_microusd: int | None) -> dict[str, str]:
    """The cost of a whole answer; there is no header for a cost that is not known."""
    if cost_microusd is None:
        return {}
    return {"x-gateway-cost-usd": f"{cost_microusd / 1_000_000:.6f}"}


def body_facts(answering: Answering | Turns) -> dict[str, Any]:
    """Fields that existing clients of NanoGPT proxies read in the body, beside OpenAI's own."""
    return {
        "x_nanogpt_tier": answering.tier,
        "x_quota_remaining": answering.quota_remaining,
    }


def usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000


def headed(value: str) -> str:
    # A header holds no other letters, and no model's name may break an answer.
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in value)
