"""The task and the complexity of a request, from the words and the signs that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Literal, cast

from gateway.llm.learned.answer_length import ASKING_CHARACTERS, AskedLength, asked_length
from gateway.llm.learned.asked import Parted, parted
from gateway.llm.learned.reading import Reading, read_parted
from gateway.llm.learned.reasons import MOST_REASONS, NOTHING_SAID, Reasons, reasons
from gateway.llm.learned.signs import has_code
from gateway.llm.learned.weights import LEARNED_TASKS, chances, shipped
from gateway.llm.task_words import demands
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
# A single text from here on is about itself: of the development data all long texts have more
# than 1,400, all others fewer than 1,000. Code stays coding.
LONG_TEXT_TOKENS = 1_200
# Texts that are remembered as they were read, of at most 561 characters asked and pasted each.
MOST_READ = 256
# Of a word or two that tell it nothing the classifier sees only that they are few.
FEW_WORDS, SURE_ENOUGH, FEW_WORDS_SAID = 3, 0.55, "few words"
_QUICK = LEARNED_TASKS.index("quick")
BASE_COMPLEXITY: Mapping[Task, float] = {
    "coding": 0.22,
    "research": 0.27,
    "creative": 0.26,
    "quick": 0.0,
    "complex": 0.26,
    "long_context": 0.20,
    "general": 0.23,
}
MOST_COMPLEXITY_OF_QUICK = 0.25
# Every stem of `demands` is as long.
_BEGINNING = 3
_JOINING_WORDS = frozenset(("and", "then", "und", "et", "y", "и"))


@dataclass(frozen=True, slots=True)
class Classified:
    """`complexity` and `sureness`, the chance that the task is right, are from 0 to 1.

    `because` names the words and signs that decided, the strongest first, which are looked for
    when they are asked for; `output_tokens` is how long the answer is expected to be.
    """

    task: Task
    complexity: float
    because: Sequence[str]
    sureness: float = 1.0
    output_tokens: int = 0

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
    own_tokens = estimated_tokens(text)
    tokens = own_tokens if input_tokens is None else input_tokens
    told = _told(parted(text))
    task, because, sureness = told.task, told.because, told.sureness
    if is_long_text(own_tokens, told.reading, task=task) or tokens >= LONG_CONTEXT_TOKENS:
        because = Reasons(partial(_with_size, because, max(tokens, own_tokens)))
        task, sureness = "long_context", 1.0
    complexity = _complexity(told, task, tokens=tokens)
    output_tokens = told.length.answer_tokens(task=task, complexity=complexity)
    return Classified(task, complexity, because, sureness, output_tokens)


def _with_size(because: Sequence[str], tokens: int) -> tuple[str, ...]:
    return (f"about {tokens:,} tokens", *because[: MOST_REASONS - 1])


def is_long_text(tokens: int, reading: Reading, *, task: str) -> bool:
    """Whether a text is about its own length; a long program is a program."""
    return tokens >= LONG_TEXT_TOKENS and not (task == "coding" and has_code(reading.signs))


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told from a text, whatever the size of the request is."""

    reading: Reading
    task: Task
    because: Sequence[str]
    sureness: float
    length: AskedLength
    demand: float = 0.0


# Each round of an answer with tools asks about the same words.
@lru_cache(maxsize=MOST_READ)
def _told(parts: Parted) -> _Told:
    reading, weights = read_parted(parts), shipped()
    words = frozenset((*reading.near, *reading.far))
    length = asked_length(reading.folded, words)
    if not words:
        return _Told(reading, "general", (NOTHING_SAID,), 1 / len(LEARNED_TASKS), length)
    each = chances(weights.scores(reading))
    number = each.index(max(each))
    if not parts.pasted and reading.size <= FEW_WORDS and each[number] < SURE_ENOUGH:
        return _Told(reading, "quick", (FEW_WORDS_SAID,), round(each[_QUICK], 3), length)
    return _Told(
        reading,
        cast(Task, LEARNED_TASKS[number]),
        Reasons(partial(reasons, weights, reading, task=number)),
        round(each[number], 3),
        length,
        _demand(reading, [*reading.near, *reading.far]),
    )


def _demand(reading: Reading, words: Sequence[str]) -> float:
    """How much is asked for, and in which words."""
    asking = reading.folded[:ASKING_CHARACTERS]
    joined = sum(map(asking.count, ",;:")) + sum(map(_JOINING_WORDS.__contains__, words))
    harder, easier = demands().of(asking, _demanding(words))
    size = 0.015 * min(reading.size, 20) + 0.02 * min(joined, 8)
    return size + 0.09 * min(harder, 5) - 0.09 * min(easier, 3)


def _demanding(words: Sequence[str]) -> Sequence[str]:
    """Those that may make it harder or easier; most are seen by their first letters not to."""
    beginnings = _beginnings()
    return [word for word in words if word[:_BEGINNING] in beginnings]


@cache
def _beginnings() -> frozenset[str]:
    known = demands()
    return frozenset(word[:_BEGINNING] for word in (*known.words, *known.stems))


def _complexity(told: _Told, task: Task, *, tokens: int) -> float:
    """From 0 to 1: what kind of task it is, how much is asked for, and in which words."""
    total = BASE_COMPLEXITY[task] + told.demand
    if tokens > LONG_CONTEXT_TOKENS * 4:
        total += 0.05
    ceiling = MOST_COMPLEXITY_OF_QUICK if task == "quick" else 1.0
    return round(min(max(total, 0.0), ceiling), 3)
