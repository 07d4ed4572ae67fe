"""What a call used and cost, from the usage that OpenAI-shaped providers report."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.llm.messages import Json, Usage

_READ = frozenset(
    "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details "
    "cost cost_details is_byok cache_creation_input_tokens cache_read_input_tokens".split()
)
_READ_OF_INPUT = frozenset({"cached_tokens", "cache_write_tokens"})
_READ_OF_OUTPUT = frozenset({"reasoning_tokens"})


def usage_of(raw: Json) -> Usage:
    """Tokens alone; what they cost is said differently by each provider."""
    inputs = mapping(raw.get("prompt_tokens_details"))
    outputs = mapping(raw.get("completion_tokens_details"))
    return Usage(
        input_tokens=count(raw.get("prompt_tokens")),
        output_tokens=count(raw.get("completion_tokens")),
        cached_tokens=count(inputs.get("cached_tokens"))
        or count(raw.get("cache_read_input_tokens")),
        cache_write_tokens=count(inputs.get("cache_write_tokens"))
        or count(raw.get("cache_creation_input_tokens")),
        reasoning_tokens=count(outputs.get("reasoning_tokens")),
        extra=_extra(raw, inputs, outputs),
    )


def openrouter_usage(raw: Json) -> Usage:
    """`cost` is what was billed; with a key of the user's own, its provider bills beside it."""
    usage, cost = usage_of(raw), usd(raw.get("cost"))
    if not raw.get("is_byok"):
        return replace(usage, billed_usd=cost, list_usd=cost)
    upstream = usd(mapping(raw.get("cost_details")).get("upstream_inference_cost"))
    if cost is not None and upstream is not None:
        total = format(Decimal(cost) + Decimal(upstream), "f")
        return replace(usage, billed_usd=total, list_usd=total, payment_source="byok")
    return replace(usage, payment_source="byok")


def nanogpt_usage(raw: Json, pricing: Json, *, frame_cost: object = None) -> Usage:
    """`cost` of the usage is the list price, also for what a subscription covers.

    What was billed is in `x_nanogpt_pricing`, whose `paymentSource` tells the two apart.
    """
    usage = replace(usage_of(raw), list_usd=usd(raw.get("cost")))
    if not pricing:
        return usage
    source = pricing.get("paymentSource")
    cost = _nanogpt_cost(pricing, frame_cost)
    is_covered = isinstance(source, str) and "subscription" in source.lower()
    return replace(
        usage,
        billed_usd="0" if is_covered else cost,
        list_usd=usage.list_usd or cost,
        payment_source=source if isinstance(source, str) else None,
    )


def _nanogpt_cost(pricing: Json, frame_cost: object) -> str | None:
    if (whole := usd(frame_cost)) is not None and Decimal(whole) > 0:
        return whole
    if (cost := usd(pricing.get("costUsd"))) is not None:
        return cost
    currency = pricing.get("currency")
    if isinstance(currency, str) and currency.upper() != "USD":
        return None  # nano coins, whose worth nobody tells us
    cost = usd(pricing.get("cost"))
    return usd(pricing.get("amount")) if cost is None else cost


def usd(value: object) -> str | None:
    """A decimal number in text, without an exponent; None for what is no amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return format(amount, "f") if amount.is_finite() and amount >= 0 else None


def count(value: object) -> int:
    """How many tokens; 0 for what is missing or no number, such as Azure's -1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, 1e12))


def mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _extra(raw: Json, inputs: Json, outputs: Json) -> dict[str, Any]:
    extra = {name: value for name, value in raw.items() if name not in _READ}
    for name, details, read in (
        ("prompt_tokens_details", inputs, _READ_OF_INPUT),
        ("completion_tokens_details", outputs, _READ_OF_OUTPUT),
    ):
        if rest := {inner: details[inner] for inner in details if inner not in read}:
            extra[name] = rest
    return extra
