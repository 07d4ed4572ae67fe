"""A gateway inside this program, for whoever chats and has none running."""

import asyncio
import hmac
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import NamedTuple

import uvicorn
from anyio.from_thread import start_blocking_portal
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app.demo import demo_providers
from gateway.app.opening import opened
from gateway.app.serving import served
from gateway.config.settings import Config
from gateway.keys import new_key

# A server of tools that starts with the gateway takes seconds; without it a question about its
# tools would be answered that there are none.
TOOLS_SECONDS = 10.0


class Address(NamedTuple):
    """Where it listens, and the key that only this program has.

    `missing` are services that were not reached, whose tools are not known.
    """

    url: str
    key: str
    missing: Sequence[str]


@contextmanager
def private_gateway(config: Config, *, is_demo: bool) -> Iterator[Address]:
    """Open until the end of the block, in a thread of its own.

    Raises:
        GatewayError: as `opened`.
    """
    with (
        start_blocking_portal(name="private gateway") as portal,
        portal.wrap_async_context_manager(_opened(config, is_demo=is_demo)) as address,
    ):
        yield address


@asynccontextmanager
async def _opened(config: Config, *, is_demo: bool) -> AsyncIterator[Address]:
    async with AsyncExitStack() as stack:
        more = await stack.enter_async_context(demo_providers()) if is_demo else ()
        gateway = await stack.enter_async_context(opened(config, more_providers=more))
        app = await stack.enter_async_context(served(_without_strangers(config), gateway))
        key = new_key()
        url = await stack.enter_async_context(_listening(_Gate(app, key)))
        await gateway.services.discovered(within_seconds=TOOLS_SECONDS)
        yield Address(url, key, gateway.services.missing())


def _without_strangers(config: Config) -> Config:
    """Nobody else has a key, and only this machine reaches it: whoever asks is its owner.

    What documents say of the gateway's address stays as it is configured.
    """
    alone = {"host": "127.0.0.1", "public_url": None, "allowed_hosts": (), "stated_callers": ()}
    return config.model_copy(update=alone)


@asynccontextmanager
async def _listening(app: ASGIApp) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio forgets this for sockets that it did not make: each piece would wait 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        server = _SignalFreeServer(settings)
        # The port listens already: a request that comes before the server is ready waits for it.
        serving = asyncio.create_task(server.serve([listener]), name="private gateway")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


class _SignalFreeServer(uvicorn.Server):
    """An interrupt is for the chat around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Gate:
    """Other users of this machine reach the port too, but do not know the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._expected = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "").encode()
        answer = self._app
        if not hmac.compare_digest(given, self._expected):
            answer = PlainTextResponse("this gateway is private to one program", 401)
        await answer(scope, receive, send)
