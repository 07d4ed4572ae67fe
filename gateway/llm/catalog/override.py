"""What the user's own file says of a model; it wins over every list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.errors import ConfigurationError
from gateway.llm.catalog.facts import Facts, free_of_charge, model_of, rates
from gateway.llm.model import Model, Price, Tier

SOURCE = "models.yaml"
_SAID_ALIKE = (
    "title",
    "context_tokens",
    "max_input_tokens",
    "max_output_tokens",
    "input_modalities",
    "has_tools",
    "has_structured_output",
    "has_reasoning",
    "has_temperature",
)


@dataclass(frozen=True, slots=True)
class ModelOverride:
    """`id` is `{provider}/{name}`; what is None stays as the lists say.

    `tier` picks the variant of a model that is both included in a subscription and paid; a free
    one that no list knows counts as included. Prices are dollars for a million tokens. A price
    for each request without prices for tokens replaces these; with them it is added. `aliases`
    are further names under which the model is found.
    """

    id: str
    tier: Tier | None = None
    title: str | None = None
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] | None = None
    has_tools: bool | None = None
    has_structured_output: bool | None = None
    has_reasoning: bool | None = None
    has_temperature: bool | None = None
    input_usd: Decimal | None = None
    output_usd: Decimal | None = None
    cache_read_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None
    cost_per_request_microusd: int | None = None
    use_cases: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.id.partition("/")):
            raise ConfigurationError(
                f"the model {self.id!r} names no provider; write it like `openrouter/{self.id}`"
            )

    @property
    def provider(self) -> str:
        return self.id.partition("/")[0]


def overridden(
    models: Sequence[Model], override: ModelOverride, *, is_local: bool, today: date
) -> list[Model]:
    """The variants of one model as the user wants them, and the one that only the user knows."""
    variants = [_adjusted(model, override, today) for model in models if _fits(model, override)]
    others = [model for model in models if not _fits(model, override)]
    if not variants:
        told = _told(models, override, is_local=is_local, today=today)
        variants = [_adjusted(told, override, today)]
    return others + variants


def _fits(model: Model, override: ModelOverride) -> bool:
    # A local model costs nothing in whichever tier it is listed.
    return override.tier is None or model.is_local or model.tier == override.tier


def _told(
    models: Sequence[Model], override: ModelOverride, *, is_local: bool, today: date
) -> Model:
    """A variant that no list has, with what is known of the other one if there is one."""
    is_included = override.tier == "free" and not is_local
    if models:
        return replace(models[0], is_included=is_included)
    provider, _, name = override.id.partition("/")
    facts = Facts(
        name=name,
        is_included=is_included,
        is_local=is_local,
        price=free_of_charge(today) if is_local else None,
        source=SOURCE,
        as_of=today,
    )
    return model_of(facts, provider)


def _adjusted(model: Model, override: ModelOverride, today: date) -> Model:
    said: dict[str, Any] = {
        name: value for name in _SAID_ALIKE if (value := getattr(override, name)) is not None
    }
    if override.use_cases:
        said["use_cases"] = override.use_cases
    if (price := _price(model, override, today)) is not None:
        said["price"] = price
    if said and model.source != SOURCE:
        said["source"] = f"{SOURCE}, {model.source}"
    return replace(model, **said) if said else model


def _price(model: Model, override: ModelOverride, today: date) -> Price | None:
    """None where the user leaves the price to the lists.

    A request that costs 0 of a model that is free anyway keeps the list price, which tells
    what the subscription saves.
    """
    request = override.cost_per_request_microusd
    tokens = (override.input_usd, override.output_usd)
    if tokens == (None, None):
        if request is None or (request == 0 and model.tier == "free"):
            return None
        zero = Decimal(0)
        return Price(rates(zero, zero, None, None, Decimal(request)), SOURCE, today)
    listed = model.price.rates if model.price else rates(None, None)
    its_rates = rates(
        listed.input if override.input_usd is None else override.input_usd,
        listed.output if override.output_usd is None else override.output_usd,
        override.cache_read_usd,
        override.cache_write_usd,
        None if request is None else Decimal(request),
    )
    return Price(its_rates, SOURCE, today)
