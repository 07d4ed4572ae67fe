"""Judges an answer by its case's check."""

import asyncio
from collections.abc import Sequence

from gateway.benchmarks.case import (
    Ask,
    Case,
    Exact,
    JsonAnswer,
    Judged,
    Matches,
    Number,
    Unchecked,
    UnitTests,
    Verdict,
)
from gateway.benchmarks.extraction import json_in, normalized, numbers, said, sources
from gateway.benchmarks.judge import judged
from gateway.benchmarks.sandbox import Outcome, Sandbox
from gateway.benchmarks.schema import mistake
from gateway.errors import Refused

# Whether all items of a list differ takes a time that grows with the square of their number.
MOST_JSON_CHARACTERS = 50_000


async def verdict(
    case: Case, answer: str, *, sandbox: Sandbox, ask: Ask | None, judge_model: str = "model"
) -> Verdict:
    """Says how good an answer is; what the answer holds never raises, and never runs unconfined.

    `ask` asks the judge model, whose name is `judge_model`; only a rubric needs it.
    """
    text = said(answer)
    match case.check:
        case UnitTests() as check:
            return await _tested(check, text, sandbox)
        case Exact() as check:
            return _exact(check, text)
        case Number() as check:
            return _number(check, text)
        case JsonAnswer() as check:
            return await asyncio.to_thread(_json, check, text)
        case Matches() as check:
            return await _matches(check, text, sandbox)
        case Judged(rubric):
            return await judged(case, answer, rubric=rubric, ask=ask, judge_model=judge_model)
        case Unchecked():
            return Verdict(None, "nothing", "the case has no check")


async def _tested(check: UnitTests, text: str, sandbox: Sandbox) -> Verdict:
    by = "unit tests"
    try:
        outcome = await sandbox.run_tests(sources(text), check.tests, seconds=check.seconds)
    except Refused as error:
        return Verdict(None, by, str(error))
    passed = outcome.tests.count(None)
    return Verdict(passed / outcome.count, by, _told(outcome, passed))


def _told(outcome: Outcome, passed: int) -> str:
    """Such as `3 of 5 tests passed; test 2: AssertionError; then it took too long`."""
    if outcome.loading == "SyntaxError":
        return "the answer holds no Python that can be read"
    if outcome.loading:
        return f"the code does not load: {outcome.loading}"
    first = next((n for n, error in enumerate(outcome.tests, 1) if error), None)
    parts = [f"{passed} of {outcome.count} tests passed"]
    parts += [f"test {first}: {outcome.tests[first - 1]}"] if first else []
    parts += ["then it took too long or too much"] if outcome.is_cut_off else []
    return "; ".join(parts)


def _exact(check: Exact, text: str) -> Verdict:
    is_right = normalized(text) in {normalized(one) for one in check.expected}
    return _plain("exact", is_right, "it is not the answer, or holds more than the answer")


def _number(check: Number, text: str) -> Verdict:
    found = numbers(text)
    is_right = any(abs(one - check.expected) <= check.tolerance for one in found)
    wrong = "its last number is another" if found else "it holds no number"
    return _plain("number", is_right, wrong)


def _json(check: JsonAnswer, text: str) -> Verdict:
    if len(text) > MOST_JSON_CHARACTERS:
        return _plain("JSON schema", False, "it is too long")
    try:
        value = json_in(text)
    except ValueError:
        return _plain("JSON schema", False, "it holds no JSON")
    found = mistake(value, check.schema)
    return _plain("JSON schema", found is None, f"the schema's {found} does not hold")


async def _matches(check: Matches, text: str, sandbox: Sandbox) -> Verdict:
    folded = text.casefold()
    held: Sequence[bool] = (
        *(one.casefold() in folded for one in check.contains),
        *(one.casefold() not in folded for one in check.lacks),
        *[bool(await sandbox.finds(one, text)) for one in check.patterns],
    )
    detail = f"{sum(held)} of {len(held)} conditions hold"
    return Verdict(sum(held) / len(held), "match", detail)


def _plain(by: str, is_right: bool, wrong: str) -> Verdict:
    return Verdict(1.0 if is_right else 0.0, by, "right" if is_right else wrong)
