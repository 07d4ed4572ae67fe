"""The trained weights: for each hashed feature what it says for each task, packed into integers."""

import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from math import exp, sqrt
from pathlib import Path

from gateway.llm.learned.reading import (
    OPENING,
    PAIR,
    SIGN,
    Reading,
    hashed,
    word_hashes,
)

LEARNED_TASKS = ("coding", "research", "creative", "quick", "complex", "general")
MODEL_FILE = Path(__file__).with_name("task_model.bin")
BITS = 17
BUCKETS, MASK = 1 << BITS, (1 << BITS) - 1
# Words between what is asked count less, and pairs count half a word in the length of a text.
FAR_SHARE, PAIR_SIZE = 0.35, 0.5
# Six weights of 21 bits each: three in one signed integer of 64 bits, three in another. A text
# has fewer than 2,000 features of at most 511 each, so no sum spills into the next weight.
LANE_BITS, LANES = 21, 3
MOST, STEPS_OF_ONE = 511, 128
_LANE_MASK, _MIDDLE = (1 << LANE_BITS) - 1, 1 << (LANE_BITS - 1)
_UPPER = LANE_BITS * LANES
_ALL_MIDDLES = sum(_MIDDLE << (LANE_BITS * lane) for lane in range(2 * LANES))
# Words that are remembered with what they say.
MOST_WORDS = 4_096

Scores = Sequence[float]


class Weights:
    """Sums of features are integers that hold a sum for each task; `said` takes them apart."""

    def __init__(self, lower: "array[int]", upper: "array[int]") -> None:
        self._lower, self._upper = lower, upper
        self.word = lru_cache(maxsize=MOST_WORDS)(self._word)

    def scores(self, reading: Reading) -> Scores:
        near = sum(map(self.word, reading.near)) + self.sum(pair_hashes(reading.pairs))
        far = sum(map(self.word, reading.far))
        plain = self.sum(plain_hashes(reading))
        scale = row_scale(reading)
        return [
            scale * (one + FAR_SHARE * other) + sign
            for one, other, sign in zip(said(near), said(far), said(plain), strict=True)
        ]

    def sum(self, hashes: Iterable[int]) -> int:
        places = [one & MASK for one in hashes]
        lower = sum(map(self._lower.__getitem__, places))
        return lower + (sum(map(self._upper.__getitem__, places)) << _UPPER)

    def of_word(self, word: str, task: int) -> float:
        """What a word and its pieces say for one task."""
        return _lane(self.word(word) + _ALL_MIDDLES, task)

    def of_task(self, task: int) -> Callable[[int], float]:
        """What each hash says for one task."""
        half, lane = (self._lower, self._upper)[task // LANES], task % LANES

        def of_hash(hashed: int) -> float:
            return _lane(half[hashed & MASK] + _ALL_MIDDLES, lane)

        return of_hash

    def _word(self, word: str) -> int:
        return self.sum(word_hashes(word))


def said(total: int) -> Scores:
    """What a sum of features says for each task."""
    total += _ALL_MIDDLES
    return [_lane(total, lane) for lane in range(2 * LANES)]


def _lane(total: int, lane: int) -> float:
    return ((total >> (LANE_BITS * lane) & _LANE_MASK) - _MIDDLE) / STEPS_OF_ONE


def chances(scores: Scores) -> Scores:
    highest = max(scores)
    each = [exp(score - highest) for score in scores]
    total = sum(each)
    return [one / total for one in each]


def row_scale(reading: Reading) -> float:
    """Longer texts have more words, each of which says less."""
    size = len(reading.near) + FAR_SHARE**2 * len(reading.far) + PAIR_SIZE * len(reading.pairs)
    return 1 / sqrt(max(size, 1.0))


def pair_hashes(pairs: Iterable[tuple[str, str]]) -> list[int]:
    return [hashed(f"{one} {other}", PAIR) for one, other in pairs]


def plain_hashes(reading: Reading) -> list[int]:
    return [
        *(hashed(one, OPENING) for one in reading.openings),
        *(hashed(one, SIGN) for one in reading.signs),
    ]


def packed(weights: Mapping[int, Sequence[float]]) -> bytes:
    """The model file, from the weights of each bucket."""
    halves = array("q", bytes(8 * BUCKETS)), array("q", bytes(8 * BUCKETS))
    for place, of_tasks in weights.items():
        whole = [min(max(round(one * STEPS_OF_ONE), -MOST), MOST) for one in of_tasks]
        for half, lanes in zip(halves, (whole[:LANES], whole[LANES:]), strict=True):
            half[place] = sum(one << (LANE_BITS * lane) for lane, one in enumerate(lanes))
    return zlib.compress(b"".join(_little_endian(half).tobytes() for half in halves), 9)


def unpacked(file: bytes) -> Weights:
    plain = zlib.decompress(file)
    halves = array("q"), array("q")
    for number, half in enumerate(halves):
        half.frombytes(plain[8 * BUCKETS * number : 8 * BUCKETS * (number + 1)])
    return Weights(*map(_little_endian, halves))


@cache
def shipped() -> Weights:
    return unpacked(MODEL_FILE.read_bytes())


def _little_endian(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
