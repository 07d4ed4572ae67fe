"""A door that opens when somebody first knocks, for what takes its time and memory to be there."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


class LateDoor:
    """An ASGI app, open while its `async with` is; all who knock meanwhile wait for one opening.

    What `opening` gives is entered and left by one task. If it fails, so do they, and if it breaks
    later, so do those inside; the log says why, and whoever knocks next opens anew.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[ASGIApp]]) -> None:
        self._opening = opening
        self._closing = asyncio.Event()
        self._app: asyncio.Future[ASGIApp] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._keeping is not None:
            await self._keeping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = asyncio.get_running_loop().create_future()
            self._keeping = asyncio.create_task(self._keep(self._app), name="late door")
        # Whoever leaves while it opens does not close it for the others.
        app = await asyncio.shield(self._app)
        await app(scope, receive, send)

    async def _keep(self, app: "asyncio.Future[ASGIApp]") -> None:
        try:
            async with self._opening() as opened:
                app.set_result(opened)
                await self._closing.wait()
        except Exception as error:
            logger.exception("a door could not be %s", "kept open" if app.done() else "opened")
            if not app.done():
                app.set_exception(error)
        finally:
            # Cancelled while it opened: nobody must wait for it for ever.
            app.cancel()
            self._app = None
