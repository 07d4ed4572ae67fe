"""What a benchmark asks a model, how the answer is judged, and what the judgement is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.llm.task import Task

# Comparing takes a time that grows with both.
MOST_TEXTS = 100
MOST_TEXT_CHARACTERS = 2_000

# Asks the judge model; gives its answer, or raises a `GatewayError`.
Ask = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class UnitTests:
    """`tests` is Python: each `assert` and each `def test_…` at its top level is one test.

    They use what the answer's code defines by its name.
    """

    tests: str
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Exact:
    """The answer is one of these, but for case, white space, quotes and a full stop."""

    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """The last number of the answer is at most `tolerance` from this one."""

    expected: float
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """The answer is JSON of this JSON Schema, which may pin values by `const` and `enum`."""

    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matches:
    """Regular expressions that are found, and text that is and is not in it, whatever its case."""

    patterns: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge model grades the answer by this rubric, which is an opinion."""

    rubric: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Only time, tokens and cost are measured."""


Check = UnitTests | Exact | Number | JsonAnswer | Matches | Judged | Unchecked


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to ask a model; `complexity` is 0 to 1, None where nobody stated it."""

    id: str
    task: Task
    prompt: str
    system: str | None
    check: Check
    max_output_tokens: int
    complexity: float | None
    expected_output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`quality` is 0 to 1, None where nothing judged it.

    `by` names what did, such as `unit tests` or `judge openai/gpt-5-mini`. `detail` says why in
    words that hold no part of the answer's text.
    """

    quality: float | None
    by: str
    detail: str
    is_opinion: bool = False
