"""Questions that strong and weak models answered, as rows to learn from."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from gateway.llm.strength_signs import Reading, read

STRONG = frozenset(
    {
        "gpt-4-1106-preview",
        "gemini-1.5-pro-002",
        "gemini-1.5-flash-002",
        "meta-llama-3_1-70b-instruct",
    }
)
SETS: Mapping[str, str] = {
    "GSM8K": "routing_gsm8k_dev.jsonl.gz",
    "MMLU": "routing_mmlu_dev.jsonl.gz",
    "MMLU-Pro": "routing_mmlupro_dev.jsonl.gz",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`strong` and `weak` hold the scores of models, each from 0 to 1, in one order per set."""

    question: str
    task: str
    reading: Reading
    strong: Sequence[float]
    weak: Sequence[float]

    @property
    def gain(self) -> float:
        return sum(self.strong) / len(self.strong) - sum(self.weak) / len(self.weak)

    @property
    def need(self) -> float:
        """The share of pairs of which the weak model fails and the strong one does not."""
        pairs = list(product(self.strong, self.weak))
        return sum(strong * (1 - weak) for strong, weak in pairs) / len(pairs)


def read_sets(folder: Path) -> Mapping[str, Sequence[Row]]:
    return {name: read_rows(folder / file) for name, file in SETS.items()}


def read_rows(file: Path) -> Sequence[Row]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [_row(json.loads(line)) for line in lines]


def _row(line: Mapping[str, object]) -> Row:
    question, scores = str(line["prompt"]), line["scores"]
    assert isinstance(scores, dict)
    return Row(
        question,
        str(line["task"]),
        read(question),
        strong=[float(scores[name]) for name in sorted(scores) if name in STRONG],
        weak=[float(scores[name]) for name in sorted(scores) if name not in STRONG],
    )
