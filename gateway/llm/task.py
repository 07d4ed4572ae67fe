"""The task and the complexity of a request, from the words and the signs that it is made of."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from gateway.llm.task_words import Found, fold, lexicon, split, unspaced_letters
from gateway.llm.tokens import estimated_tokens

Task = Literal["coding", "research", "creative", "quick", "complex", "long_context", "general"]
Band = Literal["low", "medium", "high"]
TASKS: tuple[Task, ...] = (
    "coding",
    "research",
    "creative",
    "quick",
    "complex",
    "long_context",
    "general",
)
LOW, HIGH = 0.34, 0.67
# Longer requests need a model that was made for it, whatever they are about.
LONG_CONTEXT_TOKENS = 16_000
# Of a longer text only its head and its tail are read, so that any length costs the same.
HEAD_CHARACTERS, TAIL_CHARACTERS = 600, 200
# What is asked stands at the beginning or at the end; what stands between is often pasted.
ASKING_WORDS = 40
MOST_REASONS = 6
# Texts that are remembered as they were read, of at most 801 characters each.
MOST_READ = 256
# What every request is, a little; words of daily life add to it less than those of a trade.
GENERAL, DAILY_SHARE = 1.1, 0.75
# However many words say a task only weakly, they never say it strongly.
MOST_OF_WEAK_WORDS = 2.0
# One word of a trade outweighs all words of daily life: a poem for a daughter's school is a poem.
MOST_OF_DAILY_WORDS = 2.9
# Questions that begin so, and name somebody or a year, ask for a fact.
_FACT_WORDS = frozenset("who whom whose when where which what name in".split())
# Questions that begin so, in learned words and about nobody present, ask for what is known.
_LEARNED_WORDS = frozenset("how what which why are is do does can could to in".split())
_SELF_WORDS = frozenset("i my me we our you your us".split())
LEARNED_LETTERS, LEARNED_SHARE = 9, 0.22
BASE_COMPLEXITY: Mapping[str, float] = {
    "coding": 0.22,
    "research": 0.27,
    "creative": 0.26,
    "quick": 0.0,
    "complex": 0.26,
    "long_context": 0.20,
    "general": 0.23,
}

# Each way begins with something rare, so that a text is passed over quickly.
_CODE = re.compile(
    r"```|</\w+>|=>|::|\(\)|(?<=\w)\[\w+\]|\.\w+\(|_[a-z]+\(|;[ \t]*$|[!=]==?|(?<=\s)--[a-z]+\b"
    r"|^[ \t]*(?:def|class|import|from|function|fn|func|public|private|const|let|var|return|for"
    r"|while|if|#include|package|struct|impl)\b.*[:;{(]|^[ \t]*(?:at|File) .*\d"
    r"|\bSELECT\b.*\bFROM\b|\bTraceback\b|\bException\b|[a-z]Error\b"
    r"|\.(?:py|js|ts|go|rs|java|c|cpp|rb|php|sh|ya?ml|toml)\b",
    re.MULTILINE,
)
_MATHEMATICS = re.compile(
    r"\$[^$\n]{1,200}\$|\\(?:frac|sum|int|sqrt|cdot|begin|left)|[a-z0-9)]\s?\^\s?[a-z0-9({]"
    r"|\b\d*[a-z]\s?[+*/=-]\s?\d|\d\s?[+*/=-]\s?\d*[a-z]\b|[²³√∑∫≤≥≠∞]|[a-z]\([a-z0-9]\)\s?="
)
_COUNTING = re.compile(r"how (?:many|much|long|far|old|big|tall|high|deep|fast)\b", re.IGNORECASE)
_ROLE = re.compile(
    r"you(?: are|\Wre) (?:now )?(?:(?-i:[A-Z][a-z]+ [A-Z])|(?:an?|the) "
    r"(?!help|assist|expert|senior|given))|pretend|role-?play",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred"
    r"|half|twice)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+|\b1\d{3}\b|\b20\d\d\b")
_ENUMERATION = re.compile(r"[,;:]|\b(?:and|then|und|et|y|и)\b")


@dataclass(frozen=True, slots=True)
class Classified:
    """`complexity` is from 0 to 1; `because` names the words and signs that decided."""

    task: Task
    complexity: float
    because: tuple[str, ...]

    @property
    def band(self) -> Band:
        return band(self.complexity)


def band(complexity: float) -> Band:
    if complexity < LOW:
        return "low"
    return "medium" if complexity < HIGH else "high"


def classify(text: str, *, input_tokens: int | None = None) -> Classified:
    """Tell the task of what a user wrote; the same text always gives the same answer.

    `input_tokens` is the size of the whole request, where `text` is only a part of it.
    """
    tokens = estimated_tokens(text) if input_tokens is None else input_tokens
    reading = _read(_bounded(text))
    task, because = reading.task, reading.because
    if tokens >= LONG_CONTEXT_TOKENS:
        because = (f"about {tokens:,} tokens", *because[: MOST_REASONS - 1])
        task = "long_context"
    return Classified(task, reading.complexity(task, tokens), because)


class _Reading:
    """One text, read once: the words that it is known by, and the signs of code and mathematics.

    `because` are those that spoke for the task, the strongest first.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        folded = fold(self._text)
        self._words = split(folded)
        self._found = lexicon().find(folded, self._words, mended=ASKING_WORDS)
        self._code = _count(_CODE, self._text, most=4)
        self._formulas = 0 if self._code else _count(_MATHEMATICS, self._text, most=3)
        self._numbers = _count(_NUMBER, self._text, most=20)
        # Scripts without spaces have about two characters a word.
        self._size = max(len(self._words), unspaced_letters(folded) // 2)
        self._signs = tuple(self._weigh_signs())
        scores = self._scores()
        self.task: Task = max(TASKS, key=lambda one: scores[one])
        self.because = self._reasons(self.task)

    def complexity(self, task: Task, tokens: int) -> float:
        """From 0 to 1: what kind of task it is, how much is asked for, and in which words."""
        total = BASE_COMPLEXITY[task]
        demands = _count(_ENUMERATION, self._text[:HEAD_CHARACTERS], most=8)
        total += 0.015 * min(self._size, 20) + 0.02 * demands
        harder = sum(one.meanings.get("harder", 0) * self._nearness(one) for one in self._found)
        easier = sum(one.meanings.get("easier", 0) * self._nearness(one) for one in self._found)
        total += 0.09 * min(harder, 5) - 0.09 * min(easier, 3)
        if tokens > LONG_CONTEXT_TOKENS * 4:
            total += 0.05
        ceiling = 0.25 if task == "quick" else 1.0
        return round(min(max(total, 0.0), ceiling), 3)

    def _scores(self) -> Mapping[str, float]:
        scores: dict[str, float] = defaultdict(float, general=GENERAL)
        weak: dict[str, float] = defaultdict(float)
        for task, weight, _ in self._signs:
            scores[task] += weight
        for one in self._found:
            for kind, weight in one.meanings.items():
                share = DAILY_SHARE if kind == "general" else 1.0
                bag = weak if weight <= 1 else scores
                bag[kind] += share * weight * self._nearness(one)
        for kind, weight in weak.items():
            scores[kind] += min(weight, MOST_OF_WEAK_WORDS)
        scores["general"] = min(scores["general"], MOST_OF_DAILY_WORDS)
        if self._size > (25 if self._asks else 12):
            scores["quick"] *= 0.3
        return scores

    def _reasons(self, task: Task) -> tuple[str, ...]:
        said = [(weight, sign) for kind, weight, sign in self._signs if kind == task]
        said += [
            (one.meanings[task] * self._nearness(one), f"“{one.text}”")
            for one in self._found
            if task in one.meanings
        ]
        said.sort(key=lambda reason: -reason[0])
        return tuple(sign for _, sign in said[:MOST_REASONS]) or ("nothing says another task",)

    def _weigh_signs(self) -> Iterator[tuple[Task, float, str]]:
        size, code = self._size, self._code
        if code:
            yield "coding", 1.5 * code, "signs of code"
        if self._formulas:
            yield "complex", 2.0 * self._formulas, "formulas"
        if self._numbers >= 2 and 12 <= size <= 150 and not code and self._asks:
            yield "complex", min(0.6 * self._numbers, 2.5), f"{self._numbers} numbers in a question"
        if size <= 10 and not self._numbers and _COUNTING.match(self._text):
            yield "quick", 1.5, "a short question for a number"
        if size <= 40 and _ROLE.match(self._text):
            yield "creative", 2.0, "a role to play"
        if size <= 6:
            yield "quick", 1.5 if self._numbers or self._begins_as_a_question else 1.2, "few words"
        elif size <= 11 and "?" in self._text:
            yield "quick", 0.6, "a short question"
        if self._asks_for_what_is_known:
            yield "research", 2.2, "a question in learned words"
        elif self._asks_for_a_fact:
            yield "quick", 1.5, "a question about a name"

    @property
    def _asks(self) -> bool:
        return (
            any(mark in self._text for mark in ("?", "\N{FULLWIDTH QUESTION MARK}"))
            or "how" in self._words
        )

    @property
    def _begins_as_a_question(self) -> bool:
        return bool(self._words) and self._words[0] in _FACT_WORDS

    @property
    def _asks_for_a_fact(self) -> bool:
        """A short question that names somebody, something or a year by a capital or a number."""
        is_short_question = self._size <= 25 and self._begins_as_a_question
        return is_short_question and _NAME.search(self._text) is not None

    @property
    def _asks_for_what_is_known(self) -> bool:
        words = self._words
        if not 5 <= len(words) <= 60 or words[0] not in _LEARNED_WORDS or "?" not in self._text:
            return False
        learned = sum(len(word) >= LEARNED_LETTERS for word in words)
        return learned >= LEARNED_SHARE * len(words) and _SELF_WORDS.isdisjoint(words)

    def _nearness(self, one: Found) -> float:
        """What is pasted counts less than what is asked."""
        is_near = one.place < ASKING_WORDS or one.place >= len(self._words) - ASKING_WORDS // 3
        return 1.0 if is_near else 0.35


# Each round of an answer with tools asks about the same words.
@lru_cache(maxsize=MOST_READ)
def _read(text: str) -> _Reading:
    return _Reading(text)


def _count(pattern: re.Pattern[str], text: str, *, most: int) -> int:
    return sum(1 for _ in islice(pattern.finditer(text), most))


def _bounded(text: str) -> str:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"
