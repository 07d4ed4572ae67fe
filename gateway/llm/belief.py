"""How good a model's answers are believed to be: what is expected of it, and what was seen of it.

Benchmarks and thumbs tell how good answers are by themselves. What becomes of answers in use tells
it only beside the other models, for most answers are taken without a word. What was seen fades with
a half-life, and moves the belief only as far as it surely goes: one lucky look moves nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.clock import rfc3339
from gateway.evidence.observation import Kind
from gateway.evidence.sums import Everything, Seen, Sum

# The facts of a catalog count as much as so many looks at answers.
PRIOR_LOOKS = 8.0
# What a model did at other tasks counts as much as so many looks at this one, at the most.
ELSEWHERE_LOOKS = 4.0
# Use of so much weight counts half; all of it moves a belief by its distance from the others'.
USE_LOOKS = 10.0
# From the facts of a catalog, which are from 0 to 1, to the share of answers that are good.
LEAST_EXPECTED, MOST_EXPECTED = 0.25, 0.98
_TELLING: tuple[Kind, ...] = ("benchmark", "thumb")
_LEAST, _MOST = 0.02, 0.98


@dataclass(frozen=True, slots=True)
class Belief:
    """`quality` is the share of good answers at usual requests of a task, `spread` its doubt.

    `expected` is what it was before anything was seen; `seen` is at this task.
    """

    quality: float
    spread: float
    expected: float
    seen: Mapping[Kind, Sum] = field(default_factory=dict)

    @property
    def odds_against(self) -> float:
        return odds_against(self.quality)

    @property
    def hope(self) -> float:
        """How good it may well turn out to be."""
        return self.quality + self.spread

    def to_json(self) -> dict[str, Any]:
        return {
            "quality": round(self.quality, 3),
            "spread": round(self.spread, 3),
            "expected": round(self.expected, 3),
            "evidence": [
                {
                    "kind": kind,
                    "looks": one.looks,
                    "counts_as": round(one.weight, 1),
                    "quality": round(one.quality, 3),
                    "newest": rfc3339(one.newest),
                    "source": one.source,
                }
                for kind, one in sorted(self.seen.items())
            ],
        }


class Beliefs:
    """What is believed of the models that something was seen of; build one for each revision."""

    def __init__(self, everything: Everything) -> None:
        self._everything = everything
        self._usual_use: dict[str, float] = {}
        self._known: dict[tuple[str, str, float], Belief] = {}

    @property
    def models(self) -> frozenset[str]:
        """The IDs of those that something was seen of, at whatever task."""
        return frozenset(self._everything)

    def of(self, model: str, task: str, *, prior: float) -> Belief:
        """`prior` is what the facts of a catalog say, from 0 to 1."""
        key = (model, task, prior)
        if key not in self._known:
            self._known[key] = self._believed(model, task, expected(prior))
        return self._known[key]

    def _believed(self, model: str, task: str, expected: float) -> Belief:
        of_model = self._everything.get(model)
        if not of_model:
            return Belief(expected, _spread(expected, PRIOR_LOOKS), expected)
        here = of_model.get(task, Seen())
        elsewhere = [
            one.of_kind[kind]
            for other, one in of_model.items()
            if other != task
            for kind in _TELLING
            if kind in one.of_kind
        ]
        weight, good = _total(elsewhere)
        share = min(1.0, ELSEWHERE_LOOKS / weight) if weight else 0.0
        quality = moved(expected, weight * share, good * share)
        weight, good = _total([here.of_kind[kind] for kind in _TELLING if kind in here.of_kind])
        quality = moved(quality, weight, good) + self._by_use(task, here)
        quality = min(max(quality, _LEAST), _MOST)
        return Belief(quality, _spread(quality, PRIOR_LOOKS + weight), expected, here.of_kind)

    def _by_use(self, task: str, here: Seen) -> float:
        used = here.of_kind.get("use")
        if used is None:
            return 0.0
        share = used.weight / (used.weight + USE_LOOKS)
        return share * (used.quality - self._usual(task))

    def _usual(self, task: str) -> float:
        """What becomes of answers of all models on the average."""
        if task not in self._usual_use:
            seen = (of_model[task] for of_model in self._everything.values() if task in of_model)
            self._usual_use[task] = _average(
                [one.of_kind["use"] for one in seen if "use" in one.of_kind]
            )
        return self._usual_use[task]


def expected(prior: float) -> float:
    return LEAST_EXPECTED + (MOST_EXPECTED - LEAST_EXPECTED) * prior


def moved(believed: float, weight: float, good: float) -> float:
    """A belief after looks of this weight, of which so much was good.

    The looks count with the end of their confidence interval that is nearer to the belief
    (Wilson's, of one standard deviation): what may be chance leaves it where it was.
    """
    if weight <= 0:
        return believed
    middle = (good + 0.5) / (weight + 1)
    half = math.sqrt(max(good * (weight - good) / weight, 0.0) + 0.25) / (weight + 1)
    surely = min(max(believed, middle - half), middle + half)
    return (PRIOR_LOOKS * believed + weight * surely) / (PRIOR_LOOKS + weight)


def odds_against(share: float) -> float:
    return (1 - share) / share


def told(belief: Belief, now: datetime) -> str:
    """In a few words: how good, by what, how old, how sure."""
    looks = [
        f"{one.looks} {_SPOKEN[kind] if one.looks == 1 else _SPOKEN[kind] + 's'} at "
        f"{one.quality:.0%}, the last {max((now - one.newest).days, 0)} days ago"
        for kind, one in sorted(belief.seen.items())
        if kind in _SPOKEN
    ]
    grounds = "; ".join(looks) or "only what its catalog tells"
    return f"{belief.quality:.0%} ± {belief.spread:.0%} good answers ({grounds})"


_SPOKEN: Mapping[Kind, str] = {"benchmark": "benchmark", "thumb": "thumb", "use": "use"}


def _average(sums: Sequence[Sum]) -> float:
    weight, good = _total(sums)
    return good / weight if weight else 0.0


def _total(sums: Sequence[Sum]) -> tuple[float, float]:
    return sum(one.weight for one in sums), sum(one.good for one in sums)


def _spread(quality: float, looks: float) -> float:
    return math.sqrt(quality * (1 - quality) / (looks + 1))


NO_BELIEFS = Beliefs({})
