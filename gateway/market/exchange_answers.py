"""Reads one HTTP answer of the exchange: its JSON, or the error that it stands for."""

import json
from typing import Any, NoReturn

import httpx

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from gateway.market.exchange_errors import (
    BUSY_SECONDS,
    AnswerLost,
    exchange_error,
)

LIMIT_STATUSES = (418, 429)
_BAN_SECONDS = 120.0  # the shortest ban that the exchange gives
_WALL_SECONDS = 300.0
_WALL_STATUS = 403  # Binance's firewall; its own refusals of a key are 401 or carry a code
_PLACE_STATUS = 451


def read_answer(answer: httpx.Response, *, is_write: bool, pause_seconds: float) -> Any:
    """The JSON of a success.

    Raises:
        GatewayError: what the status and the exchange's error code mean.
    """
    if not answer.is_success:
        raise _error(answer, is_write=is_write, pause_seconds=pause_seconds)
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        if is_write:
            raise AnswerLost("the answer is not JSON") from error
        raise BadAnswer(
            f"the exchange answered {_shown(answer)}, which is not JSON; ask again later"
        ) from error


def pause_seconds(answer: httpx.Response, *, seconds_to_next_minute: float) -> float:
    """How long a 429 or 418 wants quiet."""
    told = answer.headers.get("retry-after", "")
    if told.isascii() and told.isdecimal():
        return float(told)
    return _BAN_SECONDS if answer.status_code == 418 else seconds_to_next_minute


def no_answer(error: Exception, *, is_write: bool) -> NoReturn:
    """Raise what a request that got no answer means.

    Raises:
        Unavailable: nothing was sent, or the connection of a read was lost.
        DeadlineExceeded: a read was not answered in time.
        OutcomeUnknown: a write was sent, and then the connection was lost or silent.
    """
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        raise _unavailable("the exchange cannot be reached") from error
    is_silent = isinstance(error, httpx.TimeoutException | TimeoutError)
    why = "the exchange did not answer in time" if is_silent else "the exchange hung up"
    if is_write:
        raise AnswerLost(why) from error
    if is_silent:
        raise DeadlineExceeded(f"{why}; ask again later") from error
    raise _unavailable(why) from error


def _error(answer: httpx.Response, *, is_write: bool, pause_seconds: float) -> GatewayError:
    problem = _problem(answer)
    if answer.status_code in LIMIT_STATUSES:
        return RateLimited(
            f"the exchange asks for a pause ({answer.status_code}); "
            f"ask again in {pause_seconds:.0f} s",
            retry_after_seconds=pause_seconds,
        )
    if problem is not None:
        code, message = problem
        return exchange_error(code, message, is_write=is_write, retry_after_seconds=pause_seconds)
    return _without_code(answer, is_write=is_write)


def _without_code(answer: httpx.Response, *, is_write: bool) -> GatewayError:
    status = answer.status_code
    if status == _WALL_STATUS:
        return Unavailable(
            "the exchange's firewall turned the request away (403); ask again in 5 minutes, "
            "or check that the exchange serves this address",
            retry_after_seconds=_WALL_SECONDS,
        )
    if status == _PLACE_STATUS:
        return PermissionDenied("the exchange does not serve this location (451)")
    if is_write:
        return AnswerLost(f"the exchange answered {_shown(answer)}")
    if status >= 500:
        return _unavailable(f"the exchange answered {_shown(answer)}")
    return BadAnswer(f"the exchange answered {_shown(answer)}; is its URL right?")


def _problem(answer: httpx.Response) -> tuple[int, str] | None:
    """Binance's own `{"code", "msg"}`, if the answer carries one."""
    try:
        told = json.loads(answer.content)
        return int(told["code"]), str(told["msg"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        f"{why}; ask again in {BUSY_SECONDS:.0f} s", retry_after_seconds=BUSY_SECONDS
    )


def _shown(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "no content type")[:40]
    return f"{answer.status_code} with {len(answer.content)} bytes of {kind}"
