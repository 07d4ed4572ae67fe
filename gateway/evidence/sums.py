"""What was seen of a model at one task, summed up with what is old counting less."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.evidence.observation import Kind, Observation

# What was seen counts half after this time: models, prices and tasks change.
HALF_LIFE = timedelta(days=30)
# Sums fade by less than a thousandth in it.
REFADED_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sum:
    """`weight` and `good` are as of the time they were summed at; `good` is weight times quality.

    `looks` counts observations undiminished; `newest` is when the last one was made, and `source`
    is where that one is told.
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
        last = other if other.newest >= self.newest else self
        return Sum(
            self.weight + other.weight,
            self.good + other.good,
            self.looks + other.looks,
            last.newest,
            last.source,
        )

    def minus(self, other: "Sum") -> "Sum":
        """Without what was added; which look was the last is not known anew."""
        return Sum(
            max(self.weight - other.weight, 0.0),
            max(self.good - other.good, 0.0),
            self.looks - other.looks,
            self.newest,
            self.source,
        )

    def times(self, share: float) -> "Sum":
        return Sum(self.weight * share, self.good * share, self.looks, self.newest, self.source)


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
# Each with the number of looks that it stands for.
Looks = Iterable[tuple[Observation, int]]


class Voice(NamedTuple):
    """Whose looks of one kind at one task count together, and how much at the most."""

    task: str
    kind: Kind
    caller: str
    most_weight: float | None

    @classmethod
    def of(cls, one: Observation) -> "Voice":
        return cls(one.task, one.kind, one.caller, one.most_weight)


_Voices = Mapping[Voice, Sum]


@dataclass(frozen=True, slots=True)
class Sums:
    """Everything that was seen, as it counts `at` a time; whatever changes it makes another one."""

    at: datetime
    everything: Everything = field(default_factory=dict)
    voices: Mapping[str, _Voices] = field(default_factory=dict)

    def plus(self, looks: Looks) -> "Sums":
        changed: dict[str, dict[Voice, Sum]] = {}
        for one, count in looks:
            voices = self._copied(changed, one.model)
            voice, new = Voice.of(one), self._sum(one, count)
            before = voices.get(voice)
            voices[voice] = before.plus(new) if before else new
        return self._with(changed)

    def minus(self, looks: Looks) -> "Sums":
        """Without looks that it holds."""
        changed: dict[str, dict[Voice, Sum]] = {}
        for one, count in looks:
            voices = self._copied(changed, one.model)
            voice = Voice.of(one)
            before = voices.pop(voice, None)
            if before is not None and before.looks > count:
                voices[voice] = before.minus(self._sum(one, count))
        return self._with(changed)

    def faded_to(self, at: datetime) -> "Sums":
        """As all of it counts by then; the same where that makes no difference."""
        if at - self.at < REFADED_AFTER:
            return self
        share = faded(1.0, at - self.at)
        voices = {
            model: {voice: one.times(share) for voice, one in of_model.items()}
            for model, of_model in self.voices.items()
        }
        return Sums(at)._with(voices)

    def _sum(self, one: Observation, looks: int) -> Sum:
        weight = faded(one.weight, self.at - one.at)
        return Sum(weight, weight * one.quality, looks, one.at, one.source)

    def _copied(self, changed: dict[str, dict[Voice, Sum]], model: str) -> dict[Voice, Sum]:
        if model not in changed:
            changed[model] = dict(self.voices.get(model, {}))
        return changed[model]

    def _with(self, changed: Mapping[str, _Voices]) -> "Sums":
        voices = {**self.voices, **changed}
        everything = {**self.everything, **{one: _by_task(changed[one]) for one in changed}}
        return Sums(
            self.at,
            {model: one for model, one in everything.items() if one},
            {model: one for model, one in voices.items() if one},
        )


def faded(weight: float, age: timedelta) -> float:
    return weight * float(0.5 ** (max(age, timedelta()) / HALF_LIFE))


def summed(looks: Looks, now: datetime) -> Everything:
    return Sums(now).plus(looks).everything


def _by_task(voices: _Voices) -> Mapping[str, Seen]:
    of_model: dict[str, Seen] = {}
    for voice, one in voices.items():
        before = of_model.get(voice.task, NOTHING)
        of_model[voice.task] = before.with_one(voice.kind, _bounded(one, voice.most_weight))
    return of_model


def _bounded(one: Sum, most_weight: float | None) -> Sum:
    if most_weight is None or one.weight <= most_weight:
        return one
    return one.times(most_weight / one.weight)
