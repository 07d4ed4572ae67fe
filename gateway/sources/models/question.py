"""Which models of a catalog answer a question: those it names, bounds, or orders by something."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gateway.llm.model import Model
from gateway.sources.models.names import Name, NameSpan, bare_name
from gateway.sources.router_question import (
    ABILITIES,
    ORDERS,
    TIERS,
    RouterQuestion,
)

MOST_OFFERED = 10
Measure = Callable[[Model], Decimal | float | int | None]

_ABILITY: dict[str, Callable[[Model], bool]] = {
    "tools": lambda model: model.has_tools is True,
    "vision": lambda model: model.has_vision,
    "audio": lambda model: "audio" in model.input_modalities,
    "reasoning": lambda model: model.has_reasoning is True,
    "structured": lambda model: model.has_structured_output is True,
    "free": lambda model: model.tier == "free",
    "paid": lambda model: model.tier == "paid",
    "local": lambda model: model.is_local,
    "included": lambda model: model.is_included,
}
# Where the makers offer their models themselves; others resell them.
_RESELLERS = ("openrouter", "nanogpt", "azure", "vertex")
_LONG_AGO = date.min


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that answers the question, and the words of it that this model explains."""

    model: Model
    places: frozenset[int]


def choose(question: RouterQuestion, models: Sequence[Model]) -> list[Choice]:
    """The models that answer, best first."""
    asked = _Asked(question)
    ordered = asked.order(question)
    fitting = [model for model in models if asked.fits(model)]
    if not question.names:
        if not asked.names_several(question):
            return []
        places = asked.places
        return [Choice(model, places) for model in _distinct(ordered(fitting))][:MOST_OFFERED]
    rows = [
        # A model that cannot what is asked still says so.
        _named(span, fitting, asked, ordered) or _named(span, models, asked, ordered)
        for span in question.names
    ]
    return _in_turn(_without_families(question.names, rows))[:MOST_OFFERED]


class _Asked:
    """What a question bounds its models by, and the words that say it."""

    def __init__(self, question: RouterQuestion) -> None:
        cues = question.cues
        self.question = question
        outside = cues.places("output_price", "input_price")
        self._abilities = [one for one in (*ABILITIES, *TIERS) if cues.has(one)]
        self._providers = question.providers
        self.is_by_output = cues.has("output_price") or bool(
            cues.places("output_length") and cues.places("price", "cheapest", "dearest")
        )
        self.is_by_input = cues.has("input_price") or "input" in {
            word.text for word in question.words
        }
        counted = {place for one in question.amounts for place in range(one.start, one.end)}
        told = cues.places(
            "model", "llm", "context", "price", "output_length", *self._abilities, *ORDERS,
            "at_least", "at_most", "million", "token_word", "detail",
        )  # fmt: skip
        self.places = told | outside | counted | question.providers_places

    def names_several(self, question: RouterQuestion) -> bool:
        """Whether it says at all which models are meant: "models" alone means any of them."""
        return bool(
            self._abilities
            or self._providers
            or question.amounts
            or question.cues.has(*ORDERS, "model", "llm")
        )

    def fits(self, model: Model) -> bool:
        if "text" not in model.output_modalities:
            return False
        if self._providers and not any(_is_of(model, one) for one in self._providers):
            return False
        return all(_ABILITY[one](model) for one in self._abilities) and all(
            self._is_within(model, one.kind, one.value, is_least=one.is_least)
            for one in self.question.amounts
        )

    def _is_within(self, model: Model, kind: str, value: Decimal, *, is_least: bool) -> bool:
        known = [model.context_tokens] if kind == "context" else self._rates(model)
        return all(
            one is not None and (one >= value if is_least else one <= value) for one in known
        )

    def _rates(self, model: Model) -> list[Decimal | None]:
        if model.tier == "free":
            return [Decimal(0)]
        if model.price is None:
            return [None]
        rates = model.price.rates
        if self.is_by_input != self.is_by_output:
            return [rates.input if self.is_by_input else rates.output]
        return [rates.input, rates.output]

    def order(self, question: RouterQuestion) -> Callable[[Iterable[Model]], list[Model]]:
        """The order that is asked for; without one, the newest come first."""
        cues = question.cues
        measure: Measure = _newest
        is_rising = False
        if cues.has("cheapest", "dearest") or (cues.has("most", "least") and self._is_of_price()):
            measure = self._price
            is_rising = cues.has("cheapest", "least")
        elif cues.has("oldest"):
            is_rising = True
        elif cues.has("newest"):
            pass
        elif cues.has("most", "least"):
            by_output = cues.has("output_length") and not cues.has("context")
            measure = _output_tokens if by_output else _context_tokens
            is_rising = cues.has("least")
        is_asked = cues.has(*ORDERS)
        return lambda models: _ordered(
            models, measure, is_rising=is_rising, leaves_out_unknown=is_asked
        )

    def _is_of_price(self) -> bool:
        cues = self.question.cues
        return cues.has("price", "output_price", "input_price") and not cues.has("context")

    def _price(self, model: Model) -> Decimal | None:
        """Of what is asked, or of a usual mix: three tokens in for one out. Free is 0."""
        if model.tier == "free":
            return Decimal(0)
        if model.price is None:
            return None
        rates = model.price.rates
        if self.is_by_output:
            return rates.output
        if self.is_by_input:
            return rates.input
        if rates.input is None or rates.output is None:
            return None
        return (3 * rates.input + rates.output) / 4


