"""A question, read once: its words, and the values (symbols, intervals, …) that it names."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

# What is longer is not a question; reading stops there, so that no text can be costly.
MAX_CHARACTERS = 1_000
MAX_PHRASE_WORDS = 4

_WORD = re.compile(r"[^\W_]+(?:[.'&][^\W_]+)*")
# Articles and the like that lean on the next word: `l'ethereum`, `dell'order book`.
_ELIDED = frozenset("l d j n m t c s qu un all dell nell sull dall quell".split())
# Words that may stand inside a phrase without changing it: `health of the book`.
_FILLERS = frozenset(
    "a an the of for in on at to by with and or is are was its my this that s it i me you "
    "der die das dem den des ein eine von fur im el la los las un una de del y en le les du et "
    "il lo di da do dos das o e em na no".split()
)
_AND = frozenset("and plus then und y et e ve".split())
_GLUE = frozenset({"/", ":", "_", "-"})
# Signs that stand for a word, and the apostrophe that typewriters have.
_SIGNS = str.maketrans(
    {
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{EURO SIGN}": " euro ",
        "\N{TURKISH LIRA SIGN}": " lira ",
        "\N{BITCOIN SIGN}": " bitcoin ",
    }
)
# Letters that no normal form takes apart: the dotless i of Turkish, and the like.
_PLAIN_LETTERS = str.maketrans("ıłøđ", "ilod")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a question.

    `raw` is as written, `text` is folded for comparing (lower case, singular),
    `gap` is what stands between the word before and this one.
    """

    raw: str
    text: str
    gap: str = " "

    @property
    def is_glued(self) -> bool:
        """Tied to the word before, as `usdc` in `sol/usdc`."""
        return self.gap in _GLUE

    @property
    def has_dollar(self) -> bool:
        return self.gap.endswith("$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that the question names, by the words from `start` up to `end`."""

    field: str
    value: str
    start: int
    end: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one lexicon found: values, and what a person should be told about the rest.

    A lexicon that recognised misspelt words gives all `words` again, with the `text` of those
    mended; the lexicons after it and the ranking go by them.
    """

    mentions: Sequence[Mention] = ()
    hints: Sequence[str] = ()
    words: tuple[Word, ...] | None = None


class Lexicon(Protocol):
    """Knows the words that name one kind of value."""

    def read(self, words: Sequence[Word]) -> Reading: ...


@dataclass(frozen=True)
class Query:
    """A question as the sources and the ranker see it."""

    text: str
    words: tuple[Word, ...]
    mentions: tuple[Mention, ...] = ()
    hints: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str, lexicons: Sequence[Lexicon] = ()) -> "Query":
        words, readings = split(text), []
        for lexicon in lexicons:
            reading = lexicon.read(words)
            words = reading.words or words
            readings.append(reading)
        mentions = tuple(mention for reading in readings for mention in reading.mentions)
        hints = tuple(hint for reading in readings for hint in reading.hints)
        return cls(text, words, mentions, hints)

    def values(self, field: str) -> tuple[str, ...]:
        """The values of one field, in the order in which the question names them."""
        return self._values.get(field, ())

    def notes(self, values: Mapping[str, str]) -> list[str]:
        """What a person should be told of some values, such as that a coin was renamed."""
        return [note for value in values.items() if (note := self._notes.get(value))]

    def places(self, field: str, value: str) -> frozenset[int]:
        """The words that name this value."""
        return self._places.get((field, value), frozenset())

    def first_place(self, field: str, value: str) -> int:
        """Where this value is first named; behind the last word, where it is not."""
        return self._first_places.get((field, value), len(self.words))

    @cached_property
    def _notes(self) -> Mapping[tuple[str, str], str]:
        return {(one.field, one.value): one.note for one in self.mentions if one.note}

    # Every source and every entry asks for these: they are worked out once for a question.
    @cached_property
    def _values(self) -> Mapping[str, tuple[str, ...]]:
        values: dict[str, tuple[str, ...]] = {}
        for field, value in sorted(self._first_places, key=self._first_places.__getitem__):
            values[field] = (*values.get(field, ()), value)
        return values

    @cached_property
    def _first_places(self) -> Mapping[tuple[str, str], int]:
        first: dict[tuple[str, str], int] = {}
        for mention in sorted(self.mentions, key=lambda mention: (mention.start, mention.value)):
            first.setdefault((mention.field, mention.value), mention.start)
        return first

    @cached_property
    def _places(self) -> Mapping[tuple[str, str], frozenset[int]]:
        places: dict[tuple[str, str], frozenset[int]] = {}
        for mention in self.mentions:
            key = (mention.field, mention.value)
            places[key] = places.get(key, frozenset()) | set(range(mention.start, mention.end))
        return places

    @cached_property
    def phrases(self) -> Mapping[str, tuple[int, ...]]:
        """All phrases of a few folded words, such as `order book`, and the places of each.

        What stands between the words of a phrase does not count when it is a filler or a named
        value: "average ether price" holds `average price`.
        """
        named = {place for places in self._places.values() for place in places}
        places = range(len(self.words))
        telling = [place for place in places if place not in named and not self.is_filler(place)]
        phrases: dict[str, tuple[int, ...]] = {}
        for row in (tuple(places), tuple(telling)):
            for start, first in enumerate(row):
                phrase = ""
                for end in range(start, min(start + MAX_PHRASE_WORDS, len(row))):
                    phrase += f" {self.words[row[end]].text}" if phrase else self.words[first].text
                    phrases[phrase] = phrases.get(phrase, ()) + row[start : end + 1]
        return phrases

    @cached_property
    def clauses(self) -> tuple[int, ...]:
        """The number of the clause that each word stands in.

        A comma or an "and" begins a clause, unless it only lists values: "btc and eth price" is
        one clause, "btc price and eth order book" are two.
        """
        named = [(mention.field, mention.start, mention.end) for mention in self.mentions]
        ends = {(field, end) for field, _, end in named}
        starts = {(field, start) for field, start, _ in named}
        fields = {field for field, _, _ in named}
        clause, clauses = 0, []
        for place, word in enumerate(self.words):
            is_and = word.text in _AND
            behind = place + 1 if is_and else place
            is_list = any((one, place) in ends and (one, behind) in starts for one in fields)
            clause += (is_and or "," in word.gap or ";" in word.gap) and not is_list
            clauses.append(clause)
        return tuple(clauses)

    def is_filler(self, place: int) -> bool:
        """Whether the word tells nothing by itself, as `of` does."""
        return self.words[place].text in _FILLERS


def split(text: str) -> tuple[Word, ...]:
    """The words of a text; everything else only separates them."""
    normal = text[:MAX_CHARACTERS]
    if not normal.isascii():
        # A sign may stand for a few words, so this can make the text longer.
        normal = unicodedata.normalize("NFKC", normal).translate(_SIGNS)[:MAX_CHARACTERS]
    words, end = [], 0
    for match in _WORD.finditer(normal):
        raw = _without_leaning(match[0])
        words.append(Word(raw, fold(raw), normal[end : match.start()]))
        end = match.end()
    return tuple(words)


def without_fillers(phrase: str) -> str:
    """`time sale` of `time and sale`, as it stands among `Query.phrases` too."""
    return " ".join(word for word in phrase.split() if word not in _FILLERS)


def fold_phrase(phrase: str) -> str:
    """A phrase as `Query.phrases` knows it."""
    return " ".join(word.text for word in split(phrase))


def _without_leaning(word: str) -> str:
    """`ethereum` of `l'ethereum`, `bitcoin` of `Bitcoin's` and of the Turkish `Bitcoin'in`."""
    head, apostrophe, tail = word.partition("'")
    return tail if apostrophe and head.lower() in _ELIDED else head


def fold(word: str) -> str:
    """Lower case, without accents, and singular: `Anomalies` is `anomaly`."""
    plain = _without_accents(word.casefold()).casefold()
    if len(plain) > 4 and plain.endswith("ies"):
        return plain[:-3] + "y"
    if len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is", "os")):
        return plain[:-1]
    return plain


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text).translate(_PLAIN_LETTERS)
    return "".join(part for part in parts if not unicodedata.combining(part))
