"""How money is written."""

from decimal import Decimal

import pytest

from gateway.sources.money import rate, usd


@pytest.mark.parametrize(
    ("microusd", "text"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1, "$0.000001"),
        (12_300, "$0.0123"),
        (12_500_000, "$12.50"),
        (1_234_567_000_000, "$1,234,567.00"),
    ],
)
def test_money_has_every_digit_that_counts(microusd: int | None, text: str) -> None:
    assert usd(microusd) == text


@pytest.mark.parametrize(
    ("usd_per_million", "text"),
    [
        (None, "unknown"),
        ("2", "$2"),
        ("0.0750", "$0.075"),
        ("1E-7", "$0.0000001"),
        ("1E+3", "$1,000"),
    ],
)
def test_a_rate_is_never_scientific(usd_per_million: str | None, text: str) -> None:
    assert rate(None if usd_per_million is None else Decimal(usd_per_million)) == text
