"""Learning how much a question needs a strong model, from what strong and weak models scored."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from math import log
from pathlib import Path

from gateway.learning.strength_regression import (
    Sparse,
    logistic_scale,
    mean_and_spread,
    ridge,
    shrunken_means,
    sparse_ridge,
)
from gateway.learning.strength_rows import Row, read_sets
from gateway.llm.strength import Head, packed
from gateway.llm.strength_signs import KINDS, SIGNS, Kind, Reading

Sets = Mapping[str, Sequence[Row]]
Progress = Callable[[str], None]

FEWEST_ROWS_OF_A_GRAM = 4
LARGEST_SHARE_OF_ROWS = 0.4
# Of 57 subjects most are learned from fewer than 90 rows, and one row's gain is mostly noise.
ROWS_OF_DOUBT_PER_TASK = 80.0
SHARE_OF_A_ROW_ITSELF = 0.35
PENALTY_OF_GRAMS = 60.0
# What was guessed needs little more; a sign without a guess has only its rows.
PENALTY_OF_GUESSED, PENALTY_OF_UNGUESSED = 1500.0, 300.0
SMALLEST_SPREAD = 0.05
FEWEST_ROWS_OF_A_KIND = 200
# How much a guess counts beside what was learned: the step of a score for one spread of a sign.
STEP_OF_A_GUESS = 0.013
_PARTS = 3
_DIGITS = 5

# What a spread of each sign counts, set by hand from what held in sets of several kinds: what a
# regression learns on one set or two orders another less well.
GUESSES_OF_OPEN: Mapping[str, float] = {
    "a long question": 1.0,
    "long sentences": 0.7,
    "many clauses set off by commas": 0.5,
    "numbers written as words": 0.5,
    "rates and comparisons": 0.5,
    "linked clauses": 0.5,
    "multiples and shares": 0.3,
    "names": 0.2,
    "formulas": 0.8,
    "code": 0.8,
    "words of reasoning": 0.3,
    "words that come again": 0.5,
    "conditions": 0.3,
}
GUESSES_OF_CHOICE: Mapping[str, float] = {
    "a long question": 1.0,
    "long sentences": 0.2,
    "words that come again": 0.5,
    "conditions": 0.2,
    "short words": 0.6,
    "options that are much alike": 1.6,
    "options that repeat the question": 0.4,
    "options of like length": 0.8,
}


def build(data: Path, target: Path, *, progress: Progress) -> Mapping[Kind, Head]:
    """Learn from the files in `data` and write `target`; the same input gives the same bytes."""
    progress("reading the questions")
    heads = trained(read_sets(data), progress=progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(packed(heads))
    return heads


def trained(sets: Sets, *, progress: Progress) -> Mapping[Kind, Head]:
    """Heads whose scores read as probabilities: the scale is fit on rows they did not learn."""
    progress("learning the order")
    heads = ranking(sets)
    scored: dict[Kind, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for part in range(_PARTS):
        progress(f"learning the scale, part {part + 1} of {_PARTS}")
        learned = ranking({name: _without(rows, part) for name, rows in sets.items()})
        for row in chain.from_iterable(rows[part::_PARTS] for rows in sets.values()):
            kind = row.reading.kind
            scored[kind].append((learned[kind].raw(row.reading), row.need))
    return {kind: _scaled(head, scored[kind]) for kind, head in heads.items()}


def ranking(sets: Sets) -> Mapping[Kind, Head]:
    """Heads that order the questions of their kind; the scores are not yet probabilities."""
    return {kind: _head(kind, sets) for kind in KINDS}


def _head(kind: Kind, sets: Sets) -> Head:
    own = _of_kind(kind, sets)
    if sum(map(len, own.values())) < FEWEST_ROWS_OF_A_KIND:
        return _guessed(kind, sets)
    return _of_signs(own) if kind == "open" else replace(_guessed(kind, own), grams=_grams(own))


def _of_kind(kind: Kind, sets: Sets) -> Sets:
    chosen = {
        name: [row for row in rows if row.reading.kind == kind] for name, rows in sets.items()
    }
    return {name: rows for name, rows in chosen.items() if rows}


def _guessed(kind: Kind, sets: Sets) -> Head:
    guesses = GUESSES_OF_OPEN if kind == "open" else GUESSES_OF_CHOICE
    weights = [STEP_OF_A_GUESS * guesses.get(sign, 0.0) for sign in SIGNS]
    means, spreads = _standard([row.reading for rows in sets.values() for row in rows])
    return Head(means, spreads, [round(weight, _DIGITS) for weight in weights], {})


def _of_signs(sets: Sets) -> Head:
    """Of the few rows of open questions no words are learned: they would not carry over."""
    head = _guessed("open", sets)
    even = replace(head, weights=[1.0] * len(SIGNS))
    seen = [even.of_signs(row.reading.signs) for rows in sets.values() for row in rows]
    penalties = [
        PENALTY_OF_GUESSED if sign in GUESSES_OF_OPEN else PENALTY_OF_UNGUESSED for sign in SIGNS
    ]
    learned = ridge(seen, _gains(sets), penalties=penalties)
    weights = [guess + found for guess, found in zip(head.weights, learned, strict=True)]
    return replace(head, weights=[round(weight, _DIGITS) for weight in weights])


def _standard(readings: Sequence[Reading]) -> tuple[list[float], list[float]]:
    if not readings:
        return [0.0] * len(SIGNS), [1.0] * len(SIGNS)
    columns = zip(*(reading.signs for reading in readings), strict=True)
    found = [mean_and_spread(column) for column in columns]
    means = [round(mean, _DIGITS) for mean, _ in found]
    return means, [round(max(spread, SMALLEST_SPREAD), _DIGITS) for _, spread in found]


def _grams(sets: Sets) -> Mapping[str, float]:
    """The weight of each word and pair, learned from what is usual for the task of its rows."""
    rows = list(chain.from_iterable(sets.values()))
    counts = Counter(chain.from_iterable(row.reading.grams for row in rows))
    most = len(rows) * LARGEST_SHARE_OF_ROWS
    names = sorted(gram for gram, count in counts.items() if FEWEST_ROWS_OF_A_GRAM <= count <= most)
    if not names:
        return {}
    place = {gram: number for number, gram in enumerate(names)}
    rarity = [log(len(rows) / counts[gram]) + 1 for gram in names]
    table = Sparse(
        [sorted(place[gram] for gram in row.reading.grams & place.keys()) for row in rows],
        [(len(row.reading.grams) + 1) ** -0.5 for row in rows],
        rarity,
    )
    weights = sparse_ridge(table, _steadied(sets), penalty=PENALTY_OF_GRAMS)
    return {
        gram: round(weight * scale, _DIGITS)
        for gram, weight, scale in zip(names, weights, rarity, strict=True)
    }


def _steadied(sets: Sets) -> list[float]:
    """Each row's gain, drawn to the mean of its task."""
    tasks = [row.task for rows in sets.values() for row in rows]
    gains = _gains(sets)
    usual = shrunken_means(tasks, gains, weight=ROWS_OF_DOUBT_PER_TASK)
    return [
        usual[task] + SHARE_OF_A_ROW_ITSELF * (gain - usual[task])
        for task, gain in zip(tasks, gains, strict=True)
    ]


def _gains(sets: Sets) -> list[float]:
    """What a strong model gains on each row, beside what it gains on the whole set."""
    gains = list[float]()
    for rows in sets.values():
        own = [row.gain for row in rows]
        mean = sum(own) / len(own) if own else 0.0
        gains += [gain - mean for gain in own]
    return gains


def _without(rows: Sequence[Row], part: int) -> Sequence[Row]:
    return [row for number, row in enumerate(rows) if number % _PARTS != part]


def _scaled(head: Head, scored: Sequence[tuple[float, float]]) -> Head:
    if not scored:
        return head
    intercept, slope = logistic_scale(*zip(*scored, strict=True))
    return replace(head, intercept=round(intercept, _DIGITS), slope=round(slope, _DIGITS))
