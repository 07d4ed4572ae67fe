"""A task of a user's own, as tools and HTTP take it, read as a case and the models it is for."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.benchmarks import schema
from gateway.benchmarks.case import (
    MOST_TEXT_CHARACTERS,
    MOST_TEXTS,
    Case,
    Check,
    Exact,
    JsonAnswer,
    Matches,
    Number,
    Unchecked,
    UnitTests,
)
from gateway.benchmarks.running import hints_of, request_of
from gateway.benchmarks.unit_tests import steps
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.llm.brief import COMPLEXITY_SCHEMA, brief_hints
from gateway.llm.completion import Hints
from gateway.llm.features import Features
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.text import shown

MOST_RUNS = 10
MOST_OUTPUT_TOKENS = 16_384
USUAL_OUTPUT_TOKENS = 500
LEAST_OUTPUT_TOKENS = 256
# An answer may be so many times as long as expected before it is cut off.
SLACK = 4
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CHECKS = ("expected", "number", "contains", "json_schema", "unit_tests")

RUNS_SCHEMA: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_RUNS,
    "description": "How often each model is asked; 1. More runs tell how far answers spread.",
}
BUDGET_SCHEMA: Mapping[str, Any] = {
    "type": "number",
    "minimum": 0,
    "description": "US dollars that it may cost at most; else at most what named models may cost.",
}
CHECK_SCHEMA: Mapping[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "object"}],
    "description": (
        "How to tell a good answer: the expected answer as text or number; or an object with one "
        f"of {', '.join(_CHECKS)}, where expected and contains take a text or a list of them, "
        "and unit_tests Python asserts about the code in the answer, run in a sandbox. Without "
        "one, only times, tokens and cost are told."
    ),
}
TASK_PROPERTIES: Mapping[str, Any] = {
    "task_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "description": "A name of your own for it, such as sort-1: letters, digits, ., _ and -.",
    },
    "task": {"type": "string", "minLength": 1, "description": "The prompt, as models get it."},
    "context_length": {
        "type": "integer",
        "minimum": 0,
        "description": "Tokens of context that a model must have room for at such tasks.",
    },
    "expected_output_length": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_OUTPUT_TOKENS,
        "description": f"Tokens of a usual answer; {USUAL_OUTPUT_TOKENS}. Longer ones are cut.",
    },
    "complexity": COMPLEXITY_SCHEMA,
    "local_model": {
        "type": "string",
        "description": "A local or free model to ask: its ID, name or alias.",
    },
    "paid_model": {
        "type": "string",
        "description": "A model to ask that may cost money; naming it allows that.",
    },
    "runs_per_task": RUNS_SCHEMA,
    "check": CHECK_SCHEMA,
}
TASK_REQUIRED = ("task_id", "task", "context_length")


@dataclass(frozen=True, slots=True)
class AskedTask:
    """`models` are as they were named; of which kind it is, only the router can tell."""

    case: Case
    models: tuple[str, ...]
    runs: int
    context_tokens: int

    @property
    def request(self) -> ChatRequest:
        return request_of(self.case, "auto")

    @property
    def hints(self) -> Hints:
        return replace(hints_of(self.case), task=None)

    def told(self, features: Features) -> "AskedTask":
        """With the task that the router takes it for."""
        complexity = self.case.complexity
        case = replace(
            self.case,
            task=features.task,
            complexity=round(features.complexity, 2) if complexity is None else complexity,
        )
        return replace(self, case=case)

    def fits(self, model: Model) -> bool:
        needed = self.context_tokens + (self.case.expected_output_tokens or 0)
        return model.context_tokens is None or model.context_tokens >= needed


def read_task(asked: Mapping[str, Any], *, may_run_code: bool) -> AskedTask:
    """What came was checked against `TASK_PROPERTIES`.

    Raises:
        InvalidRequest: naming the argument, and what it takes.
        PermissionDenied: it brings unit tests of its own, and may not.
    """
    task_id = asked["task_id"]
    if not _ID.fullmatch(task_id):
        raise InvalidRequest(
            f"task_id is {shown(task_id)!r}; it takes up to 64 letters, digits, '.', '_' and '-'"
        )
    if not asked["task"].strip():
        raise InvalidRequest("task is empty; it takes the prompt for the models")
    check = read_check(asked.get("check"))
    if isinstance(check, UnitTests) and not may_run_code:
        raise PermissionDenied("unit tests of your own may be run with an owner's key only")
    expected = int(asked.get("expected_output_length", USUAL_OUTPUT_TOKENS))
    hints = brief_hints({"complexity": asked.get("complexity")})
    case = Case(
        id=task_id,
        task="general",
        prompt=asked["task"],
        system=None,
        check=check,
        max_output_tokens=min(max(expected * SLACK, LEAST_OUTPUT_TOKENS), MOST_OUTPUT_TOKENS),
        complexity=hints.complexity,
        expected_output_tokens=expected,
    )
    named = (asked.get("local_model"), asked.get("paid_model"))
    return AskedTask(
        case,
        tuple(dict.fromkeys(name for name in named if name)),
        int(asked.get("runs_per_task", 1)),
        int(asked["context_length"]),
    )


def read_check(value: object) -> Check:
    """Raises:
    InvalidRequest: it is none.
    """
    if value is None:
        return Unchecked()
    if isinstance(value, str) and value.strip():
        return Exact(_bounded((value,), "check"))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, "check")
    if isinstance(value, Mapping) and len(value) == 1:
        [(kind, given)] = value.items()
        if kind in _CHECKS:
            return _check(str(kind), given)
    raise InvalidRequest(
        "check takes the expected answer as text or number, or an object with one of "
        f"{', '.join(_CHECKS)}"
    )


def budget_microusd(usd: float) -> int:
    return int(usd * 1_000_000)


def _check(kind: str, given: object) -> Check:
    match kind, given:
        case "number", int() | float() if not isinstance(given, bool):
            return _number(given, "check.number")
        case "json_schema", Mapping():
            _tell(kind, lambda: schema.check(given))
            return JsonAnswer(given)
        case "unit_tests", str() if given.strip():
            _tell(kind, lambda: steps(given))
            return UnitTests(given)
        case "expected", _ if texts := _texts(given):
            return Exact(_bounded(texts, "check.expected"))
        case "contains", _ if texts := _texts(given):
            return Matches(contains=_bounded(texts, "check.contains"))
    takes = {
        "number": "a number",
        "json_schema": "a JSON Schema, which is an object",
        "unit_tests": "Python with asserts",
    }
    raise InvalidRequest(f"check.{kind} takes {takes.get(kind, 'a text or a list of texts')}")


def _number(given: float, name: str) -> Number:
    # Compared as it is: a whole number may be too large for a float.
    if not abs(given) <= sys.float_info.max:
        raise InvalidRequest(f"{name} takes a number that is finite and not above 1e308")
    return Number(float(given))


def _tell(kind: str, look: Callable[[], object]) -> None:
    try:
        look()
    except ValueError as error:
        raise InvalidRequest(f"check.{kind} {error}") from None


def _bounded(texts: tuple[str, ...], name: str) -> tuple[str, ...]:
    if len(texts) > MOST_TEXTS:
        raise InvalidRequest(f"{name} takes at most {MOST_TEXTS} texts, not {len(texts)}")
    longest = max(map(len, texts))
    if longest > MOST_TEXT_CHARACTERS:
        raise InvalidRequest(
            f"{name} takes texts of up to {MOST_TEXT_CHARACTERS} characters, not {longest}"
        )
    return texts


def _texts(given: object) -> tuple[str, ...]:
    """Nothing, where it is neither a text nor a list of them."""
    several = given if isinstance(given, list) else [given]
    texts = [one for one in several if isinstance(one, str) and one.strip()]
    return tuple(texts) if len(texts) == len(several) else ()
