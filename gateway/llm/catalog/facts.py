"""What one list says of a model; what it does not say is None, and other lists may fill it in."""

from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from sys import intern

from gateway.llm.model import Model, Price, PriceTier, Rates

# One empty dict for all models: nobody writes into a value.
NO_DETAILS: dict[str, str] = {}
TEXT = frozenset({"text"})
# Of the model itself, wherever it runs. Its limits and what its answers may be bound to
# (tools, a schema) depend on who serves it, and so does its price.
OF_THE_MODEL_ITSELF = (
    "title",
    "input_modalities",
    "output_modalities",
    "has_reasoning",
    "has_temperature",
    "released",
    "knowledge",
    "description",
)


@dataclass(frozen=True, slots=True)
class LaterPrice:
    start: date
    price: Price


@dataclass(frozen=True, slots=True)
class Facts:
    """`name` is the wire name. `later_prices` are announced, each with its first day."""

    name: str
    title: str | None = None
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] | None = None
    output_modalities: frozenset[str] | None = None
    has_tools: bool | None = None
    has_structured_output: bool | None = None
    has_reasoning: bool | None = None
    has_temperature: bool | None = None
    price: Price | None = None
    later_prices: tuple[LaterPrice, ...] = ()
    is_included: bool = False
    is_local: bool = False
    released: date | None = None
    knowledge: str | None = None
    description: str | None = None
    details: dict[str, str] | None = None
    source: str = ""
    as_of: date | None = None

    def filled_from(self, other: "Facts") -> "Facts":
        """These facts, and the other ones where these say nothing."""
        return self._filled(other, tuple(field.name for field in fields(self)))

    def filled_from_kin(self, other: "Facts") -> "Facts":
        """The same with the same model at another provider, whose terms are its own."""
        return self._filled(other, OF_THE_MODEL_ITSELF)

    def _filled(self, other: "Facts", names: tuple[str, ...]) -> "Facts":
        gaps = {
            name: getattr(other, name) for name in names if getattr(self, name) in (None, "", ())
        }
        return replace(self, **gaps) if gaps else self


def facts_of(model: Model) -> Facts:
    """The way back. A model's modalities are taken for known."""
    return Facts(
        name=model.name,
        title=model.title,
        context_tokens=model.context_tokens,
        max_input_tokens=model.max_input_tokens,
        max_output_tokens=model.max_output_tokens,
        input_modalities=model.input_modalities,
        output_modalities=model.output_modalities,
        has_tools=model.has_tools,
        has_structured_output=model.has_structured_output,
        has_reasoning=model.has_reasoning,
        has_temperature=model.has_temperature,
        price=model.price,
        is_included=model.is_included,
        is_local=model.is_local,
        released=model.released,
        knowledge=model.knowledge,
        description=model.description or None,
        details=model.details or None,
        source=model.source,
        as_of=model.as_of,
    )


def model_of(facts: Facts, provider: str) -> Model:
    """The model at a configured provider; without a title it is called by its wire name."""
    return Model(
        id=intern(f"{provider}/{facts.name}"),
        provider=intern(provider),
        name=facts.name,
        title=facts.title or facts.name,
        context_tokens=facts.context_tokens,
        max_input_tokens=facts.max_input_tokens,
        max_output_tokens=facts.max_output_tokens,
        input_modalities=facts.input_modalities or TEXT,
        output_modalities=facts.output_modalities or TEXT,
        has_tools=facts.has_tools,
        has_structured_output=facts.has_structured_output,
        has_reasoning=facts.has_reasoning,
        has_temperature=facts.has_temperature,
        price=facts.price,
        is_included=facts.is_included,
        is_local=facts.is_local,
        released=facts.released,
        knowledge=facts.knowledge,
        source=facts.source,
        as_of=facts.as_of,
        description=facts.description or "",
        details=facts.details or NO_DETAILS,
    )


@lru_cache(maxsize=4_096)
def rates(
    input_usd: Decimal | None,
    output_usd: Decimal | None,
    cache_read: Decimal | None = None,
    cache_write: Decimal | None = None,
    request: Decimal | None = None,
) -> Rates:
    """The same object for the same rates, in the order of the fields of `Rates`.

    A cache that costs nothing beside an input that does is a gap in a list, not a gift.
    """
    if input_usd:
        cache_read, cache_write = cache_read or None, cache_write or None
    return Rates(input_usd, output_usd, cache_read, cache_write, request)


@lru_cache(maxsize=4_096)
def price(
    its_rates: Rates, *, source: str, as_of: date, tiers: tuple[PriceTier, ...] = ()
) -> Price | None:
    """The same object for the same price; None if it says nothing at all."""
    if its_rates.input is None and its_rates.output is None and its_rates.request is None:
        return None
    return Price(its_rates, source, as_of, tuple(sorted(tiers, key=_above_tokens)))


def free_of_charge(as_of: date) -> Price:
    """Of what runs on machines of ours."""
    return Price(rates(Decimal(0), Decimal(0)), "local", as_of)


def unless_free(known: Price | None) -> Price | None:
    """Nothing where a list says 0 that bills somehow else: a bill must never be a surprise."""
    return None if known is None or known.is_free else known


def bare_name(name: str) -> str:
    """What a model is called everywhere: without its maker, and with dots as dashes.

    `anthropic/claude-opus-4.8` and `claude-opus-4-8` are one, and `:free` is only a price.
    """
    last = name.rpartition("/")[2].lower().removesuffix(":free").removesuffix("@default")
    return last.replace(".", "-")


def _above_tokens(tier: PriceTier) -> int:
    return tier.above_tokens
