"""What can be called: a model, what it can do, and what it costs."""

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from gateway.llm.messages import Usage

Tier = Literal["free", "paid"]


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a million tokens, which is micro-dollars for one; None is unknown.

    A cache rate that is None counts as the input rate. `request` is micro-dollars for each call.
    """

    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    request: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Rates of a call whose input has more than `above_tokens`."""

    above_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs by the list, where that list is from, and of which day it is."""

    rates: Rates
    source: str
    as_of: date
    tiers: tuple[PriceTier, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.rates.input is not None and self.rates.output is not None

    @property
    def is_free(self) -> bool:
        rates = (self.rates, *(tier.rates for tier in self.tiers))
        return all(
            rate.input == 0 and rate.output == 0 and not rate.request and not rate.cache_write
            for rate in rates
        )

    def cost_microusd(self, usage: Usage) -> int | None:
        """Whole micro-dollars, half of one rounded up; None where a rate is unknown."""
        rates, _ = self.rates_at(usage.input_tokens)
        if rates.input is None or rates.output is None:
            return None
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        cost = (
            max(plain, 0) * rates.input
            + usage.cached_tokens * _or(rates.cache_read, rates.input)
            + usage.cache_write_tokens * _or(rates.cache_write, rates.input)
            + usage.output_tokens * rates.output
            + (rates.request or 0)
        )
        return int(cost.to_integral_value(ROUND_HALF_UP))

    def worst_microusd(self, input_tokens: int, output_tokens: int) -> int | None:
        """The most that a call of at most so many tokens can cost, whatever is cached."""
        worst = 0
        for rates in (self.rates, *(tier.rates for tier in self.tiers)):
            if rates.input is None or rates.output is None:
                return None
            dearest = max(rates.input, rates.cache_write or rates.input)
            cost = input_tokens * dearest + output_tokens * rates.output + (rates.request or 0)
            worst = max(worst, int(cost) + 1 if cost else 0)
        return worst

    def rates_at(self, input_tokens: int) -> tuple[Rates, int | None]:
        """Those of a call with so much input, and above how many tokens they hold, if any."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above_tokens]
        if not reached:
            return self.rates, None
        highest = max(reached, key=lambda tier: tier.above_tokens)
        return highest.rates, highest.above_tokens


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one provider.

    `id` is `{provider}/{name}`, such as `openrouter/qwen/qwen3-coder:free`; `name` is what the
    provider calls it. What is None is not known. `is_included` says that a subscription covers
    it. `source` and `as_of` say where these facts are from.
    """

    id: str
    provider: str
    name: str
    title: str
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] = frozenset({"text"})
    output_modalities: frozenset[str] = frozenset({"text"})
    has_tools: bool | None = None
    has_structured_output: bool | None = None
    has_reasoning: bool | None = None
    has_temperature: bool | None = None
    price: Price | None = None
    is_included: bool = False
    is_local: bool = False
    released: date | None = None
    knowledge: str | None = None
    source: str = ""
    as_of: date | None = None
    description: str = ""
    use_cases: tuple[str, ...] = ()
    # As the catalog or the user says it, beyond what the gateway decides by.
    details: dict[str, str] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        """Free is what never sends a bill: local, included in a subscription, or priced at 0."""
        is_free = self.is_local or self.is_included or (self.price and self.price.is_free)
        return "free" if is_free else "paid"

    @property
    def has_vision(self) -> bool:
        return "image" in self.input_modalities


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate
