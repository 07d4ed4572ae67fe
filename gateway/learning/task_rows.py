"""Labelled prompts as rows to learn from: the development data, the project's own, and words."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import yaml

from gateway.learning.pasted import PLACES, around, pool, referring
from gateway.learning.task_edits import edited
from gateway.llm.learned.reading import Reading, read, read_words
from gateway.llm.learned.weights import LEARNED_TASKS

DEVELOPMENT_FILE = "task_dev.jsonl.gz"
HELD_OUT_FILE = "held_out.jsonl"
# Rows of one source resemble each other, so each further one says less.
SOURCE_POWER = 0.0
# The project's own prompts are the nearest to what people type.
OWN_SHARE, EDITED_SHARE = 0.2, 0.4
# What a prompt counts with pasted text around it, and a question about pasted text.
PASTED_SHARE, REFERRING_SHARE = 0.4, 0.1
# How much all words of the seed count beside all prompts, and how sure each of them is.
SEED_SHARE = 0.05
SURENESS: Mapping[float, float] = {1.0: 0.45, 1.5: 0.55, 2.0: 0.7, 3.0: 0.85}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A labelled prompt; `accept` are the tasks that would be right as well."""

    text: str
    label: str
    accept: frozenset[str]
    source: str
    language: str = "en"
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What is learned from: a reading, the chance of each task, and how much it counts."""

    reading: Reading
    target: Sequence[float]
    weight: float


def development_prompts(data: Path) -> Sequence[Prompt]:
    """All rows of the development data, those of long texts too.

    Raises:
        FileNotFoundError: the folder does not hold them.
    """
    with gzip.open(data / DEVELOPMENT_FILE, "rt", encoding="utf-8") as lines:
        return [_prompt(json.loads(line)) for line in lines]


def own_prompts() -> Sequence[Prompt]:
    """All but the held out ones, and those that somebody else wrote in the same words."""
    folder = files(__package__) / "prompts"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".jsonl"))
    held_out = {_plain(one.text) for one in held_out_prompts()}
    return [
        one
        for name in names
        if name != HELD_OUT_FILE
        for one in _own_file(name)
        if _plain(one.text) not in held_out
    ]


def held_out_prompts() -> Sequence[Prompt]:
    return _own_file(HELD_OUT_FILE)


def rows_of(
    prompts: Sequence[Prompt], *, with_edits: bool = True, with_referring: bool = True
) -> Sequence[Row]:
    """Weighed so that every task counts the same, and no source becomes a task.

    Long texts are told by their size alone, so they are no rows. Questions that refer to what is
    pasted beside them are learned whatever the prompts are.
    """
    prompts = [one for one in prompts if one.label in LEARNED_TASKS]
    rows = [
        Row(reading_of(one.text), _target(one), weight)
        for one, weight in zip(prompts, _weights(prompts), strict=True)
    ]
    if with_edits:
        rows += [*_edited_rows(prompts, rows), *_pasted_rows(prompts)]
    if with_referring:
        rows += [
            Row(reading_of(text), _chances({task: 1.0}), REFERRING_SHARE)
            for text, task in referring("learned")
        ]
    return rows + seed_rows(total=SEED_SHARE * sum(row.weight for row in rows))


def _edited_rows(prompts: Sequence[Prompt], rows: Sequence[Row]) -> Sequence[Row]:
    return [
        replace(
            row,
            reading=reading_of(edited(one.text, seed=number)),
            weight=row.weight * EDITED_SHARE,
        )
        for number, (one, row) in enumerate(zip(prompts, rows, strict=True))
    ]


def _pasted_rows(prompts: Sequence[Prompt]) -> Sequence[Row]:
    return [
        Row(reading_of(_with_pasted(one.text, number)), _target(one), PASTED_SHARE)
        for number, one in enumerate(prompts)
    ]


def seed_rows(*, total: float) -> list[Row]:
    """Each word or phrase of the seed as a row, once alone and once as if typed."""
    seed: dict[str, dict[float, str]] = yaml.safe_load(
        (files(__package__) / "task_seed.yaml").read_text("utf-8")
    )
    known: dict[str, tuple[str, float]] = {}
    for task, by_weight in seed.items():
        for weight, text in by_weight.items():
            for entry in text.split():
                if weight > known.get(entry, ("", 0))[1]:
                    known[entry] = task, weight
    return [
        Row(
            of(entry.rstrip("*_").replace("_", " ")),
            _chances({task: SURENESS[weight]}),
            total / len(known) / 2,
        )
        for entry, (task, weight) in known.items()
        for of in (read_words, reading_of)
    ]


def _with_pasted(text: str, number: int) -> str:
    """Behind, before or between other text, as people paste it."""
    place = PLACES[number % len(PLACES)]
    return around(text, pool("learned"), place=place, chance=Random(number)).text


@cache
def reading_of(text: str) -> Reading:
    """Remembered, since each fold of an evaluation reads the same prompts."""
    return read(text)


def _weights(prompts: Sequence[Prompt]) -> Sequence[float]:
    """Each task weighs the same in all; the mean is one."""
    counted = Counter((one.source, one.label) for one in prompts)
    raw = [
        counted[one.source, one.label] ** SOURCE_POWER * (OWN_SHARE if one.is_own else 1.0)
        for one in prompts
    ]
    totals: dict[str, float] = {}
    for one, weight in zip(prompts, raw, strict=True):
        totals[one.label] = totals.get(one.label, 0.0) + weight
    each = len(prompts) / len(totals)
    return [each * weight / totals[one.label] for one, weight in zip(prompts, raw, strict=True)]


def _target(prompt: Prompt) -> Sequence[float]:
    return _chances({prompt.label: 1.0})


def _chances(known: Mapping[str, float]) -> Sequence[float]:
    """The tasks that are not named share the rest."""
    rest = (1 - sum(known.values())) / (len(LEARNED_TASKS) - len(known))
    return [known.get(task, rest) for task in LEARNED_TASKS]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _own_file(name: str) -> list[Prompt]:
    text = (files(__package__) / "prompts" / name).read_text("utf-8")
    lines: Iterable[dict[str, Any]] = (json.loads(line) for line in text.splitlines() if line)
    return [
        replace(_prompt({**line, "source": name.removesuffix(".jsonl")}), is_own=True)
        for line in lines
    ]


def _prompt(line: Mapping[str, Any]) -> Prompt:
    return Prompt(
        line["prompt"],
        line["label"],
        frozenset((line["label"], *line["accept"])),
        line["source"],
        language=line.get("language", "en"),
    )
