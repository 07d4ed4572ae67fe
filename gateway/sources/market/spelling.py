"""Mends words of a question that are a market word misspelt, or another form of one."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from rapidfuzz import process
from rapidfuzz.distance import OSA

MIN_LETTERS = 5
MAX_LETTERS = 24
MIN_STEM_LETTERS = 4
# From the longest to the shortest, so that `manipulations` loses all of its ending.
_ENDINGS = re.compile(
    r"(?:ations?|ating|ated?|ators?|ions?|ings?|ers?|ors?|ity|ive|ness|ed|ly|en|es|e|y)$"
)


class Spelling:
    """Leads from a word of a question to the word that the phrases of the market use.

    A word that is known, be it a market word or an every-day one, stays what it is.
    """

    def __init__(
        self, market_words: Iterable[str], known_words: Iterable[str], *, phrases: Iterable[str]
    ) -> None:
        words = sorted({word for word in market_words if len(word) >= MIN_LETTERS})
        self._known = frozenset(known_words) | frozenset(words)
        self._by_letter = {first: list(same) for first, same in groupby(words, itemgetter(0))}
        self._by_joined = {phrase.replace(" ", ""): phrase for phrase in phrases if " " in phrase}
        by_stem = {_stem(word): word for word in reversed(words)}
        self._by_stem = {
            stem: word for stem, word in by_stem.items() if len(stem) >= MIN_STEM_LETTERS
        }
        self.mend = lru_cache(maxsize=4_096)(self._mend)

    def _mend(self, word: str) -> str:
        is_mendable = MIN_LETTERS <= len(word) <= MAX_LETTERS and word.isalpha()
        if not is_mendable or word in self._known:
            return word
        as_is = self._by_joined.get(word) or self._by_stem.get(_stem(word))
        return as_is or self._nearest(word) or word

    def _nearest(self, word: str) -> str | None:
        # The first letter is hardly ever mistyped, and asking for it keeps other words out.
        alike = self._by_letter.get(word[0], [])
        found = process.extractOne(word, alike, scorer=OSA.distance, score_cutoff=1)
        return found[0] if found else None


def _stem(word: str) -> str:
    return _ENDINGS.sub("", word)
