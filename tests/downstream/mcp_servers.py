"""What tests of MCP servers share: how to open one, and how to wait for what it does."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastmcp import FastMCP
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp.child import Command
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.server import McpServer
from gateway.downstream.mcp.transports import SseEndpoint, Way
from tests.stand_ins import mcp_troublemaker
from tests.stand_ins.http_server import serve
from tests.stand_ins.task_servers import Front, over_http, over_sse, running

Open = Callable[[FastMCP], Any]
QUICK = Backoff(first_seconds=0.01, most_seconds=0.05)


@asynccontextmanager
async def opened(way: Way, *, name: str = "tasks", **settings: Any) -> AsyncIterator[McpServer]:
    """Known before it is yielded, unless it cannot be."""
    settings.setdefault("backoff", QUICK)
    async with McpServer(name, way, **settings) as server:
        await server.discovered(within_seconds=8)
        yield server


def troublemaker(mode: str) -> Command:
    return Command(mcp_troublemaker.command(mode), {"PATH": os.environ["PATH"]})


def is_alive(process: int) -> bool:
    """A zombie is neither alive nor gone; it counts as alive, for nobody has reaped it."""
    return Path(f"/proc/{process}").exists()


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put_nowait(record.getMessage())

    def left(self) -> list[str]:
        """Those that nobody has waited for."""
        return [self._lines.get_nowait() for _ in range(self._lines.qsize())]

    async def next(self, is_wanted: Callable[[str], bool]) -> str:
        async with asyncio.timeout(8):
            while True:
                line = await self._lines.get()
                if is_wanted(line):
                    return line


@contextmanager
def logged() -> Iterator[Lines]:
    """What the MCP servers log, as it comes."""
    logger, handler = logging.getLogger("gateway.downstream"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@asynccontextmanager
async def streamable(server: FastMCP) -> AsyncIterator[Way]:
    async with over_http(server) as url:
        yield Endpoint(url)


@asynccontextmanager
async def stateless(server: FastMCP) -> AsyncIterator[Way]:
    async with over_http(server, stateless_http=True, json_response=True) as url:
        yield Endpoint(url)


@asynccontextmanager
async def sse(server: FastMCP) -> AsyncIterator[Way]:
    async with over_sse(server) as url:
        yield SseEndpoint(Endpoint(url))


@asynccontextmanager
async def modern(server: FastMCP) -> AsyncIterator[Way]:
    """A server that knows no handshake."""
    front = Front()
    async with running(server) as app, serve(front, grace_seconds=0) as url:
        front.app = without_handshake(app)
        yield Endpoint(f"{url}/mcp")


def without_handshake(app: ASGIApp) -> ASGIApp:
    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"mcp-protocol-version") == b"2026-07-28":
            await app(scope, receive, send)
            return
        error = {"code": -32022, "message": "Unsupported", "data": {"supported": ["2026-07-28"]}}
        refusal = JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=400)
        await refusal(scope, receive, send)

    return refusing
