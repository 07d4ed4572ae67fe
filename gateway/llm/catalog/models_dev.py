"""Reads the records of models.dev, which is grouped by provider and has dollars a million."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from gateway.llm.catalog.facts import Facts, price, rates, unless_free
from gateway.llm.catalog.json_values import (
    count,
    day,
    dollars,
    modalities,
    part,
    shared,
    text,
    truth,
)
from gateway.llm.model import Price, PriceTier, Rates

SOURCE = "models.dev"
# What models.dev calls our providers. Ollama's cloud and LM Studio's three are facts about models
# that somebody may have at home; nobody is offered them.
PROVIDERS = {
    "nano-gpt": "nanogpt",
    "openrouter": "openrouter",
    "openai": "openai",
    "anthropic": "anthropic",
    "google-vertex": "vertex",
    "azure": "azure",
    "ollama-cloud": "ollama",
    "lmstudio": "lmstudio",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "xai": "xai",
}
_STATUS = {status: {"status": status} for status in ("alpha", "beta", "deprecated")}
_EMBEDDING = shared(["embedding"])


def read(records: Mapping[str, Any], as_of: date) -> Iterator[tuple[str, Facts]]:
    """Each model that we could call, with the name of our provider."""
    for their_name, provider in PROVIDERS.items():
        for record in part(part(dict(records), their_name), "models").values():
            name = _name(record["id"], provider)
            if name is not None:
                yield provider, _facts(record, name=name, provider=provider, as_of=as_of)


def _name(model_id: str, provider: str) -> str | None:
    """As it is said on the wire. Vertex names the maker, and has Claude at another endpoint."""
    if provider != "vertex" or "/" in model_id:
        return model_id
    return None if model_id.startswith("claude-") else f"google/{model_id}"


def _facts(record: dict[str, Any], *, name: str, provider: str, as_of: date) -> Facts:
    limit, its_modalities = part(record, "limit"), part(record, "modalities")
    outputs = _EMBEDDING if "embed" in name.lower() else modalities(its_modalities.get("output"))
    return Facts(
        name=name,
        title=text(record.get("name")),
        context_tokens=count(limit.get("context")),
        max_input_tokens=count(limit.get("input")),
        max_output_tokens=count(limit.get("output")),
        input_modalities=modalities(its_modalities.get("input")),
        output_modalities=outputs,
        has_tools=truth(record.get("tool_call")),
        has_structured_output=truth(record.get("structured_output")),
        has_reasoning=truth(record.get("reasoning")),
        has_temperature=truth(record.get("temperature")),
        price=None if provider == "lmstudio" else _price(part(record, "cost"), as_of),
        released=day(record.get("release_date")),
        knowledge=text(record.get("knowledge")),
        details=_STATUS.get(str(record.get("status"))),
        source=SOURCE,
        as_of=as_of,
    )


def _price(cost: dict[str, Any], as_of: date) -> Price | None:
    """No provider in these records gives a model away but OpenRouter, whose own list is newer."""
    return unless_free(price_of(cost, source=SOURCE, as_of=as_of))


def price_of(cost: dict[str, Any], *, source: str, as_of: date) -> Price | None:
    """Of a `cost` with tiers, whose size stands in them or in a `tier` of theirs."""
    tiers = []
    for tier in cost.get("tiers") or ():
        size = count(tier.get("size")) or count(part(tier, "tier").get("size"))
        if size is not None:
            tiers.append(PriceTier(size, _rates({**cost, **tier})))
    above_200k = part(cost, "context_over_200k")
    if above_200k and not tiers:
        tiers.append(PriceTier(200_000, _rates({**cost, **above_200k})))
    return price(_rates(cost), source=source, as_of=as_of, tiers=tuple(tiers))


def _rates(cost: dict[str, Any]) -> Rates:
    return rates(
        dollars(cost.get("input")),
        dollars(cost.get("output")),
        dollars(cost.get("cache_read")),
        dollars(cost.get("cache_write")),
    )
