"""Errors in OpenAI's shape, which its SDKs turn into their own exceptions, for all under `/v1`."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.endpoints.problems import (
    Problem,
    in_our_terms,
    plain_words,
    retry_after_seconds,
    suggested,
)
from gateway.errors import (
    BadAnswer,
    GatewayError,
    KeyRefused,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    PaymentRequired,
    RateLimited,
    Refused,
    Unauthenticated,
)

Handler = Callable[[Request], Awaitable[Response]]

# Clients branch on OpenAI's own words where it has one; all other codes are ours.
_OPENAI_CODES: Mapping[type[GatewayError], str] = {
    Unauthenticated: "invalid_api_key",
    RateLimited: "rate_limit_exceeded",
}
# The parameter that names what is not found, where OpenAI has one.
_PARAMETERS: Mapping[str, str] = {
    "model": "model",
    "response": "response_id",
    "previous_response": "previous_response_id",
}
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
# The SDKs ask again after 409, 429 and all from 500 on, unless told that it will not help.
# Silently waiting for longer than this helps nobody: a person should read the error instead.
MOST_PATIENCE_SECONDS = 20
_FINAL = (PaymentRequired, KeyRefused, OutcomeUnknown, Refused)


def openai_problem(error: Exception) -> Problem:
    """The status, body and headers of an error; what nobody expected is only in the log."""
    ours = in_our_terms(error)
    return Problem(ours.status, {"error": error_fields(ours)}, error_headers(ours))


def error_headers(error: GatewayError) -> dict[str, str]:
    """Whether and when to ask again, which route tells more: all SDKs read the same headers."""
    headers = {"cache-control": "no-store"}
    if (seconds := retry_after_seconds(error)) is not None:
        headers["retry-after"] = str(seconds)
        headers["retry-after-ms"] = str(_milliseconds(error))
    is_final = isinstance(error, _FINAL) or _is_spent(error) or not error.is_repeatable
    if is_final or (seconds or 0) > MOST_PATIENCE_SECONDS:
        headers["x-should-retry"] = "false"
    if error.route_id:
        headers["x-gateway-route-id"] = error.route_id
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return headers


def error_fields(error: GatewayError) -> dict[str, Any]:
    """What stands under `error`, in an answer of its own or in the middle of a stream."""
    fields: dict[str, Any] = {
        "message": plain_words(error),
        "type": _type(error),
        "param": _PARAMETERS.get(error.what) if isinstance(error, NotFound) else None,
        "code": _code(error),
    }
    if suggestions := suggested(error):
        fields["suggestions"] = list(suggestions)
    if isinstance(error, LimitExceeded):
        fields["limit"] = error.limit
    return fields


def openai_refusal(error: Exception) -> JSONResponse:
    status, body, headers = openai_problem(error)
    return JSONResponse(body, status, headers)


def answering_as_openai(handler: Handler) -> Handler:
    """The handler; whatever it raises is answered in OpenAI's shape."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            # Whatever it is, the caller gets an answer; the log gets what nobody expected.
            return openai_refusal(error)

    return answer


async def no_such_path(request: Request, error: Exception) -> Response:
    """For a path or a method that does not exist, as an exception handler of Starlette's."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path[:100]}: {error.detail}"
    fields = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": fields}, error.status_code, error.headers)


def _milliseconds(error: GatewayError) -> int:
    """OpenAI's SDKs wait exactly so long; whole seconds are for all others."""
    return max(1, math.ceil(1000 * getattr(error, "retry_after_seconds", 0)))


def refused_body(status: int, sentence: str) -> Response:
    """A body that is too big, or comes too slowly."""
    fields = {"message": sentence, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": fields}, status)


def _code(error: GatewayError) -> str:
    """It says what is not found, as OpenAI's own do: `model_not_found`, `task_not_found`."""
    if isinstance(error, NotFound) and error.what:
        return f"{error.what}_{NotFound.code}"
    return _OPENAI_CODES.get(type(error), error.code)


def _is_spent(error: GatewayError) -> bool:
    """Whether it is a limit that will have no more room soon."""
    return isinstance(error, LimitExceeded) and not error.is_only_held


def _type(error: GatewayError) -> str:
    if _is_spent(error):
        # A type that clients know not to try again.
        return "insufficient_quota"
    if isinstance(error, BadAnswer) or error.status >= 500:
        return "server_error"
    return _TYPES.get(error.status, "invalid_request_error")
