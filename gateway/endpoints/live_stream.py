"""A stream of server-sent events that says, while nothing happens, that it is still there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.types import Send

from gateway.endpoints.event_stream import EVENT_STREAM_HEADERS

KEEPALIVE_SECONDS = 15.0  # nginx closes a stream that is silent for 60
_COMMENT = b": keep-alive\n\n"


class LiveStream:
    """Every `write` is one whole event, so a comment never falls into the middle of one."""

    def __init__(self, send: Send, *, keepalive_seconds: float = KEEPALIVE_SECONDS) -> None:
        self._send = send
        self._keepalive_seconds = keepalive_seconds
        self._now = asyncio.get_running_loop().time
        self._wrote_at = self._now()
        self.has_begun = False

    @asynccontextmanager
    async def open(self, headers: Mapping[str, str]) -> AsyncIterator[None]:
        """The stream begins at once, and is ended properly whatever happens in the block."""
        named = {**EVENT_STREAM_HEADERS, **headers}
        pairs = [(name.encode(), value.encode()) for name, value in named.items()]
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": pairs})
        beating = asyncio.create_task(self._keep_alive(), name="keep-alive of a stream")
        try:
            yield
        finally:
            beating.cancel()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def write(self, event: bytes) -> None:
        self._wrote_at = self._now()
        await self._send({"type": "http.response.body", "body": event, "more_body": True})

    async def _keep_alive(self) -> None:
        while True:
            silent_seconds = self._now() - self._wrote_at
            if silent_seconds >= self._keepalive_seconds:
                await self.write(_COMMENT)
            else:
                await asyncio.sleep(self._keepalive_seconds - silent_seconds)
