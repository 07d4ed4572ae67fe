"""What is wrong with a POST that should carry one JSON-RPC message, before the MCP library sees it.

The library would answer with pydantic's text and log a traceback.
"""

import json

from mcp_types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Scope


def refusal(scope: Scope, body: bytes) -> JSONResponse | None:
    """The answer to a body that is no message; nothing, when it is one."""
    content_type = Headers(scope=scope).get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        # A web page can send other types to any server without asking it first.
        sentence = f"the content-type must be application/json, not {content_type!r}"
        return failure(415, INVALID_REQUEST, sentence)
    try:
        jsonrpc_message_adapter.validate_json(body, by_name=False)
    except ValidationError:
        return _refusal(body)
    return None


def failure(status: int, code: int, message: str) -> JSONResponse:
    """A JSON-RPC error that belongs to no request, because none could be read."""
    error = {"code": code, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status)


def _refusal(body: bytes) -> JSONResponse:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return failure(400, PARSE_ERROR, "the body is not JSON")
    if isinstance(document, list):
        return failure(400, INVALID_REQUEST, "batches are not served; send one message at a time")
    return failure(
        400,
        INVALID_REQUEST,
        'the body is not a JSON-RPC 2.0 message: {"jsonrpc": "2.0", "id": 1, "method": …}',
    )
