"""How well the classifier tells tasks apart, and how fast, on the labelled prompts.

uv run python -m tests.load.confusion               both tables
uv run python -m tests.load.confusion --misses      and each prompt of the tuned part it misses
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from gateway.llm.task import TASKS, classify
from tests.golden.prompts import HELD_OUT, TUNED, Prompt, prompts

ROUNDS = 20
console = Console(width=120)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--misses", action="store_true")
    misses = reader.parse_args().misses
    for name in (TUNED, HELD_OUT):
        rows = prompts(name)
        show(name, rows)
        if misses and name == TUNED:
            show_misses(rows)
    show_times([row.text for row in prompts(TUNED)])
    show_times(["word " * 200_000, "x = [1]\n" * 130_000, "слово " * 170_000])


def show(name: str, rows: Sequence[Prompt]) -> None:
    answers = [(row, classify(row.text)) for row in rows]
    counted = Counter((row.task, answer.task) for row, answer in answers)
    table = Table("task \\ said", *TASKS, "recall", title=name)
    recalls = []
    for task in TASKS:
        total = sum(counted[task, said] for said in TASKS)
        recalls.append(counted[task, task] / total)
        table.add_row(
            task, *(str(counted[task, said] or "·") for said in TASKS), f"{recalls[-1]:.2f}"
        )
    console.print(table)
    right = sum(counted[task, task] for task in TASKS) / len(rows)
    bands = sum(row.band == answer.band for row, answer in answers) / len(rows)
    recall = sum(recalls) / len(recalls)
    console.print(
        f"{len(rows)} prompts: task {right:.1%}, macro recall {recall:.3f}, band {bands:.1%}\n"
    )


def show_misses(rows: Sequence[Prompt]) -> None:
    for row in rows:
        answer = classify(row.text)
        if answer.task != row.task:
            console.print(row.task, "→", answer.task, repr(row.text[:100]), answer.because)


def show_times(texts: Sequence[str]) -> None:
    classify("warm")
    times = []
    for _ in range(ROUNDS):
        for text in texts:
            start = time.perf_counter()
            classify(text)
            times.append((time.perf_counter() - start) * 1000)
    times.sort()
    console.print(
        f"{len(texts)} texts of up to {max(map(len, texts)):,} characters: "
        f"p50 {times[len(times) // 2]:.3f} ms, p99 {times[int(len(times) * 0.99)]:.3f} ms"
    )


if __name__ == "__main__":
    main()
