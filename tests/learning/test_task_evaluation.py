"""The evaluation says how well the shipped model does, and a model that got worse fails here."""

from gateway.learning.task_edits import EDITS, edited
from gateway.learning.task_evaluation import (
    Contender,
    by_keywords,
    evaluate,
    rows_apart,
    score,
    sources_apart,
)
from gateway.learning.task_rows import Prompt, held_out_prompts, own_prompts
from gateway.llm.task import TASKS


def prompt(text: str, label: str, *accept: str, source: str = "a") -> Prompt:
    return Prompt(text, label, frozenset((label, *accept)), source)


def test_the_shipped_model_holds_its_promises_and_beats_rules_and_chance() -> None:
    learned, rules, chance = evaluate(None, sliced=180)
    assert learned.held_out.recall >= 0.85
    assert learned.held_out.lenient_recall >= 0.88
    assert learned.flip_rate <= 0.04
    assert all(score.recall >= 0.72 for score in learned.around.values())
    assert learned.about.recall >= 0.8 > rules.about.recall
    assert learned.held_out.recall > rules.held_out.recall + 0.3
    assert rules.held_out.recall > chance.held_out.recall
    # A busy machine measures several times what a quiet one does; the promise is 0.5 ms.
    assert learned.p50_ms < 2.5


def test_every_task_counts_the_same_and_accepted_tasks_are_right_leniently() -> None:
    rows = [
        prompt("one", "coding"),
        prompt("two", "coding"),
        prompt("three", "coding"),
        prompt("four", "quick", "general"),
    ]
    found = score(rows, ["coding", "coding", "coding", "general"])
    assert found.accuracy == 0.75
    assert found.recall == 0.5
    assert found.lenient_recall == 1.0
    assert found.confusion["quick", "general"] == 1


def test_folds_leave_out_whole_sources_or_every_row_once() -> None:
    rows = [prompt(str(number), "quick", source="ab"[number % 2]) for number in range(20)]
    assert sources_apart(rows) == [set(range(0, 20, 2)), set(range(1, 20, 2))]
    folds = rows_apart(rows)
    assert sorted(place for fold in folds for place in fold) == list(range(20))


def test_nothing_that_is_held_out_is_learned_from() -> None:
    learned = {one.text.casefold() for one in own_prompts()}
    assert not learned & {one.text.casefold() for one in held_out_prompts()}


def test_small_edits_are_small_and_always_the_same() -> None:
    text = "Which river flows through the old town of Prague?"
    for seed in range(40):
        assert edited(text, seed=seed) == edited(text, seed=seed)
        assert abs(len(edited(text, seed=seed)) - len(text)) <= 25
    assert len({edited(text, seed=seed) for seed in range(60)}) > len(EDITS)


def test_keyword_rules_answer_with_a_task() -> None:
    assert by_keywords("debug my code") == "coding"
    assert by_keywords("x" * 6_000) == "long_context"
    assert by_keywords("tea or coffee") in TASKS


def test_a_contender_says_what_was_left_out() -> None:
    learned: Contender = evaluate(None, sliced=12)[0]
    assert learned.unseen_rows is None
    assert learned.held_out.rows == 12
