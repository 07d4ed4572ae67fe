"""Finds in an answer what was asked for, among what models say around it."""

import json
import math
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

MOST_CHARACTERS = 200_000
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+-]*)")
_PYTHON = ("", "python", "py", "python3")
# In groups of three, or not.
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>(?<![\w)])[-+\u2212])?\s?[$€£]?(?P<value>{_DIGITS})(?P<power>[eE][-+]?\d+)?"
    rf"(?:\s?/\s?(?P<below>{_DIGITS}))?\s?(?P<percent>%|\\%|percent\b)?"
)
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_MARKED = (re.compile(r"####([^\n]*)"), re.compile(r"\\boxed\{([^{}]*)\}"))
_AROUND = " \t\n\"'`*_“”\u2018\u2019«».!"
_MOST_STARTS = 100
_MOST_DIGITS = 400
_MOST_MARKS = 30


def said(answer: str) -> str:
    """The answer without the thoughts that some models write before it."""
    return answer[:MOST_CHARACTERS].rpartition("</think>")[2].strip()


def normalized(text: str) -> str:
    folded = unicodedata.normalize("NFKC", _with_few_marks(text)).casefold()
    return " ".join(folded.split()).strip(_AROUND)


def fenced(text: str, languages: Sequence[str]) -> Sequence[str]:
    """The fenced blocks in one of these languages; the last may lack its end."""
    found: list[str] = []
    block: list[str] | None = None
    mark = language = ""
    for line in text.splitlines():
        opens = _FENCE.match(line)
        if block is None:
            if opens:
                mark, language, block = opens[1], opens[2].lower(), []
        elif opens and opens[1].startswith(mark) and not opens[2]:
            found += ["\n".join(block)] * (language in languages)
            block = None
        else:
            block.append(line)
    if block and language in languages:
        found.append("\n".join(block))
    return [textwrap.dedent(one) for one in found]


def sources(text: str) -> Sequence[str]:
    """What may be the Python code of an answer."""
    return fenced(text, _PYTHON) or (text,)


def numbers(text: str) -> Sequence[float]:
    """What the last number of a text can mean: 25% is 25 and 0.25; nothing without a number.

    A number behind `####` or in a box is the last one, wherever it stands.
    """
    plain = _LATEX_FRACTION.sub(r"\1/\2", text.replace("{,}", ",").replace("\\$", "$"))
    for pattern in _MARKED:
        marked = pattern.findall(plain)
        if marked and _NUMBER.search(marked[-1]):
            plain = marked[-1]
            break
    found = list(_NUMBER.finditer(plain))
    return _meant(found[-1]) if found else ()


def json_in(text: str) -> Any:
    """
    Raises:
        ValueError: no part of the text is JSON.
    """
    for part in (text, *reversed(fenced(text, ("", "json")))):
        try:
            return json.loads(part, parse_constant=_refused)
        except (ValueError, RecursionError):
            continue
    for value in objects_in(text):
        return value
    raise ValueError("no JSON")


def objects_in(text: str) -> Iterator[Any]:
    """The objects and lists of JSON that stand anywhere in a text, in order."""
    decoder = json.JSONDecoder(parse_constant=_refused)
    place = 0
    for _ in range(_MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, place)
        if start is None:
            return
        try:
            value, place = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            place = start.end()
        else:
            yield value


def _with_few_marks(text: str) -> str:
    """Putting a row of marks in order takes a time that grows with its square.

    No language writes more of them on a letter: see UAX #15, section 13.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for one in text:
        marks = marks + 1 if unicodedata.combining(unicodedata.normalize("NFKD", one)[0]) else 0
        if marks <= _MOST_MARKS:
            kept.append(one)
    return "".join(kept)


def _meant(found: re.Match[str]) -> Sequence[float]:
    below = _float(found["below"] or "1")
    if not below:
        return ()
    value = _float(found["value"] + (found["power"] or "")) / below
    signed = -value if found["sign"] in ("-", "\u2212") else value
    return (signed, signed / 100) if found["percent"] else (signed,)


def _float(digits: str) -> float:
    # Reading a very long one takes a time that grows with its square.
    return float(digits.replace(",", "")) if len(digits) <= _MOST_DIGITS else math.inf


def _refused(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")
