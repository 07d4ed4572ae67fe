"""What tells a part of a text that asks from one that was pasted: its words, shape and place."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from gateway.llm.learned.signs import kind_of
from gateway.llm.task_words import fold, split

Place = Literal["head", "tail", "middle"]
# So much of a part and of what stands beside it is looked at.
READ_CHARACTERS, BESIDE_CHARACTERS = 240, 100
MOST_WORDS, MOST_UNSPACED, MOST_LINES = 32, 60, 3
_WORDS = (1, 2, 3, 4, 6, 9, 13, 20, 30)
_LENGTHS = (25, 50, 80, 120, 180, 260, 380)
_SHARES = (0.02, 0.06, 0.14, 0.3)
_PREAMBLE_WORDS = 6
_PREAMBLE = frozenset(
    "please pls hi hello hey so ok okay and now also can could would will you u i need want to "
    "help me tell question bitte hallo kannst du por favor hola puedes merci bonjour".split()
)
_QUESTION_MARKS = "?\N{FULLWIDTH QUESTION MARK}\N{ARABIC QUESTION MARK}"
# From here on scripts stand that write no spaces between words.
_FIRST_UNSPACED = "\u3000"
_DENSE = str.maketrans("", "", "{}();=<>_|\\\t")
_DIGITS = str.maketrans("", "", "0123456789")


class Shape(NamedTuple):
    """What a part looks like; its sizes are in steps."""

    place: Place
    begins: str
    ends: str
    words: int
    length: int
    lines: int
    is_indented: bool


class Beside(NamedTuple):
    """How a part differs from what stands beside it, by its signs of code and its digits."""

    place: Place
    begins: str
    dense: int
    digits: int
    other_begins: str
    other_dense: int
    other_digits: int


class Opening(NamedTuple):
    """How a part begins, after what people say before they ask."""

    first: str
    second: str
    skipped: int
    asks: int
    ends: str


class _Kinds(dict[str, str]):
    """What kind of sign it is that a part begins or ends with."""

    def __missing__(self, sign: str) -> str:
        if sign.isalpha():
            if sign >= _FIRST_UNSPACED:
                return "unspaced"
            return "lower" if sign.islower() else "upper"
        return sign.strip()


KIND_OF_SIGN = _Kinds(
    {
        **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "lower"),
        **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "upper"),
        **dict.fromkeys("0123456789", "digit"),
        **dict.fromkeys(
            "\"'\N{LEFT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}«", "quote"
        ),
        **dict.fromkeys("-*•#+", "bullet"),
        **dict.fromkeys("{}[]()<", "bracket"),
        **dict.fromkeys(_QUESTION_MARKS, "question"),
    }
)


def words_of(part: str) -> Sequence[str]:
    folded = fold(part[:READ_CHARACTERS])
    words = split(folded)[:MOST_WORDS]
    if part.isascii():
        return words
    unspaced = [sign for sign in folded if sign >= _FIRST_UNSPACED][:MOST_UNSPACED]
    return [*words, *unspaced, *(one + other for one, other in pairwise(unspaced))]


def seen(
    part: str, words: Sequence[str], *, place: Place, beside: str
) -> tuple[Shape, Beside, Opening]:
    """`beside` is what follows the first part of a text, and what stands before any other."""
    plain = part.strip()
    begins, ends = KIND_OF_SIGN[plain[:1]], KIND_OF_SIGN[plain[-1:]]
    skipped = _preamble_size(words)
    first, second, *_ = (*words[skipped : skipped + 2], "", "")
    asks = sum(map(plain.count, "?" if part.isascii() else _QUESTION_MARKS))
    return (
        Shape(
            place,
            begins,
            ends,
            bisect_right(_WORDS, len(words)),
            bisect_right(_LENGTHS, len(plain)),
            min(plain.count("\n"), MOST_LINES),
            part[:1].isspace(),
        ),
        Beside(
            place,
            begins,
            *_shares(plain[:READ_CHARACTERS]),
            KIND_OF_SIGN[beside[:1]],
            *_shares(beside),
        ),
        Opening(first, second, min(skipped, 2), min(asks, 2), ends),
    )


def shape_names(one: Shape) -> Sequence[str]:
    return (
        "any part",
        f"place {one.place}",
        *end_names((one.begins, one.ends)),
        f"words {one.words}",
        f"words {one.words} ends {one.ends}",
        f"length {one.length}",
        lines_name(one.lines),
        f"indented {one.is_indented}",
    )


def end_names(ends: tuple[str, str]) -> Sequence[str]:
    begins, last = ends
    return f"begins {begins}", f"ends {last}", f"begins {begins} ends {last}"


def beside_names(one: Beside) -> Sequence[str]:
    return (
        f"dense {one.dense}",
        f"digits {one.digits}",
        f"begins {one.begins} beside {one.other_begins} {one.place}",
        f"dense {one.dense} beside {one.other_dense}",
        f"digits {one.digits} beside {one.other_digits}",
    )


def opening_names(one: Opening) -> Sequence[str]:
    kind = kind_of(one.first)
    return (
        f"kind {kind}",
        f"kind {kind} ends {one.ends}",
        f"skipped {one.skipped}",
        f"asks {one.asks}",
        first_name(one.first),
        f"first {one.first} {one.second}",
    )


def first_name(word: str) -> str:
    return f"first {word}"


def lines_name(breaks: int) -> str:
    return f"lines {min(breaks, MOST_LINES)}"


def _preamble_size(words: Sequence[str]) -> int:
    if not words or words[0] not in _PREAMBLE:
        return 0
    most = min(len(words) - 1, _PREAMBLE_WORDS)
    return next((at for at in range(most) if words[at] not in _PREAMBLE), most)


def _shares(text: str) -> tuple[int, int]:
    """How much of a text are signs of code, and how much are digits, in steps."""
    size = len(text) or 1
    dense, digits = (1 - len(text.translate(one)) / size for one in (_DENSE, _DIGITS))
    return bisect_right(_SHARES, dense), bisect_right(_SHARES, digits)
