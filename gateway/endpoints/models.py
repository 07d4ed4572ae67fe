"""The models that a caller may use, in OpenAI's list with limits, tier and dated prices."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.endpoints.authentication import reader
from gateway.endpoints.openai_problems import answering_as_openai
from gateway.errors import NotFound
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.model import Model, Price, Rates
from gateway.text import shown

# Some catalogs know thousands of models, and clients ask for the list whenever they open.
MOST_REMEMBERED = 32
_QUIET = {"cache-control": "private, no-store"}


def model_routes(catalog: Catalog, *, automatic: Sequence[str] = ("auto",)) -> list[BaseRoute]:
    """`/v1/models` and `/v1/models/{id}`.

    `automatic` are names that let the router choose; they head the list, so that a person can
    pick one where a client only offers what is listed.
    """
    remembered: LRUCache[tuple[str, ...], tuple[object, bytes]] = LRUCache(MOST_REMEMBERED)

    async def listed(request: Request) -> Response:
        who = reader(request.state.caller)
        revision, content = remembered.get(who.models, (None, b""))
        if revision is not catalog.revision:
            revision = catalog.revision
            content = _list(catalog, who, automatic=automatic)
            remembered[who.models] = (revision, content)
        return Response(content, headers=_QUIET, media_type="application/json")

    async def one(request: Request) -> Response:
        who = reader(request.state.caller)
        name = request.path_params["id"]
        if name in automatic:
            return JSONResponse(_automatic(name), headers=_QUIET)
        offers = [model for model in _open_to(who, catalog) if name in (model.id, model.name)]
        if not offers:
            raise _no_such_model(catalog, who, name=name)
        first = offers[0].id
        described = model_to_json([model for model in offers if model.id == first])
        return JSONResponse(described, headers=_QUIET)

    return [
        Route("/v1/models", answering_as_openai(listed)),
        Route("/v1/models/{id:path}", answering_as_openai(one)),
    ]


def model_to_json(offers: Sequence[Model]) -> dict[str, Any]:
    """One ID; a model that is free and can also be paid for has two offers, free first."""
    offers = sorted(offers, key=lambda model: model.tier)
    model = offers[0]
    return {
        "id": model.id,
        "object": "model",
        "created": _created(model.released),
        "owned_by": model.provider,
        "name": model.title,
        "description": model.description,
        "tier": model.tier,
        "tiers": [offer.tier for offer in offers],
        "included_in_subscription": model.is_included,
        "is_local": model.is_local,
        "context_length": model.context_tokens,
        "max_input_tokens": model.max_input_tokens,
        "max_output_tokens": model.max_output_tokens,
        "input_modalities": sorted(model.input_modalities),
        "output_modalities": sorted(model.output_modalities),
        "capabilities": {
            "tools": model.has_tools,
            "structured_output": model.has_structured_output,
            "reasoning": model.has_reasoning,
            "vision": model.has_vision,
            "temperature": model.has_temperature,
        },
        "knowledge_cutoff": model.knowledge,
        "released": _day(model.released),
        "pricing": next((_pricing(offer.price) for offer in offers if offer.price), None),
        "source": model.source,
        "as_of": _day(model.as_of),
    }


def _list(catalog: Catalog, who: Caller, *, automatic: Sequence[str]) -> bytes:
    by_id: dict[str, list[Model]] = {}
    for model in _open_to(who, catalog):
        by_id.setdefault(model.id, []).append(model)
    data = [*map(_automatic, automatic), *map(model_to_json, by_id.values())]
    return json.dumps({"object": "list", "data": data}, ensure_ascii=False).encode()


def _open_to(who: Caller, catalog: Catalog) -> Iterable[Model]:
    return (model for model in catalog.callable_models if who.may_use_model(model.id))


def _automatic(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "gateway",
        "name": name,
        "description": "The gateway chooses a model for each request.",
    }


def _no_such_model(catalog: Catalog, who: Caller, *, name: str) -> NotFound:
    near = [model_id for model_id in catalog.near(name) if who.may_use_model(model_id)]
    return NotFound(
        f"there is no model {shown(name)!r} that this key may use; GET /v1/models lists them",
        what="model",
        suggestions=near,
    )


def _pricing(price: Price) -> dict[str, Any]:
    """US dollars for a million tokens; null is unknown, and never means free."""
    tiers = [
        {"above_input_tokens": tier.above_tokens, **_rates(tier.rates)} for tier in price.tiers
    ]
    return {
        **_rates(price.rates),
        "currency": "USD",
        "unit": "per_million_tokens",
        "tiers": tiers,
        "source": price.source,
        "as_of": _day(price.as_of),
    }


def _rates(rates: Rates) -> Mapping[str, float | None]:
    return {
        "prompt": _number(rates.input),
        "completion": _number(rates.output),
        "cache_read": _number(rates.cache_read),
        "cache_write": _number(rates.cache_write),
        "request_usd": _number(rates.request and rates.request / 1_000_000),
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _created(released: date | None) -> int:
    # OpenAI's clients demand a number.
    return int(datetime.combine(released, time(), UTC).timestamp()) if released else 0


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
