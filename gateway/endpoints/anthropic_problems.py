"""Errors in Anthropic's shape, which its SDKs and Claude Code turn into their own exceptions."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import request_id
from gateway.endpoints.openai_problems import Handler, error_headers
from gateway.endpoints.problems import Problem, in_our_terms, plain_words, suggested
from gateway.errors import ContextTooLong, GatewayError, LimitExceeded, Unavailable

# Anthropic's own status for what its clients know to try again later.
OVERLOADED = 529
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
# Claude Code knows by these words that it has to make its conversation shorter.
_TOO_LONG = "prompt is too long"


def anthropic_problem(error: Exception) -> Problem:
    """The status, body and headers of an error; what nobody expected is only in the log."""
    ours = in_our_terms(error)
    body = error_body(ours)
    headers = {"request-id": request_id.current(), **error_headers(ours)}
    return Problem(_status(ours), body, headers)


def error_body(error: GatewayError) -> dict[str, Any]:
    """The body of an answer, or the last event of a stream that breaks off."""
    fields: dict[str, Any] = {"message": _message(error), "code": error.code}
    if suggestions := suggested(error):
        fields["suggestions"] = list(suggestions)
    if isinstance(error, LimitExceeded):
        fields["limit"] = error.limit
    return _body(_status(error), fields)


def anthropic_refusal(error: Exception) -> JSONResponse:
    status, body, headers = anthropic_problem(error)
    return JSONResponse(body, status, headers)


def answering_as_anthropic(handler: Handler) -> Handler:
    """The handler; whatever it raises is answered in Anthropic's shape."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            # Whatever it is, the caller gets an answer; the log gets what nobody expected.
            return anthropic_refusal(error)

    return answer


def refused_body(status: int, sentence: str) -> Response:
    """A body that is too big, or comes too slowly."""
    headers = {"request-id": request_id.current()}
    return JSONResponse(_body(status, {"message": sentence}), status, headers)


def _body(status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": _TYPES.get(status, "api_error"), **fields},
        "request_id": request_id.current(),
    }


def _status(error: GatewayError) -> int:
    return OVERLOADED if isinstance(error, Unavailable) else error.status


def _message(error: GatewayError) -> str:
    said = plain_words(error)
    if isinstance(error, ContextTooLong) and _TOO_LONG not in said.lower():
        return f"{_TOO_LONG}: {said}"
    return said
