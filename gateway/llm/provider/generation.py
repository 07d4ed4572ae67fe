"""What OpenRouter says afterwards of one call: for streams whose end nobody heard."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from gateway.errors import GatewayError, NotFound
from gateway.llm.messages import Usage
from gateway.llm.provider.presets import Addresses

Ask = Callable[..., Awaitable[Any]]

# It knows a call some time after its end.
PAUSES_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


async def billed(ask: Ask, addresses: Addresses, generation_id: str) -> Usage | None:
    """None if it does not know the call after about eight seconds, or does not answer."""
    url = f"{addresses.base}/generation?id={quote(generation_id, safe='')}"
    for pause in PAUSES_SECONDS:
        await asyncio.sleep(pause)
        try:
            return _usage(await ask("GET", url))
        except NotFound:
            continue
        except GatewayError:
            return None
    return None


def _usage(answer: Any) -> Usage | None:
    generation = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(generation, dict) or generation.get("total_cost") is None:
        return None
    return Usage(
        input_tokens=_count(generation.get("native_tokens_prompt")),
        output_tokens=_count(generation.get("native_tokens_completion")),
        cached_tokens=_count(generation.get("native_tokens_cached")),
        reasoning_tokens=_count(generation.get("native_tokens_reasoning")),
        billed_usd=_billed(generation),
    )


def _billed(generation: Mapping[str, Any]) -> str | None:
    """With a key of one's own, the model's maker bills beside OpenRouter."""
    total = str(generation["total_cost"])
    if not generation.get("is_byok"):
        return total
    upstream = generation.get("upstream_inference_cost")
    return None if upstream is None else str(Decimal(total) + Decimal(str(upstream)))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
