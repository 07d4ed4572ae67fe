"""JSON to protobuf messages and back, and the schema that says what is taken."""

import json
import math
from typing import Any

import jsonschema
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.downstream.grpc.comments import comments
from gateway.downstream.grpc.message_json import MAX_LEVELS, to_json, to_message
from gateway.downstream.grpc.message_schema import MAX_DEEP, MAX_FIELDS, input_schema, output_schema
from gateway.errors import InvalidRequest
from gateway.protobuf import Protocol
from gateway.tools.arguments import check_arguments, check_schema
from tests.stand_ins.grpc_server import compiled

DESCRIPTORS = compiled("kinds.proto")
KINDS = Protocol(DESCRIPTORS)
COMMENTS = {name: said for file in DESCRIPTORS.file for name, said in comments(file)}
EVERYTHING = KINDS.message("kinds.Everything")
TREE = KINDS.message("kinds.Tree")
DESCRIBED = KINDS.pool.FindMessageTypeByName("kinds.Everything")
SCHEMA = input_schema(DESCRIBED, COMMENTS)
OUTPUT_SCHEMA = output_schema(DESCRIBED, COMMENTS)


def message(arguments: Any, kind: type[Message] = EVERYTHING) -> Any:
    return to_message(kind, arguments, pool=KINDS.pool)


def echoed(arguments: Any, kind: type[Message] = EVERYTHING) -> dict[str, Any]:
    """What a service would receive and send back."""
    raw = message(arguments, kind).SerializeToString()
    return to_json(kind.FromString(raw), pool=KINDS.pool)


