"""A task, a complexity and a context, in the words that people and models use for them."""

import pytest

from gateway.errors import InvalidRequest
from gateway.llm.brief import brief_hints, brief_request
from gateway.llm.task import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_understood_by_its_name_however_it_is_written(task: str) -> None:
    for written in (task, task.upper(), task.replace("_", "-"), task.replace("_", " ")):
        assert brief_hints({"task_type": written}).task == task


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ("code review", "coding"),
        ("data-analysis", "research"),
        ("Creative Writing", "creative"),
        ("simple question", None),
        ("qa", "quick"),
        ("math", "complex"),
        ("summarization", "general"),
        ("auto", None),
        ("", None),
        ("zorgification", None),
    ],
)
def test_free_words_mean_a_task_or_leave_it_to_the_prompt(words: str, task: str | None) -> None:
    assert brief_hints({"task_type": words}).task == task


@pytest.mark.parametrize(
    ("said", "complexity"),
    [
        ("low", 0.2),
        ("Medium", 0.5),
        ("high", 0.85),
        (0, 0),
        (0.7, 0.7),
        ("0.7", 0.7),
        (None, None),
        ("auto", None),
    ],
)
def test_a_complexity_is_a_word_or_a_number(said: object, complexity: float | None) -> None:
    assert brief_hints({"complexity": said}).complexity == complexity


@pytest.mark.parametrize("said", ["huge", 1.5, -0.1, True, float("nan"), [1]])
def test_any_other_complexity_is_refused_with_what_it_takes(said: object) -> None:
    with pytest.raises(InvalidRequest, match="it takes low, medium, high, or a number from 0 to 1"):
        brief_hints({"complexity": said})


def test_a_context_is_whose_limits_apply_or_else_material_for_the_prompt() -> None:
    assert brief_hints({"context": " Work "}).context == "work"
    assert brief_request("Say it.", " Work ").messages[0].text == "Say it."
    assert brief_hints({"context": "We work on bridges."}).context is None
    [message] = brief_request("Say it.", "We work on bridges.").messages
    assert message.text == "Say it.\n\nMaterial for this:\n\nWe work on bridges."
