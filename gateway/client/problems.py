"""What a gateway refuses, as the same errors that it raises inside: `gateway.errors`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
)

RETRY_SECONDS = 5.0
# Where OpenAI has a word of its own, the gateway says that.
_OPENAI_CODES: Mapping[str, type[GatewayError]] = {
    "invalid_api_key": Unauthenticated,
    "rate_limit_exceeded": RateLimited,
}
# A limit that is spent has a type which keeps clients from asking again.
_HELD = "rate_limit_error"
# After what it is that is not found.
_NOT_FOUND = f"_{NotFound.code}"
_BY_STATUS: Mapping[int, type[GatewayError]] = {
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    429: RateLimited,
    503: Unavailable,
    504: DeadlineExceeded,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises:
    Unavailable: the gateway cannot be reached.
    DeadlineExceeded: it does not answer in time.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded("the gateway did not answer in time") from error
    except httpx.TransportError as error:
        raise Unavailable(
            f"the gateway cannot be reached: {error}", retry_after_seconds=RETRY_SECONDS
        ) from error


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, which has been read, unless it is an error.

    Raises:
        GatewayError: of the class that the gateway raised.
    """
    if answer.is_success:
        return answer
    try:
        body = answer.json()
    except ValueError:
        body = {}
    raise error_of(body if isinstance(body, dict) else {}, answer.status_code, answer.headers)


def error_of(body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> GatewayError:
    """From a problem of ours, or from an error in OpenAI's shape."""
    told = body.get("error") or body.get("detail") or f"HTTP status {status}"
    fields = told if isinstance(told, dict) else {**body, "message": told}
    message = str(fields.get("message"))
    code = str(fields.get("code"))
    kind = _kind(code, status)
    seconds = _seconds(headers.get("retry-after"))
    if issubclass(kind, LimitExceeded):
        return LimitExceeded(
            message,
            limit=str(fields.get("limit", "")),
            retry_after_seconds=seconds,
            is_only_held=fields.get("type") == _HELD,
        )
    if issubclass(kind, RateLimited | Unavailable):
        return kind(message, retry_after_seconds=seconds)
    if issubclass(kind, NotFound):
        suggestions = fields.get("suggestions", ())
        # Some doors say them in words as well.
        message = message.removesuffix(f" Did you mean: {', '.join(suggestions)}?")
        what = code.removesuffix(_NOT_FOUND) if code.endswith(_NOT_FOUND) else ""
        return NotFound(message, what=what, suggestions=suggestions)
    return kind(message)


def _kind(code: str, status: int) -> type[GatewayError]:
    if code.endswith(_NOT_FOUND):
        return NotFound
    # In one process with a gateway there are narrower ones, which only it can make.
    own = (one for one in _every(GatewayError) if one.__module__ == GatewayError.__module__)
    by_code = {one.code: one for one in own} | dict(_OPENAI_CODES)
    usual = InvalidRequest if 400 <= status < 500 else BadAnswer
    return by_code.get(code) or _BY_STATUS.get(status, usual)


def _every(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _every(narrower)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else RETRY_SECONDS
