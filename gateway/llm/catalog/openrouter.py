"""Reads OpenRouter's model list, whose prices are texts in dollars for one token."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from gateway.errors import BadAnswer
from gateway.llm.catalog.facts import Facts, price, rates, unless_free
from gateway.llm.catalog.json_values import (
    count,
    day_of_seconds,
    dollars,
    modalities,
    part,
    rows,
    text,
)
from gateway.llm.model import Price, PriceTier, Rates

SOURCE = "OpenRouter"
MOST_DESCRIBED_CHARACTERS = 200
# A router of theirs over models that cost nothing.
_FREE_ROUTER = "openrouter/free"


def read(body: Any, as_of: date) -> tuple[Facts, ...]:
    """Raises:
    BadAnswer: it is no model list.
    """
    listed = rows(body)
    if listed is None:
        raise BadAnswer("OpenRouter's model list has no `data`")
    return tuple(facts for row in listed if (facts := _facts(row, as_of)) is not None)


def _facts(row: dict[str, Any], as_of: date) -> Facts | None:
    name = text(row.get("id"))
    if name is None:
        return None
    accepted = row.get("supported_parameters")
    takes = accepted if isinstance(accepted, list) else None
    architecture = part(row, "architecture")
    return Facts(
        name=name,
        title=_title(row.get("name")),
        context_tokens=count(row.get("context_length")),
        max_output_tokens=count(part(row, "top_provider").get("max_completion_tokens")),
        input_modalities=modalities(architecture.get("input_modalities")),
        output_modalities=modalities(architecture.get("output_modalities")),
        has_tools=None if takes is None else "tools" in takes,
        has_structured_output=None if takes is None else "structured_outputs" in takes,
        has_reasoning=None if takes is None else "reasoning" in takes,
        has_temperature=None if takes is None else "temperature" in takes,
        price=_price(part(row, "pricing"), name=name, as_of=as_of),
        released=day_of_seconds(row.get("created")),
        knowledge=text(row.get("knowledge_cutoff")),
        description=first_sentence(row.get("description")),
        source=SOURCE,
        as_of=as_of,
    )


def _title(said: Any) -> str | None:
    """Without the maker before the colon, who is in the wire name as well."""
    title = text(said)
    return None if title is None else text(title.partition(": ")[2]) or title


def _price(pricing: dict[str, Any], *, name: str, as_of: date) -> Price | None:
    """Models that charge for songs or pictures list 0 for tokens; only `:free` is free."""
    tiers = tuple(_tiers(pricing))
    known = price(_rates(pricing), source=SOURCE, as_of=as_of, tiers=tiers)
    is_gift = name.endswith(":free") or name == _FREE_ROUTER
    return known if is_gift else unless_free(known)


def _tiers(pricing: dict[str, Any]) -> Iterator[PriceTier]:
    """What an override leaves out is as before it; those by the time of day are left out here.

    The bill that comes with every answer has those right.
    """
    said = dict(pricing)
    overrides = pricing.get("overrides")
    for override in overrides if isinstance(overrides, list) else ():
        above = count(override.get("min_prompt_tokens")) if isinstance(override, dict) else None
        if above is not None:
            said = {**said, **override}
            yield PriceTier(above, _rates(said))


def _rates(pricing: dict[str, Any]) -> Rates:
    a_million = 10**6
    return rates(
        dollars(pricing.get("prompt"), scale=a_million),
        dollars(pricing.get("completion"), scale=a_million),
        dollars(pricing.get("input_cache_read"), scale=a_million),
        dollars(pricing.get("input_cache_write"), scale=a_million),
        dollars(pricing.get("request"), scale=a_million) or None,
    )


def first_sentence(description: Any) -> str | None:
    """Enough to tell models apart; the whole of all descriptions would fill memory."""
    if not isinstance(description, str) or not description.strip():
        return None
    line = " ".join(description.split())
    sentence = line.partition(". ")[0].removesuffix(".") + "."
    if len(sentence) <= MOST_DESCRIBED_CHARACTERS:
        return sentence
    return f"{sentence[: MOST_DESCRIBED_CHARACTERS - 1].rpartition(' ')[0]}…"
