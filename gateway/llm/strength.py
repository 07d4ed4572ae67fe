"""How much a request needs a strong model, learned from questions that models answered.

It is another question than how hard a request is: of what is too hard for all, none is gained.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from math import exp, fsum, sqrt
from pathlib import Path

from gateway.llm.strength_signs import KINDS, SIGNS, Kind, Reading, read
from gateway.llm.task import MOST_READ

MODEL_FILE = Path(__file__).parent / "learned" / "strength.bin"
MOST_REASONS = 4
# A sign that is far out of what was learned from counts as this many spreads, and no more.
MOST_SPREADS = 6.0
# A reason that moves the score by less is not worth telling.
_LEAST_TOLD = 0.05


@dataclass(frozen=True, slots=True)
class Strength:
    """`score` is the probability that a weak model fails where a strong one would not.

    It reads so for questions like those that it was learned from; of others it keeps the order.
    `because` names the words and signs that weigh most, and whether they ask for more or less.
    """

    score: float
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What counts in one kind of question: a mean, a spread and a weight per sign, and words.

    `grams` weighs words and pairs of neighbours.
    """

    means: Sequence[float]
    spreads: Sequence[float]
    weights: Sequence[float]
    grams: Mapping[str, float]
    intercept: float = 0.0
    slope: float = 1.0

    def strength(self, reading: Reading) -> Strength:
        of_signs, known = self.of_signs(reading.signs), self._known(reading.grams)
        share = 1 / sqrt(len(reading.grams) + 1)
        raw = sum(of_signs) + _shared(known, reading.grams)
        return Strength(self._chance(raw), self._because(of_signs, known, share=share))

    def score(self, reading: Reading) -> float:
        """As `strength`, without its reasons."""
        return self._chance(self.raw(reading))

    def _chance(self, raw: float) -> float:
        return 1 / (1 + exp(-self.intercept - self.slope * raw))

    def raw(self, reading: Reading) -> float:
        """A score that orders questions of one kind, before it is made a probability."""
        return sum(self.of_signs(reading.signs)) + self.of_grams(reading.grams)

    def of_signs(self, signs: Sequence[float]) -> list[float]:
        return [
            weight * max(-MOST_SPREADS, min(MOST_SPREADS, (sign - mean) / spread))
            for sign, mean, spread, weight in zip(
                signs, self.means, self.spreads, self.weights, strict=True
            )
        ]

    def of_grams(self, grams: frozenset[str]) -> float:
        return _shared(self._known(grams), grams)

    def _known(self, grams: frozenset[str]) -> Mapping[str, float]:
        weights = self.grams
        return {gram: weights[gram] for gram in weights.keys() & grams}

    def _because(
        self, of_signs: Sequence[float], known: Mapping[str, float], *, share: float
    ) -> tuple[str, ...]:
        least = _LEAST_TOLD / self.slope
        of_grams = [(gram, weight * share) for gram, weight in known.items()]
        moved = [*zip(SIGNS, of_signs, strict=True), *of_grams]
        told = [one for one in moved if not -least < one[1] < least]
        told.sort(key=lambda one: (-abs(one[1]), one[0]))
        return tuple(
            f"{name}: {'more' if move > 0 else 'less'}" for name, move in told[:MOST_REASONS]
        )


def _shared(known: Mapping[str, float], grams: frozenset[str]) -> float:
    # A set has its own order in every process, and so would a plain sum of floats.
    return fsum(known.values()) / sqrt(len(grams) + 1)


def needed_strength(text: str) -> Strength:
    """Read what a user asks, of any length, in the same time."""
    reading = read(text)
    return shipped_heads()[reading.kind].strength(reading)


# Each round of an answer with tools asks about the same words.
@lru_cache(maxsize=MOST_READ)
def needed_score(text: str) -> float:
    """The score of `needed_strength` alone."""
    reading = read(text)
    return shipped_heads()[reading.kind].score(reading)


@cache
def shipped_heads() -> Mapping[Kind, Head]:
    return unpacked(MODEL_FILE.read_bytes())


def packed(heads: Mapping[Kind, Head]) -> bytes:
    """The heads as a file; equal heads are equal bytes."""
    parts = {"signs": SIGNS, "heads": {kind: asdict(heads[kind]) for kind in KINDS}}
    text = json.dumps(parts, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode(), 9)


def unpacked(file: bytes) -> Mapping[Kind, Head]:
    """The heads that `packed` wrote.

    Raises:
        ValueError: the file was built for other signs than those that are counted now.
    """
    parts = json.loads(zlib.decompress(file))
    if tuple(parts["signs"]) != SIGNS:
        raise ValueError(f"{MODEL_FILE.name} was built for other signs; build it anew")
    return {kind: Head(**parts["heads"][kind]) for kind in KINDS}
