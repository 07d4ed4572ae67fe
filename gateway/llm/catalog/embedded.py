"""The catalog that ships with the gateway: one compressed file, a line of JSON for each model."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from sys import intern
from typing import Any

from gateway.llm.catalog.facts import NO_DETAILS, TEXT, Facts, LaterPrice, price, rates
from gateway.llm.catalog.json_values import day, dollars, plain, shared, text
from gateway.llm.model import Model, Price, PriceTier, Rates

FILE = files("gateway.llm.catalog").joinpath("catalog.jsonl.gz")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class EmbeddedSource:
    """A list that the file was built from."""

    name: str
    as_of: date
    licence: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """`later_prices` are of model IDs. `as_of` is the day of the newest facts."""

    models: Mapping[str, Sequence[Model]]
    later_prices: Mapping[str, Sequence[LaterPrice]]
    sources: Sequence[EmbeddedSource]

    @property
    def as_of(self) -> date:
        return max(source.as_of for source in self.sources)


def read(file: Traversable = FILE) -> Embedded:
    """The file's models by provider, with today's prices left for the reader to choose."""
    models: dict[str, list[Model]] = {}
    later: dict[str, tuple[LaterPrice, ...]] = {}
    with file.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        head = json.loads(next(lines))
        # Line by line: the whole as one JSON value would cost megabytes that never come back.
        for line in lines:
            record = json.loads(line)
            model = _model(record)
            models.setdefault(model.provider, []).append(model)
            if "later" in record:
                later[model.id] = tuple(_later(record["later"]))
    return Embedded(models, later, tuple(map(_source, head["sources"])))


def write(facts: Iterable[tuple[str, Facts]], sources: Sequence[EmbeddedSource]) -> bytes:
    """The file's bytes; the same for the same facts."""
    head = {
        "format": FORMAT,
        "sources": [
            {"name": one.name, "as_of": one.as_of.isoformat(), "licence": one.licence}
            for one in sources
        ],
    }
    lines = [head, *(_record(provider, one) for provider, one in facts)]
    written = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    return gzip.compress(written.encode(), mtime=0)


_PLAIN = (
    "title",
    "context_tokens",
    "max_input_tokens",
    "max_output_tokens",
    "has_tools",
    "has_structured_output",
    "has_reasoning",
    "has_temperature",
    "knowledge",
    "description",
    "details",
    "source",
)


def _record(provider: str, facts: Facts) -> dict[str, Any]:
    """Without what is not known, which is most of the size."""
    record: dict[str, Any] = {"provider": provider, "name": facts.name}
    record |= {name: getattr(facts, name) for name in _PLAIN}
    record["input"] = sorted(facts.input_modalities or ())
    record["output"] = sorted(facts.output_modalities or ())
    record["released"] = facts.released and facts.released.isoformat()
    record["as_of"] = facts.as_of and facts.as_of.isoformat()
    record["price"] = facts.price and _written_price(facts.price)
    record["later"] = [
        {"start": one.start.isoformat(), **_written_price(one.price)} for one in facts.later_prices
    ]
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}


def _written_price(known: Price) -> dict[str, Any]:
    written = {
        "usd": _written_rates(known.rates),
        "source": known.source,
        "as_of": known.as_of.isoformat(),
    }
    tiers = {str(tier.above_tokens): _written_rates(tier.rates) for tier in known.tiers}
    return {**written, "above": tiers} if tiers else written


def _written_rates(its_rates: Rates) -> list[str | None]:
    amounts = [
        its_rates.input,
        its_rates.output,
        its_rates.cache_read,
        its_rates.cache_write,
        its_rates.request,
    ]
    written = [None if amount is None else plain(amount) for amount in amounts]
    while written and written[-1] is None:
        written.pop()
    return written


def _model(record: dict[str, Any]) -> Model:
    """Straight from the record: there are many, and the start waits for them."""
    get = record.get
    provider, name = intern(record["provider"]), record["name"]
    details = get("details")
    return Model(
        id=f"{provider}/{name}",
        provider=provider,
        name=name,
        title=get("title") or name,
        context_tokens=get("context_tokens"),
        max_input_tokens=get("max_input_tokens"),
        max_output_tokens=get("max_output_tokens"),
        input_modalities=shared(get("input") or TEXT),
        output_modalities=shared(get("output") or TEXT),
        has_tools=get("has_tools"),
        has_structured_output=get("has_structured_output"),
        has_reasoning=get("has_reasoning"),
        has_temperature=get("has_temperature"),
        price=_price(record["price"]) if "price" in record else None,
        released=day(get("released")),
        knowledge=text(get("knowledge")),
        description=get("description", ""),
        details=_STATUS.setdefault(details["status"], details) if details else NO_DETAILS,
        source=text(get("source")) or "",
        as_of=day(get("as_of")),
    )


# One dict for all models of one status.
_STATUS: dict[str, dict[str, str]] = {}


def _price(record: dict[str, Any]) -> Price | None:
    as_of = day(record["as_of"])
    assert as_of is not None
    tiers = tuple(
        PriceTier(int(above), _rates(amounts)) for above, amounts in record.get("above", {}).items()
    )
    source = text(record["source"]) or ""
    return price(_rates(record["usd"]), source=source, as_of=as_of, tiers=tiers)


def _rates(amounts: list[str | None]) -> Rates:
    return rates(*([dollars(amount) for amount in amounts] + [None, None])[:5])


def _later(records: list[dict[str, Any]]) -> Iterator[LaterPrice]:
    for record in records:
        start, later = day(record["start"]), _price(record)
        if start is not None and later is not None:
            yield LaterPrice(start, later)


def _source(record: dict[str, Any]) -> EmbeddedSource:
    return EmbeddedSource(record["name"], date.fromisoformat(record["as_of"]), record["licence"])
