"""Words as texts are compared by them, and those that make a request harder or easier."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import yaml

_WORD = re.compile(r"c\+\+|[cf]#|d&d|[^\W_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UNSPACED_RUN = re.compile(rf"{_UNSPACED.pattern}+")
# Accents and vowel marks; not those of kana, which differ by them as letters do.
_MARKS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")
_PLAIN_LETTERS = tuple(zip("ıłøđ", "ilod", strict=True))
# Words that are remembered with how much harder they make a request.
MOST_WORDS = 4_096


@dataclass(frozen=True, slots=True)
class Demands:
    """How much harder each word, stem or phrase makes a request; easier is below zero."""

    words: Mapping[str, float]
    stems: Mapping[str, float]
    phrases: Mapping[str, float]

    def of(self, folded: str, words: Sequence[str]) -> tuple[float, float]:
        """How much is harder, and how much is easier; each word counts once."""
        found = [self.phrases[one] for one in self.phrases if one in folded]
        found += map(_demand, words)
        return sum(one for one in found if one > 0), -sum(one for one in found if one < 0)

    def of_word(self, word: str) -> float:
        if word in self.words:
            return self.words[word]
        ends = range(len(word), 2, -1)
        return next((self.stems[word[:end]] for end in ends if word[:end] in self.stems), 0.0)


@cache
def demands() -> Demands:
    seed: dict[str, dict[int, str]] = yaml.safe_load(
        (files(__package__) / "task_words.yaml").read_text("utf-8")
    )
    words, stems, phrases = dict[str, float](), dict[str, float](), dict[str, float]()
    for kind, sign in (("harder", 1.0), ("easier", -1.0)):
        for weight, text in seed[kind].items():
            for entry in text.split():
                plain = fold(entry.rstrip("*").replace("_", " "))
                if " " in plain or _UNSPACED.search(plain):
                    phrases[plain] = sign * weight
                elif entry.endswith("*"):
                    stems[plain] = sign * weight
                else:
                    words[plain] = sign * weight
    return Demands(words, stems, phrases)


@lru_cache(maxsize=MOST_WORDS)
def _demand(word: str) -> float:
    return demands().of_word(word)


def fold(text: str) -> str:
    """Lower case, without accents."""
    if text.isascii():
        return text.lower()
    text = text.casefold()
    for letter, plain in _PLAIN_LETTERS:
        text = text.replace(letter, plain)
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))


def split(folded: str) -> list[str]:
    if not folded.isascii():
        # Words of other scripts stand in these without a space: `请用Java实现`.
        folded = _UNSPACED_RUN.sub(" ", folded)
    return _WORD.findall(folded)
