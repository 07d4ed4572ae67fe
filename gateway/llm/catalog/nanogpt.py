"""Reads NanoGPT's model lists: what can be paid, what the subscription includes, what was chosen.

An included model can be called by the subscription and, if it stands in a list of those that can
be paid, from the balance too: these are two. Its list price is kept, for it is what a call is
worth. No list has prices of caches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.errors import BadAnswer
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.facts import Facts, price, rates, unless_free
from gateway.llm.catalog.json_values import (
    count,
    day_of_seconds,
    dollars,
    modalities,
    part,
    rows,
    shared,
    text,
    truth,
)
from gateway.llm.catalog.openrouter import first_sentence
from gateway.llm.listing import ListingKind
from gateway.llm.model import Price

SOURCE = "NanoGPT"
PERSONALIZED = {"personalized": "yes"}
# How many of a unit's tokens are a million.
_UNITS = {"per_million_tokens": 1, "per_1m_tokens": 1, "per_thousand_tokens": 1_000}
_INPUTS = (("vision", "image"), ("pdf_upload", "pdf"), ("video_input", "video"))


def read(by_kind: Mapping[ListingKind, Sequence[DatedListing]]) -> tuple[Facts, ...]:
    """Raises:
    BadAnswer: one of them is no model list.
    """
    payable = {one.name: one for one in _all(by_kind.get("nanogpt_detailed", ()))}
    for chosen in _all(by_kind.get("nanogpt_personalized", ())):
        known = payable.get(chosen.name)
        facts = chosen.filled_from(known) if known else chosen
        payable[chosen.name] = replace(facts, details=PERSONALIZED)
    included = {
        one.name: _included(one, payable) for one in _all(by_kind.get("nanogpt_subscription", ()))
    }
    return (*included.values(), *payable.values())


def read_demo(body: Any, as_of: date) -> tuple[Facts, ...]:
    """The demo lists its models in the same shape; of these a price of 0 holds.

    Raises:
        BadAnswer: it is no model list.
    """
    listed = rows(body)
    if listed is None:
        raise BadAnswer("the demo's list has no `data`")
    return tuple(
        replace(
            _facts(row, name=name, as_of=as_of),
            price=_stated_price(part(row, "pricing"), as_of, source="demo"),
            source="demo",
        )
        for row in listed
        if (name := text(row.get("id")))
    )


def _included(facts: Facts, payable: Mapping[str, Facts]) -> Facts:
    known = payable.get(facts.name)
    return replace(facts.filled_from(known) if known else facts, is_included=True)


def _all(answers: Sequence[DatedListing]) -> Iterator[Facts]:
    for answer in answers:
        listed = rows(answer.listing.body)
        if listed is None:
            raise BadAnswer(f"NanoGPT's list {answer.listing.kind} has no `data`")
        for row in listed:
            if name := text(row.get("id")):
                yield _facts(row, name=name, as_of=answer.as_of)


def _facts(row: dict[str, Any], *, name: str, as_of: date) -> Facts:
    can = part(row, "capabilities")
    return Facts(
        name=name,
        title=text(row.get("name")),
        context_tokens=count(row.get("context_length")),
        max_output_tokens=count(row.get("max_output_tokens")),
        input_modalities=_inputs(row),
        output_modalities=modalities(part(row, "architecture").get("output_modalities")),
        has_tools=truth(can.get("tool_calling")),
        has_structured_output=truth(can.get("structured_output")),
        has_reasoning=truth(can.get("reasoning")),
        price=_price(part(row, "pricing"), as_of),
        released=day_of_seconds(row.get("created")),
        description=first_sentence(row.get("description")),
        source=SOURCE,
        as_of=as_of,
    )


def _inputs(row: dict[str, Any]) -> frozenset[str] | None:
    """They stand in two places, and either may be missing."""
    named = modalities(part(row, "architecture").get("input_modalities"))
    can = part(row, "capabilities")
    if named is None and "vision" not in can:
        return None
    capable = {modality for ability, modality in _INPUTS if can.get(ability) is True}
    return shared({"text"} | capable | (named or frozenset()))


def _price(pricing: dict[str, Any], as_of: date) -> Price | None:
    """A model that is listed at 0 is billed by what it leads to, such as `auto-model`."""
    return unless_free(_stated_price(pricing, as_of, source=SOURCE))


def _stated_price(pricing: dict[str, Any], as_of: date, *, source: str) -> Price | None:
    scale = _UNITS.get(str(pricing.get("unit", "per_million_tokens")))
    if scale is None or pricing.get("currency", "USD") != "USD":
        return None
    amounts: list[Decimal | None] = [
        dollars(pricing.get(side), scale=scale) for side in ("prompt", "completion")
    ]
    return price(rates(amounts[0], amounts[1]), source=source, as_of=as_of)
