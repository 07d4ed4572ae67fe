from typing import Any

import pytest

from gateway.sources.grpc.templates import (
    MAX_FILLED_CHARACTERS,
    MAX_VALUE_CHARACTERS,
    MISSING,
    Template,
    escaped,
    plain,
)

ITEM = {
    "name": "Bolt",
    "count": "88000",
    "price": {"amount": 0.04, "currency": "EUR"},
    "places": ["A-1", "A-2"],
    "is_open": True,
    "left": 0,
    "note": "",
    "huge": "1e999999",
    "odd": "NaN",
}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{name}", "Bolt"),
        ("{name}: {count} of them", "Bolt: 88000 of them"),
        ("{count:,}", "88,000"),
        ("{price.amount:.1f} {price.currency}", "0.0 EUR"),
        ("{price.amount:.1%}", "4.0%"),
        ("{price.amount:,.2f}", "0.04"),
        ("{price}", "amount: 0.04, currency: EUR"),
        ("{places}", "A-1; A-2"),
        ("{is_open}", "yes"),
        ("{left}", "0"),
        ("{left:,}", "0"),
        ("{{{name}}}", "{Bolt}"),
        ("{note}", MISSING),
        ("{missing}", MISSING),
        ("{missing.too}", MISSING),
        ("{name.first}", MISSING),
        ("{missing:,}", MISSING),
        ("{name:,}", "Bolt"),
        ("{huge:,.2f}", "1e999999"),
        ("{odd:,}", "NaN"),
    ],
)
def test_a_template_is_filled_and_what_is_missing_is_a_dash(template: str, said: str) -> None:
    assert Template.parse(template).render(ITEM, plain) == said


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{name", "expected '}'"),
        ("name}", "Single '}'"),
        ("{}", "no placeholder"),
        ("{0}", "no placeholder"),
        ("{name.__class__!r}", "no placeholder"),
        ("{a[0]}", "no placeholder"),
        ("{name!r}", "no placeholder"),
        ("{count:1000000000}", "no format of a number"),
        ("{count:{width}}", "no format of a number"),
        ("{name:%Y}", "no format of a number"),
        ("x" * 20_001, "longer than 20,000"),
    ],
)
def test_what_is_no_template_is_refused_and_told_why(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Template.parse(template)


def test_a_template_never_reaches_into_the_program() -> None:
    assert Template.parse("{name.__class__.__mro__}").render(ITEM, plain) == MISSING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# heading", r"\# heading"),
        ("**bold** and ~~gone~~", r"\*\*bold\*\* and \~\~gone\~\~"),
        ("_leaning_ but snake_case", r"\_leaning\_ but snake_case"),
        ("- a point", r"\- a point"),
        ("-5", "-5"),
        ("---", r"\---"),
        ("a | b\nc", "a / b c"),
        ("<script>[x](http://e)`code`", "(script)(x)(http://e)'code'"),
        ("left\u202eright\x1b[2J\u200b", "leftright(2J"),
        ("back\\slash", r"back\\slash"),
        ("", MISSING),
        (" \x07 ", MISSING),
    ],
)
def test_text_from_elsewhere_cannot_speak_in_markdown(text: str, said: str) -> None:
    assert escaped(text) == said


def test_a_value_that_never_ends_is_cut() -> None:
    assert len(plain("x" * 1_000_000)) == MAX_VALUE_CHARACTERS + 1
    assert len(plain(["x" * 100] * 10_000)) == MAX_VALUE_CHARACTERS + 1
    assert len(plain({str(number): "x" * 100 for number in range(10_000)})) <= 2_001


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "price": {"$ref": "#/$defs/Price"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "tree": {"$ref": "#"},
    },
    "$defs": {"Price": {"type": "object", "properties": {"amount": {"type": "number"}}}},
}


def test_it_is_known_at_start_which_fields_no_answer_has() -> None:
    template = Template.parse(
        "{name} {sku} {price.amount} {labels.any} {nmae} {price.amuont} {tree.tree.name} {name.x}"
    )
    assert template.unknown(SCHEMA, ("sku",)) == ["nmae", "price.amuont", "name.x"]


def test_a_template_of_many_tables_is_filled_once_for_each_and_not_without_end() -> None:
    written: list[object] = []

    def table(value: object) -> str:
        written.append(value)
        return "|" * 1_000

    filled = Template.parse("{places}{places:,}" * 1_000).render(ITEM, table)
    assert written == [ITEM["places"]]
    assert len(filled) <= MAX_FILLED_CHARACTERS + 1_000


def test_of_a_long_list_only_what_is_shown_is_read() -> None:
    read = []

    class Counted(str):
        def __str__(self) -> str:
            read.append(self)
            return "x" * 100

    assert len(plain([Counted("x")] * 1_000)) == MAX_VALUE_CHARACTERS + 1
    assert len(read) <= 30
