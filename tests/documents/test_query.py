"""A question, read once: its words, its phrases, its clauses."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.query import (
    MAX_CHARACTERS,
    Mention,
    Query,
    Reading,
    Word,
    fold,
    fold_phrase,
    split,
    without_fillers,
)

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=1_500)


class Colours:
    """Knows two colours, and that one of them is often misspelt."""

    def read(self, words: Sequence[Word]) -> Reading:
        mended = tuple(
            Word(word.raw, "green" if word.text == "gren" else word.text, word.gap)
            for word in words
        )
        named = [place for place, word in enumerate(mended) if word.text in ("red", "green")]
        mentions = [Mention("colour", mended[place].text, place, place + 1) for place in named]
        return Reading(mentions, words=mended)


class Greens:
    def read(self, words: Sequence[Word]) -> Reading:
        return Reading(hints=[f"{sum(word.text == 'green' for word in words)} green"])


def texts(question: str) -> list[str]:
    return [word.text for word in split(question)]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What's Bitcoin's price?", ["what", "bitcoin", "price"]),
        ("Bitcoin'in fiyat\N{LATIN SMALL LETTER DOTLESS I}", ["bitcoin", "fiyati"]),
        ("prix de l'ethereum", ["prix", "de", "ethereum"]),
        ("carnet d\N{RIGHT SINGLE QUOTATION MARK}ordres", ["carnet", "ordre"]),
        ("Anomalies, candles & liquidity", ["anomaly", "candle", "liquidity"]),
        ("précio médio", ["precio", "medio"]),
        ("Käufer und Größe", ["kaufer", "und", "grosse"]),
        ("btc/usdt sol_eur", ["btc", "usdt", "sol", "eur"]),
        ("fetch.ai", ["fetch.ai"]),
        ("1 ₿ in €", ["1", "bitcoin", "in", "euro"]),
        ("!!! \x00 \N{ROCKET}", []),
    ],
)
def test_a_text_is_split_into_folded_words(question: str, words: list[str]) -> None:
    assert texts(question) == words


def test_a_word_knows_what_stands_before_it() -> None:
    sol, usdc, link = split("sol/usdc $LINK")
    assert (sol.is_glued, usdc.is_glued, link.is_glued) == (False, True, False)
    assert (usdc.has_dollar, link.has_dollar) == (False, True)


def test_a_phrase_is_found_with_fillers_and_named_values_between_its_words() -> None:
    query = Query.read("health of the red order book", [Colours()])
    assert set(query.phrases["order book"]) == {4, 5}
    assert set(query.phrases["health order book"]) == {0, 4, 5}
    assert "of order" not in query.phrases


def test_a_phrase_loses_its_fillers_as_the_question_does() -> None:
    phrase = without_fillers("time and sale")
    assert phrase == "time sale"
    assert phrase in Query.read("time & sales").phrases


def test_an_and_begins_a_clause_unless_it_lists_values() -> None:
    assert Query.read("red and green price", [Colours()]).clauses == (0, 0, 0, 0)
    assert Query.read("red price and green book", [Colours()]).clauses == (0, 0, 1, 1, 1)
    assert Query.read("red price, green book", [Colours()]).clauses == (0, 0, 1, 1)


def test_lexicons_read_what_the_one_before_them_mended() -> None:
    query = Query.read("gren price", [Colours(), Greens()])
    assert query.values("colour") == ("green",)
    assert query.hints == ("1 green",)
    assert "green price" in query.phrases
    assert query.words[0].raw == "gren"


def test_values_come_in_the_order_of_the_question_and_once() -> None:
    query = Query.read("green, red and green", [Colours()])
    assert query.values("colour") == ("green", "red")
    assert query.places("colour", "green") == {0, 3}
    assert query.places("colour", "blue") == frozenset()


@given(ANY_TEXT)
def test_any_text_is_read_the_same_each_time(text: str) -> None:
    query = Query.read(text, [Colours(), Greens()])
    assert query == Query.read(text, [Colours(), Greens()])
    assert query.phrases == Query.read(text, [Colours(), Greens()]).phrases
    assert all(len(query.words) > place for where in query.phrases.values() for place in where)
    assert len(query.clauses) == len(query.words)


@pytest.mark.parametrize(
    "text",
    ["a" * 10_000, "a " * 5_000, "\N{ROCKET}" * 10_000, "\u202eprice \u0627" * 1_500, "'" * 10_000,
     "\x00\x1b[31m" * 2_000, "l'" * 5_000, "ﷺ" * 10_000],
)  # fmt: skip
def test_a_long_text_is_read_in_bounds(text: str) -> None:
    query = Query.read(text, [Colours()])
    assert len(query.words) <= MAX_CHARACTERS
    assert query.text == text


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(word: str) -> None:
    assert fold(fold(word)) == fold(word)


@given(ANY_TEXT)
def test_folding_a_phrase_twice_is_folding_it_once(phrase: str) -> None:
    assert fold_phrase(fold_phrase(phrase)) == fold_phrase(phrase)
