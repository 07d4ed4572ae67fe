"""Reads suites of cases from YAML: the one that ships, and the user's own, strictly."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.benchmarks import schema
from gateway.benchmarks.case import (
    MOST_TEXT_CHARACTERS,
    MOST_TEXTS,
    Case,
    Check,
    Exact,
    JsonAnswer,
    Judged,
    Matches,
    Number,
    Unchecked,
    UnitTests,
)
from gateway.benchmarks.unit_tests import steps
from gateway.errors import ConfigurationError
from gateway.llm.task import Task

SHIPPED = "suite.yaml"
_MOST_OUTPUT_TOKENS = 2048
_Text = Annotated[str, Field(min_length=1)]
# YAML knows lists only.
_Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=MOST_TEXT_CHARACTERS)], ...],
    Field(strict=False, max_length=MOST_TEXTS),
]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Tests(_Strict):
    tests: _Text
    seconds: Annotated[float, Field(gt=0, le=60)] = 5.0

    @field_validator("tests")
    @classmethod
    def _can_run(cls, tests: str) -> str:
        steps(tests)
        return tests


class _Number(_Strict):
    expected: _Finite
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-6


class _Matches(_Strict):
    patterns: _Texts = ()
    contains: _Texts = ()
    lacks: _Texts = ()

    @field_validator("patterns")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for one in patterns:
            try:
                re.compile(one)
            except re.error as error:
                raise ValueError(f"{one!r} is no regular expression: {error}") from None
        return patterns

    @model_validator(mode="after")
    def _asks_something(self) -> "_Matches":
        if not (self.patterns or self.contains or self.lacks):
            raise ValueError("takes at least one of patterns, contains, lacks")
        return self


class _Check(_Strict):
    unit_tests: _Tests | None = None
    exact: _Texts | None = None
    number: _Number | None = None
    json_schema: Mapping[str, Any] | None = None
    matches: _Matches | None = None
    rubric: _Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """Text for tests or for the one exact answer, and a number by itself, say enough."""
        if not isinstance(given, dict):
            return given
        if len(given) != 1:
            raise ValueError(f"takes one of {', '.join(cls.model_fields)}, not {len(given)} keys")
        (kind, value), *_ = given.items()
        if kind == "unit_tests" and isinstance(value, str):
            return {kind: {"tests": value}}
        if kind == "exact" and isinstance(value, str):
            return {kind: [value]}
        if kind == "number" and isinstance(value, int | float):
            return {kind: {"expected": value}}
        return given

    @field_validator("exact")
    @classmethod
    def _has_an_answer(cls, exact: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if exact == ():
            raise ValueError("takes at least one answer")
        return exact

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if given is not None:
            schema.check(given)
        return given

    @model_validator(mode="after")
    def _has_a_value(self) -> "_Check":
        if all(getattr(self, kind) is None for kind in type(self).model_fields):
            raise ValueError("has a key without a value")
        return self

    def plain(self) -> Check:
        if self.unit_tests:
            return UnitTests(self.unit_tests.tests, self.unit_tests.seconds)
        if self.exact:
            return Exact(self.exact)
        if self.number:
            return Number(self.number.expected, self.number.tolerance)
        if self.json_schema is not None:
            return JsonAnswer(self.json_schema)
        if self.matches:
            return Matches(self.matches.patterns, self.matches.contains, self.matches.lacks)
        return Judged(self.rubric or "")


class _Case(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    task: Task
    prompt: _Text
    system: _Text | None = None
    # Without one, only time, tokens and cost are measured.
    check: _Check | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] = _MOST_OUTPUT_TOKENS
    complexity: Annotated[float, Field(ge=0, le=1)] | None = None
    expected_output_tokens: Annotated[int, Field(ge=1)] | None = None

    def plain(self) -> Case:
        return Case(
            id=self.id,
            task=self.task,
            prompt=self.prompt,
            system=self.system,
            check=self.check.plain() if self.check else Unchecked(),
            max_output_tokens=self.max_output_tokens,
            complexity=self.complexity,
            expected_output_tokens=self.expected_output_tokens,
        )


class _Suite(_Strict):
    cases: Annotated[tuple[_Case, ...], Field(strict=False, min_length=1)]

    @field_validator("cases")
    @classmethod
    def _have_ids_of_their_own(cls, cases: tuple[_Case, ...]) -> tuple[_Case, ...]:
        ids = [one.id for one in cases]
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise ValueError(f"the id {twice!r} stands twice")
        return cases


@lru_cache(1)
def shipped_suite() -> Sequence[Case]:
    return _cases((files(__package__) / SHIPPED).read_text("utf-8"), SHIPPED)


def read_suite(path: Path) -> Sequence[Case]:
    """The cases of a file of the user's.

    Raises:
        ConfigurationError: names the file, the key, what is wrong with it and what would be right.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not text in UTF-8") from None
    return _cases(text, path.name)


def _cases(text: str, name: str) -> Sequence[Case]:
    try:
        suite = _Suite.model_validate(yaml.safe_load(text) or {})
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" from line {mark.line + 1}, column {mark.column + 1} on" if mark else ""
        raise ConfigurationError(f"{name}: is not YAML{at}") from None
    except ValidationError as error:
        raise ConfigurationError("; ".join(_mistake(one, name) for one in error.errors())) from None
    return tuple(one.plain() for one in suite.cases)


_MODELS: Mapping[str, type[_Strict]] = {
    "cases": _Case,
    "check": _Check,
    "unit_tests": _Tests,
    "number": _Number,
    "matches": _Matches,
}
_SHAPES: Mapping[str, str] = {
    "missing": "is missing",
    "model_type": "should be keys with values",
    "mapping_type": "should be keys with values",
    "tuple_type": "should be a list, in lines that begin with -",
}


def _mistake(error: Any, name: str) -> str:
    at = error["loc"]
    place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in at)
    start = f"{name}: {place.removeprefix('.')}" if at else name
    if error["type"] == "extra_forbidden":
        named = [one for one in at[:-1] if isinstance(one, str)]
        model = _MODELS[named[-1]] if named else _Suite
        return f"{start}: unknown key; it takes {', '.join(model.model_fields)}"
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{start}: {_SHAPES.get(error['type'], said)}{_given(error)}"


def _given(error: Mapping[str, Any]) -> str:
    value = error["input"]
    is_short = isinstance(value, str | int | float) and len(str(value)) <= 30
    return f", not {value!r}" if is_short and error["type"] != "value_error" else ""
