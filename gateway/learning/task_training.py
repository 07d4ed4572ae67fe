"""Learning to tell the task of a text from labelled prompts, and writing what was learned."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.learning.task_regression import Cells, fit
from gateway.learning.task_rows import Row, development_prompts, own_prompts, rows_of
from gateway.llm.learned.reading import Reading, word_hashes
from gateway.llm.learned.weights import (
    FAR_SHARE,
    MASK,
    Weights,
    opening_hashes,
    packed,
    pair_hashes,
    row_scale,
    sign_hashes,
    unpacked,
)

PENALTY, STEPS = 0.1, 80
# Of pieces many belong to a word, so each is worth less than the word; signs come in dozens.
WORD_SCALE, PIECE_SCALE, PAIR_SCALE, OPENING_SCALE, SIGN_SCALE = 1.0, 0.8, 0.8, 0.48, 0.25
# What was seen once is chance, and would fill the table.
LEAST_ROWS = 2
# Misspelt words come again in the same text with another around it.
LEAST_USUAL, MOST_USUAL = 3, 16_000

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A written model: from how many rows, of how many features, in how many bytes."""

    file: Path
    prompts: int
    rows: int
    features: int
    file_bytes: int


def build(data: Path, target: Path, *, progress: Progress) -> Built:
    """Learn from the development data in `data` and the project's prompts, and write `target`.

    The same prompts give the same bytes.

    Raises:
        FileNotFoundError: `data` does not hold the development data.
        InvalidRequest: what learning needs is not installed.
    """
    prompts = [*development_prompts(data), *own_prompts()]
    progress(f"reading {len(prompts):,} prompts")
    rows = rows_of(prompts)
    progress(f"learning from {len(rows):,} rows")
    learned = learn(rows)
    file = packed(learned, usual_words(rows))
    target.write_bytes(file)
    progress(f"wrote {len(file):,} bytes")
    return Built(target, len(prompts), len(rows), len(learned), len(file))


def trained(rows: Sequence[Row]) -> Weights:
    """The weights as they would be read from the file."""
    return unpacked(packed(learn(rows), usual_words(rows)))


def usual_words(rows: Sequence[Row]) -> Sequence[str]:
    """Those of most rows, to be known without hashing."""
    seen = Counter(word for row in rows for word in (*row.reading.near, *row.reading.far))
    usual = sorted((-count, word) for word, count in seen.items() if count >= LEAST_USUAL)
    return sorted(word for _, word in usual[:MOST_USUAL])


def learn(rows: Sequence[Row]) -> Mapping[int, Sequence[float]]:
    """The weights of each bucket, in the order of the learned tasks."""
    scales: dict[int, float] = {}
    features = [_features(row.reading, scales) for row in rows]
    seen = Counter(bucket for row in features for bucket in row)
    buckets = sorted(bucket for bucket, count in seen.items() if count >= LEAST_ROWS)
    column = {bucket: number for number, bucket in enumerate(buckets)}
    columns: list[int] = []
    values: list[float] = []
    ends = []
    for row in features:
        known = [bucket for bucket in row if bucket in column]
        columns += [column[bucket] for bucket in known]
        values += [row[bucket] * scales[bucket] for bucket in known]
        ends.append(len(columns))
    by_task = fit(
        Cells(columns, values, ends),
        [row.target for row in rows],
        [row.weight for row in rows],
        penalty=PENALTY,
        steps=STEPS,
    )
    return {
        bucket: [scales[bucket] * weight for weight in weights]
        for bucket, weights in zip(buckets, zip(*by_task, strict=True), strict=True)
    }


def _features(reading: Reading, scales: dict[int, float]) -> Mapping[int, float]:
    """How much each bucket counts in a text; the first feature of a bucket sets its scale."""
    row: dict[int, float] = {}
    for one, share, scale in _shares(reading):
        bucket = one & MASK
        scales.setdefault(bucket, scale)
        row[bucket] = row.get(bucket, 0.0) + share
    return row


def _shares(reading: Reading) -> Iterator[tuple[int, float, float]]:
    """Each hash with what a text multiplies it by, and what its family is worth."""
    whole = row_scale(reading)
    for words, share in ((reading.near, whole), (reading.far, whole * FAR_SHARE)):
        for word in words:
            first, *pieces = word_hashes(word)
            yield first, share, WORD_SCALE
            yield from ((piece, share, PIECE_SCALE) for piece in pieces)
    yield from ((pair, whole, PAIR_SCALE) for pair in pair_hashes(reading.pairs))
    yield from ((opening, 1.0, OPENING_SCALE) for opening in opening_hashes(reading))
    yield from ((sign, 1.0, SIGN_SCALE) for sign in sign_hashes(reading))
