from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.tools.arguments import check_arguments, check_schema

KLINES: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "symbol": {"type": "string", "minLength": 2, "maxLength": 20},
        "interval": {"type": "string", "enum": ["1h", "4h"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
        "ratio": {"type": "number"},
        "closed": {"type": "boolean"},
        "depth": {"enum": [5, 10]},
        "since": {"type": ["string", "null"]},
        "levels": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "window": {
            "type": "object",
            "properties": {"hours": {"type": "integer"}},
            "required": ["hours"],
            "additionalProperties": False,
        },
    },
    "required": ["symbol"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"symbol": 5}, "symbol must be a string, not the whole number 5"),
        ({"symbol": None}, "symbol must be a string, not null"),
        ({"symbol": ["BTC"]}, 'symbol must be a string, not the list ["BTC"]'),
        ({"symbol": "x"}, "symbol must have at least 2 characters, not 1"),
        ({"symbol": "x" * 21}, "symbol must have at most 20 characters, not 21"),
        ({"interval": "2h"}, 'interval must be one of "1h", "4h", not the string "2h"'),
        ({"limit": "7"}, 'limit must be a whole number, not the string "7"'),
        ({"limit": 7.5}, "limit must be a whole number, not the number 7.5"),
        ({"limit": True}, "limit must be a whole number, not true"),
        ({"limit": 0}, "limit must be at least 1, not 0"),
        ({"limit": 1001}, "limit must be at most 1000, not 1001"),
        ({"ratio": False}, "ratio must be a number, not false"),
        ({"closed": 1}, "closed must be true or false, not the whole number 1"),
        ({"depth": 7}, "depth must be one of 5, 10, not the whole number 7"),
        ({"since": 3}, "since must be a string or null, not the whole number 3"),
        ({"levels": [1, 0]}, "levels[1] must be at least 1, not 0"),
        ({"levels": [1, "a"]}, 'levels[1] must be a whole number, not the string "a"'),
        ({"window": {}}, "window.hours is missing, a whole number"),
        ({"window": {"hours": 1, "days": 2}}, "window.days is not one of its arguments"),
        ({"symbl": "x"}, "symbl is not one of its arguments"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_is_and_what_would_be_right(
    more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_arguments({"symbol": "BTCUSDT", **more}, KLINES, tool="klines")
    assert str(refused.value).startswith(f"klines: {complaint}; klines takes symbol (required), ")


def test_a_missing_argument_is_named_with_the_type_it_should_have() -> None:
    with pytest.raises(InvalidRequest, match="klines: symbol is missing, a string; "):
        check_arguments({}, KLINES, tool="klines")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"limit": 1},
        {"limit": 1000.0},
        {"ratio": 2, "closed": False, "depth": 10},
        {"since": None},
        {"levels": [], "window": {"hours": 3}},
    ],
)
def test_right_arguments_pass(more: dict[str, Any]) -> None:
    check_arguments({"symbol": "BTCUSDT", **more}, KLINES, tool="klines")


def test_a_schema_that_says_little_lets_everything_pass() -> None:
    check_arguments({"anything": [1, {"goes": None}]}, {"type": "object"}, tool="open")


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_arguments({"symbol": ["x" * 10_000]}, KLINES, tool="klines")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "arguments",
    [
        {"symbol": "BTC", "x" * 10_000: 1},
        {"symbol": "BTC", "limit": 10**3000},
        {"symbol": "BTC", "limit": -(10**3000)},
        {"symbol": "BTC", "interval": "x" * 10_000},
    ],
)
def test_a_long_name_or_number_is_not_repeated_whole(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_arguments(arguments, KLINES, tool="klines")
    complaint = str(refused.value).split("; klines takes")[0]
    assert len(complaint) < 150
    assert "…" in complaint


def test_what_cannot_be_shown_is_not_repeated() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_arguments({"symbol": "BTC", "a\ud800\x1b\u202eb": 1}, KLINES, tool="klines")
    assert "klines: ab is not one of its arguments" in str(refused.value)


def test_arguments_nested_too_deeply_are_refused() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        check_arguments({"symbol": deep}, KLINES, tool="klines")


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {"type": "money"},
        {"type": ["money", "string"]},
        {"type": []},
        {"items": True},
        {"items": [{"type": "string"}]},
        {"properties": {"inner": False}},
        {"additionalProperties": {"type": "string"}},
        {"anyOf": 5},
    ],
)
def test_what_is_legal_or_unknown_in_a_schema_is_left_to_the_tool(schema: Any) -> None:
    whole = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    check_schema(whole)
    for value in (1, "a", None, [1], {"inner": 1, "more": 2}):
        check_arguments({"value": value}, whole, tool="odd")
    with pytest.raises(InvalidRequest, match="odd: value is missing, a value; odd takes value"):
        check_arguments({}, whole, tool="odd")


@pytest.mark.parametrize(
    ("schema", "mistake"),
    [
        ({"maximum": None}, "input_schema.value.maximum cannot be null"),
        ({"minimum": "1"}, 'input_schema.value.minimum cannot be the string "1"'),
        ({"minimum": True}, "input_schema.value.minimum cannot be true"),
        ({"minLength": "3"}, 'input_schema.value.minLength cannot be the string "3"'),
        ({"maxLength": []}, "input_schema.value.maxLength cannot be the list []"),
        ({"enum": "a"}, 'input_schema.value.enum cannot be the string "a"'),
        ({"required": None}, "input_schema.value.required cannot be null"),
        ({"required": [1]}, "input_schema.value.required cannot be the list [1]"),
        ({"properties": []}, "input_schema.value.properties cannot be the list []"),
        ({"type": None}, "input_schema.value.type cannot be null"),
        ({"type": [{}]}, "input_schema.value.type cannot be the list [{}]"),
        (None, "input_schema.value is no schema"),
        ({"items": {"enum": 1}}, "input_schema.value[].enum cannot be the whole number 1"),
        ({"properties": {"a": 1}}, "input_schema.value.a is no schema"),
    ],
)
def test_a_schema_that_json_schema_does_not_allow_is_named_with_its_place(
    schema: Any, mistake: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        check_schema({"type": "object", "properties": {"value": schema}})
    assert str(refused.value) == mistake


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*KLINES["properties"], "other"]), ANY_JSON))
def test_whatever_json_comes_the_answer_is_yes_or_a_plain_refusal(
    arguments: dict[str, Any],
) -> None:
    try:
        check_arguments(arguments, KLINES, tool="klines")
    except InvalidRequest as refusal:
        assert "klines takes" in str(refusal)  # noqa: PT017 - a refusal is one of two right ends


KEYWORDS = ("type", "properties", "required", "enum", "minimum", "maxLength", "items")
ANY_SCHEMA = st.dictionaries(
    st.sampled_from(KEYWORDS),
    ANY_JSON | st.sampled_from(["string", "object", {"a": True}, {"a": {"type": "array"}}, ["a"]]),
    max_size=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_SCHEMA, st.dictionaries(st.sampled_from(["a", "b"]), ANY_JSON))
def test_a_schema_that_passes_never_breaks_a_call(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    whole = {"type": "object", "properties": {"a": schema, "b": {"items": schema}}}
    try:
        check_schema(whole)
    except ValueError:
        return
    try:
        check_arguments(arguments, whole, tool="odd")
    except InvalidRequest as refusal:
        assert "odd takes" in str(refusal)  # noqa: PT017 - a refusal is one of two right ends
