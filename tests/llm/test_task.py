"""The classifier tells the task and the complexity of a prompt, quickly, and says by what."""

import time
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.task import LONG_CONTEXT_TOKENS, TASKS, band, classify
from tests.golden.prompts import HELD_OUT, TUNED, Prompt, prompts


def right(rows: Sequence[Prompt], *, by: str) -> float:
    hits: int = sum(getattr(classify(row.text), by) == getattr(row, by) for row in rows)
    return hits / len(rows)


def test_the_prompts_are_many_different_and_of_every_task() -> None:
    tuned, held_out = prompts(TUNED), prompts(HELD_OUT)
    texts = Counter(row.text for row in (*tuned, *held_out))
    assert len(tuned) >= 320
    assert len(held_out) >= 100
    assert texts.most_common(1)[0][1] == 1
    for rows in (tuned, held_out):
        assert {row.task for row in rows} == set(TASKS)


# `python -m tests.load.confusion` prints the tables; these floors are a little below them.
@pytest.mark.parametrize(("name", "tasks", "bands"), [(TUNED, 0.97, 0.78), (HELD_OUT, 0.84, 0.76)])
def test_most_prompts_get_their_task_and_their_band(name: str, tasks: float, bands: float) -> None:
    rows = prompts(name)
    assert right(rows, by="task") >= tasks
    assert right(rows, by="band") >= bands


def test_it_says_how_sure_it_is() -> None:
    plain = classify("write a short story about a robot who learns to paint")
    unclear = classify("the blue one or the other")
    assert 0 <= unclear.sureness < plain.sureness <= 1


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Write a 2,000 word article about bees", 2_000, 3_500),
        ("Summarise the French Revolution in one sentence", 10, 60),
        ("Is a tomato a fruit? Answer yes or no", 1, 20),
        ("List 10 ideas for a rainy afternoon with children", 150, 500),
        ("who painted the night watch", 10, 150),
    ],
)
def test_the_length_of_the_answer_is_what_the_text_asks_for(
    text: str, least: int, most: int
) -> None:
    assert least <= classify(text).output_tokens <= most


def test_a_long_text_is_long_context_but_a_long_program_is_a_program() -> None:
    minutes = "The chair noted that the figures of the previous year had been confirmed. " * 120
    program = "def load(path):\n    with open(path) as file:\n        return json.load(file)\n\n"
    assert classify(f"Which points were never settled?\n\n{minutes}").task == "long_context"
    assert classify(f"Write unit tests for this\n\n{program * 120}").task == "coding"


def test_it_says_which_words_decided() -> None:
    assert classify("write a haiku about my cat").because[0] == "“haiku”"
    assert "signs of code" in classify("x = f(y)\nfor i in range(3):\n    g(i)").because
    assert classify("hm").because


def test_the_size_of_the_request_makes_it_long_context_whatever_it_says() -> None:
    answer = classify("write a poem about this", input_tokens=LONG_CONTEXT_TOKENS)
    assert answer.task == "long_context"
    assert answer.because[0] == "about 16,000 tokens"
    assert classify("write a poem about this", input_tokens=500).task == "creative"


@pytest.mark.parametrize(
    "text",
    [
        "Wriet a short stroy about a robot",
        "WRITE A SHORT STORY ABOUT A ROBOT!!",
        "please, could you write a short storry about a robot? thanks",
    ],
)
def test_typos_case_and_politeness_change_nothing(text: str) -> None:
    assert classify(text).task == "creative"


@pytest.mark.parametrize(
    "pasted",
    [
        "The judge asked the clerk for the file and closed the session at noon. " * 60,
        "The clerk left. Who would open the door now?\n\nIt was noon, and it rained.\n\n" * 50,
        "10:14:02 WARN [pool-3] no answer from 10.0.0.7:5432, trying again in 30 s\n" * 40,
    ],
)
def test_pasted_text_seldom_hides_the_question(pasted: str) -> None:
    rows = [row for row in prompts(HELD_OUT) if row.task != "long_context" and len(row.text) < 300]
    before = [classify(f"{row.text}\n\n{pasted}").task == row.task for row in rows]
    behind = [classify(f"{pasted}\n\n{row.text}").task == row.task for row in rows]
    assert sum(before) >= 0.8 * len(rows)
    assert sum(behind) >= 0.8 * len(rows)


def test_what_this_means_is_told_by_what_is_pasted() -> None:
    program = (
        "def load(path):\n    with open(path) as file:\n        return json.load(file)\n\n" * 30
    )
    letter = "We thank you for your visit. The roof will be mended before the winter.\n\n" * 30
    for asked in ("explain this", "please improve this"):
        assert classify(f"{asked}\n\n{program}").task == "coding"
        assert classify(f"{asked}\n\n{letter}").task == "general"
    assert "what is pasted" in classify(f"explain this\n\n{program}").because


def test_the_words_that_decided_are_those_of_the_question() -> None:
    pasted = "In the kernel the driver calls the function with a pointer to the buffer.\n\n" * 40
    because = classify(f"{pasted}write a haiku about my cat").because
    assert because[0] == "“haiku”"
    assert not {"“kernel”", "“function”", "“pointer”"} & set(because)


def test_harder_requests_are_more_complex() -> None:
    simple = "What is a prime number?"
    harder = (
        "Prove rigorously that there are infinitely many primes, then generalise and discuss it"
    )
    assert classify(simple).complexity < classify(harder).complexity
    assert [band(value) for value in (0, 0.33, 0.34, 0.66, 0.67, 1)] == [
        *("low", "low", "medium", "medium", "high", "high")
    ]


@given(st.text())
def test_any_text_has_one_answer(text: str) -> None:
    answer = classify(text)
    assert answer == classify(text)
    assert answer.task in TASKS
    assert 0 <= answer.complexity <= 1
    assert 1 <= len(answer.because) <= 6


@pytest.mark.parametrize("piece", ["word ", "f(x) == [1]; ", "слово ", "词", "a", "\n", "((("])
def test_a_megabyte_takes_no_longer_than_a_page(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    classify("warm")
    times = []
    for _ in range(20):
        start = time.thread_time()
        classify(text)
        times.append(time.thread_time() - start)
    # A busy machine measures up to twice what a quiet one does; the promise is 1 ms.
    assert min(times) < 0.001
