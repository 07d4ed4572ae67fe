"""Orders what all sources offer, by one measure: the words of the question that each explains."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from gateway.documents.document import Entry
from gateway.documents.query import Query, without_fillers

# Whole numbers, so that the order in which a set is summed cannot decide between equals.
Weights = Mapping[int, int]
FULL_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Vocabulary:
    """The phrases of entries, the same and what is left without fillers, and all their words."""

    phrases: frozenset[str]
    with_shorter: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The words of the question that the phrases of an entry explain."""

    places: frozenset[int]
    longest_phrase: int


@dataclass(frozen=True, slots=True)
class _Named:
    """The words of the question that name the values of an entry: of each value, and first."""

    parts: tuple[frozenset[int], ...]
    places: frozenset[int]
    first_place: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    entry: Entry
    explained: frozenset[int]
    order: tuple[int, int, float, int, int, str]


def rank(entries: Sequence[Entry], query: Query, *, limit: int) -> list[Entry]:
    """The best `limit` entries: each next one explains most of what is still unexplained.

    So "btc price and order book" lists the price and the book before a second kind of book,
    and "btc and eth order flow" lists one of each coin. It is the greedy solution of a
    weighted maximum cover, in which a word counts for more when fewer kinds of documents
    speak of it: `price` stands in phrases of nearly all, `slippage` in those of one.

    Entries that explain equally much are ordered by their longest phrase, their `prior`, how
    near their words stand to each other, their place in the question, and their IDs: the same
    question always gives the same order.
    """
    once = {entry.id.text: entry for entry in entries}.values()
    spoken = [(entry, _vocabulary(entry.phrases)) for entry in once]
    asked = {vocabulary: _asked(vocabulary, query) for _, vocabulary in spoken}
    weights = _weights(spoken, asked, query)
    # Entries of all kinds share the few values that the question names.
    named = {values: _named(values, query) for values in {_values(entry) for entry, _ in spoken}}
    candidates = [
        _candidate(entry, asked[words], named[_values(entry)], query, weights)
        for entry, words in spoken
    ]
    ordered = sorted(candidates, key=lambda candidate: candidate.order)
    ranked: list[_Candidate] = []
    unexplained = set(weights)
    while len(ranked) < limit and (best := _most_telling(ordered, unexplained, weights)):
        unexplained -= best.explained
        ordered.remove(best)
        ranked.append(best)
    return [candidate.entry for candidate in (*ranked, *ordered)][:limit]


@lru_cache(maxsize=1_024)
def _vocabulary(phrases: tuple[str, ...]) -> _Vocabulary:
    shorter = {without_fillers(phrase) for phrase in phrases}
    return _Vocabulary(
        frozenset(phrases),
        frozenset(phrase for phrase in shorter if " " in phrase).union(phrases),
        frozenset(word for phrase in phrases for word in phrase.split()),
    )


def _asked(vocabulary: _Vocabulary, query: Query) -> _Asked:
    heard = vocabulary.with_shorter.intersection(query.phrases)
    longest = max([phrase.count(" ") + 1 for phrase in heard & vocabulary.phrases], default=0)
    return _Asked(frozenset().union(*[query.phrases[phrase] for phrase in heard]), longest)


def _weights(
    spoken: Sequence[tuple[Entry, _Vocabulary]],
    asked: Mapping[_Vocabulary, _Asked],
    query: Query,
) -> Weights:
    """How much it says to explain a word, by its place; a named value counts as one word."""
    kinds = {(entry.id.kind, vocabulary) for entry, vocabulary in spoken}
    weights: dict[int, int] = {}
    for place in frozenset().union(*(one.places for one in asked.values())):
        word = query.words[place].text
        speaking = {kind for kind, vocabulary in kinds if word in vocabulary.words}
        weights[place] = 0 if query.is_filler(place) else FULL_WEIGHT // max(len(speaking), 1)
    for mention in query.mentions:
        naming = {entry.id.kind for entry, _ in spoken if mention.field in entry.id.values}
        places = range(mention.start, mention.end)
        share = FULL_WEIGHT // (1 + len(naming)) // max(len(places), 1)
        weights |= dict.fromkeys(places, share)
    return weights


def _values(entry: Entry) -> tuple[tuple[str, str], ...]:
    return tuple(entry.id.values.items())


def _named(values: tuple[tuple[str, str], ...], query: Query) -> _Named:
    parts = tuple(query.places(*value) for value in values)
    first_place = min((query.first_place(*value) for value in values), default=0)
    return _Named(parts, frozenset().union(*parts), first_place)


def _candidate(
    entry: Entry, asked: _Asked, named: _Named, query: Query, weights: Weights
) -> _Candidate:
    explained = asked.places | named.places
    order = (
        -_weight(explained, weights),
        -asked.longest_phrase,
        -entry.prior,
        _distance([*named.parts, asked.places], query),
        named.first_place,
        entry.id.text,
    )
    return _Candidate(entry, explained, order)


def _distance(parts: Sequence[Set[int]], query: Query) -> int:
    """How many clauses lie between the values that an entry has and the words that ask for it."""
    if not query.clauses or query.clauses[-1] == 0:
        return 0
    clauses = [{query.clauses[place] for place in places} for places in parts if places]
    return sum(
        min(abs(one - other) for one in ones for other in others)
        for ones, others in combinations(clauses, 2)
    )


def _most_telling(
    ordered: Sequence[_Candidate], unexplained: Set[int], weights: Weights
) -> _Candidate | None:
    """The first of those that explain most of what is unexplained; none, when none does."""
    gains = [_weight(candidate.explained & unexplained, weights) for candidate in ordered]
    most = max(gains, default=0)
    return ordered[gains.index(most)] if most > 0 else None


def _weight(places: Set[int], weights: Weights) -> int:
    return sum(map(weights.__getitem__, places))
