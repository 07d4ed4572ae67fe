"""Real FastMCP servers with a few tools and a state, over every transport, and tools for trouble.

python -m tests.stand_ins.task_servers          over stdio
python -m tests.stand_ins.task_servers 8010     over Streamable HTTP, on that port
python -m tests.stand_ins.task_servers 8010 -   the same, once it reads a line
"""

import ast
import asyncio
import operator
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from mcp_types import ImageContent, TextContent
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.stand_ins.http_server import serve

COMMAND = (sys.executable, "-m", "tests.stand_ins.task_servers")
ROOT = Path(__file__).parents[2]
# As docs/extend.md tells them to whoever writes such a server.
KEY, TAKES_KEY = "gateway/idempotency-key", "gateway/takes-key"
PIXEL = "R0lGODlhAQABAAAAACw="  # the smallest picture there is, as GIF
_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(flush=True)
time.sleep(999)
"""
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass
class World:
    """What the server remembers, and what is going on in it."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    # What was created under which key, and what had been asked for.
    done: dict[str, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    # Those that calls of `create_task` and `search` came with.
    keys: list[str | None] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)


def task_server(world: World | None = None, *, page_size: int | None = None) -> FastMCP:
    world = world or World()
    server = FastMCP("tasks", version="1.2", list_page_size=page_size)

    @server.tool(meta={TAKES_KEY: True})
    def create_task(title: str, context: Context, description: str = "") -> dict[str, Any]:
        """Create a task."""
        world.calls.append("create_task")
        key = _key(world, context)
        if key in world.done:
            asked, task = world.done[key]
            if asked != (title, description):
                raise ToolError("this idempotency key is that of another task")
            return task
        task = {"id": len(world.tasks) + 1, "title": title, "description": description}
        world.tasks.append(task)
        if key:
            world.done[key] = (title, description), task
        return task

    @server.tool(annotations={"readOnlyHint": True})
    def list_tasks() -> list[dict[str, Any]]:
        """All tasks."""
        return world.tasks

    @server.tool(annotations={"destructiveHint": True})
    def delete_task(number: int) -> str:
        """Delete a task for good."""
        world.tasks[:] = [task for task in world.tasks if task["id"] != number]
        return "deleted"

    @server.tool
    def execute_code(code: str) -> str:
        """Evaluate an arithmetic expression."""
        world.calls.append("execute_code")
        return str(_evaluated(ast.parse(code, mode="eval").body))

    @server.tool(annotations={"readOnlyHint": True})
    def search(query: str, context: Context) -> dict[str, Any]:
        """Search for something."""
        world.calls.append("search")
        _key(world, context)
        return {"results": [f"{query}: finding {number}" for number in (1, 2, 3)]}

    @server.tool(annotations={"readOnlyHint": True})
    async def deep_research(question: str, context: Context, steps: int = 3) -> str:
        """Look into a question, and tell how far it is."""
        for step in range(1, steps + 1):
            await context.report_progress(step, steps, f"step {step} of {steps}")
        return f"What is known of {question}."

    @server.tool(output_schema=None, annotations={"idempotentHint": True})
    def save_conversation(text: str) -> str:
        """Keep a conversation."""
        return f"saved {len(text)} characters"

    @server.tool(output_schema=None)
    def create_bar_chart(values: list[float]) -> list[Any]:
        """Draw a chart."""
        image = ImageContent(type="image", data=PIXEL, mime_type="image/gif")
        return [TextContent(type="text", text=f"{len(values)} bars"), image]

    _add_trouble(server, world)
    return server


def _key(world: World, context: Context) -> str | None:
    """The idempotency key that a call came with, which is also noted."""
    request = context.request_context
    key = ((request and request.meta) or {}).get(KEY)
    world.keys.append(key)
    return key


def _add_trouble(server: FastMCP, world: World) -> None:
    @server.tool
    async def wait() -> str:
        """Wait until the test lets it go on."""
        world.calls.append("wait")
        world.waiting.set()
        try:
            await world.may_go_on.wait()
        except asyncio.CancelledError:
            world.cancelled.set()
            raise
        return "went on"

    @server.tool
    def fail(why: str) -> str:
        """Fail."""
        raise ValueError(why)

    @server.tool(output_schema=None)
    def say_much(characters: int) -> str:
        """Say very much."""
        return "x" * characters

    @server.tool
    def environment() -> list[str]:
        """The names of the variables that it sees."""
        return sorted(os.environ)

    @server.tool
    def noise() -> str:
        """Write what is no message to stdout and stderr."""
        sys.stdout.write("loading the model...\n")
        sys.stdout.flush()
        sys.stderr.write("a \x1b[31mwarning\n")
        sys.stderr.flush()
        return "done"

    @server.tool
    def start_grandchild() -> int:
        """Start a process that ignores everything that it can."""
        child = subprocess.Popen((sys.executable, "-c", _STUBBORN), stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
        return child.pid

    @server.tool
    async def learn(name: str, context: Context) -> str:
        """Have another tool from now on."""

        def learned() -> str:
            return name

        server.tool(learned, name=name, description="Learned.")
        await context.session.send_tool_list_changed()
        return "learned"


class Front:
    """An HTTP app in front of another, which can change from one request to the next."""

    def __init__(self) -> None:
        self.app: ASGIApp = _nobody
        self.requests: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _nobody(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], headers))
        await self.app(scope, receive, send)


def breaking(app: ASGIApp) -> ASGIApp:
    """Does what it is asked to, and breaks off in the middle of the answer."""

    async def unheard(message: Any) -> None:
        return

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, unheard)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"99")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})

    return broken


@asynccontextmanager
async def running(server: FastMCP, **settings: Any) -> AsyncIterator[ASGIApp]:
    app = server.http_app(path="/mcp", **settings)
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def over_http(server: FastMCP, **settings: Any) -> AsyncIterator[str]:
    """Yields the URL of its door for Streamable HTTP."""
    async with serve(server.http_app(path="/mcp", **settings), grace_seconds=0) as url:
        yield f"{url}/mcp"


@asynccontextmanager
async def over_sse(server: FastMCP) -> AsyncIterator[str]:
    """Yields the URL of its door for HTTP with SSE."""
    async with serve(server.http_app(path="/sse", transport="sse"), grace_seconds=0) as url:
        yield f"{url}/sse"


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        await PlainTextResponse("nobody is here", 503)(scope, receive, send)
        return
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


def _evaluated(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
    raise ValueError("only arithmetic is evaluated")


def _add_waiting(server: FastMCP) -> None:
    @server.tool(output_schema=None)
    def wait_for_note(folder: str) -> str:
        """Say who waits, and wait until there is a note."""
        Path(folder, f"{os.getpid()}.waits").touch()
        # Another process cannot set an event here: looking again is all there is.
        while not Path(folder, "note").exists():
            time.sleep(0.02)
        return f"read by {os.getpid()}"


def main(port: str = "", when: str = "") -> None:
    server = task_server()
    _add_waiting(server)
    if when:
        sys.stdin.readline()
    if port:
        server.run(transport="http", port=int(port), show_banner=False)
    else:
        server.run(transport="stdio", show_banner=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
