"""One ranker for all sources: what explains most of the question comes first."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.document import Entry
from gateway.documents.document_id import DocumentId
from gateway.documents.query import Mention, Query, Reading, Word
from gateway.documents.ranking import rank

PHRASES = {
    "price": ("price", "cost"),
    "book": ("order book", "bid and ask", "depth"),
    "spread": ("spread", "bid ask spread", "best price", "order book spread"),
    "profile": ("volume by price", "volume"),
    "report": ("report", "price report"),
}
PRIORS = {"price": 1.0, "report": 0.9, "book": 0.8, "spread": 0.5, "profile": 0.3}
FRUITS = ("apple", "pear")


class Fruits:
    def read(self, words: Sequence[Word]) -> Reading:
        places = [place for place, word in enumerate(words) if word.text in FRUITS]
        return Reading([Mention("fruit", words[one].text, one, one + 1) for one in places])


def entry(kind: str, fruit: str) -> Entry:
    document_id = DocumentId(f"{kind}:{fruit}", kind, {"fruit": fruit})
    return Entry(document_id, "", "", phrases=PHRASES[kind], prior=PRIORS[kind])


def offered(query: Query) -> list[Entry]:
    return [entry(kind, fruit) for kind in PHRASES for fruit in query.values("fruit")]


def found(question: str, *, limit: int = 10) -> list[str]:
    query = Query.read(question, [Fruits()])
    return [one.id.text for one in rank(offered(query), query, limit=limit)]


def test_the_kind_that_is_asked_for_comes_first() -> None:
    assert found("the order book of apple")[0] == "book:apple"
    assert found("what does an apple cost")[0] == "price:apple"


def test_a_question_without_a_kind_is_ordered_by_prior() -> None:
    kinds = [text.partition(":")[0] for text in found("apple")]
    assert kinds == ["price", "report", "book", "spread", "profile"]


def test_words_that_few_kinds_speak_of_say_more() -> None:
    assert found("price and spread of apple")[:2] == ["spread:apple", "price:apple"]


def test_a_longer_phrase_wins_among_equals() -> None:
    assert found("apple volume by price")[0] == "profile:apple"
    assert found("apple bids and asks")[0] == "book:apple"


def test_each_value_is_listed_before_a_second_kind() -> None:
    assert found("apple and pear order book")[:2] == ["book:apple", "book:pear"]


def test_each_kind_goes_with_the_value_of_its_own_clause() -> None:
    asked = "apple price and pear order book"
    assert set(found(asked)[:2]) == {"price:apple", "book:pear"}
    assert set(found("order book of pear, price of apple")[:2]) == {"price:apple", "book:pear"}


def test_no_more_than_the_limit_are_listed() -> None:
    assert len(found("apple and pear price report", limit=3)) == 3
    assert found("", limit=3) == []


WORDS = st.sampled_from("apple pear price order book bid and ask volume by spread of x ,".split())


@given(st.lists(WORDS, max_size=30).map(" ".join), st.randoms(use_true_random=False))
def test_the_order_in_which_entries_are_offered_does_not_matter(
    question: str, chance: random.Random
) -> None:
    query = Query.read(question, [Fruits()])
    entries = offered(query)
    shuffled = [*entries, *entries[:2]]
    chance.shuffle(shuffled)
    ranked = rank(shuffled, query, limit=100)
    assert [one.id.text for one in ranked] == found(question, limit=100)
    assert len({one.id.text for one in ranked}) == len(ranked) == len(entries)
