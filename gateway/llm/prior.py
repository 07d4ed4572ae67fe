"""What to expect of a model before anybody measured it, from facts that a catalog has.

These are priors, not measurements: makers charge more for what is better and slower, newer models
beat older ones at the same price, and larger ones smaller ones. They order models sensibly where
nothing is known, and whatever was measured replaces them.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from gateway.llm.model import Model
from gateway.llm.task import Task

# Shares of the quality that each fact explains; they sum to 1.
SHARES = {"price": 0.45, "release": 0.30, "reasoning": 0.10, "tools": 0.05, "context": 0.10}
# What is not known counts as a little worse than the middle.
UNKNOWN = 0.4
# A model loses half of its newness in this time.
HALF_LIFE_DAYS = 365
# Output prices, in dollars for a million tokens, between which quality grows with their logarithm.
CHEAPEST_USD, DEAREST_USD = 0.05, 50.0
# Sizes, in billions of weights; used where no price tells.
SMALLEST_BILLIONS, LARGEST_BILLIONS = 1.0, 700.0
_BILLIONS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
# What a score of 0 to 1 gains where the operator, or only a model's name, says it is for the task.
USE_BONUS, NAME_BONUS = 0.15, 0.05
# What operators and catalogs call the use of a model, by the task that it stands for.
USES: Mapping[Task, tuple[str, ...]] = {
    "coding": ("cod", "program", "debug", "software", "refactor", "devstral", "codestral"),
    "research": ("research", "analy", "summar", "search"),
    "creative": ("creativ", "writ", "stor", "roleplay", "brainstorm"),
    "quick": ("quick", "simple", "fast", "short", "chat"),
    "complex": ("complex", "reason", "math", "logic", "planning", "think"),
    "long_context": ("long", "document", "large context"),
    "general": ("general", "chat", "assistant"),
}
# These say it with their own names.
NAMED_FOR: Mapping[Task, tuple[str, ...]] = {
    "coding": ("coder", "codestral", "devstral", "codex"),
    "research": ("deep-research", "deepresearch", "sonar"),
}


class Priors:
    """What the models of one catalog tell about each other, such as the price of a twin."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._newest = max((one.released for one in models if one.released), default=None)
        self._price_usd: dict[str, float] = {}
        for one in models:
            if price := _output_usd(one):
                twin = bare_name(one.name)
                self._price_usd[twin] = max(price, self._price_usd.get(twin, 0.0))

    def quality(self, model: Model) -> float:
        """From 0 to 1."""
        parts = {
            "price": self._worth(model),
            "release": self._newness(model.released),
            "reasoning": _share(model.has_reasoning),
            "tools": _share(model.has_tools),
            "context": _between(model.context_tokens, 4_000, 1_000_000),
        }
        return sum(SHARES[name] * part for name, part in parts.items())

    def seconds(self, model: Model) -> tuple[float, float]:
        """Until the first token, and for each token then; the cheaper, the smaller and faster."""
        first = 3.0 if model.has_reasoning else 0.7
        if model.is_local:
            billions = _billions(model.name) or 12.0
            return first, billions / 400
        price = self._price_usd.get(bare_name(model.name), 1.0)
        return first, (1 + price / 8) / 120

    def bonus(self, model: Model) -> Mapping[Task, float]:
        """What its score gains in tasks that the operator, or its own name, says it is for."""
        uses = " ".join(model.use_cases).lower().replace("_", " ")
        if uses:
            return {task: USE_BONUS for task, words in USES.items() if _holds(uses, words)}
        name = model.name.lower()
        return {task: NAME_BONUS for task, words in NAMED_FOR.items() if _holds(name, words)}

    def _worth(self, model: Model) -> float:
        if price := self._price_usd.get(bare_name(model.name)):
            return _between(price, CHEAPEST_USD, DEAREST_USD)
        billions = _billions(model.name)
        return _between(billions, SMALLEST_BILLIONS, LARGEST_BILLIONS) * 0.8 if billions else 0.3

    def _newness(self, released: date | None) -> float:
        if released is None or self._newest is None:
            return UNKNOWN
        days = (self._newest - released).days
        return float(0.5 ** (days / HALF_LIFE_DAYS))


def bare_name(name: str) -> str:
    """A wire name without its maker and without the mark of a free variant."""
    return name.lower().rsplit("/", 1)[-1].removesuffix(":free")


def _output_usd(model: Model) -> float | None:
    return float(model.price.rates.output or 0) if model.price else None


def _holds(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)


def _billions(name: str) -> float | None:
    sizes = [float(size) for size in _BILLIONS.findall(name)]
    return max(sizes, default=None)


def _share(fact: bool | None) -> float:
    return UNKNOWN if fact is None else float(fact)


def _between(value: float | None, low: float, high: float) -> float:
    """Where a value lies on a logarithmic scale, from 0 at `low` to 1 at `high`."""
    if not value or value <= 0:
        return UNKNOWN
    return min(max(math.log(value / low) / math.log(high / low), 0.0), 1.0)
