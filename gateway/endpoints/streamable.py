"""Streamable HTTP without sessions: every POST stands alone, in any protocol version."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.endpoints import jsonrpc
from gateway.endpoints.body_limit import replaying
from gateway.endpoints.event_stream import EVENT_STREAM_HEADERS, EventStream

ALLOWED_METHODS = "GET, HEAD, POST, OPTIONS"
# In some text instead of its place it does no harm: who accepts a stream can read one.
_PROGRESS = b'"progressToken"'


class StreamableTransport:
    """An ASGI app, open while its `async with` is; its body comes whole from `BodyLimit`.

    Answers are plain JSON. Since 2026-07-28 a call that takes over 15 s turns into an event
    stream with pings, if the client accepts one; in any version one whose progress is asked for is
    an event stream from the start. A client that goes away cancels its call.
    """

    def __init__(self, server: Server[Any]) -> None:
        self._server = server
        self._lifetime = AsyncExitStack()
        self._plain: StreamableHTTPSessionManager
        self._patient: StreamableHTTPSessionManager

    async def __aenter__(self) -> Self:
        self._plain = self._manager(json_response=True)
        self._patient = self._manager(json_response=False)
        await self._lifetime.enter_async_context(self._plain.run())
        await self._lifetime.enter_async_context(self._patient.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._lifetime.aclose()

    def _manager(self, *, json_response: bool) -> StreamableHTTPSessionManager:
        return StreamableHTTPSessionManager(
            self._server, stateless=True, json_response=json_response
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"]:
            case "POST":
                await self._answer(scope, receive, send)
            case "GET":
                await _keep_open(scope, receive, send)
            case "HEAD":
                await Response(headers=EVENT_STREAM_HEADERS)(scope, receive, send)
            case "OPTIONS":
                await Response(status_code=204, headers={"allow": ALLOWED_METHODS})(
                    scope, receive, send
                )
            case method:
                sentence = f"{method} is not served here: there are no sessions to end"
                refusal = jsonrpc.failure(405, INVALID_REQUEST, sentence)
                refusal.headers["allow"] = ALLOWED_METHODS
                await refusal(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        refusal = jsonrpc.refusal(scope, body)
        if refusal:
            await refusal(scope, receive, send)
            return
        headers = Headers(scope=scope)
        lenient = _accepting_all(scope)
        if _is_modern(headers) and _accepts_stream(headers):
            await self._patient.handle_request(lenient, replaying(body, receive), send)
            return
        tells_progress = _PROGRESS in body and _accepts_stream(headers)
        manager = self._patient if tells_progress else self._plain
        async with anyio.create_task_group() as group:

            async def leave_with_the_client() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(leave_with_the_client)
            await manager.handle_request(lenient, replaying(body, receive), send)
            group.cancel_scope.cancel()


async def _keep_open(scope: Scope, receive: Receive, send: Send) -> None:
    """Some clients hold a stream for news open, and reconnect in a loop when it is refused."""
    stream = EventStream(send)
    await EventSourceResponse(_silence())(scope, receive, stream.send)
    await stream.end()


async def _silence() -> AsyncIterator[ServerSentEvent]:
    """A stream on which nothing is ever said: sse-starlette pings, and ends it at shutdown."""
    yield ServerSentEvent(comment="open")
    await anyio.sleep_forever()


def _is_modern(headers: Headers) -> bool:
    version = headers.get("mcp-protocol-version")
    return version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS


def _accepts_stream(headers: Headers) -> bool:
    accept = headers.get("accept", "*/*").lower()
    return any(range_ in accept for range_ in ("text/event-stream", "text/*", "*/*"))


def _accepting_all(scope: Scope) -> Scope:
    """The library answers 406 unless both types are named; many clients name one or none."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["accept"] = "application/json, text/event-stream"
    return {**scope, "headers": headers.raw}
