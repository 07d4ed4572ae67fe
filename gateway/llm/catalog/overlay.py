"""Reads the newer facts that were collected by hand after the last models.dev, with their source.

Its keys are `{maker}/{model}`; what a maker charges is what its own API charges.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from gateway.llm.catalog.facts import Facts, LaterPrice
from gateway.llm.catalog.json_values import count, day, modalities, part, text, truth
from gateway.llm.catalog.models_dev import price_of

# Google's models are called at Vertex, which lists them at Google's own prices.
_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "google": "vertex"}


def read(records: Mapping[str, Any], as_of: date) -> Iterator[tuple[str, Facts]]:
    """Each model, with the name of our provider."""
    for key, record in records.items():
        maker, _, model = key.partition("/")
        if maker in _PROVIDERS and isinstance(record, dict):
            provider = _PROVIDERS[maker]
            yield provider, _facts(record, key if provider == "vertex" else model, as_of)


def _facts(record: dict[str, Any], name: str, as_of: date) -> Facts:
    limit, cost = part(record, "limit"), part(record, "cost")
    source = _price_source(record)
    return Facts(
        name=name,
        context_tokens=count(limit.get("context")),
        max_input_tokens=count(limit.get("input")),
        max_output_tokens=count(limit.get("output")),
        input_modalities=modalities(record.get("modalities_in")),
        has_tools=truth(record.get("tool_call")),
        has_structured_output=truth(record.get("structured_output")),
        has_reasoning=True if record.get("reasoning_efforts") else None,
        has_temperature=truth(record.get("temperature")),
        price=price_of(cost, source=source, as_of=as_of),
        later_prices=tuple(_later(record, source, as_of)),
        released=day(record.get("release_date")),
        knowledge=text(record.get("knowledge")),
        source=f"newer facts ({_confidence(record, 'limits')} confidence)",
        as_of=as_of,
    )


def _later(record: dict[str, Any], source: str, as_of: date) -> Iterator[LaterPrice]:
    change = part(record, "price_change")
    start, later = day(change.get("start_date")), price_of(change, source=source, as_of=as_of)
    if start is not None and later is not None:
        yield LaterPrice(start, later)


def _price_source(record: dict[str, Any]) -> str:
    """Where the price is from, and how sure that is; the file says it at more length."""
    said = str(record.get("source", ""))
    where = said.partition("price from ")[2] or said
    origin = "models.dev" if "models.dev providers/" in where else "third-party file"
    return f"{origin}, newer ({_confidence(record, 'price')} confidence)"


def _confidence(record: dict[str, Any], about: str) -> str:
    """Of `high`, or of `limits high / price low`."""
    said = str(record.get("confidence", "unknown"))
    for one in said.split(" / "):
        subject, _, degree = one.rpartition(" ")
        if about in subject:
            return degree
    return said.rpartition(" ")[2]
