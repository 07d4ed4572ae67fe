import pytest

from gateway.errors import BadAnswer
from gateway.sources.market.rendering import (
    clock,
    compact,
    inert,
    largest,
    moment,
    number,
    render,
    rounded,
    short,
    signed,
    spelled,
    table,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("67000.12000000", "67,000.12"),
        ("0.00000434", "0.00000434"),
        ("1E-8", "0.00000001"),
        (1_234_567, "1,234,567"),
        ("100", "100"),
        ("-0.50", "-0.5"),
        ("n/a", "n/a"),
        ("NaN", "NaN"),
        ("1E+100000000", "1E+100000000"),
        ("1E-100000000", "1E-100000000"),
    ],
)
def test_a_number_keeps_every_digit_and_no_empty_ones(value: object, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2684.30837231", "2,684.3084"),
        ("1711360433.6466167", "1,711,360,434"),
        ("0.000004345678912", "0.0000043456789"),
        ("0", "0"),
        ("89022", "89,022"),
    ],
)
def test_a_computed_number_is_cut_to_eight_digits_that_count(value: str, shown: str) -> None:
    assert short(value) == shown


def test_numbers_in_other_dress() -> None:
    assert (rounded("1234.567", 1), rounded(2, 2), rounded("x")) == ("1,234.6", "2.00", "x")
    assert (signed("1.5"), signed("-1.5"), signed("0.00"), signed("0.1234", 2)) == (
        "+1.5", "-1.5", "0", "+0.12"
    )  # fmt: skip
    assert (compact("1234567"), compact("1500000000"), compact("12.345"), compact("0.0004")) == (
        "1.23 M", "1.50 B", "12.34", "0.0004"
    )  # fmt: skip


def test_times_are_utc() -> None:
    assert (clock(1_795_262_584_000), moment(1_795_262_584_000)) == ("12:03:04", "2026-11-21 12:03")


def test_names_of_programs_are_spelled() -> None:
    assert (spelled("STRONG_BUY"), spelled("FastMovement"), spelled("bid_depth")) == (
        "strong buy", "fast movement", "bid depth"
    )  # fmt: skip


def test_the_largest_rows_come_first() -> None:
    rows = [{"v": "9"}, {"v": "10"}, {"v": "1"}]
    assert largest(rows, "v", 2) == [{"v": "10"}, {"v": "9"}]


def test_what_a_template_prints_cannot_speak_in_markup() -> None:
    assert render("{{ x }}", {"x": "a|b<c>`d`[e](f)\n\x00g"}) == "a/b(c)'d'(e)(f) g"
    assert inert(7) == 7
    assert inert("a\u200b\u202e\U000e0041\u00adb") == "ab"


@pytest.mark.parametrize("context", [{}, {"rows": 3}, {"rows": []}])
def test_an_answer_that_lacks_what_is_shown_is_a_bad_answer(context: dict[str, object]) -> None:
    with pytest.raises(BadAnswer, match="another shape"):
        render("{{ rows[0].price | number }}", context)


def test_any_answer_can_be_a_table() -> None:
    assert table({"a": 1, "b": "x|y"}) == "| Field | Value |\n| --- | --- |\n| a | 1 |\n| b | x/y |"
    assert table(["a", "b"]) == "- a\n- b"
