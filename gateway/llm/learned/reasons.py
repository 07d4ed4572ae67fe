"""Which words and signs of a text spoke for a task, in words that a person can read."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import overload

from gateway.llm.learned.reading import Reading
from gateway.llm.learned.weights import (
    Weights,
    opening_hashes,
    pair_hashes,
    row_scale,
    said_for,
)

MOST_REASONS = 6
# What says less than this is noise.
LEAST_SHARE = 0.05
# The first words nearly always hold what decided.
MOST_READ_WORDS = 12
NOTHING_SAID, RARE_WORD = "nothing says another task", "a rare word"
# Single letters and signs, of scripts without spaces too.
SHORTEST_RARE = 3

_SIGNS: Mapping[str, str] = {
    "size": "its length",
    "begins": "the way it begins",
    "asks": "the way it asks",
    "code": "signs of code",
    "formulas": "formulas",
    "lines": "its lines",
    "numbers": "numbers",
    "amount": "amounts",
    "year": "a year",
    "length": "the length asked for",
    "options": "options to choose from",
    "self": "what it says of the writer",
    "other": "how it speaks to the model",
    "learned": "learned words",
    "pasted": "what is pasted",
}


class Reasons(Sequence[str]):
    """Reasons that are looked for when somebody reads them: deciding takes none of that time."""

    __slots__ = ("_found", "_look")

    def __init__(self, look: Callable[[], tuple[str, ...]]) -> None:
        self._look: Callable[[], tuple[str, ...]] | None = look
        self._found: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...
    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        return self._read()[at]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Reasons):
            return self._read() == other._read()
        return self._read() == other

    def __hash__(self) -> int:
        return hash(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> tuple[str, ...]:
        look = self._look
        if look is not None:
            # Two threads may both look: they find the same.
            self._found, self._look = look(), None
        return self._found


def reasons(weights: Weights, reading: Reading, *, task: int) -> tuple[str, ...]:
    """Those that spoke for the task with this number, the strongest first."""
    of_sum, half = said_for(task), row_scale(reading) / 2
    shares = {name: of_sum(one) for name, one in _plain(weights, reading).items()}
    for word, one in _words(weights, reading).items():
        name = _quoted(word, weights)
        shares[name] = shares.get(name, 0.0) + half * of_sum(one)
    strongest = [one for one in shares.items() if one[1] >= LEAST_SHARE]
    strongest.sort(key=lambda one: (-one[1], one[0]))
    return tuple(name for name, _ in strongest[:MOST_REASONS]) or (NOTHING_SAID,)


def _words(weights: Weights, reading: Reading) -> Mapping[str, int]:
    """Twice what each word says, since a pair speaks half for each of its words."""
    of_word = weights.of_words.__getitem__
    sums = {word: 2 * of_word(word) for word in reading.near[:MOST_READ_WORDS]}
    pairs = reading.pairs[:MOST_READ_WORDS]
    for pair, of_pair in zip(pairs, weights.each(pair_hashes(pairs)), strict=True):
        for word in pair.split(" "):
            sums[word] = sums.get(word, 0) + of_pair
    return sums


def _plain(weights: Weights, reading: Reading) -> Mapping[str, int]:
    sums: dict[str, int] = defaultdict(int)
    openings = weights.each(opening_hashes(reading))
    for opening, of_opening in zip(reading.openings, openings, strict=True):
        sums[_quoted(opening.partition(" ")[2], weights)] += of_opening
    for sign in reading.signs:
        if name := _name(sign):
            sums[name] += weights.of_sign(sign)
    return sums


def _quoted(words: str, weights: Weights) -> str:
    """Reasons are kept with what was spent, and what few people write may be a key or a name."""
    looked_up = (one for one in words.split(" ") if len(one) >= SHORTEST_RARE)
    return f"“{words}”" if all(map(weights.of_words.__contains__, looked_up)) else RARE_WORD


@cache
def _name(sign: str) -> str | None:
    return _SIGNS.get(sign.partition(" ")[0])
