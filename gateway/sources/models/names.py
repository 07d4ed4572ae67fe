"""Finds the models that a question names: `gpt 6 sol`, `Claude Opus 5.5`, `qwen3-coder`."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from gateway.documents.query import Word
from gateway.llm.model import Model
from gateway.sources.wording import wording

# `4o` and `70b` are one token, `qwen3` are two.
_TOKEN = re.compile(r"\d+[a-z]+(?![a-z])|[a-z]+|\d+")
_QUANTITY = re.compile(r"\d+(?:[.,]\d+)*[km]")
_O_SERIES = re.compile(r"o\d")
_LISTED = frozenset(",;&")
# Shorter ones are too often something else.
_MIN_LONE_LETTERS = 3
_DATE_DIGITS = 6
# They make no other model of it.
_SUFFIXES = frozenset("latest preview free it instruct chat".split())

Version = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A name in parts, however it was written: words, and versions such as `5.5`."""

    words: frozenset[str]
    versions: tuple[Version, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Name":
        words: set[str] = set()
        versions: list[Version] = []
        is_open = False
        for text in texts:
            for token in _TOKEN.findall(text.lower()):
                is_digits = token.isdigit()
                if is_digits and is_open and len(token) < _DATE_DIGITS:
                    versions[-1] = (*versions[-1], token)
                elif is_digits:
                    versions.append((token,))
                else:
                    words.add(token)
                is_open = is_digits and len(token) < _DATE_DIGITS
        return cls(frozenset(words), tuple(versions))

    def holds(self, other: "Name") -> bool:
        """Whether all that the other one says is said here: `claude opus` is in `claude-opus-5`."""
        return other.words <= self.words and all(
            any(mine[: len(asked)] == asked for mine in self.versions) for asked in other.versions
        )

    def beyond(self, other: "Name") -> tuple[int, int]:
        """How much is said here beyond the other one: words, and versions where it names one."""
        words = len(self.words - other.words - _SUFFIXES)
        if not other.versions:
            return words, 0
        mine = [len(one) for one in self.versions if len(one[0]) < _DATE_DIGITS]
        return words, sum(mine) - sum(map(len, other.versions))


@dataclass(frozen=True, slots=True)
class NameSpan:
    """The words from `start` up to `end` name models; `is_sure` when they can be nothing else."""

    start: int
    end: int
    name: Name
    is_sure: bool


@lru_cache(maxsize=16_384)
def bare_name(model_name: str) -> Name:
    """What a model is called wherever it is offered: without its maker and variant."""
    return Name.of([model_name.rpartition("/")[2].partition(":")[0]])


class ModelNames:
    """The names of all models of a catalog."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._names = {bare_name(model.name) for model in models}
        self._by_word: dict[str, set[Name]] = {}
        for name in self._names:
            for word in name.words:
                self._by_word.setdefault(word, set()).add(name)

    def spans(
        self, words: Sequence[Word], *, apart: Set[int], ordinary: Set[int]
    ) -> list[NameSpan]:
        """The names in a question.

        Words at the places `apart` are in no name, unless a sign ties them to one; `ordinary`
        ones begin none.
        """
        families = [place for place, word in enumerate(words) if is_family(word.raw)]
        if not any(self._span_at(words, place, apart) for place in families):
            return []
        # Beside a name, `astra 6` is one too.
        begins = [
            place
            for place, word in enumerate(words)
            if place in families or (place not in apart | ordinary and self._may_be_name(word))
        ]
        return list(self._read(words, apart, begins))

    def _read(
        self, words: Sequence[Word], apart: Set[int], begins: Sequence[int]
    ) -> Iterator[NameSpan]:
        end = 0
        for place in begins:
            span = self._span_at(words, place, apart) if place >= end else None
            if span:
                end = span.end
                yield span

    def _span_at(self, words: Sequence[Word], start: int, apart: Set[int]) -> NameSpan | None:
        end, name = start + 1, Name.of([words[start].raw])
        if not self._any_holds(name):
            return None
        while end < len(words) and _may_go_on(words, end, apart):
            longer = Name.of([word.raw for word in words[start : end + 1]])
            if longer == name or not self._any_holds(longer):
                break
            end, name = end + 1, longer
        is_sure = any(word in _sure_families() for word in name.words) or bool(
            _O_SERIES.fullmatch(words[start].raw.lower())
        )
        return NameSpan(start, end, name, is_sure or len(name.words) + len(name.versions) > 1)

    def _may_be_name(self, word: Word) -> bool:
        first = next(iter(_TOKEN.findall(word.raw.lower())), "")
        is_long = len(first) >= _MIN_LONE_LETTERS and first.isalpha()
        return is_long and first in self._by_word

    def _any_holds(self, asked: Name) -> bool:
        return any(name.holds(asked) for name in self._candidates(asked))

    def _candidates(self, asked: Name) -> Set[Name]:
        rows = [self._by_word.get(word, set()) for word in asked.words]
        return min(rows, key=len, default=set())


def is_family(word: str) -> bool:
    """Whether a word, by what it begins with, names a family of models: `gpt4` does."""
    raw = word.lower()
    first = next(iter(_TOKEN.findall(raw)), "")
    is_named = first in _sure_families() or first in _families()
    return is_named or _O_SERIES.fullmatch(raw) is not None


def _may_go_on(words: Sequence[Word], place: int, apart: Set[int]) -> bool:
    word = words[place]
    if not _LISTED.isdisjoint(word.gap) or _QUANTITY.fullmatch(word.raw.lower()):
        return False
    return word.is_glued or place not in apart


def _sure_families() -> frozenset[str]:
    return _folded("sure_family")


def _families() -> frozenset[str]:
    return _folded("family")


@lru_cache(maxsize=2)
def _folded(meaning: str) -> frozenset[str]:
    return frozenset(wording().phrases[meaning])
