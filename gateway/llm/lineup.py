"""All models that can be called, with what routing needs of them worked out beforehand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from rapidfuzz import fuzz, process

from gateway.llm.belief import expected, odds_against
from gateway.llm.features import Needs
from gateway.llm.model import Model, Price, Rates, Tier
from gateway.llm.prior import Priors, bare_name
from gateway.llm.task import Task

MOST_SUGGESTIONS = 5
MOST_REMEMBERED = 64
# Of what has no known price, for a million tokens of input and output: as dear as the dearest that
# was ever listed, so that it is chosen by its price only where all others are not to be had.
UNPRICED_USD = (150.0, 600.0)
# An unknown context length is trusted with this much.
SURE_CONTEXT_TOKENS = 8_000


Made = TypeVar("Made")

# Abilities are bits of a plain int: an enum's would cost more than the rest of a choice.
TEXT, TOOLS, VISION, JSON_SCHEMA, AUDIO = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A model, and numbers that do not depend on the request.

    `quality`, `first_seconds` and `seconds_per_token` are what `prior` expects, `odds_against` are
    those of a good answer by that quality. Prices are micro-dollars as floats: close enough to
    compare by, and quick. `dearer` holds the prices above so many input tokens, `bonus` what a
    model's score gains in a task that it is for.
    """

    model: Model
    tier: Tier
    lacks: int
    doubts: int
    context_tokens: float
    is_context_known: bool
    has_price: bool
    input_rate: float
    output_rate: float
    request_rate: float
    dearer: tuple[tuple[int, float, float, float], ...]
    quality: float
    odds_against: float
    first_seconds: float
    seconds_per_token: float
    bonus: Mapping[Task, float]

    def expected_microusd(self, input_tokens: float, output_tokens: float) -> float:
        """About what a call costs; for comparing, not for charging."""
        input_rate, output_rate, request_rate = (
            self.input_rate,
            self.output_rate,
            self.request_rate,
        )
        for above_tokens, *rates in self.dearer:
            if input_tokens > above_tokens:
                input_rate, output_rate, request_rate = rates
        return input_tokens * input_rate + output_tokens * output_rate + request_rate


class Lineup:
    """The models that `choose` picks from; build one for each revision of the catalog."""

    def __init__(self, models: Iterable[Model]) -> None:
        models = list(models)
        priors = Priors(models)
        # Best first: what a route lists as left out are then the models one would ask about.
        self.contenders: Sequence[Contender] = sorted(
            (_contender(model, priors) for model in models),
            key=lambda one: (-one.quality, one.model.id, one.tier),
        )
        self.of_tier: Mapping[Tier, Sequence[Contender]] = {
            "free": [one for one in self.contenders if one.tier == "free"],
            "paid": [one for one in self.contenders if one.tier == "paid"],
        }
        self.both_tiers: Sequence[Contender] = [*self.of_tier["free"], *self.of_tier["paid"]]
        self._named: dict[str, list[Contender]] = {}
        self._same: dict[str, list[Contender]] = {}
        for one in self.contenders:
            wire_name = one.model.name.lower()
            without_maker = wire_name.rsplit("/", 1)[-1]
            for name in {one.model.id.lower(), wire_name, without_maker, bare_name(wire_name)}:
                self._named.setdefault(name, []).append(one)
            self._same.setdefault(bare_name(one.model.name), []).append(one)
        self._remembered: dict[object, Any] = {}
        self._ids = {one.model.id.lower(): one.model.id for one in self.contenders}

    def __len__(self) -> int:
        return len(self.contenders)

    def named(self, text: str) -> Sequence[Contender]:
        """The models of this ID; or of this wire name, with or without its maker."""
        name = text.lower()
        found = self._named.get(name, ())
        return [one for one in found if one.model.id.lower() == name] or found

    def same(self, contender: Contender) -> Sequence[Contender]:
        """The same model wherever it is offered, this one too."""
        return self._same[bare_name(contender.model.name)]

    def is_whole(self, contenders: Sequence[Contender]) -> bool:
        """Whether these are all of a tier, or of both, as they stand here."""
        return contenders is self.both_tiers or any(
            contenders is those for those in self.of_tier.values()
        )

    def remember(self, key: object, make: Callable[[], Made]) -> Made:
        """What was worked out for a kind of request, such as those that can serve it."""
        if key not in self._remembered:
            if len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = make()
        made: Made = self._remembered[key]
        return made

    def near(self, text: str) -> tuple[str, ...]:
        """IDs that somebody may have meant."""
        found = process.extract(
            text.lower(), list(self._ids), scorer=fuzz.WRatio, limit=MOST_SUGGESTIONS
        )
        return tuple(self._ids[name] for name, score, _ in found if score >= 60)


def abilities(needs: Needs) -> int:
    """What a model must be able to, as bits."""
    return (
        TEXT
        | TOOLS * needs.tools
        | VISION * needs.vision
        | JSON_SCHEMA * needs.json_schema
        | AUDIO * needs.audio
    )


def _contender(model: Model, priors: Priors) -> Contender:
    price = model.price
    is_free = model.tier == "free"
    rates = [] if price is None else sorted(price.tiers, key=lambda tier: tier.above_tokens)
    input_rate, output_rate, request_rate = _floats(None if price is None else price.rates, price)
    limits = (model.context_tokens, model.max_input_tokens)
    known = [limit for limit in limits if limit is not None]
    first_seconds, seconds_per_token = priors.seconds(model)
    quality = priors.quality(model)
    return Contender(
        model=model,
        tier=model.tier,
        lacks=_lacks(model),
        doubts=_doubts(model),
        context_tokens=min(known) if known else float("inf"),
        is_context_known=bool(known),
        has_price=is_free or (price is not None and price.is_known),
        input_rate=0.0 if is_free else input_rate,
        output_rate=0.0 if is_free else output_rate,
        request_rate=0.0 if is_free else request_rate,
        dearer=()
        if is_free
        else tuple((one.above_tokens, *_floats(one.rates, price)) for one in rates),
        quality=quality,
        odds_against=odds_against(expected(quality)),
        first_seconds=first_seconds,
        seconds_per_token=seconds_per_token,
        bonus=priors.bonus(model),
    )


def _floats(rates: Rates | None, price: Price | None) -> tuple[float, float, float]:
    """What is not known counts as the dearest that is known of the model, or else of any."""
    known = [price.rates, *(tier.rates for tier in price.tiers)] if price else []
    of_input, of_output = UNPRICED_USD
    rates = rates or Rates(None, None)
    return (
        _or_dearest(rates.input, [one.input for one in known], of_input),
        _or_dearest(rates.output, [one.output for one in known], of_output),
        float(rates.request or 0),
    )


def _or_dearest(rate: Decimal | None, known: Iterable[Decimal | None], of_any: float) -> float:
    if rate is not None:
        return float(rate)
    return float(max((one for one in known if one is not None), default=of_any))


def _abilities_of(model: Model) -> Mapping[int, bool | None]:
    return {
        TEXT: "text" in model.output_modalities,
        TOOLS: model.has_tools,
        VISION: model.has_vision,
        JSON_SCHEMA: model.has_structured_output,
        AUDIO: "audio" in model.input_modalities,
    }


def _lacks(model: Model) -> int:
    return sum(ability for ability, has in _abilities_of(model).items() if has is False)


def _doubts(model: Model) -> int:
    return sum(ability for ability, has in _abilities_of(model).items() if has is None)
