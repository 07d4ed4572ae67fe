"""A real uvicorn server in the test's own process, on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def serve(app: ASGIApp, *, grace_seconds: int = 1) -> AsyncIterator[str]:
    """Yields the base URL, such as `http://127.0.0.1:40123`, once the app's lifespan has begun."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio forgets this for sockets it did not make: each answer would wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=grace_seconds
        )
    )
    running = asyncio.create_task(server._serve([listener]), name="http server")
    try:
        await _started(server, running)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


async def _started(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    # uvicorn tells nobody when it is ready: its flag is all there is to wait for.
    async with asyncio.timeout(10):
        while not server.started:
            if running.done():
                raise RuntimeError("the server ended before it was ready; its log says why")
            await asyncio.sleep(0.005)
