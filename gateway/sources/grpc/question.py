"""Whether a question asks for documents of one kind, or for those of somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.documents.query import MAX_PHRASE_WORDS, Mention, Word, fold
from gateway.sources.grpc.values import Match, Values
from gateway.sources.market.coins import coins
from gateway.sources.market.kind import market_kinds
from gateway.sources.wording import wording

MAX_LISTED = 10
MAX_CANDIDATES = 3
# A number or a short word is a name only beside a word for what it names: "order 7".
SHORT_LETTERS = 2
NEAR_WORDS = 2
FAR_WORDS = 1_000
_ASKING = frozenset(
    "a an the of for in on at to by with and or is are was its my our your this that these those "
    "it i me you we they do does did has have had be been can could will would should please show "
    "tell give get find look up list what which who whose where when why how many much there any "
    "some all each every currently now right still left about number name know me need".split()
)
_GLUE = frozenset({"-", "_", "/", ":"})
# Of the mentions of others, these say nothing of what is asked for.
_SIDE_FIELDS = frozenset({"interval"})


@lru_cache(maxsize=1)
def words_of_others() -> frozenset[str]:
    """Words that ask for documents of the market or of the router, too."""
    market = (phrase for kind in market_kinds() for phrase in kind.phrases)
    router = (phrase for row in wording().phrases.values() for phrase in row)
    words = {word for phrases in (market, router) for phrase in phrases for word in phrase.split()}
    known = coins()
    return frozenset(words | known.cues | known.weak_cues | known.market_words)


@lru_cache(maxsize=1)
def _ordinary_words() -> frozenset[str]:
    """Words that say too little to name anything by themselves."""
    known = coins()
    of_coins = known.name_words.union(known.names, known.renamed, map(fold, known.assets))
    doubtful = known.everyday_words | known.ordinary_words | known.seldom_words | known.common_words
    return words_of_others() | of_coins | doubtful | _ASKING


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text of a question that looks like an ID, by the words at `places`."""

    values: tuple[str, ...]
    places: frozenset[int]


