"""Learning which part of a long text asks, from prompts with pasted text around them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.learning.pasted import PLACES, Around, Pool, around, pool
from gateway.learning.task_edits import edited
from gateway.learning.task_regression import Cells, fit
from gateway.learning.task_rows import Prompt, development_prompts, own_prompts
from gateway.llm.learned.asked import MOST_ASKED, parts_at_ends, parts_between
from gateway.llm.learned.asking import Part, packed, shares
from gateway.llm.learned.weights import LEARNED_TASKS

PENALTY, STEPS, LEAST_ROWS = 0.3, 80, 3
MOST_CHARACTERS = 5_000
EDITED_SHARE = 0.3
# Of the paragraphs between which ask nothing, so many of each text.
MOST_BETWEEN = 3

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PartRow:
    """What is learned from: the shares of a part's words and signs, and whether it asks."""

    shares: Mapping[str, float]
    asks: bool


def build(data: Path, target: Path, *, progress: Progress) -> int:
    """Learn from the prompts of `data` and the project's, write `target`, and say its bytes.

    The same prompts give the same bytes.

    Raises:
        FileNotFoundError: `data` does not hold the development data.
        InvalidRequest: what learning needs is not installed.
    """
    prompts = [*development_prompts(data), *own_prompts()]
    rows = rows_of(prompts, {**pool("learned"), "long": long_texts(prompts)})
    progress(f"learning which part asks from {len(rows):,} parts of texts")
    file = packed(learn(rows))
    target.write_bytes(file)
    return len(file)


def long_texts(prompts: Sequence[Prompt]) -> Sequence[str]:
    return [one.text for one in prompts if one.label not in LEARNED_TASKS]


def rows_of(prompts: Sequence[Prompt], pasted: Pool) -> Sequence[PartRow]:
    """The parts of each prompt with other text around it; only short prompts ask as a whole."""
    short = [one for one in prompts if one.label in LEARNED_TASKS and len(one.text) <= MOST_ASKED]
    return [row for number, one in enumerate(short) for row in _rows(one.text, pasted, number)]


def learn(rows: Sequence[PartRow]) -> Mapping[str, float]:
    """The weights of all names that several rows have."""
    seen = Counter(name for row in rows for name in row.shares)
    names = sorted(name for name, count in seen.items() if count >= LEAST_ROWS)
    column = {name: number for number, name in enumerate(names)}
    columns: list[int] = []
    values: list[float] = []
    ends = []
    for row in rows:
        known = [name for name in row.shares if name in column]
        columns += [column[name] for name in known]
        values += [row.shares[name] for name in known]
        ends.append(len(columns))
    rests, asks = fit(
        Cells(columns, values, ends),
        [(0.0, 1.0) if row.asks else (1.0, 0.0) for row in rows],
        [1.0] * len(rows),
        penalty=PENALTY,
        steps=STEPS,
    )
    return {name: asks[at] - rests[at] for name, at in column.items()}


def _rows(prompt: str, pasted: Pool, number: int) -> Iterator[PartRow]:
    chance, place = Random(number), PLACES[number % len(PLACES)]
    asked = edited(prompt, seed=number) if chance.random() < EDITED_SHARE else prompt
    one = around(asked, pasted, place=place, chance=chance, most=MOST_CHARACTERS)
    between = list(parts_between(one.text))
    chance.shuffle(between)
    others = [part for part in between if not _asks(one, part)][:MOST_BETWEEN]
    for part in (
        *parts_at_ends(one.text),
        *filter(lambda part: _asks(one, part), between),
        *others,
    ):
        asks = _asks(one, part)
        if asks is not None:
            yield PartRow(_summed(one.text, part), asks)


def _asks(one: Around, part: Part) -> bool | None:
    """None where a part is some of what is asked, or more than that."""
    if one.text[part.start : part.end].strip() == one.asked:
        return True
    start = one.text.find(one.asked)
    is_apart = part.end <= start or part.start >= start + len(one.asked)
    return False if is_apart else None


def _summed(text: str, part: Part) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, share in shares(text, part):
        found[name] = found.get(name, 0.0) + share
    return found
