"""Ends the work on an answer as soon as the client that waits for it goes away."""

import asyncio
from types import TracebackType

from starlette.responses import Response
from starlette.types import Receive

# Nobody reads it; the log does.
CLIENT_LEFT = Response(status_code=499)


class WhileConnected:
    """`async with`: the block is cancelled when the client leaves, and then ends quietly.

    The request's body must have been read: nothing but the end may be left to receive.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        # A deadline that a leaving client brings about: it cancels only what is in the block,
        # and never hides that somebody else cancelled the task.
        self._connected = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._connected.__aenter__()
        self._watching = asyncio.create_task(self._watch(), name="client that may leave")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._watching.cancel()
        try:
            await self._connected.__aexit__(kind, error, traceback)
        except TimeoutError:
            return True
        return False

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._connected.reschedule(asyncio.get_running_loop().time())