class Asked:
    """What one question says of one kind: `phrases` are the folded words that ask for it."""

    def __init__(self, words: Sequence[Word], phrases: Sequence[str], values: Values) -> None:
        self._words = words
        self._spoken = _places(words, frozenset(phrases))
        ordinary = words_of_others() | _ASKING
        self._telling = {place for place in self._spoken if words[place].text not in ordinary}
        self._matches = values.matches(words, mends_not=_ordinary_words())
        self._first = values.all[:MAX_LISTED]

    @property
    def is_spoken_of(self) -> bool:
        return bool(self._spoken)

    def matches(self, mentions: Sequence[Mention]) -> list[Match]:
        """The values that it asks for, when others have understood it as `mentions`.

        A name counts unless all its words are somebody else's. A part of names, or a word for
        the kind alone, counts where nothing else is asked for: ordinary words name nothing there.
        """
        taken, is_busy = _taken(mentions), _is_busy(mentions)
        named = [one for one in self._matches if one.is_whole]
        whole = [one for one in named if self._is_meant(one, taken, is_busy=is_busy)]
        if whole or is_busy:
            return whole[:MAX_LISTED]
        parts = [one for one in self._matches if self._is_meant_in_part(one)]
        most = max((len(one.places) for one in parts), default=0)
        best = [one for one in parts if len(one.places) == most]
        return (best or self._any())[:MAX_LISTED]

    def claims(self, mentions: Sequence[Mention]) -> bool:
        """Whether it asks for this kind and for nothing else, whatever others read into it."""
        matches = self.matches(mentions)
        ours = frozenset().union(*(match.places for match in matches))
        taken = _taken(mentions)
        if not matches or not taken <= ours or (ours and ours <= taken):
            return False
        return bool(self._telling) or self._is_all_explained(ours) or not _is_busy(mentions)

    def names(self, mentions: Sequence[Mention]) -> frozenset[str]:
        """The words that name what it asks for, as they are written."""
        places = frozenset().union(*(one.places for one in self.matches(mentions)))
        return frozenset(self._words[place].raw for place in places)

    def candidates(self, mentions: Sequence[Mention], *, fields: int) -> list[Candidate]:
        """What may be an ID, the nearest to a word for the kind first."""
        if not self._spoken or (_is_busy(mentions) and not self._telling):
            return []
        elsewhere = _taken(mentions) | self._spoken
        free = [one for one in _like_ids(self._words) if not one.places & elsewhere]
        runs = (free[start : start + fields] for start in range(len(free) - fields + 1))
        found = [
            Candidate(
                tuple(one.values[0] for one in run),
                frozenset().union(*(one.places for one in run)),
            )
            for run in runs
        ]
        return sorted(found, key=lambda one: self._distance(one.places))[:MAX_CANDIDATES]

    def phrases_at(self, places: frozenset[int]) -> tuple[str, ...]:
        """The words there, as phrases that an entry is asked for by."""
        return tuple(dict.fromkeys(self._words[place].text for place in sorted(places)))

    def _is_meant(self, match: Match, taken: frozenset[int], *, is_busy: bool) -> bool:
        own = [place for place in match.places - taken if not self._is_doubtful(place)]
        if self._telling:
            return bool(own) or self._distance(match.places) <= NEAR_WORDS
        if is_busy:
            return bool(own) and len(match.places) > 1
        is_all = len(match.places) > 1 and self._is_all_explained(match.places)
        return bool(own) or is_all or self._distance(match.places) <= NEAR_WORDS

    def _is_meant_in_part(self, match: Match) -> bool:
        if all(self._is_doubtful(place) for place in match.places):
            return False
        return bool(self._telling) or self._is_all_explained(match.places)

    def _is_doubtful(self, place: int) -> bool:
        text = self._words[place].text
        return text.isdecimal() or len(text) <= SHORT_LETTERS or text in _ordinary_words()

    def _any(self) -> list[Match]:
        """The first values there are, for "what is in stock"."""
        if not self._telling or not self._is_all_explained(frozenset()):
            return []
        return [Match(value, frozenset(), is_whole=False) for value in self._first]

    def _is_all_explained(self, places: frozenset[int]) -> bool:
        ours = places | self._spoken
        return all(place in ours or word.text in _ASKING for place, word in enumerate(self._words))

    def _distance(self, places: frozenset[int]) -> int:
        """How far they are from another word that asks for this kind."""
        spoken = self._spoken - places
        return min((abs(one - other) for one in places for other in spoken), default=FAR_WORDS)


def _places(words: Sequence[Word], phrases: frozenset[str]) -> frozenset[int]:
    found: set[int] = set()
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_PHRASE_WORDS, len(words)) + 1):
            if " ".join([word.text for word in words[start:end]]) in phrases:
                found.update(range(start, end))
    return frozenset(found)


def _taken(mentions: Sequence[Mention]) -> frozenset[int]:
    """The words that name somebody else's values."""
    named = (one for one in mentions if one.field not in _SIDE_FIELDS)
    return frozenset(place for one in named for place in range(one.start, one.end))


def _is_busy(mentions: Sequence[Mention]) -> bool:
    return any(one.field not in _SIDE_FIELDS for one in mentions)


def _like_ids(words: Sequence[Word]) -> list[Candidate]:
    """`A-17`, `4711`, `INV_2026`: words tied together, with a figure or in capitals."""
    has_small_letters = any(word.raw.islower() for word in words)
    found, start = [], 0
    while start < len(words):
        end = start + 1
        while end < len(words) and words[end].gap in _GLUE:
            end += 1
        tied = "".join(word.gap + word.raw for word in words[start + 1 : end])
        text = _sign(words[start]) + words[start].raw + tied
        is_shouted = text.isupper() and len(text) > SHORT_LETTERS and has_small_letters
        if is_shouted or any(letter.isdigit() for letter in text):
            found.append(Candidate((text,), frozenset(range(start, end))))
        start = end
    return found


def _sign(word: Word) -> str:
    """A number below zero has its sign in the gap before it: `at 41 -74`."""
    is_number = word.raw.isdecimal() and word.gap.endswith("-")
    return "-" if is_number and word.gap != "-" else ""
