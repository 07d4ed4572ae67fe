"""What there is of one kind, found in a question by ID or name, with typos or by a part of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz import process
from rapidfuzz.distance import OSA

from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Word, split, without_fillers
from gateway.errors import InvalidRequest
from gateway.sources.grpc.rendering import named
from gateway.text import displayable

MAX_VALUES = 5_000
MAX_VALUE_CHARACTERS = 200
MAX_NAME_WORDS = 8
MAX_LOOKED_AT = 100
MIN_TYPO_LETTERS = 5
LONG_LETTERS = 9
# "Blue" and "widget" of one name may stand a little apart, as in "widgets that are blue".
MAX_WORDS_BETWEEN = 3
SUGGESTED = 3
_ALIKE_PERCENT = 60


@dataclass(frozen=True, slots=True)
class Value:
    """One thing that there is: its document's ID, and what it calls itself."""

    id: DocumentId
    name: str


@dataclass(frozen=True, slots=True)
class Match:
    """A value that a question names by the words at `places`: all of a name, or a part of it."""

    value: Value
    places: frozenset[int]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Alias:
    """The folded words of an ID or of a name."""

    value: Value
    words: tuple[str, ...]

    @property
    def keeps_order(self) -> bool:
        """Numbers and single letters say something only where they stand: `R-1`, `size 7`."""
        return any(word.isdecimal() or len(word) == 1 for word in self.words)


class Values:
    """The values of one kind, in the order in which the service lists them."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.all = tuple(values)
        self._spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
        for field, text in (pair for value in self.all for pair in value.id.values.items()):
            self._spellings[field, text.casefold()].add(text)
        self._aliases = [alias for value in self.all for alias in _aliases(value)]
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for number, alias in enumerate(self._aliases):
            for word in dict.fromkeys(alias.words):
                self._by_word[word].append(number)
        self._sizes = [len(set(alias.words)) for alias in self._aliases]
        known = sorted(word for word in self._by_word if len(word) >= MIN_TYPO_LETTERS)
        self._by_letter = {first: list(same) for first, same in groupby(known, lambda one: one[0])}

    def matches(self, words: Sequence[Word], *, mends_not: Set[str] = frozenset()) -> list[Match]:
        """Whole ones, and of the parts those of most words; in the order of the list.

        `mends_not` are words that are no typos of a name.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            places[self._mended(word.text, mends_not)].append(place)
        best: dict[str, Match] = {}
        for number in self._numbers(places):
            match = _match(self._aliases[number], places, words)
            kept = best.get(match.value.id.text)
            if kept is None or _says_more(match, kept):
                best[match.value.id.text] = match
        return list(best.values())

    def _numbers(self, said: Iterable[str]) -> list[int]:
        """The aliases to look at: a word such as `widget` may be in thousands of them."""
        counts: Counter[int] = Counter()
        for word in said:
            counts.update(self._by_word.get(word, ()))
        most = max(counts.values(), default=0)
        whole = [number for number, count in counts.items() if count == self._sizes[number]]
        parts = sorted(number for number, count in counts.items() if count == most)
        return sorted({*whole[:MAX_LOOKED_AT], *parts[:MAX_LOOKED_AT]})

    def spelled(self, field: str, text: str) -> str:
        """A value as it is listed, when it was only written in another case."""
        spellings = self._spellings.get((field, text.casefold()), {text})
        return text if text in spellings or len(spellings) > 1 else min(spellings)

    def near(self, document_id: DocumentId) -> list[str]:
        """The IDs that are most like this one, by their text or by their names."""
        asked = " ".join(document_id.values.values()).casefold()
        if len(asked) > MAX_VALUE_CHARACTERS:
            return []  # nothing that is listed is so long
        texts = {value.id.text: " ".join(value.id.values.values()).casefold() for value in self.all}
        names = {value.id.text: value.name.casefold() for value in self.all}
        found = [
            match
            for choices in (texts, names)
            for match in process.extract(
                asked, choices, limit=SUGGESTED, score_cutoff=_ALIKE_PERCENT
            )
        ]
        found.sort(key=lambda match: -match[1])
        return list(dict.fromkeys(match[2] for match in found))[:SUGGESTED]

    def _mended(self, text: str, mends_not: Set[str]) -> str:
        is_mendable = text.isalpha() and MIN_TYPO_LETTERS <= len(text) <= MAX_VALUE_CHARACTERS
        if text in self._by_word or not is_mendable or text in mends_not:
            return text
        alike = self._by_letter.get(text[0], [])
        most = 2 if len(text) >= LONG_LETTERS else 1
        found = process.extractOne(text, alike, scorer=OSA.distance, score_cutoff=most)
        return found[0] if found else text


def read_values(rows: Sequence[object], pattern: IdPattern) -> list[Value]:
    """Those rows that have all fields of the ID; others cannot be asked for."""
    values: dict[str, Value] = {}
    for row in rows:
        if len(values) == MAX_VALUES:
            break
        value = _value(row, pattern) if isinstance(row, Mapping) else None
        if value:
            values.setdefault(value.id.text, value)
    return list(values.values())


def _value(row: Mapping[str, object], pattern: IdPattern) -> Value | None:
    texts = {name: _text(row.get(name)) for name in pattern.fields}
    if not all(texts.values()):
        return None
    document_id = pattern.format(**texts)
    try:
        is_readable = pattern.parse(document_id.text).values == document_id.values
    except InvalidRequest:
        return None
    return Value(document_id, named(row)[:MAX_VALUE_CHARACTERS]) if is_readable else None


def _text(value: object) -> str:
    """A field of an ID as text; nothing if it could not be written in one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    is_plain = text == displayable(text).strip() and "\n" not in text and "\t" not in text
    return text if is_plain and len(text) <= MAX_VALUE_CHARACTERS else ""


def _aliases(value: Value) -> list[_Alias]:
    ids = " ".join(value.id.values.values())
    rows = dict.fromkeys((_words(ids), _words(value.name)))
    return [_Alias(value, words) for words in rows if words]


def _words(text: str) -> tuple[str, ...]:
    words = " ".join(word.text for word in split(text))
    return tuple((without_fillers(words) or words).split()[:MAX_NAME_WORDS])


def _match(alias: _Alias, places: Mapping[str, list[int]], words: Sequence[Word]) -> Match:
    said = [word for word in dict.fromkeys(alias.words) if word in places]
    everywhere = frozenset(place for word in said for place in places[word])
    is_whole = len(said) == len(set(alias.words)) and (
        _is_in_order(alias.words, words) if alias.keeps_order else _is_together(said, places)
    )
    return Match(alias.value, everywhere, is_whole)


def _is_in_order(asked: Sequence[str], words: Sequence[Word]) -> bool:
    texts = [word.text for word in words]
    ends = range(len(texts) - len(asked) + 1)
    return any(texts[start : start + len(asked)] == list(asked) for start in ends)


def _is_together(said: Sequence[str], places: Mapping[str, list[int]]) -> bool:
    """Whether each word stands near the first one, wherever that stands."""
    most = len(said) + MAX_WORDS_BETWEEN
    return any(
        all(min(abs(place - start) for place in places[word]) < most for word in said)
        for start in places[said[0]]
    )


def _says_more(match: Match, other: Match) -> bool:
    return (match.is_whole, len(match.places)) > (other.is_whole, len(other.places))
