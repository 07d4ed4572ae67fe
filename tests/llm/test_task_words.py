"""Texts are compared without case and accents, and parted into words in any script."""

import unicodedata

import pytest

from gateway.llm.task_words import fold, split


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Écris-moi un POÈME", "ecris-moi un poeme"),
        ("Straße, señor, Ærø", "strasse, senor, æro"),
        ("½ of it, ² and µ", "1\u20442 of it, 2 and μ"),
        ("Łódź, İzmir", "lodz, izmir"),
        ("Ёлка и й", "елка и и"),
        ("ばば", "ばば"),
    ],
)
def test_folded_text_is_lower_case_and_without_accents(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(unicodedata.normalize("NFD", text)) == folded


def test_quotes_and_dashes_of_print_are_read_as_plain_ones() -> None:
    assert fold("It\u2019s a \u201ctest\u201d \u2014 of it").isascii()


@pytest.mark.parametrize(
    ("folded", "words"),
    [
        ("write c++ and c#, not c+", ["write", "c++", "and", "c#", "not", "c"]),
        ("请用java实现", ["java"]),
        ("что такое_год 5", ["что", "такое", "год", "5"]),
        ("one_two d&d 3.5", ["one", "two", "d&d", "3", "5"]),
    ],
)
def test_words_are_letters_and_digits_and_the_few_names_with_signs(
    folded: str, words: list[str]
) -> None:
    assert split(folded) == words
