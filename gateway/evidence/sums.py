"""What was seen of a model at one task, summed up with what is old counting less."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.evidence.observation import Kind, Observation

# What was seen counts half after this time: models, prices and tasks change.
HALF_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Sum:
    """`weight` and `good` are as of the time they were summed at; `good` is weight times quality.

    `looks` counts observations undiminished; `newest` is when the last one was made.
    """

    weight: float
    good: float
    looks: int
    newest: datetime
    source: str

    @property
    def quality(self) -> float:
        """The average, from 0 to 1."""
        return self.good / self.weight if self.weight else 0.0

    def plus(self, other: "Sum") -> "Sum":
        last = max(self, other, key=lambda one: one.newest)
        return Sum(
            self.weight + other.weight,
            self.good + other.good,
            self.looks + other.looks,
            last.newest,
            last.source,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of one model at one task, by the kind of look."""

    of_kind: Mapping[Kind, Sum] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        return sum(one.weight for one in self.of_kind.values())

    @property
    def good(self) -> float:
        return sum(one.good for one in self.of_kind.values())

    def with_one(self, kind: Kind, one: Sum) -> "Seen":
        before = self.of_kind.get(kind)
        return Seen({**self.of_kind, kind: before.plus(one) if before else one})


NOTHING = Seen()
# By model, and then by task.
Everything = Mapping[str, Mapping[str, Seen]]


def faded(weight: float, age: timedelta) -> float:
    return weight * float(0.5 ** (max(age, timedelta()) / HALF_LIFE))


def summed(observations: Iterable[tuple[Observation, int]], now: datetime) -> Everything:
    """Of observations, each with the number of looks that it stands for."""
    everything: dict[str, dict[str, Seen]] = {}
    for one, looks in observations:
        weight = faded(one.weight, now - one.at)
        of_model = everything.setdefault(one.model, {})
        before = of_model.get(one.task, NOTHING)
        new = Sum(weight, weight * one.quality, looks, one.at, one.source)
        of_model[one.task] = before.with_one(one.kind, new)
    return everything