@pytest.mark.parametrize(
    ("field", "sent", "comes_back"),
    [
        ("int32", -(2**31), None),
        ("uint32", 2**32 - 1, None),
        ("int64", 2**53, None),
        ("int64", "-12", -12),
        ("int64", 2**53 + 1, str(2**53 + 1)),
        ("uint64", str(2**64 - 1), None),
        ("float", 0.1, None),
        ("double", 1.5e300, None),
        ("bool", True, None),
        ("string", "Zürich 東京", None),
        ("bytes", "AP8=", None),
        ("colour", "GREEN", None),
        ("strings", ["a", "b"], None),
        ("inners", [{"name": "a", "count": 1}], None),
        ("counts", {"a": 1, "b": 0}, None),
        ("by_number", {"7": {"name": "x", "count": 0}}, None),
        ("by_truth", {"true": "yes"}, None),
        ("text", "", None),
        ("maybe", 0, None),
        ("timestamp", "2026-11-21T12:03:04Z", None),
        ("duration", "1.500s", None),
        ("mask", "name,itemCount", None),
        ("struct", {"a": [1, None, {"b": "c"}], "d": True}, None),
        ("value", [1.5, "x"], None),
        ("list", [{"a": 1.5}], None),
        (
            "any",
            {"@type": "type.googleapis.com/kinds.Leaf", "size": 3},
            None,
        ),
        ("any", {"@type": "t/google.protobuf.Duration", "value": "2s"}, None),
        ("empty", {}, None),
        ("wrapped_string", "", None),
        ("wrapped_int64", 5, None),
        ("wrapped_bool", False, None),
        ("wrapped_double", 2.5, None),
    ],
)
def test_every_kind_of_field_comes_back_as_it_was_sent_and_fits_its_schema(
    field: str, sent: Any, comes_back: Any
) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate({field: sent})
    check_arguments({field: sent}, SCHEMA, tool="echo")
    answer = echoed({field: sent})
    assert answer[field] == (sent if comes_back is None else comes_back)
    jsonschema.Draft202012Validator(OUTPUT_SCHEMA).validate(answer)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"int32": 2**31}, "int32"),
        ({"int32": 1.5}, "int32"),
        ({"uint32": -1}, "uint32"),
        ({"int64": "twelve"}, "int64"),
        ({"uint64": 2**64}, "uint64"),
        ({"colour": "BLUE"}, "colour"),
        ({"bytes": "?"}, "bytes"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"duration": "5 minutes"}, "duration"),
        ({"strings": "a"}, "strings"),
        ({"by_number": {"seven": {}}}, "by_number"),
        ({"string": "half \ud800"}, "string"),
        ({"any": {"@type": "type.googleapis.com/kinds.Unknown"}}, "kinds.Unknown"),
        ({"strin": "a"}, "strin is no field of Everything; did you mean string, strings"),
        ({"inner": {"nam": "a"}}, "inner.nam is no field of Inner; did you mean name?"),
        ({"inners": [{}, {"x": 1}]}, r"inners\[1\].x is no field of Inner; it has name, count"),
        ({"by_number": {"7": {"x": 1}}}, r"by_number\[7\].x is no field"),
        ({"text": "a", "number": 1}, "text and number cannot both be given"),
        ({"[kinds.extension]": 1}, "is no field"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_name_of_its_field(wrong: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        message(wrong)


def test_a_64_bit_number_beyond_its_range_is_refused_and_a_short_one_is_exact() -> None:
    assert message({"int64": str(2**63 - 1)}).int64 == 2**63 - 1
    with pytest.raises(InvalidRequest, match="int64"):
        message({"int64": str(2**63)})


def test_numbers_that_are_none_are_said_in_words() -> None:
    odd = EVERYTHING(float=math.inf, double=math.nan, wrapped_double={"value": -math.inf})
    answer = to_json(odd, pool=KINDS.pool)
    assert (answer["float"], answer["double"]) == ("Infinity", "NaN")
    assert answer["wrapped_double"] == "-Infinity"
    jsonschema.Draft202012Validator(OUTPUT_SCHEMA).validate(answer)
    assert json.dumps(answer, allow_nan=False)


def test_what_is_not_set_is_there_only_where_nobody_can_tell() -> None:
    answer = echoed({})
    assert (answer["int32"], answer["string"], answer["strings"]) == (0, "", [])
    assert not {"maybe", "text", "inner", "timestamp", "wrapped_string"} & answer.keys()


def test_an_enum_without_a_name_and_an_unknown_any_are_shown_as_they_are() -> None:
    unknown = {"type_url": "type.googleapis.com/secret.Thing", "value": b"\x01"}
    answer = to_json(EVERYTHING(colour=9, any=unknown), pool=KINDS.pool)
    assert answer["colour"] == 9
    assert answer["any"] == {"@type": "type.googleapis.com/secret.Thing", "value": "AQ=="}


def test_texts_lose_what_a_reader_cannot_see() -> None:
    hidden = EVERYTHING(string="a\u202eb\x00", struct={"k\u200b": "v\u2066"})
    answer = to_json(hidden, pool=KINDS.pool)
    assert (answer["string"], answer["struct"]) == ("ab", {"k": "v"})


def test_a_message_that_is_no_object_in_json_stands_in_value() -> None:
    text = KINDS.message("google.protobuf.StringValue")
    described = KINDS.pool.FindMessageTypeByName("google.protobuf.StringValue")
    assert input_schema(described, {})["properties"] == {"value": {"type": "string"}}
    assert echoed({"value": "x"}, text) == {"value": "x"}
    with pytest.raises(InvalidRequest, match="the only one is value"):
        message({"text": "x"}, text)
    struct = KINDS.message("google.protobuf.Struct")
    assert echoed({"anything": [1.0]}, struct) == {"anything": [1.0]}


def test_a_message_that_contains_itself_has_a_schema_that_ends() -> None:
    schema = input_schema(KINDS.pool.FindMessageTypeByName("kinds.Tree"), COMMENTS)
    check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sent = {"name": "a", "branches": [{"name": "b", "leaf": {"owner": {"name": "c"}, "size": 1}}]}
    validator.validate(sent)
    assert not validator.is_valid({"branches": [{"branches": [{"nam": "x"}]}]})
    assert message(sent, TREE).branches[0].leaf.owner.name == "c"


def test_nesting_without_end_is_refused_both_ways() -> None:
    deep: dict[str, Any] = {}
    for _ in range(MAX_LEVELS + 1):
        deep = {"branches": [deep]}
    with pytest.raises(InvalidRequest, match="levels deep"):
        message(deep, TREE)
    grown = TREE()
    for _ in range(MAX_LEVELS + 1):
        grown = TREE(branches=[grown])
    with pytest.raises(ValueError, match="levels deep"):
        to_json(grown, pool=KINDS.pool)


def test_a_time_beyond_the_calendar_is_no_answer() -> None:
    with pytest.raises(ValueError, match=r".+"):
        to_json(EVERYTHING(timestamp={"seconds": 2**62}), pool=KINDS.pool)


def test_the_schema_is_what_every_client_takes() -> None:
    check_schema(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = json.dumps(SCHEMA)
    assert not any(word in written for word in ('"oneOf"', '"anyOf"', '"allOf"', '"$ref"'))
    properties = SCHEMA["properties"]
    assert properties["string"]["description"] == "any text."
    assert "Only one of text, inner, number may be given." in properties["text"]["description"]
    assert "description" not in properties["maybe"]
    assert "required" not in SCHEMA


def test_messages_that_double_at_every_level_do_not_make_an_endless_schema() -> None:
    levels = 30
    file: dict[str, Any] = {
        "name": "bomb.proto",
        "package": "bomb",
        "message_type": [
            {
                "name": f"M{level}",
                "field": [
                    {
                        "name": f"f{number}",
                        "number": number,
                        "type": 11,
                        "label": 1,
                        "type_name": f".bomb.M{level + 1}",
                    }
                    for number in range(1, 11)
                ]
                if level < levels
                else [],
            }
            for level in range(levels + 1)
        ],
    }
    bomb = Protocol(FileDescriptorSet(file=[FileDescriptorProto(**file)]))
    schema = json.dumps(input_schema(bomb.pool.FindMessageTypeByName("bomb.M0"), {}))
    assert schema.count('"f1"') <= MAX_FIELDS / 10 + MAX_DEEP
    assert "whose fields are not listed here" in schema


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([field.name for field in EVERYTHING.DESCRIPTOR.fields])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FIELDS, ANY_JSON, max_size=3))
def test_whatever_is_sent_is_a_message_or_a_clear_refusal(arguments: dict[str, Any]) -> None:
    try:
        sent = message(arguments)
    except InvalidRequest:
        return
    answer = to_json(sent, pool=KINDS.pool)
    assert json.dumps(answer, allow_nan=False)
    jsonschema.Draft202012Validator(OUTPUT_SCHEMA).validate(answer)
