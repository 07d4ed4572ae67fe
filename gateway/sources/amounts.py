"""Reads how much a question asks for: a context of `200k` tokens, a price under `$1`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from gateway.documents.query import Word
from gateway.sources.wording import Cues

# Nobody asks for a smaller context, and no price for a million tokens is so high.
LEAST_CONTEXT = 1_000
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(k|m)?")
_SCALES = {"k": 1_000, "m": 1_000_000, None: 1}
_THREE_DIGITS = re.compile(r"\d{3}")
_WORDS = {"one": 1, "a": 1, "two": 2, "half": 0, "eine": 1, "un": 1, "una": 1, "bir": 1, "um": 1}
# How far from a number its bound and its unit may stand.
_NEAR_WORDS = 3


@dataclass(frozen=True, slots=True)
class Bound:
    """`value` is tokens of context, or US dollars for a million tokens.

    `is_least` says that it is a lower bound.
    """

    kind: Literal["context", "price"]
    value: Decimal
    is_least: bool
    start: int
    end: int


def amounts(words: Sequence[Word], cues: Cues) -> list[Bound]:
    found, place = [], 0
    while place < len(words):
        bound = _amount_at(words, place, cues)
        found += [bound] if bound else []
        place = bound.end if bound else place + 1
    return found


def _amount_at(words: Sequence[Word], start: int, cues: Cues) -> Bound | None:
    read = _number_at(words, start, cues)
    if read is None:
        return None
    value, end, is_digits = read
    if is_digits and (words[start].has_dollar or _is_money(words, end, cues)):
        is_cents = end in cues.places("cent") and not words[start].has_dollar
        end += end in cues.places("money_word")
        value = value / 100 if is_cents else value
        return Bound("price", value, _is(words, start, end, cues, default=False), start, end)
    if value >= LEAST_CONTEXT:
        end += end in cues.places("token_word")
        return Bound("context", value, _is(words, start, end, cues, default=True), start, end)
    return None


def _number_at(words: Sequence[Word], start: int, cues: Cues) -> tuple[Decimal, int, bool] | None:
    """The number that begins here, where it ends, and whether it is written in digits."""
    found = _NUMBER.fullmatch(words[start].raw.lower())
    if found is None:
        spelt = _WORDS.get(words[start].text)
        is_million = spelt and start + 1 in cues.places("million")
        return (Decimal(1_000_000 * spelt), start + 2, False) if spelt and is_million else None
    value, end = Decimal(found[1]) * _SCALES[found[2]], start + 1
    while end < len(words) and words[end].gap in (",", ".") and _is_thousand(words[end]):
        value, end = value * 1_000 + int(words[end].raw), end + 1
    if end in cues.places("million"):
        return value * 1_000_000, end + 1, True
    if end in cues.places("thousand"):
        return value * 1_000, end + 1, True
    return value, end, True


def _is_thousand(word: Word) -> bool:
    return _THREE_DIGITS.fullmatch(word.raw) is not None


def _is_money(words: Sequence[Word], end: int, cues: Cues) -> bool:
    """`1 dollar`, `1$`, or `under 2 per million`."""
    if end >= len(words):
        return False
    is_rate = words[end].text in ("per", "pro", "por", "par", "al") and cues.has("million")
    return end in cues.places("money_word") or "$" in words[end].gap or is_rate


def _is(words: Sequence[Word], start: int, end: int, cues: Cues, *, default: bool) -> bool:
    """Whether the bound next to the number is a lower one."""
    bounds = cues.of("at_least", "at_most")
    before = [(start - cue.end, cue.meaning == "at_least") for cue in bounds if cue.end <= start]
    # In "200k context under $2", the bound is that of the price.
    behind = [
        (cue.start - end, cue.meaning == "at_least")
        for cue in bounds
        if cue.start >= end and not _is_number_at(words, cue.end, cues)
    ]
    distance, is_least = min([*before, *behind], default=(len(words), default))
    return is_least if distance <= _NEAR_WORDS else default


def _is_number_at(words: Sequence[Word], place: int, cues: Cues) -> bool:
    return place < len(words) and _number_at(words, place, cues) is not None
