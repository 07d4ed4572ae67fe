"""A text is read where something is asked, and in any script."""

import pytest

from gateway.llm.learned.reading import read, word_hashes


@pytest.mark.parametrize("kind", ["please {}", "Hi, {}", "{} thanks", "could you please {}"])
def test_kind_words_change_nothing_in_how_a_request_begins(kind: str) -> None:
    plain = "explain how a lock works"
    assert read(kind.format(plain)).openings == read(plain).openings


def test_the_paragraph_that_asks_is_near_and_other_words_are_far() -> None:
    further = "The minutes of the meeting were read and nobody objected to them. " * 12
    for text in (
        f"turn this into a limerick\n\n{further}",
        f"{further}\n\nturn this into a limerick",
    ):
        reading = read(text)
        assert "limerick" in reading.near
        assert "noun1 limerick" in reading.openings
        assert "objected" in reading.far or "objected" in reading.near


def test_of_much_pasted_text_only_the_kind_is_read() -> None:
    pasted = "The minutes of the meeting were read and nobody objected to them.\n\n" * 40
    for text in (f"turn this into a limerick\n\n{pasted}", f"{pasted}turn this into a limerick"):
        reading = read(text)
        assert reading.near == ["turn", "this", "into", "a", "limerick"]
        assert not reading.far
        assert "pasted prose this" in reading.signs
    assert "pasted code this" in read("fix this\n\n" + "x = f(y)\nif x:\n    g(x)\n\n" * 90).signs
    assert "pasted" not in read("turn this into a limerick").signs


def test_a_misspelt_word_shares_pieces_with_the_word() -> None:
    meant, typed = set(word_hashes("calculate")), set(word_hashes("calcualte"))
    other = set(word_hashes("friendship"))
    assert len(meant & typed) >= 3
    assert not meant & other


def test_scripts_without_spaces_are_read_by_their_signs() -> None:
    near = read("写一首关于猫的诗").near
    assert "诗" in near
    assert "写一" in near


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("```\nx = 1\n```", "code 1"),
        ("solve x^2 + 3x = 4", "formulas 2"),
        ("pick one: a) red b) blue c) green", "options"),
        ("what is it?", "asks 1"),
        ("it costs $40", "amount"),
        ("in 1848", "year"),
        ("in 300 words", "length asked for"),
        ("my mother", "self"),
    ],
)
def test_signs_tell_what_a_text_holds(text: str, sign: str) -> None:
    assert sign in read(text).signs
