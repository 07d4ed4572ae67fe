"""Of a long text the part that asks is told from what was pasted around it."""

import pytest

from gateway.llm.learned.asked import (
    HEAD_CHARACTERS,
    TAIL_CHARACTERS,
    WHOLE_CHARACTERS,
    parted,
)

PROSE = "\n\n".join(
    [
        "The orchard was sold in the autumn. Its trees were older than anybody in the valley.",
        "Two brothers bought it, and nobody knew where they had the money from.",
        "In the first year they cut down the pears, and kept the apples. It was a mistake.",
        "The wells dried up. What was left of the fence went into the stove.",
    ]
    * 6
)
CODE = (
    "def total(rows):\n    kept = [row for row in rows if row.paid]\n    return len(kept)\n\n" * 30
)
LOG = "2026-05-01 10:14:02,118 ERROR [pool-3] could not reach 10.0.0.7:5432, again in 30 s\n" * 30
QUESTION = "how many bones does a grown cat have?"


@pytest.mark.parametrize("pasted", [PROSE, CODE, LOG])
@pytest.mark.parametrize(
    "asked",
    [
        QUESTION,
        "write a limerick about a lazy postman",
        "regex that matches a german postcode",
        "Wie viele Einwohner hat Island?",
        "写一首关于大海的诗",
    ],
)
def test_what_asks_is_found_before_and_behind_what_is_pasted(asked: str, pasted: str) -> None:
    assert parted(f"{asked}\n\n{pasted}").asked == asked
    assert parted(f"{pasted}\n\n{asked}").asked == asked


@pytest.mark.parametrize("pasted", [PROSE, CODE, LOG])
def test_a_question_in_the_middle_is_found(pasted: str) -> None:
    assert parted(f"{pasted}\n\n{QUESTION}\n\n{pasted}").asked == QUESTION


def test_a_question_on_the_first_line_is_found_without_an_empty_line() -> None:
    assert parted(f"why does this happen?\n{LOG}").asked == "why does this happen?"


def test_a_greeting_does_not_ask() -> None:
    assert QUESTION in parted(f"Hello!\n\n{QUESTION}\n\n{CODE}").asked
    assert QUESTION in parted(f"{CODE}\n\n{QUESTION}\n\nThank you").asked


def test_what_is_wanted_and_how_are_both_read() -> None:
    both = parted(
        f"Can you review this for me?\n\n{CODE}\n\nWhat would you do differently, and why?"
    )
    assert "review" in both.asked
    assert "differently" in both.asked
    assert "def total" in both.pasted


def test_a_short_text_asks_as_a_whole() -> None:
    text = f"{QUESTION}\n\n{PROSE}"
    assert parted(text[:HEAD_CHARACTERS]) == (text[:HEAD_CHARACTERS].strip(), "")
    assert parted(text[:WHOLE_CHARACTERS]).pasted == ""


def test_code_without_a_question_is_not_parted() -> None:
    assert parted(CODE).pasted == ""


def test_only_a_page_of_what_is_pasted_is_kept() -> None:
    parts = parted(f"{QUESTION}\n\n{PROSE * 500}")
    assert parts.asked == QUESTION
    assert len(parts.pasted) <= WHOLE_CHARACTERS + 1


@pytest.mark.parametrize("text", [CODE * 10, "😀" * 40_000, "\n" * 40_000, "a" * 1_700])
def test_of_a_text_that_is_not_parted_only_its_ends_are_kept(text: str) -> None:
    parts = parted(text)
    assert parts.pasted == ""
    assert len(parts.asked) <= HEAD_CHARACTERS + TAIL_CHARACTERS + 1
    assert parts.asked[-TAIL_CHARACTERS:] == text.strip()[-TAIL_CHARACTERS:]


@pytest.mark.parametrize(("before", "is_found"), [(100, True), (1_900, True), (1_000, False)])
def test_of_thousands_of_paragraphs_those_near_both_ends_are_searched(
    before: int, *, is_found: bool
) -> None:
    paragraphs = [f"{number:08}" for number in range(2_000)]
    text = "\n\n".join([*paragraphs[:before], QUESTION, *paragraphs[before:]])
    assert (parted(text).asked == QUESTION) is is_found
