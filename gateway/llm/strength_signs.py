"""What tells of a text how strong a model it needs: its words, their pairs, and a few signs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import log
from operator import add
from typing import Literal, get_args

# Of a longer text only its head and its tail are read, so that any length costs the same.
HEAD_CHARACTERS, TAIL_CHARACTERS = 400, 200
# Options stand at the end; of each only the beginning is read.
CHARACTERS_WITH_OPTIONS, CHARACTERS_OF_AN_OPTION, MOST_OPTIONS = 2_400, 140, 10
FEWEST_OPTIONS, MANY_OPTIONS = 3, 6

# An open question, or one that gives a few or many options to choose from.
Kind = Literal["open", "few options", "many options"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Letters by range: a class such as `\w` takes half as long again.
_WORD = re.compile(r"[a-z\u00c0-\u1fff\u3040-\uffef]+|\d")
# What parts plain text as `_WORD` does, but for digits.
_APART = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
_OPTION = re.compile(r"\n[ \t]*\(?[A-J][.):][ \t]*([^\n]*)")
_DECIMALS = re.compile(r"\.\d")
_NAME = re.compile(r"[A-Z](?<=[a-z,] .)[a-z]+")
# Counted as text, which is ten times as fast as a pattern of alternatives.
_SENTENCE_ENDS = (". ", "? ", "! ", ".\n", "?\n")
_FORMULA = ("=", "^", "\\", "+", "*", "<", ">")
_CODE = ("```", "def ", "()", "{", "}", ";", "->", "_", "//")

_NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty dozen half "
    "twice thrice third quarter double triple first second".split()
)
_RATES = frozenset(
    "each every per times percent total average rate ratio ago remaining left rest older younger "
    "than more less fewer".split()
)
_LINKS = frozenset(
    "and but while then after before if that which who when because whereas although".split()
)
_COMPARISONS = frozenset("times twice half third double triple more less fewer many".split())
_REASONING = frozenset(
    "prove derive analyze analyse evaluate compare justify design optimize optimise explain why "
    "implement debug refactor algorithm complexity architecture trade strategy step steps "
    "constraints must should ensure given suppose assume".split()
)
_FUNCTION_WORDS = frozenset(
    "the a an of to in and is are or by that it for with on as be not no".split()
)
_CONDITIONS = frozenset("if suppose assume given let unless assuming whose then when".split())

# Most words are none of these: one look sorts them out before the others.
_TELLING = _NUMBER_WORDS | _RATES | _LINKS | _COMPARISONS | _REASONING | _CONDITIONS

# What a sign is called when there is much of it, in the order in which `read` counts them.
SIGNS = (
    "a long question",
    "long sentences",
    "many clauses set off by commas",
    "numbers written as words",
    "rates and comparisons",
    "linked clauses",
    "multiples and shares",
    "names",
    "decimal numbers",
    "formulas",
    "code",
    "words of reasoning",
    "words that come again",
    "conditions",
    "short words",
    "options that are much alike",
    "options that repeat the question",
    "options of like length",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`grams` are the words and the pairs of neighbours; `signs` are as long as `SIGNS`."""

    grams: frozenset[str]
    signs: tuple[float, ...]
    kind: Kind


def read(text: str) -> Reading:
    """Read a text of any length in the same time."""
    stem, options = _parted(text)
    words = _words(bounded(stem).lower())
    option_words = [_words(option.lower()) for option in options]
    every = [*words, *chain.from_iterable(option_words)]
    return Reading(
        # Twice as fast as joining each pair.
        grams=frozenset((*every, *map(add, [f"{word} " for word in every], every[1:]))),
        signs=(
            *_signs(bounded(stem), words, len(stem)),
            *_option_signs(words, options, option_words),
        ),
        kind=_kind(len(options)),
    )


def _parted(text: str) -> tuple[str, Sequence[str]]:
    """What is asked, and the beginnings of the options to choose from, if there are any."""
    start = max(0, len(text) - CHARACTERS_WITH_OPTIONS)
    found = list(islice(_OPTION.finditer(text, start), MOST_OPTIONS))
    if len(found) < FEWEST_OPTIONS:
        return text, ()
    options = [option[1][:CHARACTERS_OF_AN_OPTION] for option in found]
    return text[: found[0].start()], options


def _words(lower: str) -> Sequence[str]:
    """As `_WORD` finds them; plain text is parted in a fraction of its time."""
    if not lower.isascii():
        return _WORD.findall(lower)
    words: list[str] = []
    for word in lower.translate(_APART).split():
        if word.isalpha():
            words.append(word)
        else:
            words += _WORD.findall(word)
    return words


def bounded(text: str) -> str:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"


def _kind(options: int) -> Kind:
    if options < FEWEST_OPTIONS:
        return "open"
    return "many options" if options >= MANY_OPTIONS else "few options"


def _signs(stem: str, words: Sequence[str], size: int) -> tuple[float, ...]:
    known = frozenset(words)
    telling = known & _TELLING
    count = len(words) + 1
    return (
        # By characters, as some languages write no spaces.
        log(size + 1),
        log(count / (_count(stem, _SENTENCE_ENDS) + 2) + 1),
        log(stem.count(",") + 1),
        log(len(telling & _NUMBER_WORDS) + 1),
        log(len(telling & _RATES) + 1),
        log(len(telling & _LINKS) + 1),
        log(len(telling & _COMPARISONS) + 1),
        log(len(frozenset(_NAME.findall(stem))) + 1),
        float(_DECIMALS.search(stem) is not None or "cents" in known),
        log(_count(stem, _FORMULA) + 1),
        log(_count(stem, _CODE) + 1),
        log(len(telling & _REASONING) + 1),
        log(count / (len(known) + 1)),
        log(len(telling & _CONDITIONS) + 1),
        log(count / (len(stem) + 1)),
    )


def _count(text: str, parts: Iterable[str]) -> int:
    return sum(map(text.count, parts))


def _option_signs(
    asked: Sequence[str], options: Sequence[str], words: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    if not options:
        return 0.0, 0.0, 0.0
    telling = [frozenset(option) - _FUNCTION_WORDS for option in words]
    total = sum(map(len, telling))
    alike = total / (len(frozenset().union(*telling)) + 1) / len(options)
    known = frozenset(asked)
    repeated = sum(len(option & known) for option in telling)
    lengths = [len(option) for option in options]
    mean = sum(lengths) / len(lengths)
    apart = sum(abs(length - mean) for length in lengths) / len(lengths)
    return alike, repeated / (total + 1), -apart / (mean + 3)
