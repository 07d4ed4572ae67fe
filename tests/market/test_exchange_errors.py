import pytest

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)
from gateway.market.exchange_errors import (
    ClockApart,
    UnknownSymbol,
    exchange_error,
)

READS = [
    (-1121, UnknownSymbol),
    (-1100, InvalidRequest),
    (-1120, InvalidRequest),
    (-1102, InvalidRequest),
    (-1130, InvalidRequest),
    (-1128, InvalidRequest),
    (-1220, Refused),
    (-1003, RateLimited),
    (-1015, RateLimited),
    (-1034, RateLimited),
    (-1001, Unavailable),
    (-1008, Unavailable),
    (-1006, Unavailable),
    (-1007, Unavailable),
    (-1021, ClockApart),
    (-1022, Unauthenticated),
    (-2014, Unauthenticated),
    (-2015, PermissionDenied),
    (-1002, PermissionDenied),
    (-2010, Refused),
    (-2011, Refused),
    (-2013, NotFound),
    (-2026, NotFound),
    (-1013, InvalidRequest),
    (-9999, InvalidRequest),
]
WRITES_OF_UNKNOWN_OUTCOME = [-1000, -1001, -1006, -1007, -1008]


def error(code: int, *, is_write: bool = False, message: str = "Told so.") -> GatewayError:
    return exchange_error(code, message, is_write=is_write, retry_after_seconds=30)


@pytest.mark.parametrize(("code", "kind"), READS)
def test_every_code_of_a_read_has_one_meaning(code: int, kind: type[GatewayError]) -> None:
    found = error(code)
    assert type(found) is kind
    assert f"Told so ({code})" in str(found)


@pytest.mark.parametrize("code", WRITES_OF_UNKNOWN_OUTCOME)
def test_a_write_that_may_have_happened_is_never_called_unavailable(code: int) -> None:
    found = error(code, is_write=True)
    assert isinstance(found, OutcomeUnknown)
    assert str(found).startswith("outcome unknown, look the order up before trying again: Told so")


def test_a_limit_says_when_to_come_back() -> None:
    found = error(-1003)
    assert isinstance(found, RateLimited)
    assert found.retry_after_seconds == 30
    assert "in 30 s" in str(found)


def test_the_exchanges_words_stay_on_one_line_and_short() -> None:
    assert "\n" not in str(error(-1100, message="a\nb" + "x" * 1000))
    assert len(str(error(-1100, message="x" * 1000))) < 300
