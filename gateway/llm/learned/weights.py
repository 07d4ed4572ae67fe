"""The trained weights: for each hashed feature what it says for each task, packed into integers."""

import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat
from math import exp, sqrt
from pathlib import Path
from zlib import crc32

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
BITS = 19
BUCKETS, MASK = 1 << BITS, (1 << BITS) - 1
# Words between what is asked count less, and pairs count half a word in the length of a text.
FAR_SHARE, PAIR_SIZE = 0.35, 0.5
# Six weights of 21 bits each: three in one signed integer of 64 bits, three in another. A text
# has fewer than 2,000 features of at most 511 each, so no sum spills into the next weight.
LANE_BITS, LANES = 21, 3
MOST, STEPS_OF_ONE = 511, 128
_LANE_MASK, _MIDDLE = (1 << LANE_BITS) - 1, 1 << (LANE_BITS - 1)
_UPPER = LANE_BITS * LANES
_PLACES = range(0, 2 * _UPPER, LANE_BITS)
_ALL_MIDDLES = sum(_MIDDLE << place for place in _PLACES)
# Words that the model does not know, remembered with what their pieces say.
MOST_WORDS = 2_048

Scores = Sequence[float]


class Weights:
    """Sums of features are integers that hold a sum for each task; `said` takes them apart.

    `known` holds such sums for the usual words, so that these need no hashing.
    """

    def __init__(
        self, lower: "array[int]", upper: "array[int]", *, known: Mapping[str, int]
    ) -> None:
        # Side by side, so that both are read from memory at once.
        self._halves = array("q", [0]) * (2 * BUCKETS)
        self._halves[::2], self._halves[1::2] = lower, upper
        self.of_words = _Words(known, lru_cache(maxsize=MOST_WORDS)(self._of_word))
        # Of signs there are some hundreds.
        self.of_sign = lru_cache(maxsize=None)(self._of_sign)

    def scores(self, reading: Reading) -> Scores:
        of_word = self.of_words.__getitem__
        near = sum(map(of_word, reading.near)) + self.sum(pair_hashes(reading.pairs))
        # What is asked does not stand there, so an unknown word is not worth its hashing.
        far = sum(map(self.of_words.get, reading.far, repeat(0)))
        plain = self.sum(opening_hashes(reading)) + sum(map(self.of_sign, reading.signs))
        scale = row_scale(reading)
        return [
            scale * (one + FAR_SHARE * other) + sign
            for one, other, sign in zip(said(near), said(far), said(plain), strict=True)
        ]

    def sum(self, hashes: Iterable[int]) -> int:
        halves, lower, upper = self._halves, 0, 0
        for one in hashes:
            place = 2 * (one & MASK)
            lower += halves[place]
            upper += halves[place + 1]
        return lower + (upper << _UPPER)

    def each(self, hashes: Iterable[int]) -> Iterator[int]:
        """Sums of one feature each."""
        for one in hashes:
            place = 2 * (one & MASK)
            yield self._halves[place] + (self._halves[place + 1] << _UPPER)

    def _of_word(self, word: str) -> int:
        return self.sum(word_hashes(word))

    def _of_sign(self, sign: str) -> int:
        return self.sum([hashed(sign, SIGN)])


class _Words(dict[str, int]):
    """Sums of words; those of unknown ones are asked for, and not kept here."""

    def __init__(self, known: Mapping[str, int], of_unknown: Callable[[str], int]) -> None:
        super().__init__(known)
        self._of_unknown = of_unknown

    def __missing__(self, word: str) -> int:
        return self._of_unknown(word)


def said_for(task: int) -> Callable[[int], float]:
    """What sums of features say for one task."""
    place = LANE_BITS * task

    def of_sum(total: int) -> float:
        return ((total + _ALL_MIDDLES >> place & _LANE_MASK) - _MIDDLE) / STEPS_OF_ONE

    return of_sum


def said(total: int) -> Scores:
    """What a sum of features says for each task."""
    total += _ALL_MIDDLES
    return [((total >> place & _LANE_MASK) - _MIDDLE) / STEPS_OF_ONE for place in _PLACES]


def chances(scores: Scores) -> Scores:
    highest = max(scores)
    each = [exp(score - highest) for score in scores]
    total = sum(each)
    return [one / total for one in each]


def row_scale(reading: Reading) -> float:
    """Longer texts have more words, each of which says less."""
    size = len(reading.near) + FAR_SHARE**2 * len(reading.far) + PAIR_SIZE * len(reading.pairs)
    return 1 / sqrt(max(size, 1.0))


def pair_hashes(pairs: Iterable[str]) -> list[int]:
    return [crc32(pair.encode(), PAIR) for pair in pairs]


def opening_hashes(reading: Reading) -> list[int]:
    return [hashed(one, OPENING) for one in reading.openings]


def sign_hashes(reading: Reading) -> list[int]:
    return [hashed(one, SIGN) for one in reading.signs]


def packed(weights: Mapping[int, Sequence[float]], words: Sequence[str] = ()) -> bytes:
    """The model file, from the weights of each bucket, and the words to know without hashing."""
    halves = array("q", bytes(8 * BUCKETS)), array("q", bytes(8 * BUCKETS))
    for place, of_tasks in weights.items():
        whole = [min(max(round(one * STEPS_OF_ONE), -MOST), MOST) for one in of_tasks]
        for half, lanes in zip(halves, (whole[:LANES], whole[LANES:]), strict=True):
            half[place] = sum(one << (LANE_BITS * lane) for lane, one in enumerate(lanes))
    of_words = [
        array("q", [sum(half[one & MASK] for one in word_hashes(word)) for word in words])
        for half in halves
    ]
    numbers = [
        _little_endian(half).tobytes() for half in (array("q", [len(words)]), *halves, *of_words)
    ]
    return zlib.compress(b"".join((*numbers, "\n".join(words).encode())), 9)


def unpacked(file: bytes) -> Weights:
    plain = memoryview(zlib.decompress(file))
    words, start, columns = int.from_bytes(plain[:8], "little"), 8, []
    for size in (BUCKETS, BUCKETS, words, words):
        columns.append(_numbers(plain[start : start + 8 * size]))
        start += 8 * size
    lower, upper, *of_words = columns
    known = zip(str(plain[start:], "utf-8").split(), *of_words, strict=True)
    sums = {word: low + (high << _UPPER) for word, low, high in known}
    return Weights(lower, upper, known=sums)


@cache
def shipped() -> Weights:
    return unpacked(MODEL_FILE.read_bytes())


def _numbers(plain: memoryview) -> "array[int]":
    numbers = array("q")
    numbers.frombytes(plain)
    return _little_endian(numbers)


def _little_endian(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
