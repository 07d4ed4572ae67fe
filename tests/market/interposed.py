"""An exchange with somebody in between: what it answers can be replaced, delayed or lost."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Interposed:
    """Passes everything on to `app`, but for the paths that a test names.

    `requests` holds `METHOD /path` of all that came in.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._replacements: dict[str, Response] = {}
        self._hanging: set[str] = set()
        self._lost: set[str] = set()
        self._arrived = asyncio.Condition()
        self.requests: list[str] = []

    def replace(self, request: str, response: Response) -> None:
        self._replacements[request] = response

    def refuse(self, request: str, status: int, code: int, *, retry_after: str = "") -> None:
        headers = {"Retry-After": retry_after} if retry_after else {}
        body = {"code": code, "msg": "Told by the test."}
        self.replace(request, JSONResponse(body, status_code=status, headers=headers))

    def hang(self, request: str) -> None:
        self._hanging.add(request)

    def lose_answer(self, request: str) -> None:
        """The exchange does what was asked, and nobody hears of it."""
        self._lost.add(request)

    def restore(self, request: str) -> None:
        self._replacements.pop(request, None)
        self._hanging.discard(request)
        self._lost.discard(request)

    async def wait_for(self, request: str) -> None:
        """Until it has come in at least once."""
        async with self._arrived, asyncio.timeout(5):
            await self._arrived.wait_for(lambda: request in self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = f"{scope['method']} {Request(scope).url.path}"
        self.requests.append(request)
        async with self._arrived:
            self._arrived.notify_all()
        if request in self._replacements:
            await self._replacements[request](scope, receive, send)
        elif request in self._hanging | self._lost:
            if request in self._lost:
                await self._app(scope, receive, _nowhere)
            await _until_gone(receive)
        else:
            await self._app(scope, receive, send)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nowhere(_: object) -> None:
    """Where a lost answer goes."""
