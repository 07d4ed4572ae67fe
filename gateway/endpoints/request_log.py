"""One line in the log for each HTTP request, at its end, without anything that it asked."""

import logging
import re
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import request_id

logger = logging.getLogger(__name__)

_PRODUCT = re.compile(r"[A-Za-z0-9._+-]{1,40}")
# Asked every few seconds by whoever watches, and always answered the same.
_QUIET = "/health"


class RequestLog:
    """ASGI middleware. Of a path only its first part is logged: the rest names a document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answered = _Answered(send)
        began = time.perf_counter()
        request = request_id.begin(headers.get(request_id.HEADER))
        try:
            await self._app(scope, receive, answered.send)
        finally:
            door = _door(scope["path"])
            level = logging.DEBUG if door == _QUIET else logging.INFO
            milliseconds = (time.perf_counter() - began) * 1000
            logger.log(
                level,
                "method=%s door=%s status=%d milliseconds=%.1f bytes=%d client=%s request_id=%s",
                scope["method"],
                door,
                answered.status,
                milliseconds,
                answered.bytes,
                client_family(headers),
                request,
            )


class _Answered:
    """The sending side, which remembers what was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.bytes += len(message.get("body", b""))
        await self._send(message)


def client_family(headers: Mapping[str, str]) -> str:
    """The program that asks, such as `openai-mcp`, without version or system."""
    agent = headers.get("user-agent", "")
    product = _PRODUCT.match(agent.partition("/")[0].strip())
    return product[0] if product else "-"


def _door(path: str) -> str:
    first = path.strip("/").partition("/")[0]
    return f"/{first}" if _PRODUCT.fullmatch(first) else "/-" if first else "/"
