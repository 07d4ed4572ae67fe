"""The words that tell a task, folded and indexed so that a text is looked up in one pass."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

SHORTEST_STEM = 3
# Shorter words have too many others one letter away.
LONGEST_MISSPELT = 20
SHORTEST_MISSPELT, SHORTEST_WITH_A_LETTER_MISSING = 5, 7

_WORD = re.compile(r"c\+\+|[cf]#|d&d|[^\W_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UNSPACED_RUN = re.compile(rf"{_UNSPACED.pattern}+")
_PLAIN_LETTERS = str.maketrans("ıłøđ", "ilod")

# What a word is for, such as a task, and how much it counts.
Meanings = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Found:
    """A word or phrase of the lexicon, the place of its first word, and what it means."""

    text: str
    place: int
    meanings: Meanings


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All words by their kind of match.

    `sizes` are those of the phrases that begin with a word, `lengths` those of the stems that
    begin with some letters, both the longest first. `misspelt` leads from a word less a letter
    to the word.
    """

    exact: Mapping[str, Meanings]
    stems: Mapping[str, Meanings]
    unspaced: Mapping[str, Meanings]
    sizes: Mapping[str, Sequence[int]]
    lengths: Mapping[str, Sequence[int]]
    misspelt: Mapping[str, str]

    def find(self, text: str, words: Sequence[str], *, mended: int) -> list[Found]:
        """Each word or phrase once, at its first place; the longest phrase wins.

        Of the first `mended` words those that are misspelt are known too.
        """
        found: dict[str, Found] = {}
        place = 0
        while place < len(words):
            phrase, size, meanings = self._longest(words, place, mend=place < mended)
            if meanings and phrase not in found:
                found[phrase] = Found(phrase, place, meanings)
            place += size
        if not text.isascii() and _UNSPACED.search(text):
            for phrase, meanings in self.unspaced.items():
                if phrase in text:
                    found[phrase] = Found(phrase, 0, meanings)
        return list(found.values())

    def _longest(
        self, words: Sequence[str], place: int, *, mend: bool
    ) -> tuple[str, int, Meanings | None]:
        word = words[place]
        for size in self.sizes.get(word, ()):
            if place + size > len(words):
                continue
            phrase = " ".join(words[place : place + size])
            meanings = self.exact.get(phrase)
            if meanings is None and size == 2:
                meanings = self._stem(phrase, shortest=len(word) + 2)
            if meanings:
                return phrase, size, meanings
        meanings = self.exact.get(word) or self._stem(word, shortest=SHORTEST_STEM)
        if meanings is None and mend and SHORTEST_MISSPELT <= len(word) <= LONGEST_MISSPELT:
            meant = self._meant(word)
            return (word, 1, None) if meant is None else (meant, 1, self.exact[meant])
        return word, 1, meanings

    def _stem(self, text: str, *, shortest: int) -> Meanings | None:
        for length in self.lengths.get(text[:SHORTEST_STEM], ()):
            if length >= shortest and (meanings := self.stems.get(text[:length])):
                return meanings
        return None

    def _meant(self, word: str) -> str | None:
        """The word that this one is with a letter missing, a letter too many, or two swapped.

        A wrong letter makes another word too often: `string` and `spring`.
        """
        if meant := self.misspelt.get(word):
            return meant
        others = (*_less_a_letter(word), *_with_two_swapped(word))
        return next(
            (one for one in others if len(one) >= SHORTEST_MISSPELT and one in self.exact), None
        )


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    seed: dict[str, dict[int, str]] = yaml.safe_load(
        (files(__package__) / "task_words.yaml").read_text("utf-8")
    )
    exact: dict[str, dict[str, float]] = {}
    stems: dict[str, dict[str, float]] = {}
    unspaced: dict[str, dict[str, float]] = {}
    for kind, by_weight in seed.items():
        for weight, text in by_weight.items():
            for entry in text.split():
                phrase = fold(entry.rstrip("*_").replace("_", " "))
                bag = stems if entry.endswith("*") else exact
                if _UNSPACED.search(phrase):
                    bag = unspaced
                elif bag is exact:
                    phrase = " ".join(split(phrase))
                bag.setdefault(phrase, {})[kind] = float(weight)
    for word, meanings in exact.items():
        for end in range(len(word), SHORTEST_STEM - 1, -1):
            # A word keeps what its stem means beside what it means itself.
            for kind, known in stems.get(word[:end], {}).items():
                meanings.setdefault(kind, known)
    return Lexicon(
        exact,
        stems,
        unspaced,
        sizes=_largest_first(
            (phrase.split(" ")[0], phrase.count(" ") + 1)
            for phrase in (*exact, *stems)
            if " " in phrase
        ),
        lengths=_largest_first((stem[:SHORTEST_STEM], len(stem)) for stem in stems),
        misspelt=_misspelt(exact),
    )


def _largest_first(pairs: Iterable[tuple[str, int]]) -> Mapping[str, Sequence[int]]:
    numbers: dict[str, set[int]] = {}
    for key, number in pairs:
        numbers.setdefault(key, set()).add(number)
    return {key: sorted(found, reverse=True) for key, found in numbers.items()}


def fold(text: str) -> str:
    """Lower case, without accents."""
    text = text.casefold().translate(_PLAIN_LETTERS)
    if text.isascii():
        return text
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text)
        # Kana differ by these marks, as letters do.
        if not unicodedata.combining(letter) or letter in "\u3099\u309a"
    )
    return unicodedata.normalize("NFC", plain)


def split(folded: str) -> list[str]:
    if not folded.isascii():
        # Words of other scripts stand in these without a space: `请用Java实现`.
        folded = _UNSPACED_RUN.sub(" ", folded)
    return _WORD.findall(folded)


def unspaced_letters(text: str) -> int:
    """How many letters are of scripts that write no spaces."""
    return 0 if text.isascii() else len(_UNSPACED.findall(text))


def _misspelt(exact: Mapping[str, Any]) -> Mapping[str, str]:
    words = [
        word for word in exact if word.isalpha() and len(word) >= SHORTEST_WITH_A_LETTER_MISSING
    ]
    return {shorter: word for word in words for shorter in _less_a_letter(word)}


def _less_a_letter(word: str) -> Iterable[str]:
    # The first letter is seldom mistyped, and changes the word most.
    return (word[:place] + word[place + 1 :] for place in range(1, len(word)))


def _with_two_swapped(word: str) -> Iterable[str]:
    return (
        word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        for place in range(1, len(word) - 1)
    )
