"""MCP servers behind a URL: Streamable HTTP and SSE, in every version."""

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.downstream.mcp.http_client import Endpoint
from gateway.errors import (
    ToolFailed,
)
from tests.downstream.mcp_servers import (
    Open,
    modern,
    opened,
    sse,
    stateless,
    streamable,
    without_handshake,
)
from tests.stand_ins.http_server import serve
from tests.stand_ins.task_servers import (
    PIXEL,
    Front,
    World,
    running,
    task_server,
)

EVERYWHERE = pytest.mark.parametrize("reached", [streamable, stateless, sse, modern])
CANCELLABLE = pytest.mark.parametrize("reached", [streamable, sse, modern])


@EVERYWHERE
async def test_tools_are_listed_and_called_over_every_transport(reached: Open) -> None:
    world = World()
    async with reached(task_server(world, page_size=5)) as way, opened(way) as server:
        assert {"create_task", "search", "create_bar_chart"} <= {one.name for one in server.tools}
        assert len(server.tools) == 15  # in three pages
        answer = await server.call("create_task", {"title": "a"}, is_read=False)
        assert answer.structured == {"id": 1, "title": "a", "description": ""}
        chart = await server.call("create_bar_chart", {"values": [1, 2]}, is_read=False)
        assert chart.items[1]["data"] == PIXEL
        with pytest.raises(ToolFailed, match="out of paper"):
            await server.call("fail", {"why": "out of paper"}, is_read=False)
    assert len(world.tasks) == 1


@pytest.mark.parametrize("reached", [streamable, sse, modern])
async def test_progress_is_told_while_the_call_runs(reached: Open) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def tell(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with reached(task_server()) as way, opened(way) as server:
        arguments = {"question": "why", "steps": 4}
        await server.call("deep_research", arguments, is_read=True, on_progress=tell)
    assert told[-1] == (4.0, 4.0, "step 4 of 4")
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})


@CANCELLABLE
async def test_a_call_that_nobody_waits_for_is_cancelled_at_the_server_too(reached: Open) -> None:
    world = World()
    async with reached(task_server(world)) as way, opened(way) as server:
        call = asyncio.create_task(server.call("wait", {}, is_read=False))
        async with asyncio.timeout(5):
            await world.waiting.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await world.cancelled.wait()
        assert (await server.call("search", {"query": "a"}, is_read=True)).structured


@pytest.mark.parametrize("reached", [streamable, sse])
async def test_a_tool_that_a_server_learns_is_listed_at_once(reached: Open) -> None:
    async with reached(task_server()) as way, opened(way) as server:
        before = server.revision
        await server.call("learn", {"name": "fly"}, is_read=False)
        async with asyncio.timeout(5):
            while server.revision is before:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        assert "fly" in [tool.name for tool in server.tools]


async def test_changes_of_a_server_without_a_handshake_are_asked_for_by_one_long_request() -> None:
    front, asked, tasks = Front(), asyncio.Event(), task_server()

    def telling(app: ASGIApp) -> ASGIApp:
        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            if dict(scope["headers"]).get(b"mcp-method") != b"subscriptions/listen":
                await app(scope, receive, send)
                return
            assert (await posted(receive))["params"]["notifications"] == {"toolsListChanged": True}
            tasks.tool(lambda: "x", name="fly", description="Learned.")
            changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
            asked.set()
            await stream(f"data: {json.dumps(changed)}\n\n")(scope, receive, send)

        return told

    async with running(tasks) as app, serve(front, grace_seconds=0) as url:
        front.app = telling(without_handshake(app))
        async with opened(Endpoint(f"{url}/mcp")) as server, asyncio.timeout(5):
            await asked.wait()
            while "fly" not in [tool.name for tool in server.tools]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)


async def test_a_redirect_to_the_same_server_is_followed() -> None:
    front = Front()
    async with running(task_server()) as app, serve(front, grace_seconds=0) as url:

        async def moved(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/old":
                await RedirectResponse(f"{url}/mcp")(scope, receive, send)
            else:
                await app(scope, receive, send)

        front.app = moved
        headers = {"authorization": "Bearer s3cret"}
        async with opened(Endpoint(f"{url}/old", headers)) as server:
            assert (await server.call("search", {"query": "a"}, is_read=True)).structured
            assert "s3cret" not in repr(server.status)
    assert {headers.get("authorization") for _, headers in front.requests} == {"Bearer s3cret"}


async def test_a_stream_that_breaks_off_is_resumed_where_its_events_are_numbered() -> None:
    front, posts = Front(), 0

    async def polling(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal posts
        headers = dict(scope["headers"])
        if scope["method"] == "GET" and b"last-event-id" in headers:
            assert headers[b"last-event-id"] == b"7"
            await stream(f"id: 8\ndata: {json.dumps(result)}\n\n")(scope, receive, send)
            return
        message = await posted(receive) if scope["method"] == "POST" else {}
        if message.get("method") == "tools/call":
            posts += 1
            result.update(id=message["id"])
            await stream("id: 7\nretry: 10\ndata:\n\n")(scope, receive, send)
            return
        await simple(message)(scope, receive, send)

    result: dict[str, Any] = {"jsonrpc": "2.0", "result": {"content": []}}
    front.app = polling
    async with serve(front, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        answer = await server.call("anything", {}, is_read=False)
    assert (answer.items, posts) == ((), 1)


def stream(text: str) -> Response:
    return Response(text, media_type="text/event-stream")


async def posted(receive: Receive) -> dict[str, Any]:
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    message: dict[str, Any] = json.loads(body)
    return message


def simple(message: dict[str, Any]) -> Response:
    """The answers of a server that has no tools."""
    results = {
        "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}},
        "tools/list": {"tools": []},
    }
    method = message.get("method", "")
    if "id" not in message or method not in results:
        return Response(status_code=202 if message else 405)
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": results[method]})
