"""Other ways to route a month, from what people write by hand to what nobody can know."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gateway.llm.model import Model
from gateway.usage.call import Call
from tests.load.month_gateway import Gateway, expected_microusd
from tests.load.month_world import Asked, Reply, World

LONG_CHARACTERS = 5_000
CODE_WORDS = ("code", "```", "python", "function", "bug")
# Whom a rule would name: by its name, by its context, and as cheap.
CODER, LONG, CHEAP = "bazaar/kestrel-coder", "bazaar/pelican", "nimbus/sparrow"

# The models in the order in which they are tried.
Order = Callable[[Asked, Sequence[Model]], Sequence[Model]]


class Rival:
    """Tries its order, and leaves out what is too small, refused or resting, as ours does."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def picked(self, asked: Asked, gateway: Gateway) -> Iterator[Model]:
        models = gateway.world.listed(asked.at)
        return (one for one in self._order(asked, models) if gateway.is_ready(one, asked))

    def answered(self, asked: Asked, call: Call, reply: Reply) -> None:
        """It learns nothing."""


def rivals(world: World, month: Sequence[Asked]) -> Mapping[str, Rival]:
    orders: Mapping[str, Order] = {
        "always the cheapest": cheapest_first,
        "always the cheapest paid": _cheapest_paid_first,
        "always the dearest": _dearest_first,
        "always the best on average (hidden)": _best_on_average(world, month),
        "keyword rules": by_keywords,
        "round robin": _in_turn,
        "random": _at_random(world.seed),
    }
    return {name: Rival(order) for name, order in orders.items()}


def oracles(world: World) -> Mapping[str, Rival]:
    """They know how likely each model answers each request well; a good answer is worth so much."""
    return {
        f"oracle, ${worth / 1e6:g} an answer": Rival(_by_value(world, worth))
        for worth in (10_000, 100_000)
    }


def cheapest_first(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
    return sorted(models, key=lambda one: expected_microusd(one, asked))


def _cheapest_paid_first(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
    return sorted(models, key=lambda one: (one.tier == "free", expected_microusd(one, asked)))


def _dearest_first(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
    return sorted(models, key=lambda one: -expected_microusd(one, asked))


def _best_on_average(world: World, month: Iterable[Asked]) -> Order:
    sample = list(month)[::20]
    mean = {
        one.id: sum(world.chance(one.id, asked) for asked in sample) / len(sample)
        for one in world.models
    }
    return lambda _asked, models: sorted(models, key=lambda one: -mean[one.id])


def by_keywords(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
    """The rules that everybody writes; behind them the cheapest."""
    text = asked.text.lower()
    named = CHEAP
    if any(word in text for word in CODE_WORDS):
        named = CODER
    elif asked.characters > LONG_CHARACTERS:
        named = LONG
    return sorted(models, key=lambda one: (one.id != named, expected_microusd(one, asked)))


def _in_turn(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
    start = asked.number % len(models)
    return [*models[start:], *models[:start]]


def _at_random(seed: int) -> Order:
    def shuffled(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
        return random.Random(f"{seed}:{asked.number}:order").sample(models, len(models))

    return shuffled


def _by_value(world: World, worth: int) -> Order:
    def best_first(asked: Asked, models: Sequence[Model]) -> Sequence[Model]:
        return sorted(
            models,
            key=lambda one: expected_microusd(one, asked) - worth * world.chance(one.id, asked),
        )

    return best_first