def _newest(model: Model) -> int | None:
    return model.released.toordinal() if model.released else None


def _context_tokens(model: Model) -> int | None:
    return model.context_tokens


def _output_tokens(model: Model) -> int | None:
    return model.max_output_tokens


def _ordered(
    models: Iterable[Model], measure: Measure, *, is_rising: bool, leaves_out_unknown: bool
) -> list[Model]:
    """What is not known, or not offered for long, answers no question about the most or least."""
    measured = [(measure(model), model) for model in models]
    known = [(value, model) for value, model in measured if value is not None]
    if leaves_out_unknown:
        known = [(value, model) for value, model in known if not _is_deprecated(model)]
    sign = 1 if is_rising else -1
    known.sort(key=lambda row: (sign * row[0], *_taste(row[1])))
    rest = [] if leaves_out_unknown else [model for value, model in measured if value is None]
    return [model for _, model in known] + sorted(rest, key=_taste)


def _taste(model: Model) -> tuple[object, ...]:
    """Among equals: the newest, from its maker, from the provider that asks the least."""
    return (-(model.released or _LONG_AGO).toordinal(), _distance(model), _input(model), model.id)


def _input(model: Model) -> Decimal:
    known = model.price.rates.input if model.price else None
    return Decimal("Infinity") if known is None else known


def _distance(model: Model) -> int:
    resold = _RESELLERS.index(model.provider) + 1 if model.provider in _RESELLERS else 0
    # OpenRouter's `~anthropic/claude-haiku-latest` only points to one.
    return resold + len(_RESELLERS) * model.name.startswith("~")


def _is_deprecated(model: Model) -> bool:
    return model.details.get("status") == "deprecated"


def _is_of(model: Model, provider: str) -> bool:
    """Offered by it, or made by it: `openrouter/anthropic/…` is Anthropic's too."""
    return model.provider == provider or model.name.startswith(f"{provider}/")


def _distinct(models: Iterable[Model]) -> list[Model]:
    """The first of those that are the same model elsewhere: one document says where it is."""
    seen: set[object] = set()
    distinct = []
    for model in models:
        # An included model can be paid as well, under one ID.
        keys = {model.id, (bare_name(model.name), model.tier)}
        if seen.isdisjoint(keys):
            distinct.append(model)
        seen |= keys
    return distinct


def _named(
    span: NameSpan,
    fitting: Sequence[Model],
    asked: _Asked,
    ordered: Callable[[Iterable[Model]], list[Model]],
) -> list[Choice]:
    """The models of one name: those that it fits best, or in the order that is asked for."""
    models = [model for model in fitting if bare_name(model.name).holds(span.name)]
    if not asked.question.cues.has(*ORDERS):
        models.sort(key=lambda model: (*_unlike(model, span.name), *_taste(model)))
    else:
        models = ordered(models)
    places = asked.places | frozenset(range(span.start, span.end))
    return [Choice(model, places) for model in _distinct(models)]


def _unlike(model: Model, name: Name) -> tuple[bool, int, int]:
    """How far a model is from what was named; a family alone, such as `gpt`, is any of it."""
    if not name.versions and len(name.words) == 1:
        return (_is_deprecated(model), 0, 0)
    words, versions = bare_name(model.name).beyond(name)
    return (_is_deprecated(model) and not name.versions, words, versions)


def _without_families(
    spans: Sequence[NameSpan], rows: Sequence[Sequence[Choice]]
) -> list[Sequence[Choice]]:
    """Without the rows of a family that another name is of: "opus 5.5, is that claude dear"."""
    exact = [
        bare_name(row[0].model.name)
        for span, row in zip(spans, rows, strict=True)
        if row and span.name.versions
    ]
    return [
        row
        for span, row in zip(spans, rows, strict=True)
        if span.name.versions or not any(name.holds(span.name) for name in exact)
    ]


def _in_turn(rows: Sequence[Sequence[Choice]]) -> list[Choice]:
    """The first of each row, then the second of each: a comparison shows both first."""
    longest = max(map(len, rows), default=0)
    return [row[place] for place in range(longest) for row in rows if place < len(row)]
