"""Which part of a long text asks, and what was pasted around it."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.llm.learned.asking import Asking, Looked, Part, shipped

# Of what asks and of what is pasted only the head and the tail are read.
HEAD_CHARACTERS, TAIL_CHARACTERS = 400, 160
# A shorter text asks as a whole: what people write themselves is seldom longer, and told better
# by all of its words.
WHOLE_CHARACTERS = 1_800
MOST_ASKED, END_CHARACTERS = 600, 900
# A shorter paragraph is a greeting or a word of thanks, and says nothing without the next.
GREETING_CHARACTERS = 24
# How far from either end a text is read, so that any length costs the same; and how many
# paragraphs between are looked at: ten told one in a hundred better than four. Texts have seldom
# more than 500 of them; thousands, of a word each, would take 15 ms.
SEARCHED_CHARACTERS, MOST_LOOKED, LEAST_BETWEEN = 20_000, 4, 8
MOST_GLANCED = 600
# By the logarithm of the odds: from where on a part asks at all, asks beside another that is
# nearly as likely, and asks so surely that none between is searched.
LEAST_ASKING, ASKING, SURE = -1.0, 1.0, 5.0
NEARLY, BETWEEN_HANDICAP = 3.0, 1.0
# What begins with one of these is code, a list, a quote or a table.
_NEVER_ASKS = frozenset(" \t\n{}[])<>|/*#@`=+-.,;:\\_%&~")
_SENTENCE_END = re.compile(
    r"[.?!:](?=\s)|[\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH QUESTION MARK}\N{FULLWIDTH COLON}]"
)


class Parted(NamedTuple):
    """Of each only the head and the tail.

    `pasted` is empty where a text asks as a whole, or nobody knows which part of it does.
    """

    asked: str
    pasted: str = ""


def parted(text: str) -> Parted:
    """The same text is always parted in the same way, in a time that its length hardly raises."""
    text = _reached(text).strip()
    if len(text) <= WHOLE_CHARACTERS:
        return Parted(bounded(text))
    asking = shipped()
    at_ends = [asking.look(text, part) for part in parts_at_ends(text)]
    likeliest = max(at_ends, default=Looked(LEAST_ASKING, Part(0, 0, "head")))
    if likeliest.odds < SURE:
        between = max(_looked_between(text, asking), default=likeliest)
        if between.odds > max(likeliest.odds, LEAST_ASKING) + BETWEEN_HANDICAP:
            return _apart(text, between.part)
    if likeliest.odds < LEAST_ASKING or not at_ends:
        return Parted(bounded(text))
    return _of_both_ends(text, at_ends) or _apart(text, likeliest.part)


def bounded(text: str) -> str:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"


def _reached(text: str) -> str:
    reached = len(text) <= 2 * SEARCHED_CHARACTERS
    return text if reached else f"{text[:SEARCHED_CHARACTERS]}{text[-SEARCHED_CHARACTERS:]}"


def _apart(text: str, part: Part) -> Parted:
    return Parted(
        bounded(text[part.start : part.end]), bounded(f"{text[: part.start]}\n{text[part.end :]}")
    )


def _of_both_ends(text: str, looked: Sequence[Looked]) -> Parted | None:
    """Both, where each asks for itself: what is wanted, and how."""
    head = max((one for one in looked if one.part.place == "head"), default=None)
    tail = max((one for one in looked if one.part.place == "tail"), default=None)
    if head is None or tail is None or min(head.odds, tail.odds) <= ASKING:
        return None
    if abs(head.odds - tail.odds) >= NEARLY:
        return None
    first, last = head.part.end, tail.part.start
    return Parted(bounded(f"{text[:first]}\n{text[last:]}"), bounded(text[first:last]))


def parts_at_ends(text: str) -> Iterator[Part]:
    """The first and the last paragraph, the first and the last line; else sentence."""
    first, last = _first_ends(text), _last_starts(text)
    heads = [Part(0, end, "head") for end in first if 0 < end <= MOST_ASKED]
    tails = [Part(at, len(text), "tail") for at in last if len(text) - MOST_ASKED <= at]
    if not heads and not tails:
        heads, tails = _sentences(text)
    yield from heads
    yield from tails


def _first_ends(text: str) -> Sequence[int]:
    """Where the first paragraph and the first line end."""
    paragraph = text.find("\n\n", 0, END_CHARACTERS)
    if 0 < paragraph < GREETING_CHARACTERS:
        paragraph = max(text.find("\n\n", paragraph + 2, END_CHARACTERS), paragraph)
    line = text.find("\n", 0, END_CHARACTERS)
    return (paragraph,) if line == paragraph else (paragraph, line)


def _last_starts(text: str) -> Sequence[int]:
    """Where the last paragraph and the last line start."""
    least = len(text) - END_CHARACTERS
    paragraph = text.rfind("\n\n", max(least, 0))
    if paragraph > 0 and len(text) - paragraph - 2 < GREETING_CHARACTERS:
        further = text.rfind("\n\n", max(least, 0), paragraph)
        paragraph = further if further > 0 else paragraph
    line = text.rfind("\n", max(least, 0))
    starts = (paragraph + 2,) if line == paragraph + 1 else (paragraph + 2, line + 1)
    return [start for start in starts if start > 1]


def _sentences(text: str) -> tuple[list[Part], list[Part]]:
    """The first and the last, where a question and what is pasted are one paragraph."""
    size = len(text)
    head = _SENTENCE_END.search(text, 0, MOST_ASKED)
    ends = [one.end() for one in _SENTENCE_END.finditer(text, size - MOST_ASKED, size - 1)]
    return (
        [Part(0, head.end(), "head")] if head else [],
        [Part(size - len(text[end:].lstrip()), size, "tail") for end in ends[-1:]],
    )


def parts_between(text: str) -> Iterator[Part]:
    """Short paragraphs that neither begin nor end a text."""
    end = text.find("\n\n")
    for written in text[end + 2 :].split("\n\n")[:-1]:
        start, end = end + 2, end + 2 + len(written)
        if LEAST_BETWEEN <= len(written) <= MOST_ASKED:
            start += len(written) - len(written.lstrip("\n"))
            if text[start] not in _NEVER_ASKS:
                yield Part(start, end, "middle")


def _looked_between(text: str, asking: Asking) -> Iterator[Looked]:
    parts = list({text[part.start : part.end]: part for part in parts_between(text)}.values())
    if len(parts) > MOST_GLANCED:
        parts = [*parts[: MOST_GLANCED // 2], *parts[-MOST_GLANCED // 2 :]]
    if len(parts) > MOST_LOOKED:
        parts.sort(key=lambda part: -asking.glance(text[part.start : part.end]))
    return (asking.look(text, part) for part in parts[:MOST_LOOKED])
