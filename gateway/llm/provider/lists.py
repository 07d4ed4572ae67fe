"""Which lists of models each kind of provider has, asked for side by side."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gateway.errors import GatewayError
from gateway.llm.listing import Listing, ListingKind
from gateway.llm.provider.presets import Addresses

logger = logging.getLogger(__name__)

Ask = Callable[..., Awaitable[Any]]

MOST_PAGES = 20
# Ollama is asked about each of its models.
MOST_SHOWN = 200
SHOWN_AT_ONCE = 8


async def listings(
    ask: Ask, addresses: Addresses, deployments: Mapping[str, str]
) -> Sequence[Listing]:
    """Raises:
    GatewayError: not one of the lists came.
    """
    base, root = addresses.base, addresses.root
    match addresses.kind:
        case "nanogpt":
            return await _first_of_all(
                _list(ask, "nanogpt_detailed", f"{base}/models?detailed=true"),
                _list(ask, "nanogpt_subscription", f"{root}/subscription/v1/models?detailed=true"),
                _list(ask, "nanogpt_personalized", f"{root}/personalized/v1/models?detailed=true"),
            )
        case "anthropic":
            return [Listing("anthropic", await _all_pages(ask, f"{base}/models?limit=1000"))]
        case "ollama":
            return await _ollama(ask, base)
        case "lmstudio":
            return await _first_of_all(
                _list(ask, "lmstudio", f"{root}/api/v1/models"),
                _list(ask, "openai", f"{base}/models"),
            )
        case "azure":
            # Its own list names models that it could deploy, not those that are.
            rows = [{"id": name, "model": model} for name, model in deployments.items()]
            return [Listing("azure", {"data": rows})]
        case "vertex":
            return []
        case "openai_compatible":
            return [await _list(ask, "openai", f"{base}/models")]
        case "openai" | "openrouter" | "demo":
            return [await _list(ask, addresses.kind, f"{base}/models")]


async def _list(ask: Ask, kind: ListingKind, url: str) -> Listing:
    return Listing(kind, await ask("GET", url))


async def _first_of_all(*lists: Awaitable[Listing]) -> Sequence[Listing]:
    """Those that came; the first error if none did."""
    results = await asyncio.gather(*lists, return_exceptions=True)
    came = [result for result in results if isinstance(result, Listing)]
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not came or not isinstance(failure, GatewayError):
            raise failure
        logger.info("a list of models did not come: code=%s", failure.code)
    return came


async def _all_pages(ask: Ask, url: str) -> Mapping[str, Any]:
    """Anthropic's list as if it had one page."""
    page = await ask("GET", url)
    rows = list(page["data"]) if isinstance(page, dict) and "data" in page else []
    for _ in range(MOST_PAGES):
        if not isinstance(page, dict) or not page.get("has_more") or not page.get("last_id"):
            break
        page = await ask("GET", f"{url}&after_id={quote(str(page['last_id']), safe='')}")
        rows += page.get("data", [])
    return {"data": rows, "has_more": False}


async def _ollama(ask: Ask, base: str) -> Sequence[Listing]:
    tags = await ask("GET", f"{base}/api/tags")
    models = tags.get("models") if isinstance(tags, dict) else None
    names = [str(model["name"]) for model in models or () if "name" in model][:MOST_SHOWN]
    turns = asyncio.Semaphore(SHOWN_AT_ONCE)

    async def show(name: str) -> Listing:
        async with turns:
            said = await ask("POST", f"{base}/api/show", {"model": name})
            return Listing("ollama_show", said, subject=name)

    more = await _first_of_all(
        *(show(name) for name in names), _list(ask, "ollama_ps", f"{base}/api/ps")
    )
    return [Listing("ollama_tags", tags), *more]
