"""How likely a part of a text asks something: the trained weights of its words and signs."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat
from math import sqrt
from pathlib import Path
from typing import NamedTuple, TypeVar

from gateway.llm.learned.asking_signs import (
    BESIDE_CHARACTERS,
    KIND_OF_SIGN,
    Place,
    beside_names,
    end_names,
    first_name,
    lines_name,
    opening_names,
    seen,
    shape_names,
    words_of,
)

MODEL_FILE = Path(__file__).with_name("asking_model.bin")
STEPS_OF_ONE = 64
# Words share the weight of one; there are some twenty signs, each of which counts a half.
SIGN_SHARE = 0.5
FIRST_WORD_CHARACTERS = 24
# Shapes and openings that are remembered with what they say.
MOST_REMEMBERED = 4_096

_Seen = TypeVar("_Seen")


class Part(NamedTuple):
    """A part of a text, from `start` to `end`."""

    start: int
    end: int
    place: Place


class Looked(NamedTuple):
    """`odds` is the logarithm of the odds that a part asks."""

    odds: float
    part: Part


class Asking:
    """Weights by the name of what they are of: a word never has a space in it, a sign has."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weight = weights.get
        self._of_shape = self._remembered(shape_names)
        self._of_beside = self._remembered(beside_names)
        self._of_opening = self._remembered(opening_names)
        self._of_ends = self._remembered(end_names)

    def look(self, text: str, part: Part) -> Looked:
        written, words, beside = _read(text, part)
        shape, others, opening = seen(written, words, place=part.place, beside=beside)
        of_words = sum(map(self._weight, words, repeat(0.0))) * _word_share(words)
        of_signs = self._of_shape(shape) + self._of_beside(others) + self._of_opening(opening)
        return Looked(of_words + of_signs, part)

    def glance(self, written: str) -> float:
        """A tenth of the time of a look, to find which parts of many are worth one."""
        first, *_ = (*written[:FIRST_WORD_CHARACTERS].lower().split(None, 1), "")
        names = first_name(first), lines_name(written.count("\n"))
        of_ends = self._of_ends((KIND_OF_SIGN[written[:1]], KIND_OF_SIGN[written[-1:]]))
        return of_ends + SIGN_SHARE * sum(map(self._weight, names, repeat(0.0)))

    def _remembered(self, names: Callable[[_Seen], Sequence[str]]) -> Callable[[_Seen], float]:
        def of(one: _Seen) -> float:
            return SIGN_SHARE * sum(map(self._weight, names(one), repeat(0.0)))

        return lru_cache(maxsize=MOST_REMEMBERED)(of)


def shares(text: str, part: Part) -> Iterator[tuple[str, float]]:
    """The name of all that `look` adds up, and how much of its weight counts."""
    written, words, beside = _read(text, part)
    yield from zip(words, repeat(_word_share(words)), strict=False)
    shape, others, opening = seen(written, words, place=part.place, beside=beside)
    names = (*shape_names(shape), *beside_names(others), *opening_names(opening))
    yield from zip(names, repeat(SIGN_SHARE), strict=False)


def _word_share(words: Sequence[str]) -> float:
    return 1 / sqrt(len(words) or 1)


def _read(text: str, part: Part) -> tuple[str, Sequence[str], str]:
    """What is written in it, its words, and the line that stands beside it."""
    start, end, place = part
    written = text[start:end]
    if place == "head":
        return written, words_of(written), text[end : end + BESIDE_CHARACTERS].lstrip()
    before = text[max(start - BESIDE_CHARACTERS, 0) : start].rstrip()
    return written, words_of(written), before[before.rfind("\n") + 1 :]


def packed(weights: Mapping[str, float]) -> bytes:
    """The model file."""
    whole = {name: round(weight * STEPS_OF_ONE) for name, weight in weights.items()}
    lines = [f"{weight} {name}" for name, weight in sorted(whole.items()) if weight]
    return zlib.compress("\n".join(lines).encode(), 9)


def unpacked(file: bytes) -> Asking:
    lines = (line.split(" ", 1) for line in zlib.decompress(file).decode().split("\n"))
    return Asking({name: int(weight) / STEPS_OF_ONE for weight, name in lines})


@cache
def shipped() -> Asking:
    return unpacked(MODEL_FILE.read_bytes())
