"""What people call things of the router: the phrases of `wording.yaml`, found in a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.documents.query import MAX_PHRASE_WORDS, Word, fold_phrase
from gateway.shipped import shipped

# Where one of these holds another, as "at least" does "least", only the longer one is meant.
DEGREES = frozenset(
    "cheapest dearest newest oldest fastest best most least at_least at_most".split()
)


@dataclass(frozen=True, slots=True)
class Cue:
    """The words from `start` up to `end` have this meaning."""

    meaning: str
    start: int
    end: int


class Cues:
    """What the words of one question may mean, and where."""

    def __init__(self, found: Sequence[Cue]) -> None:
        self._by_meaning: dict[str, list[Cue]] = {}
        for cue in found:
            self._by_meaning.setdefault(cue.meaning, []).append(cue)

    def of(self, *meanings: str) -> list[Cue]:
        return [cue for meaning in meanings for cue in self._by_meaning.get(meaning, ())]

    def has(self, *meanings: str) -> bool:
        return any(meaning in self._by_meaning for meaning in meanings)

    def places(self, *meanings: str) -> frozenset[int]:
        """The words that have one of these meanings."""
        return frozenset(place for cue in self.of(*meanings) for place in range(cue.start, cue.end))


class Wording:
    """The phrases of each meaning, folded for comparing with the words of a question."""

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self.phrases = phrases
        self._meanings: dict[str, tuple[str, ...]] = {}
        for meaning, row in phrases.items():
            for phrase in row:
                self._meanings[phrase] = (*self._meanings.get(phrase, ()), meaning)

    def cues(self, words: Sequence[Word]) -> Cues:
        found = [
            Cue(meaning, start, end)
            for start in range(len(words))
            for end in range(start + 1, min(start + MAX_PHRASE_WORDS, len(words)) + 1)
            for meaning in self._meanings.get(_phrase(words, start, end), ())
        ]
        degrees = [cue for cue in found if cue.meaning in DEGREES]
        return Cues(
            [cue for cue in found if cue.meaning not in DEGREES or not _is_inside(cue, degrees)]
        )


@lru_cache(maxsize=1)
def wording() -> Wording:
    declared = shipped(__package__, "wording.yaml")
    return Wording(
        {
            meaning: tuple(dict.fromkeys(fold_phrase(phrase) for phrase in row.split(",")))
            for meaning, row in declared.items()
        }
    )


def _phrase(words: Sequence[Word], start: int, end: int) -> str:
    return " ".join([word.text for word in words[start:end]])


def _is_inside(cue: Cue, others: Sequence[Cue]) -> bool:
    length = cue.end - cue.start
    return any(
        one.start <= cue.start and cue.end <= one.end and one.end - one.start > length
        for one in others
    )
