"""Which words and signs of a text spoke for a task, in words that a person can read."""

from collections import defaultdict
from collections.abc import Callable, Mapping

from gateway.llm.learned.reading import Reading
from gateway.llm.learned.weights import Weights, pair_hashes, plain_hashes, row_scale

MOST_REASONS = 6
# What says less than this is noise.
LEAST_SHARE = 0.05
# The first words nearly always hold what decided.
MOST_READ_WORDS = 16
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
    shares: dict[str, float] = defaultdict(float)
    _add_words(shares, reading, weights, task)
    _add_plain(shares, reading, weights.of_task(task))
    strongest = sorted(
        (one for one in shares.items() if one[1] >= LEAST_SHARE), key=lambda one: (-one[1], one[0])
    )
    return tuple(reason for reason, _ in strongest[:MOST_REASONS]) or (NOTHING_SAID,)


def _add_words(shares: dict[str, float], reading: Reading, weights: Weights, task: int) -> None:
    """A pair speaks half for each of its words."""
    scale, of_hash = row_scale(reading), weights.of_task(task)
    for word in reading.near[:MOST_READ_WORDS]:
        shares[f"“{word}”"] += scale * weights.of_word(word, task)
    pairs = reading.pairs[:MOST_READ_WORDS]
    for (one, other), hashed in zip(pairs, pair_hashes(pairs), strict=True):
        half = scale / 2 * of_hash(hashed)
        shares[f"“{one}”"] += half
        shares[f"“{other}”"] += half


def _add_plain(shares: dict[str, float], reading: Reading, of_hash: Callable[[int], float]) -> None:
    hashes = plain_hashes(reading)
    openings = len(reading.openings)
    for opening, hashed in zip(reading.openings, hashes[:openings], strict=True):
        shares[f"“{opening.partition(' ')[2]}”"] += of_hash(hashed)
    for sign, hashed in zip(reading.signs, hashes[openings:], strict=True):
        if name := _SIGNS.get(sign.partition(" ")[0]):
            shares[name] += of_hash(hashed)
