"""The MCP door of a program that started the gateway: standard input and output, a line each."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from mcp.server.stdio import stdio_server

from gateway import caller
from gateway.caller import LOCAL
from gateway.endpoints.mcp_server import McpServer


async def serve_stdio(server: McpServer) -> None:
    """Serve whoever started this program, as an owner, until its input ends."""
    caller.begin(LOCAL)
    # While it serves, all else that is printed goes to standard error.
    async with stdio_server(stdin=_Input()) as (read, write):  # type: ignore[arg-type]  # only iterated over
        low_level = server.low_level
        await low_level.run(read, write, low_level.create_initialization_options())


class _Input:
    """The lines of standard input.

    The library's own reader cannot be cancelled while it waits for a line: a program that is told
    to stop would not end. This one waits in a thread that nobody has to wait for.
    """

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="stdin", daemon=True).start()
        while (line := await self._lines.get()) is not None:
            yield line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop is closed once nobody listens any more.
        with suppress(RuntimeError), open(sys.stdin.fileno(), "rb", closefd=False) as file:
            for line in file:
                loop.call_soon_threadsafe(self._lines.put_nowait, line.decode(errors="replace"))
            loop.call_soon_threadsafe(self._lines.put_nowait, None)
