"""A check that a caller brings is read strictly, so that it can neither fail later nor stall."""

import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.benchmarks.asked import read_check, read_task
from gateway.benchmarks.case import Exact, JsonAnswer, Matches, Number, UnitTests
from gateway.errors import InvalidRequest, PermissionDenied

METASCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
NESTED: dict[str, Any] = {}
for _ in range(40):
    NESTED = {"items": NESTED}


@pytest.mark.parametrize(
    ("given", "check"),
    [
        ("Paris", Exact(("Paris",))),
        (3, Number(3)),
        ({"number": -1.5}, Number(-1.5)),
        ({"expected": ["a", "b"]}, Exact(("a", "b"))),
        ({"expected": ["é" * 2_000] * 100}, Exact(("é" * 2_000,) * 100)),
        ({"contains": "a"}, Matches(contains=("a",))),
        ({"unit_tests": "assert f() == 1"}, UnitTests("assert f() == 1")),
    ],
)
def test_what_can_be_checked_is_read(given: object, check: object) -> None:
    assert read_check(given) == check


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (10**400, "check takes a number that is finite"),
        (float("nan"), "check takes a number that is finite"),
        (float("-inf"), "check takes a number that is finite"),
        ({"number": -(10**400)}, "check.number takes a number that is finite"),
        ({"number": True}, "check.number takes a number"),
        ("a" * 2_001, "check takes texts of up to 2000 characters, not 2001"),
        ({"expected": ["a" * 2_001]}, "check.expected takes texts of up to 2000 characters"),
        ({"expected": ["a"] * 101}, "check.expected takes at most 100 texts, not 101"),
        ({"contains": ["a"] * 101}, "check.contains takes at most 100 texts, not 101"),
        ({"unit_tests": "x = 1"}, "check.unit_tests holds neither an assert nor a def test_"),
        ({"unit_tests": "assert ("}, "check.unit_tests is not Python, see its line 1"),
        ({"unit_tests": "assert 1\0"}, "check.unit_tests is not Python"),
        ({"unit_tests": "assert 1\nnonlocal x"}, "check.unit_tests is not Python"),
        ({"unit_tests": f"assert {'x.' * 5_000}x"}, "check.unit_tests is not Python"),
    ],
)
def test_what_could_not_be_checked_is_refused(given: object, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_check(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "nonsense"}, "is no JSON Schema at #/type"),
        ({"minimum": "x"}, "is no JSON Schema at #/minimum"),
        ({"pattern": "^(a+)+$"}, "pattern is not supported"),
        ({"not": {"patternProperties": {"(a+)+$": {}}}}, "patternProperties is not supported"),
        ({"$ref": "http://127.0.0.1:9/x"}, "$ref must stay in the schema"),
        ({"$dynamicRef": "other.json"}, "$dynamicRef must stay in the schema"),
        ({"$ref": "#/$defs/none"}, "has a $ref to a schema that it does not hold"),
        ({"$ref": "#none"}, "has a $ref to a schema that it does not hold"),
        ({"$ref": "#/title", "title": "x"}, "has a $ref to a schema that it does not hold"),
        ({"$ref": "#/const", "const": {"pattern": "("}}, "has a $ref to a schema that it does"),
        ({"$ref": "#/properties", "properties": {}}, "has a $ref to a schema that it does not"),
        ({"items": {"$id": "http://a/b"}}, "$id is not supported within a schema"),
        ({"allOf": [{"$ref": "#/$defs/a"}] * 51, "$defs": {"a": {}}}, "takes at most 50 $ref"),
        (NESTED, "takes at most 32 levels"),
        ({"enum": list(range(1_001))}, "takes at most 1000 keys and values"),
        ({"const": "9" * 60_000}, "takes at most 50000 characters"),
        ({"multipleOf": 10**400}, "holds a number that is not finite"),
        ({"const": float("nan")}, "holds a number that is not finite"),
    ],
)
def test_a_schema_that_could_fail_or_stall_is_refused(schema: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_check({"json_schema": schema})
    assert f"check.json_schema {said}" in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"pattern": {"type": "string"}, "$ref": {"const": "http://a"}}},
        {"dependentRequired": {"pattern": ["n"]}, "enum": [{"pattern": "("}]},
        {"$ref": "#/$defs/tree", "$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}},
        {"$ref": "#/$defs/a~1b%20~0", "$defs": {"a/b ~": {"type": "null"}}},
        {"$id": "http://a/b", "$ref": "#n", "$defs": {"n": {"$anchor": "n", "type": "null"}}},
    ],
)
def test_a_schema_of_ones_own_is_taken(schema: Any) -> None:
    assert read_check({"json_schema": schema}) == JsonAnswer(schema)


VALUES: tuple[Any, ...] = (
    *(1, -1, 0, 1.0, 1.5, True, False, None, "string", "a", "/a", "nonsense", [], {}),
    *(["a"], ["a", "a"], ["integer", "null"], [1], [1, 1], [{}], [{}, True], {"a": {}}),
    *({"a": ["b"]}, {"a": [1]}, {"a": 1}, {"a": True}, {"type": "x"}, {"type": "null"}),
)


def test_it_is_read_as_the_library_reads_it_that_validates() -> None:
    keywords = {*Draft202012Validator.VALIDATORS, "$defs", "$anchor", "$dynamicAnchor"}
    for keyword in keywords - {"pattern", "patternProperties", "$ref", "$dynamicRef"}:
        for value in VALUES:
            schema = {keyword: value}
            is_schema = not any(METASCHEMA.iter_errors(schema))
            assert is_taken(schema) == is_schema, schema


def is_taken(schema: Any) -> bool:
    try:
        return bool(read_check({"json_schema": schema}))
    except InvalidRequest:
        return False


@pytest.mark.parametrize(
    "schema",
    [
        {"required": [*(f"n{n}" for n in range(900)), 1]},
        {"type": [{"a": n} for n in range(450)]},
        {"allOf": [{"$ref": f"#a{n}"} for n in range(50)], "enum": list(range(800))},
        {"properties": {f"p{n}": {} for n in range(990)}, "type": "nonsense"},
    ],
)
def test_reading_the_worst_schema_is_quick(schema: Any) -> None:
    before = time.process_time()
    with pytest.raises(InvalidRequest):
        read_check({"json_schema": schema})
    assert time.process_time() - before < 0.1


def test_unit_tests_of_ones_own_are_for_owners() -> None:
    asked = {"task_id": "a", "task": "x", "context_length": 0, "check": {"unit_tests": "assert f"}}
    with pytest.raises(PermissionDenied):
        read_task(asked, may_run_code=False)
    assert read_task(asked, may_run_code=True).case.check == UnitTests("assert f")
