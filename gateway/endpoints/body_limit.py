"""Refuses request bodies that are too big or too slow, and hands others on in one piece."""

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT_BYTES = 4 * 1024 * 1024
DEADLINE_SECONDS = 30.0

_METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


def refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


class BodyLimit:
    """ASGI middleware: a body is read before `app` sees the request, chunked or not.

    So an app behind it never waits for a slow sender, and never meets half a body. Over
    `limit_bytes` the answer is 413, after `deadline_seconds` it is 408; `refuse` makes it of the
    status and a sentence.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int = LIMIT_BYTES,
        deadline_seconds: float = DEADLINE_SECONDS,
        refuse: Callable[[int, str], Response] = refused,
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._deadline_seconds = deadline_seconds
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _METHODS_WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._deadline_seconds):
                body = await self._body(scope, receive)
        except TimeoutError:
            sentence = f"the request body did not arrive within {self._deadline_seconds:g} s"
            refusal = self._refuse(408, sentence)
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, send)
            return
        except _TooBig:
            # The connection stays open: closed with bytes unread, it would lose this answer too.
            sentence = f"the request body is over {self._limit_bytes} bytes"
            await self._refuse(413, sentence)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, replaying(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole of it; nothing, when the client went away."""
        if _declared_bytes(scope) > self._limit_bytes:
            raise _TooBig
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if len(body) > self._limit_bytes:
                raise _TooBig
            if not message.get("more_body", False):
                return bytes(body)
        return None


class _TooBig(Exception):
    pass


def replaying(body: bytes, receive: Receive) -> Receive:
    """The whole body first, then whatever the client does next, such as going away."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


def _declared_bytes(scope: Scope) -> int:
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(declared) if declared.isdigit() else 0
