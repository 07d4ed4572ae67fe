"""What a call of some tokens would cost at each model: in parts, with the day of the price."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.llm.messages import Usage
from gateway.llm.model import Model, Price, Tier
from gateway.llm.tool_answers import record, usd

FREE_BY_PRICE = "its list price is 0"
INCLUDED = "a subscription includes it"
LOCAL = "it runs on your own machines"
UNKNOWN = "no list tells its price"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Micro-dollars of one call; None is not known, and 0 only what is never billed.

    `list_microusd` is what the list asks, also for what a subscription includes. The prices are
    those above `above_tokens` of input. `fits` says whether so many tokens do, as far as is known.
    """

    model: Model
    tier: Tier
    input_tokens: int
    output_tokens: int
    total_microusd: int | None
    list_microusd: int | None
    above_tokens: int | None
    fits: bool | None

    @property
    def request_microusd(self) -> int | None:
        """The fee of the call itself."""
        price = self.model.price
        if not self.total_microusd or price is None:
            return self.total_microusd
        return int(price.rates_at(self.input_tokens)[0].request or 0)

    @property
    def input_microusd(self) -> int | None:
        if not self.total_microusd:
            return self.total_microusd
        return self._cost(Usage(self.input_tokens, 0)) - (self.request_microusd or 0)

    @property
    def output_microusd(self) -> int | None:
        """What is left, so that the parts always add up to the total."""
        if not self.total_microusd:
            return self.total_microusd
        return self.total_microusd - (self.input_microusd or 0) - (self.request_microusd or 0)

    @property
    def cached_microusd(self) -> int | None:
        """The total with all input read from a cache, where that has a price of its own."""
        price = self.model.price
        if not self.total_microusd or price is None:
            return self.total_microusd
        if price.rates_at(self.input_tokens)[0].cache_read is None:
            return None
        return self._cost(
            Usage(self.input_tokens, self.output_tokens, cached_tokens=self.input_tokens)
        )

    @property
    def why(self) -> str:
        """What the total is."""
        if self.tier == "free":
            return _why_free(self.model)
        if self.total_microusd is None:
            return UNKNOWN
        above = self.above_tokens
        return "list price" if above is None else f"list price above {above:,} input tokens"

    def to_json(self) -> dict[str, Any]:
        price = self.model.price
        return {
            "model": self.model.id,
            "provider": self.model.provider,
            "tier": self.tier,
            "total_microusd": self.total_microusd,
            "total_usd": usd(self.total_microusd),
            "input_usd": usd(self.input_microusd),
            "output_usd": usd(self.output_microusd),
            "request_usd": usd(self.request_microusd),
            "cached_input_total_usd": usd(self.cached_microusd),
            "list_total_usd": usd(self.list_microusd),
            "why": self.why,
            "price_tier_above_tokens": self.above_tokens,
            "dearer_above_tokens": [] if price is None else _later_tiers(price, self.above_tokens),
            "fits_context": self.fits,
            "context_tokens": self.model.context_tokens,
            "max_output_tokens": self.model.max_output_tokens,
            "price_as_of": None if price is None else price.as_of.isoformat(),
            "price_source": None if price is None else price.source,
        }

    def _cost(self, usage: Usage) -> int:
        price = self.model.price
        cost = None if price is None else price.cost_microusd(usage)
        assert cost is not None, "its rates are known"
        return cost


_USD: Mapping[str, Any] = {
    "type": ["number", "null"],
    "description": "US dollars; null is unknown, never 0.",
}
_COUNT: Mapping[str, Any] = {"type": ["integer", "null"]}
_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
ESTIMATE_SCHEMA = record(
    {
        "model": {"type": "string"},
        "provider": {"type": "string"},
        "tier": {"type": "string", "enum": ["free", "paid"]},
        "total_microusd": _COUNT,
        "total_usd": _USD,
        "input_usd": _USD,
        "output_usd": _USD,
        "request_usd": _USD,
        "cached_input_total_usd": {
            **_USD,
            "description": "The total with all input read from a cache; null is unknown.",
        },
        "list_total_usd": _USD,
        "why": {"type": "string"},
        "price_tier_above_tokens": {
            **_COUNT,
            "description": "The prices are those above so many input tokens.",
        },
        "dearer_above_tokens": {"type": "array", "items": {"type": "integer"}},
        "fits_context": {"type": ["boolean", "null"]},
        "context_tokens": _COUNT,
        "max_output_tokens": _COUNT,
        "price_as_of": _TEXT,
        "price_source": _TEXT,
    }
)


def estimate(model: Model, input_tokens: int, output_tokens: int) -> Estimate:
    price, tier = model.price, model.tier
    listed = None if price is None else price.cost_microusd(Usage(input_tokens, output_tokens))
    return Estimate(
        model,
        tier,
        input_tokens,
        output_tokens,
        0 if tier == "free" else listed,
        listed,
        None if price is None else price.rates_at(input_tokens)[1],
        _fits(model, input_tokens, output_tokens),
    )


def cheapest_first(estimates: Iterable[Estimate]) -> Sequence[Estimate]:
    """Those of unknown cost last."""
    return sorted(
        estimates,
        key=lambda one: (
            one.total_microusd is None,
            one.total_microusd or 0,
            one.tier,
            one.model.id,
        ),
    )


def why_free(model: Model) -> str | None:
    """None of what is paid for."""
    return _why_free(model) if model.tier == "free" else None


def _why_free(model: Model) -> str:
    if model.is_local:
        return LOCAL
    return INCLUDED if model.is_included else FREE_BY_PRICE


def _later_tiers(price: Price, above_tokens: int | None) -> list[int]:
    return sorted(one.above_tokens for one in price.tiers if one.above_tokens > (above_tokens or 0))


def _fits(model: Model, input_tokens: int, output_tokens: int) -> bool | None:
    limits = (
        (model.context_tokens, input_tokens + output_tokens),
        (model.max_input_tokens, input_tokens),
        (model.max_output_tokens, output_tokens),
    )
    known = [needed <= most for most, needed in limits if most is not None]
    return all(known) if known and (model.context_tokens or not all(known)) else None
