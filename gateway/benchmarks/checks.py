"""Judges an answer by its case's check."""

import asyncio
import logging
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
from gateway.benchmarks.extraction import normalized, numbers, said, sources
from gateway.benchmarks.judge import judged
from gateway.benchmarks.sandbox import Outcome, Sandbox
from gateway.errors import Refused

logger = logging.getLogger(__name__)
# An answer may be longer than the expected one by white space, marks and quotes, not by much more.
_MOST_TIMES_LONGER, _MORE_CHARACTERS = 4, 200
# Whether all items of a list differ takes a time that grows with the square of their number.
MOST_JSON_CHARACTERS = 50_000


async def verdict(
    case: Case, answer: str, *, sandbox: Sandbox, ask: Ask | None, judge_model: str = "model"
) -> Verdict:
    """Says how good an answer is; what the answer holds never raises, and never runs unconfined.

    `ask` asks the judge model, whose name is `judge_model`; only a rubric needs it.
    """
    try:
        return await _verdict(case, answer, sandbox=sandbox, ask=ask, judge_model=judge_model)
    except Exception as error:
        # One answer must not end a run of many. What the error says may be what the answer says.
        kind = type(error).__name__
        logger.warning("check %s of an answer ended with %s", type(case.check).__name__, kind)
        return Verdict(None, "", f"not judged: {kind}")


async def _verdict(
    case: Case, answer: str, *, sandbox: Sandbox, ask: Ask | None, judge_model: str
) -> Verdict:
    # Not on the loop: what takes long there keeps all other callers waiting.
    text = await asyncio.to_thread(said, answer)
    match case.check:
        case UnitTests() as check:
            return await _tested(check, text, sandbox)
        case Exact() as check:
            return await asyncio.to_thread(_exact, check, text)
        case Number() as check:
            return await asyncio.to_thread(_number, check, text)
        case JsonAnswer() as check:
            return await _json(check, text, sandbox)
        case Matches() as check:
            return await _matches(check, text, sandbox)
        case Judged(rubric):
            return await judged(case, answer, rubric=rubric, ask=ask, judge_model=judge_model)
        case Unchecked():
            return Verdict(None, "nothing", "the case has no check")


async def _tested(check: UnitTests, text: str, sandbox: Sandbox) -> Verdict:
    by = "unit tests"
    try:
        found = await asyncio.to_thread(sources, text)
        outcome = await sandbox.run_tests(found, check.tests, seconds=check.seconds)
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
    most = _MOST_TIMES_LONGER * max(map(len, check.expected)) + _MORE_CHARACTERS
    is_right = len(text) <= most and normalized(text) in map(normalized, check.expected)
    return _plain("exact", is_right, "it is not the answer, or holds more than the answer")


def _number(check: Number, text: str) -> Verdict:
    found = numbers(text)
    is_right = any(abs(one - check.expected) <= check.tolerance for one in found)
    wrong = "its last number is another" if found else "it holds no number"
    return _plain("number", is_right, wrong)


async def _json(check: JsonAnswer, text: str, sandbox: Sandbox) -> Verdict:
    by = "JSON schema"
    if len(text) > MOST_JSON_CHARACTERS:
        return _plain(by, False, "it is too long")
    try:
        fault = await sandbox.fault(text, check.schema)
    except Refused as error:
        return Verdict(None, by, str(error))
    return _plain(by, fault is None, fault or "")


async def _matches(check: Matches, text: str, sandbox: Sandbox) -> Verdict:
    held: Sequence[bool] = (
        *await asyncio.to_thread(_texts_held, check, text),
        *[bool(await sandbox.finds(one, text)) for one in check.patterns],
    )
    detail = f"{sum(held)} of {len(held)} conditions hold"
    return Verdict(sum(held) / len(held), "match", detail)


def _texts_held(check: Matches, text: str) -> Sequence[bool]:
    folded = text.casefold()
    return (
        *(one.casefold() in folded for one in check.contains),
        *(one.casefold() not in folded for one in check.lacks),
    )


def _plain(by: str, is_right: bool, wrong: str) -> Verdict:
    return Verdict(1.0 if is_right else 0.0, by, "right" if is_right else wrong)
