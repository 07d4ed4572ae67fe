import time

import pytest

from gateway.documents.document_id import IdPattern
from gateway.documents.query import split
from gateway.sources.grpc.values import MAX_VALUES, Values, read_values

PATTERN = IdPattern("item:{sku}")
ROWS = [
    {"sku": "WIDGET-BLUE", "name": "Blue widget"},
    {"sku": "WIDGET-RED", "name": "Red widget"},
    {"sku": "BOX-1", "title": "Box of nails"},
    {"sku": "BOX-2"},
    {"sku": 4711, "label": "Thermometer"},
]
VALUES = Values(read_values(ROWS, PATTERN))


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("how many blue widgets are left", ["item:WIDGET-BLUE"]),
        ("WIDGET-RED", ["item:WIDGET-RED"]),
        ("widgets that are blue", ["item:WIDGET-BLUE"]),
        ("blue and red widgets", ["item:WIDGET-BLUE", "item:WIDGET-RED"]),
        ("nails in a box", ["item:BOX-1"]),
        ("box 2", ["item:BOX-2"]),
        ("2 of that box", []),
        ("bleu widget", []),
        ("blue wigdet", ["item:WIDGET-BLUE"]),
        ("termometer", ["item:4711"]),
        ("4711", ["item:4711"]),
        ("blue sky over a town with more than one factory for a widget", []),
        ("gadget", []),
        ("", []),
    ],
)
def test_a_value_is_found_by_all_words_of_its_id_or_name(question: str, whole: list[str]) -> None:
    found = [one.value.id.text for one in VALUES.matches(split(question)) if one.is_whole]
    assert found == whole


def test_a_part_of_a_name_is_found_as_a_part() -> None:
    found = VALUES.matches(split("any widgets"))
    assert [(one.value.id.text, one.is_whole) for one in found] == [
        ("item:WIDGET-BLUE", False),
        ("item:WIDGET-RED", False),
    ]
    assert found[0].places == {1}


def test_what_could_not_be_asked_for_again_is_left_out() -> None:
    two = IdPattern("shelf:{hall}:{number}")
    rows = [
        {"hall": "A", "number": 7},
        {"hall": "A:B", "number": 7},
        {"hall": "", "number": 7},
        {"hall": "A\u202e", "number": 7},
        {"hall": "A\n", "number": 7},
        {"hall": "A" * 201, "number": 7},
        {"hall": True, "number": 7},
        {"hall": "A"},
        "A",
        {"hall": "A", "number": 7},
    ]
    assert [one.id.text for one in read_values(rows, two)] == ["shelf:A:7"]


def test_the_spelling_that_is_listed_counts_unless_there_are_two() -> None:
    values = Values(read_values([{"sku": "Ab"}, {"sku": "CD"}, {"sku": "cd"}], PATTERN))
    assert values.spelled("sku", "aB") == "Ab"
    assert values.spelled("sku", "Cd") == "Cd"
    assert values.spelled("sku", "zz") == "zz"


def test_near_ids_are_suggested_by_text_and_by_name() -> None:
    assert VALUES.near(PATTERN.format(sku="widget-blu"))[0] == "item:WIDGET-BLUE"
    assert VALUES.near(PATTERN.format(sku="thermometr")) == ["item:4711"]
    assert VALUES.near(PATTERN.format(sku="zzzzzz")) == []


def test_no_more_than_five_thousand_are_known_and_a_question_about_them_is_quick() -> None:
    rows = [{"sku": f"W-{number}", "name": f"Widget {number}"} for number in range(6_000)]
    values = Values(read_values(rows, PATTERN))
    assert len(values.all) == MAX_VALUES
    words = split("how many widgets 4999 and 17 are left")
    started = time.perf_counter()
    found = values.matches(words)
    assert time.perf_counter() - started < 0.5
    assert {one.value.id.text for one in found if one.is_whole} >= {"item:W-4999"}
