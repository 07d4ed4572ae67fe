"""Prompts are put into pasted text as people do it, always in the same way."""

from random import Random

from gateway.learning.pasted import PLACES, Half, around, pool, referring


def test_a_prompt_stands_where_it_is_said_to() -> None:
    for number in range(60):
        place = PLACES[number % 3]
        one = around("who asks?", pool("learned"), place=place, chance=Random(number))
        assert one.text.count("who asks?") == 1
        assert one.text.startswith("who asks?") == (place == "head")
        assert one.text.endswith("who asks?") == (place == "tail")
        assert 500 <= len(one.text) <= 8_000


def test_the_same_chance_gives_the_same_text() -> None:
    one, again = (
        around("who?", pool("held_out"), place="tail", chance=Random(5)) for _ in range(2)
    )
    assert one == again


def test_nothing_is_measured_by_what_was_learned_from() -> None:
    learned = {text for texts in pool("learned").values() for text in texts}
    held_out = {text for texts in pool("held_out").values() for text in texts}
    assert not learned & held_out
    assert not _asked("learned") & _asked("held_out")


def _asked(half: Half) -> set[str]:
    return {text for text, _ in referring(half)}


def test_what_is_meant_by_this_stands_beside_it() -> None:
    rows = referring("learned")
    assert {task for _, task in rows} == {"coding", "general", "creative"}
    assert all(len(text) > 500 for text, _ in rows)
