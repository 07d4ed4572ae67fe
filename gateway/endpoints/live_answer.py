"""An answer that goes out as a live stream, or as an error with a status of its own."""

import logging
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.endpoints.connected import WhileConnected
from gateway.endpoints.live_stream import LiveStream

logger = logging.getLogger(__name__)


class LiveAnswer(Response):
    """What `write` writes, for as long as the client is there.

    Its headers go out when `write` opens the stream, so that until then an error is refused like
    any other. The request's body must have been read.
    """

    def __init__(
        self,
        write: Callable[[LiveStream], Awaitable[None]],
        *,
        refuse: Callable[[Exception], ASGIApp],
        keepalive_seconds: float,
    ) -> None:
        self._write = write
        self._refuse = refuse
        self._keepalive_seconds = keepalive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = LiveStream(send, keepalive_seconds=self._keepalive_seconds)
        async with WhileConnected(receive):
            try:
                await self._write(stream)
            except Exception as error:
                if not stream.has_begun:
                    await self._refuse(error)(scope, receive, send)
                elif not stream.has_told(error):
                    # Such as while what lay behind the stream was closed: nobody can be told.
                    logger.exception("a stream was not ended as it should be")
