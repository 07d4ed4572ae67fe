"""A real uvicorn server in the test's own process, on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

LOOK_AGAIN_SECONDS = 0.002


@asynccontextmanager
async def serve(app: ASGIApp, *, grace_seconds: int = 1) -> AsyncIterator[str]:
    """Yields the base URL, such as `http://127.0.0.1:40123`, once the app's lifespan has begun."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio forgets this for sockets it did not make: each answer would wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=grace_seconds
        )
    )
    running = asyncio.create_task(server._serve([listener]), name="http server")
    try:
        await _started(server, running)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.told_to_end.set()
        await running
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn's own takes 0.2 s to end, because it looks for its reasons every tenth of one."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_end = asyncio.Event()

    async def main_loop(self) -> None:
        # Once is enough for the headers that all answers have.
        await self.on_tick(0)
        await self.told_to_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._wait_tasks_to_complete()
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()
        await self.lifespan.shutdown()

    async def _wait_tasks_to_complete(self) -> None:
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - no event
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        for server in self.servers:
            await server.wait_closed()


async def _started(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    # uvicorn tells nobody when it is ready: its flag is all there is to wait for.
    async with asyncio.timeout(10):
        while not server.started:
            if running.done():
                raise RuntimeError("the server ended before it was ready; its log says why")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
