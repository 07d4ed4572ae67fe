"""How long an answer is expected to be, by what the text says and by its task."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Medians of what models answer when nothing is said about the length.
TYPICAL_TOKENS: Mapping[str, int] = {
    "coding": 600,
    "research": 700,
    "creative": 600,
    "quick": 60,
    "complex": 450,
    "long_context": 700,
    "general": 400,
}
# A length is asked for near the beginning.
ASKING_CHARACTERS = 400
LEAST_TOKENS, MOST_TOKENS = 5, 32_000
# Tokens of one of each, and of an entry of a list.
_UNITS: Mapping[str, float] = {
    "word": 1.35,
    "wort": 1.8,
    "palabra": 1.6,
    "palavra": 1.6,
    "mot": 1.6,
    "parol": 1.7,
    "слов": 2.5,
    "字": 1.2,
    "token": 1.0,
    "character": 0.25,
    "zeichen": 0.3,
    "sentence": 28.0,
    "satz": 30.0,
    "line": 14.0,
    "paragraph": 120.0,
    "absatz": 130.0,
    "page": 650.0,
    "seite": 700.0,
}
_ENTRY_TOKENS = 30
_STEM = "|".join((*_UNITS, "satze", "wort", "worter", "absatze"))
_FIGURE = re.compile(r"\d")
_COUNTED = re.compile(
    rf"(\d(?:\d{{0,2}}(?:[,.]\d{{3}})+|\d{{0,5}}))(k?)(?: ?- ?\d+)?[ -]?({_STEM}|字)"
)
_ONE = re.compile(
    r"\b(?:one|single|two|three|four|five|1|ein(?:em|e)?|un[ae]?) (?:short |brief )?"
    r"(word|sentence|line|paragraph|page|wort|satz|palabra|mot|phrase|frase)"
)
_HOW_MANY = {"two": 2, "three": 3, "four": 4, "five": 5}
_LIST = re.compile(
    r"\b(?:list|name|give(?: me)?|suggest|top|write|generate|provide|recommend|come up with) "
    r"(?:\w+ ){0,2}?(\d{1,3}) [a-z]"
)
_YES_OR_NO = re.compile(r"\b(?:yes or no|yes/no|true or false|ja oder nein|si o no|oui ou non)\b")
_LIST_WORDS = frozenset("list name give suggest top write generate provide recommend come".split())
# Looked for first, since most texts hold none of them.
_LENGTH_WORDS = frozenset(
    "word sentence line paragraph page wort satz palabra mot phrase frase words sentences lines "
    "paragraphs pages".split()
)
_ONES = frozenset("one single two three four five 1 ein einem eine un una une".split())
_YES, _NO = frozenset("yes true ja si oui".split()), frozenset("no false nein non".split())
_SHORTER = frozenset(
    "short brief briefly concise concisely quick tldr kurz corto breve court".split()
)
_LONGER = frozenset(
    "detailed detail depth comprehensive thorough thoroughly extensive exhaustive long complete "
    "essay report article chapter novel ausfuhrlich detallado detaille".split()
)


@dataclass(frozen=True, slots=True)
class AskedLength:
    """What a text says itself: so many `tokens`, or else how much more or less than usual."""

    tokens: float | None = None
    share: float = 1.0

    def answer_tokens(self, *, task: str, complexity: float) -> int:
        expected = self.tokens
        if expected is None:
            expected = TYPICAL_TOKENS[task] * (0.6 + complexity) * self.share
        return round(min(max(expected, LEAST_TOKENS), MOST_TOKENS))


def asked_length(folded: str, words: frozenset[str]) -> AskedLength:
    """What is said in words, pages or entries counts; else whether it shall be short or long."""
    asked = _asked_tokens(folded[:ASKING_CHARACTERS], words)
    if asked is not None:
        return AskedLength(asked)
    if not _SHORTER.isdisjoint(words):
        return AskedLength(share=0.5)
    return AskedLength(share=1.0 if _LONGER.isdisjoint(words) else 1.8)


def _asked_tokens(folded: str, words: frozenset[str]) -> float | None:
    if not (_YES.isdisjoint(words) or _NO.isdisjoint(words)) and _YES_OR_NO.search(folded):
        return LEAST_TOKENS
    figure = _FIGURE.search(folded)
    if figure and (found := _COUNTED.search(folded, figure.start())):
        number = int(re.sub("[,.]", "", found[1])) * (1_000 if found[2] else 1)
        return number * _tokens_of(found[3])
    says_one = not (_ONES.isdisjoint(words) or _LENGTH_WORDS.isdisjoint(words))
    if says_one and (found := _ONE.search(folded)):
        return _HOW_MANY.get(found[0].split(" ")[0], 1) * _tokens_of(found[1])
    if figure and not _LIST_WORDS.isdisjoint(words) and (found := _LIST.search(folded)):
        return int(found[1]) * _ENTRY_TOKENS
    return None


def _tokens_of(unit: str) -> float:
    stem = next((one for one in _UNITS if unit.startswith(one)), "sentence")
    return _UNITS[stem]
