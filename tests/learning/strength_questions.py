"""Small sets of made-up questions, of which some kinds need a strong model."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from gateway.learning.strength_rows import SETS

TOPICS = {"law": 0.75, "trivia": 0.1, "physics": 0.4}


def write_sets(folder: Path, *, rows: int = 400) -> None:
    random = Random(1)
    makers = {"GSM8K": _sums, "MMLU": _few_options, "MMLU-Pro": _many_options}
    for name, file in SETS.items():
        with gzip.open(folder / file, "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in makers[name](rows, random))


def _sums(rows: int, random: Random) -> Iterator[dict[str, object]]:
    """The more steps a sum takes, the sooner the weak model fails."""
    for number in range(rows):
        steps = random.randint(1, 8)
        bought = ", and then twice as many each day".join(["Mia buys 3 apples"] * steps)
        weak = float(random.random() > steps / 9)
        yield _row(number, f"{bought}. How many are left?", "gsm8k", (1.0, weak))


def _few_options(rows: int, random: Random) -> Iterator[dict[str, object]]:
    return _options(rows, random, letters="ABCD")


def _many_options(rows: int, random: Random) -> Iterator[dict[str, object]]:
    return _options(rows, random, letters="ABCDEFGHIJ")


def _options(rows: int, random: Random, *, letters: str) -> Iterator[dict[str, object]]:
    for number in range(rows):
        topic = random.choice(sorted(TOPICS))
        options = "\n".join(f"{letter}. answer {random.randint(1, 99)}" for letter in letters)
        question = f"Which of these is true of {topic} number {number}?\n{options}\nAnswer:"
        weak = float(random.random() > TOPICS[topic])
        yield _row(number, question, f"mmlu_{topic}", (1.0, weak))


def _row(number: int, prompt: str, task: str, scores: tuple[float, float]) -> dict[str, object]:
    models = dict(zip(("gpt-4-1106-preview", "mixtral-8x7b"), scores, strict=True))
    return {"id": f"{task}-{number}", "prompt": prompt, "task": task, "scores": models}
