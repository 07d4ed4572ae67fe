from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.market.arguments import checked
from gateway.market.market_tool import input_schema

SCHEMA = input_schema(
    required=("symbol",),
    symbol={"type": "string", "minLength": 1, "maxLength": 5},
    limit={"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
    size={"type": "integer", "enum": [5, 10]},
    tick={"type": ["number", "string"], "exclusiveMinimum": 0},
    amount={"type": "string", "pattern": "^[0-9]+$", "description": "a count such as 12"},
    since={"type": "integer", "minimum": 0},
    flag={"type": "boolean"},
)


def test_defaults_are_filled_in() -> None:
    assert checked("t", SCHEMA, {"symbol": "A"}) == {"symbol": "A", "limit": 3}


def test_a_null_is_as_good_as_nothing() -> None:
    assert checked("t", SCHEMA, {"symbol": "A", "limit": None}) == {"symbol": "A", "limit": 3}


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert checked("t", SCHEMA, {"symbol": "A", "limit": 4.0})["limit"] == 4


@pytest.mark.parametrize("tick", [0.5, 1, "0.5"])
def test_one_of_two_types_is_enough(tick: object) -> None:
    assert checked("t", SCHEMA, {"symbol": "A", "tick": tick})["tick"] == tick


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "t takes its arguments as a JSON object, such as {}"),
        ("BTC", "t takes its arguments as a JSON object, such as {}"),
        ({}, "t needs symbol; it takes symbol, limit"),
        ({"symbol": "A", "limits": 3}, "t has no argument 'limits'; did you mean limit?"),
        ({"symbol": "A", "zzz": 3}, "t has no argument 'zzz'; it takes symbol, limit"),
        ({"symbol": 7}, "t: symbol is 7; it takes text"),
        ({"symbol": ""}, "t: symbol is ''; it takes 1 to 5 letters"),
        ({"symbol": "ABCDEF"}, "t: symbol is 'ABCDEF'; it takes 1 to 5 letters"),
        ({"symbol": "A", "limit": 0}, "t: limit is 0; it takes 1 to 9"),
        ({"symbol": "A", "limit": "3"}, "t: limit is '3'; it takes a whole number"),
        ({"symbol": "A", "limit": 3.5}, "t: limit is 3.5; it takes a whole number"),
        ({"symbol": "A", "limit": True}, "t: limit is True; it takes a whole number"),
        ({"symbol": "A", "limit": float("nan")}, "t: limit is nan; it takes a whole number"),
        ({"symbol": "A", "limit": float("inf")}, "t: limit is inf; it takes a whole number"),
        ({"symbol": "A", "size": 7}, "t: size is 7; it takes one of 5, 10"),
        ({"symbol": "A", "tick": 0}, "t: tick is 0; it takes more than 0"),
        ({"symbol": "A", "tick": []}, "t: tick is []; it takes a number or text"),
        ({"symbol": "A", "amount": "x"}, "t: amount is 'x'; it takes a count such as 12"),
        ({"symbol": "A", "amount": "1\n"}, "t: amount is '1\\n'; it takes a count such as 12"),
        ({"symbol": "A", "since": -1}, "t: since is -1; it takes 0 or more"),
        ({"symbol": "A", "flag": 1}, "t: flag is 1; it takes true or false"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        checked("t", SCHEMA, arguments)
    assert str(wrong.value).startswith(message)


def test_a_huge_value_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidRequest) as wrong:
        checked("t", SCHEMA, {"symbol": "x" * 100_000})
    assert len(str(wrong.value)) < 200
