from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.market.analytics.decimal_text import number, plain, short
from tests.market.analytics.markets import steady


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.234E-5", "0.00001234"),
        ("1E+2", "100"),
        ("100", "100"),
        ("61234.50000000", "61234.5"),
        ("0E-8", "0"),
        ("-0.0", "0"),
        ("-1.50", "-1.5"),
    ],
)
def test_a_decimal_is_written_plainly(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@steady
@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**12)))
def test_plain_text_reads_back_as_the_same_value_and_has_no_exponent(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text


def test_a_division_keeps_twelve_digits() -> None:
    assert plain(short(Decimal(200) / 3)) == "66.6666666667"
    assert number(Decimal(1) / 3) == 0.333333333333
