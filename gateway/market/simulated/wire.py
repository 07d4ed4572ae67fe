"""Binance's wire forms: decimals with eight places, and errors as `{code, msg}`."""

import re

UNIT = 10**8
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class Refusal(Exception):
    """An answer of the form `{code, msg}`; Binance sends most of them with status 400."""

    def __init__(
        self, code: int, message: str, *, status: int = 400, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def decimal_text(units: int) -> str:
    """Whole 10^-8 as text, such as `0.00123000`."""
    if units < 0:
        return "-" + decimal_text(-units)
    return f"{units // UNIT}.{units % UNIT:08d}"


def decimal_units(text: str) -> int | None:
    """Whole 10^-8, or nothing when the text is no decimal with at most eight places."""
    if not _DECIMAL.fullmatch(text):
        return None
    whole, _, places = text.partition(".")
    places = places.rstrip("0")
    if len(places) > 8:
        return None
    return int(whole) * UNIT + int(places.ljust(8, "0"))
