"""Words as texts are compared by them, and those that make a request harder or easier."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import yaml

_UNSPACED_SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_UNSPACED = re.compile(f"[{_UNSPACED_SIGNS}]")
# Words of other scripts stand in these without a space: `请用Java实现`.
_PLAIN_WORD = re.compile(rf"[^\W_{_UNSPACED_SIGNS}]+")
# Words that hold more than letters and digits are rare, and cost others time.
_SIGNED_WORDS = ("c++", "c#", "f#", "d&d")
_WORD = re.compile(rf"c\+\+|[cf]#|d&d|{_PLAIN_WORD.pattern}")
_APART = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
# Accents and vowel marks; not those of kana, which differ by them as letters do.
_MARKS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")
# Quotes and dashes of print decide nothing, and without them most texts are plain.
_PLAIN_LETTERS = (
    *zip("ıłøđ\u2018\u2019\u201c\u201d\u2013\u2014", "ilod''''~~", strict=True),
    *(("¼", "1\u20444"), ("½", "1\u20442"), ("¾", "3\u20444")),
)
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
    try:
        # Languages of western Europe need none of the tables of Unicode.
        return text.encode("latin-1").translate(_LATIN).decode("latin-1")
    except UnicodeEncodeError:
        return _without_marks(text)


def _without_marks(text: str) -> str:
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))


# The micro sign and the fractions never come so far.
_LATIN = "".join(_without_marks(chr(code))[:1] for code in range(256)).encode("latin-1", "replace")


def split(folded: str) -> list[str]:
    """The words, in a fraction of the time where the text is plain."""
    if any(map(folded.__contains__, _SIGNED_WORDS)):
        return _WORD.findall(folded)
    if folded.isascii():
        return folded.translate(_APART).split()
    return _PLAIN_WORD.findall(folded)
