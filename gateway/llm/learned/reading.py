"""What the learned model looks at in a text: its words, the pieces of them, and its signs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import add
from zlib import crc32

from gateway.llm.learned.asked import Parted, parted
from gateway.llm.learned.signs import NEAR_WORDS, openings, pasted_signs, signs
from gateway.llm.task_words import fold, split

# What is asked stands at the beginning or at the end; what stands between is often pasted.
NEAR_LAST_WORDS = 16
# A paragraph of fewer words is a greeting or a title.
LEAST_ASKED = 3
# Each family of features begins its hashes elsewhere, so that equal letters do not meet.
WORD, PAIR, PIECE, OPENING, SIGN = range(1, 6)
MOST_UNSPACED_RUNS, MOST_UNSPACED = 20, 40
PIECE_LETTERS, PREFIX_LETTERS, LONGEST_PIECED = 4, 5, 16

# Kind words say nothing about the task, so they are not read at all.
_POLITE = frozenset(
    "please pls plz kindly hi hello hey hiya thanks thank thx ty dear greetings bitte danke "
    "hallo por favor gracias hola merci bonjour grazie ciao ola obrigado obrigada".split()
)
_PREAMBLE = re.compile(
    r"(?:(?:good (?:morning|evening|afternoon|day)|can you|could you|would you|will you|can u"
    r"|i (?:want|need|would like|d like) (?:you to|to know)|help me(?: to)?|tell me|so|ok|okay"
    r"|well|and|um|yo|hm|just|again|now|also|you) )+(?=\S)"
)
_PREAMBLE_WORDS = 14
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """`near` are the words where something is asked, `far` those between.

    `pairs` are the near words that stand beside each other, `openings` tell how it begins, and
    `size` is in words; of a text that was parted, in those of the part that asks.
    """

    folded: str
    near: Sequence[str]
    far: Sequence[str]
    pairs: Sequence[str]
    openings: Sequence[str]
    signs: Sequence[str]
    size: int


def read(text: str) -> Reading:
    return read_parted(parted(text))


def read_parted(parts: Parted) -> Reading:
    """Of what is pasted only its kind: its words say nothing of what is asked."""
    text = _hashable(parts.asked)
    folded = fold(text)
    words = split(folded)
    if not _POLITE.isdisjoint(words):
        words = [word for word in words if word not in _POLITE] or words
    unspaced = [] if folded.isascii() else list(_unspaced_pieces(folded))
    near, far = words, list[str]()
    asked: Sequence[str] = words
    asked_last: Sequence[str] = ()
    if len(words) > NEAR_WORDS + NEAR_LAST_WORDS:
        head, tail = _near_words(folded)
        near, far = words[:head] + words[-tail:], words[head:-tail]
        asked, asked_last = words[:head], words[-tail:] if tail < NEAR_LAST_WORDS else ()
    asked = _without_preamble(asked)
    size = len(words) + len(unspaced) // 3
    first = asked[0] if asked else ""
    return Reading(
        folded,
        near=list(dict.fromkeys((*near, *unspaced))),
        far=list(dict.fromkeys(far)),
        pairs=_pairs(near),
        openings=[*openings(asked), *openings(_without_preamble(asked_last))],
        signs=[
            *signs(text, folded, words=words, first=first, size=size),
            *pasted_signs(parts.pasted, words=[*words, *unspaced], size=size),
        ],
        size=size,
    )


def _hashable(text: str) -> str:
    """Half of a pair of surrogates has no bytes to hash."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def read_words(text: str) -> Reading:
    """Of a text that nobody asks, such as a word of a lexicon: its words alone."""
    folded = fold(text)
    words = [*split(folded), *_unspaced_pieces(folded)]
    return Reading(
        folded,
        near=list(dict.fromkeys(words)),
        far=(),
        pairs=_pairs(words),
        openings=(),
        signs=(),
        size=len(words),
    )


def _pairs(words: Sequence[str]) -> Sequence[str]:
    # Twice as fast as joining each pair.
    return list(dict.fromkeys(map(add, [f"{word} " for word in words], words[1:])))


def _near_words(folded: str) -> tuple[int, int]:
    """How many words at the beginning and at the end ask; a short paragraph there does so alone."""
    paragraphs = folded.strip().split("\n\n")
    head, tail = NEAR_WORDS, NEAR_LAST_WORDS
    if len(paragraphs) > 1:
        first, last = len(split(paragraphs[0])), len(split(paragraphs[-1]))
        head = first if LEAST_ASKED <= first <= head else head
        tail = last if LEAST_ASKED <= last <= tail else tail
    return head, tail


def word_hashes(word: str) -> Sequence[int]:
    """Of the word itself, then of the pieces that a misspelt or inflected one shares with it."""
    known = word.encode()
    if len(word) <= 2:
        return (crc32(known, WORD),)
    framed = b"<" + known[:LONGEST_PIECED] + b">"
    pieces = {framed[at : at + PIECE_LETTERS] for at in range(len(framed) - PIECE_LETTERS + 1)}
    pieces.add(framed[: PREFIX_LETTERS + 1])
    return [crc32(known, WORD), *[crc32(piece, PIECE) for piece in sorted(pieces)]]


def hashed(feature: str, family: int) -> int:
    return crc32(feature.encode(), family)


def _unspaced_pieces(folded: str) -> Iterator[str]:
    """Scripts that write no spaces are read by their signs, alone and in pairs."""
    for run in islice(_UNSPACED.findall(folded), MOST_UNSPACED_RUNS):
        yield from run[:MOST_UNSPACED]
        yield from (run[at : at + 2] for at in range(min(len(run), MOST_UNSPACED) - 1))


def _without_preamble(words: Sequence[str]) -> Sequence[str]:
    """The words without what people say before they ask."""
    found = _PREAMBLE.match(" ".join(words[:_PREAMBLE_WORDS]))
    return words[found.group().count(" ") :] if found else words
