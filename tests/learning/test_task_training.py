"""Learning from a few prompts tells others of their kind, and gives the same bytes each time."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.learning.task_rows import Prompt, development_prompts, own_prompts, rows_of
from gateway.learning.task_training import learn, trained
from gateway.llm.learned.reading import read
from gateway.llm.learned.weights import LEARNED_TASKS, packed


def few(prompts: Sequence[Prompt], each: int) -> list[Prompt]:
    chosen: list[Prompt] = []
    for task in LEARNED_TASKS:
        chosen += [one for one in prompts if one.label == task][:each]
    return chosen


def test_the_prompts_are_of_every_task_and_none_is_there_twice() -> None:
    prompts = own_prompts()
    for task in LEARNED_TASKS:
        assert sum(one.label == task for one in prompts) >= 300
    assert len({one.text for one in prompts}) > 0.99 * len(prompts)


def test_a_model_tells_prompts_that_it_did_not_learn() -> None:
    weights = trained(rows_of(few(own_prompts(), 60), with_edits=False, with_referring=False))
    for text, task in (
        ("write a poem about the sea", "creative"),
        ("how do i merge two dictionaries in python", "coding"),
        ("who wrote the magic flute", "quick"),
    ):
        scores = weights.scores(read(text))
        assert LEARNED_TASKS[max(range(len(scores)), key=scores.__getitem__)] == task


def test_the_same_prompts_give_the_same_bytes() -> None:
    rows = rows_of(few(own_prompts(), 10), with_referring=False)
    assert packed(learn(rows)) == packed(learn(rows))


def test_every_task_weighs_the_same_however_many_prompts_it_has() -> None:
    prompts = [*few(own_prompts(), 5), *own_prompts()[:200]]
    rows = rows_of(prompts, with_edits=False, with_referring=False)[: len(prompts)]
    weights = {
        task: sum(row.weight for one, row in zip(prompts, rows, strict=True) if one.label == task)
        for task in LEARNED_TASKS
    }
    assert max(weights.values()) == pytest.approx(min(weights.values()))


def test_development_data_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        development_prompts(tmp_path)
    line = {"prompt": "hi", "label": "general", "accept": ["quick"], "source": "s"}
    with gzip.open(tmp_path / "task_dev.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(line))
    assert development_prompts(tmp_path)[0].accept == {"general", "quick"}
