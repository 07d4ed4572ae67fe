"""How well scores tell which requests need a strong model, on questions with known answers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from random import Random

from gateway.learning.strength_regression import mean_and_spread
from gateway.learning.strength_rows import Row, read_sets
from gateway.learning.strength_training import Sets, ranking
from gateway.llm.strength import Head, shipped_heads
from gateway.llm.strength_signs import Kind

FOLDS = 5
REPEATS = 2
ROWS_OF_A_SLICE = 400
_KEYWORDS = re.compile(
    r"\b(?:code|function|algorithm|debug|implement|research|analy[sz]e|prove|derive|calculate"
    r"|compare|evaluate|explain|step by step|optimi[sz]e|design)\b",
    re.IGNORECASE,
)

Heads = Mapping[Kind, Head]


@dataclass(frozen=True, slots=True)
class Recovery:
    """How well one way of scoring orders one set, over all pairs of a strong and a weak model.

    `spread` is the standard deviation of `apgr` over repeats that split the set anew; 0 of one.
    """

    apgr: float
    spread: float
    cpt_half: float
    cpt_most: float


@dataclass(frozen=True, slots=True)
class SetStrength:
    """`cross_validated` has learned from other rows of the set, `left_out` from none of it."""

    name: str
    rows: int
    cross_validated: Recovery
    left_out: Recovery
    length: Recovery
    keywords: Recovery
    random: Recovery


def evaluate(data: Path, *, repeats: int = REPEATS) -> Sequence[SetStrength]:
    """Learn anew without what is asked, and score it; two repeats take about 40 seconds."""
    sets = read_sets(data)
    splits = [_cross_validated(sets, Random(repeat)) for repeat in range(repeats)]
    return [_set_strength(name, sets, [split[name] for split in splits]) for name in sets]


def evaluate_slice(data: Path, *, most_rows: int = ROWS_OF_A_SLICE) -> Mapping[str, Recovery]:
    """Score the model that ships, in a moment; it has learned these rows, so it only warns."""
    heads = shipped_heads()
    sets = {name: rows[:most_rows] for name, rows in read_sets(data).items()}
    return {name: _recovery(rows, [_scores(heads, rows)]) for name, rows in sets.items()}


def apgr(scores: Sequence[float], strong: Sequence[float], weak: Sequence[float]) -> float:
    """The average performance gap recovered, as in RouteLLM (arXiv 2406.18665).

    The requests with the highest scores go to the strong model. For every share of them, from
    none to all, it is asked which part of the gap between the two models that recovers; equal
    scores share what they recover. At random it is 0.5.
    """
    curve = recovered(scores, strong, weak)
    return sum(map(sum, pairwise(curve))) / 2 / (len(curve) - 1)


def cpt(
    scores: Sequence[float], strong: Sequence[float], weak: Sequence[float], *, share: float
) -> float:
    """The least share of calls to the strong model that recovers `share` of the gap."""
    curve = recovered(scores, strong, weak)
    least = next(count for count, part in enumerate(curve) if part >= share - 1e-9)
    return least / (len(curve) - 1)


def recovered(
    scores: Sequence[float], strong: Sequence[float], weak: Sequence[float]
) -> list[float]:
    """The part of the gap that is recovered with 0, 1, 2, … calls to the strong model.

    Raises:
        ValueError: the strong model is no better than the weak one, so there is no gap.
    """
    gains = [more - less for more, less in zip(strong, weak, strict=True)]
    gap = sum(gains)
    if gap <= 0:
        raise ValueError("the strong model is no better than the weak one: no gap to recover")
    together: dict[float, list[float]] = {}
    for score, gain in zip(scores, gains, strict=True):
        together.setdefault(score, []).append(gain)
    curve = [0.0]
    for score in sorted(together, reverse=True):
        same = together[score]
        before, step = curve[-1], sum(same) / len(same) / gap
        curve += [before + step * count for count in range(1, len(same) + 1)]
    return curve


def _set_strength(name: str, sets: Sets, cross_validated: Sequence[Sequence[float]]) -> SetStrength:
    rows = sets[name]
    others = ranking({other: rows for other, rows in sets.items() if other != name})
    return SetStrength(
        name,
        len(rows),
        cross_validated=_recovery(rows, cross_validated),
        left_out=_recovery(rows, [_scores(others, rows)]),
        length=_recovery(rows, [[float(len(row.question)) for row in rows]]),
        keywords=_recovery(rows, [[_keywords(row) for row in rows]]),
        random=_recovery(rows, [_shuffled(len(rows), Random(seed)) for seed in range(5)]),
    )


def _cross_validated(sets: Sets, random: Random) -> Mapping[str, Sequence[float]]:
    """Of each row the score by a model that has learned from the other rows of all sets."""
    fold = {
        name: [int(place) % FOLDS for place in _shuffled(len(rows), random)]
        for name, rows in sets.items()
    }
    scores = {name: [0.0] * len(rows) for name, rows in sets.items()}
    for held in range(FOLDS):
        heads = ranking(
            {
                name: [row for row, own in zip(rows, fold[name], strict=True) if own != held]
                for name, rows in sets.items()
            }
        )
        for name, rows in sets.items():
            for place, row in enumerate(rows):
                if fold[name][place] == held:
                    scores[name][place] = _score(heads, row)
    return scores


def _recovery(rows: Sequence[Row], repeats: Sequence[Sequence[float]]) -> Recovery:
    each = [_over_pairs(rows, scores) for scores in repeats]
    areas, halves, most = zip(*each, strict=True)
    area, spread = mean_and_spread(areas)
    return Recovery(area, spread, mean_and_spread(halves)[0], mean_and_spread(most)[0])


def _over_pairs(rows: Sequence[Row], scores: Sequence[float]) -> tuple[float, float, float]:
    pairs = list(_pairs(rows))
    return (
        sum(apgr(scores, strong, weak) for strong, weak in pairs) / len(pairs),
        sum(cpt(scores, strong, weak, share=0.5) for strong, weak in pairs) / len(pairs),
        sum(cpt(scores, strong, weak, share=0.8) for strong, weak in pairs) / len(pairs),
    )


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Sequence[float], Sequence[float]]]:
    """The scores on all rows of each strong model, beside those of each weak one."""
    strong = list(zip(*(row.strong for row in rows), strict=True))
    weak = list(zip(*(row.weak for row in rows), strict=True))
    return product(strong, weak)


def _scores(heads: Heads, rows: Sequence[Row]) -> Sequence[float]:
    return [_score(heads, row) for row in rows]


def _score(heads: Heads, row: Row) -> float:
    return heads[row.reading.kind].raw(row.reading)


def _keywords(row: Row) -> float:
    return float(len(_KEYWORDS.findall(row.question)))


def _shuffled(count: int, random: Random) -> Sequence[float]:
    return random.sample([float(number) for number in range(count)], count)
