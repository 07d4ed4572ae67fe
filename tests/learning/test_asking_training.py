"""What asks is learned from a few prompts, and the same prompts give the same bytes."""

from gateway.learning.asking_training import learn, rows_of
from gateway.learning.pasted import pool
from gateway.learning.task_rows import own_prompts
from gateway.llm.learned.asking import Part, packed, unpacked

PASTED = "the ferry leaves at nine, and the last one comes back at six. it takes an hour.\n\n" * 8


def test_a_question_is_told_from_what_is_pasted() -> None:
    asking = unpacked(packed(learn(rows_of(own_prompts()[::20], pool("learned")))))
    asked = "how do i merge two branches in git"
    text = f"{asked}\n\n{PASTED}"
    pasted = Part(len(text) - 80, len(text) - 2, "tail")
    assert asking.look(text, Part(0, len(asked), "head")).odds > asking.look(text, pasted).odds


def test_the_same_prompts_give_the_same_bytes() -> None:
    rows = rows_of(own_prompts()[::60], pool("learned"))
    assert any(row.asks for row in rows)
    assert not all(row.asks for row in rows)
    assert packed(learn(rows)) == packed(learn(rows))
