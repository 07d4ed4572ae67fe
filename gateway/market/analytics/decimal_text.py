"""Decimals as the answers write them: plain notation, never an exponent."""

from decimal import Context, Decimal

_SHORT = Context(prec=12)


def plain(value: Decimal) -> str:
    """`0.00001234` and `100`, never `1.234E-5` or `1E+2`; zeros at the end are left out."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def short(value: Decimal) -> Decimal:
    """Twelve significant digits: the result of a division without the tail nobody can use."""
    return _SHORT.plus(value)


def number(value: Decimal) -> float:
    """For the fields that are JSON numbers: ratios, rates, scores and basis points."""
    return float(short(value))
