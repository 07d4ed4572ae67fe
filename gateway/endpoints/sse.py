"""The legacy HTTP+SSE transport (MCP 2024-11-05): answers on a stream, messages beside it."""

import re
from contextlib import suppress
from typing import Any
from uuid import UUID

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from gateway import caller
from gateway.endpoints import jsonrpc
from gateway.endpoints.body_limit import replaying
from gateway.endpoints.event_stream import EVENT_STREAM_HEADERS, EventStream

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class SseTransport:
    """Two ASGI apps that belong together: `stream` answers, `messages` takes what is asked.

    Each stream is one MCP session and lives in this process; only the caller that opened it
    speaks in it. When its client goes away, the tools it has called are cancelled.
    """

    def __init__(self, server: Server[Any], *, message_path: str) -> None:
        self._server = server
        self._transport = SseServerTransport(message_path)

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await Response(headers=EVENT_STREAM_HEADERS)(scope, receive, send)
            return
        outside = {**_of_caller(scope), "root_path": _public_prefix(scope)}
        answers = EventStream(send)
        async with self._transport.connect_sse(outside, receive, answers.send) as (read, write):
            await self._server.run(read, write, self._server.create_initialization_options())
        await answers.end()

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Expects a body that came in one piece, as `BodyLimit` hands it on."""
        if scope["method"] != "POST":
            refusal: Response = _refusal(405, "messages are sent with POST")
            refusal.headers["allow"] = "POST"
            await refusal(scope, receive, send)
            return
        body = (await receive())["body"]
        wrong = _session_refusal(scope) or jsonrpc.refusal(scope, body)
        if wrong:
            await wrong(scope, receive, send)
            return
        again = replaying(body, receive)
        # The library accepts a message first and hands it on after: the stream may end in between.
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._transport.handle_post_message(_of_caller(scope), again, _plainly(send))


def _of_caller(scope: Scope) -> Scope:
    """The library lets only the user that opened a session speak in it."""
    token = AccessToken(token="", client_id=caller.current().name, scopes=[])
    return {**scope, "user": AuthenticatedUser(token)}


def _public_prefix(scope: Scope) -> str:
    """What a proxy stripped from the path; the client needs it back to find `messages`."""
    forwarded = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
    inside: str = scope.get("root_path", "")
    if not _PREFIX.fullmatch(forwarded) or inside.startswith(forwarded):
        return inside
    return forwarded + inside


def _session_refusal(scope: Scope) -> JSONResponse | None:
    session_id = QueryParams(scope["query_string"]).get("session_id")
    if session_id is None:
        return _refusal(400, "session_id is missing; POST to the URL of the stream's first event")
    try:
        UUID(hex=session_id)
    except ValueError:
        return _refusal(400, "session_id is not one that a stream gave out")
    return None


def _plainly(send: Send) -> Send:
    """The library says "Could not find session"; a client needs to know what to do about it."""
    refusal = _refusal(404, "this session has ended or was never opened; open a new stream")
    is_refused = False

    async def send_plainly(message: Message) -> None:
        nonlocal is_refused
        if message["type"] == "http.response.start" and message["status"] == 404:
            is_refused = True
            message = {**message, "headers": refusal.raw_headers}
        elif is_refused:
            message = {**message, "body": refusal.body}
        await send(message)

    return send_plainly


def _refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
