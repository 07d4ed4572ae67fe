"""A stream of server-sent events that says, while nothing happens, that it is still there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from starlette.types import Send

from gateway.endpoints.event_stream import EVENT_STREAM_HEADERS
from gateway.endpoints.problems import in_our_terms
from gateway.errors import GatewayError, Unavailable

KEEPALIVE_SECONDS = 15.0  # nginx closes a stream that is silent for 60
# Whoever reads nothing for so long holds a model's answer and its budget for nothing.
STUCK_SECONDS = 60.0
_GOODBYE_SECONDS = 1.0
_STOPPING = Unavailable("the gateway is stopping", retry_after_seconds=5)
_COMMENT = b": keep-alive\n\n"


class LiveStream:
    """Every `write` is one whole event, so a comment never falls into the middle of one."""

    def __init__(
        self,
        send: Send,
        *,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        self._send = send
        self._keepalive_seconds = keepalive_seconds
        self._stuck_seconds = stuck_seconds
        self._now = asyncio.get_running_loop().time
        self._wrote_at = self._now()
        self._writing_since: float | None = None
        self.has_begun = False
        self._told: Exception | None = None

    @asynccontextmanager
    async def open(self, headers: Mapping[str, str]) -> AsyncIterator[None]:
        """The stream begins at once, and is ended properly whatever happens in the block."""
        named = {**EVENT_STREAM_HEADERS, **headers}
        pairs = [(name.encode(), value.encode()) for name, value in named.items()]
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": pairs})
        writer = asyncio.current_task()
        assert writer is not None
        beating = asyncio.create_task(self._keep_alive(writer), name="keep-alive of a stream")
        try:
            yield
        finally:
            beating.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._send(
                        {"type": "http.response.body", "body": b"", "more_body": False}
                    )

    @asynccontextmanager
    async def telling(self, told: Callable[[GatewayError], Iterable[bytes]]) -> AsyncIterator[None]:
        """What goes wrong in the block is told inside the stream, as `told` has it, and raised."""
        try:
            yield
        except asyncio.CancelledError:
            # To a client that has left it is lost; but a gateway that stops is cancelled likewise.
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._tell(told(_STOPPING))
            raise
        except Exception as error:
            self._told = error
            await self._tell(told(in_our_terms(error)))
            raise

    def has_told(self, error: Exception) -> bool:
        return error is self._told

    async def _tell(self, events: Iterable[bytes]) -> None:
        for event in events:
            await self.write(event)

    async def write(self, event: bytes) -> None:
        self._wrote_at = self._writing_since = self._now()
        await self._send({"type": "http.response.body", "body": event, "more_body": True})
        self._writing_since = None

    async def _keep_alive(self, writer: asyncio.Task[object]) -> None:
        """A comment after each silence; the end of the stream, if its reader takes nothing."""
        while True:
            since = self._writing_since
            if since is not None and self._now() - since >= self._stuck_seconds:
                writer.cancel()
                return
            silent_seconds = self._now() - self._wrote_at
            if since is None and silent_seconds >= self._keepalive_seconds:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._stuck_seconds):
                        await self.write(_COMMENT)
            else:
                pause = self._keepalive_seconds - silent_seconds
                await asyncio.sleep(pause if pause > 0 else self._keepalive_seconds)
