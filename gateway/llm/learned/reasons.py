"""Which words and signs of a text spoke for a task, in words that a person can read."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

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
NOTHING_SAID = "nothing says another task"

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
}


def reasons(weights: Weights, reading: Reading, *, task: int) -> tuple[str, ...]:
    """Those that spoke for the task with this number, the strongest first."""
    of_sum, half = said_for(task), row_scale(reading) / 2
    shares = {name: of_sum(one) for name, one in _plain(weights, reading).items()}
    for word, one in _words(weights, reading).items():
        name = f"“{word}”"
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
        for word in pair:
            sums[word] = sums.get(word, 0) + of_pair
    return sums


def _plain(weights: Weights, reading: Reading) -> Mapping[str, int]:
    sums: dict[str, int] = defaultdict(int)
    openings = weights.each(opening_hashes(reading))
    for opening, of_opening in zip(reading.openings, openings, strict=True):
        sums[f"“{opening.partition(' ')[2]}”"] += of_opening
    for sign in reading.signs:
        if name := _name(sign):
            sums[name] += weights.of_sign(sign)
    return sums


@cache
def _name(sign: str) -> str | None:
    return _SIGNS.get(sign.partition(" ")[0])
