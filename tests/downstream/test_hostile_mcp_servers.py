"""MCP servers that mean harm: packed answers, odd headers, floods, and errors that mislead."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.downstream.mcp.http_client import Endpoint
from gateway.errors import BadAnswer, OutcomeUnknown, RateLimited
from tests.downstream.mcp_servers import logged, opened
from tests.stand_ins.http_server import serve

TOOL: Mapping[str, Any] = {"name": "create_task", "inputSchema": {"type": "object"}}


class Hostile:
    """Shakes hands like any other; `answer` is to calls of tools, `headers` go with all of it."""

    def __init__(self, answer: Response, *, tool: Mapping[str, Any] = TOOL) -> None:
        self.calls = 0
        self.encodings: set[str | None] = set()
        self.headers = {"mcp-session-id": "s1"}
        self.more_tools: list[Any] = []
        self.listings = 0
        self.was_asked_again = asyncio.Event()
        self._answer = answer
        self._tool = tool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answered(Request(scope, receive)))(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        self.encodings.add(request.headers.get("accept-encoding"))
        if request.method != "POST":
            return Response(status_code=405)
        message = await request.json()
        results: Mapping[str, Any] = {
            "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}},
            "tools/list": {"tools": [self._tool, *self.more_tools]},
        }
        if "id" not in message:
            return Response(status_code=202)
        if message["method"] == "tools/list":
            self.listings += 1
            if self.listings == 3:
                self.was_asked_again.set()
        if message["method"] == "tools/call":
            self.calls += 1
            return self._answer
        body = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
        return JSONResponse(body, headers=self.headers)


async def test_a_packed_answer_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(gzip.compress(bytes(64 * 1024 * 1024)))
    headers = {"content-encoding": "gzip, gzip", "content-type": "application/json"}
    hostile = Hostile(Response(bomb, headers=headers))
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        tracemalloc.start()
        try:
            with pytest.raises(BadAnswer, match="packed its answer"):
                await server.call("create_task", {}, is_read=True)
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most_bytes < 8 * 1024 * 1024
    assert hostile.encodings == {"identity"}


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_write_that_was_begun_is_never_sent_again_whatever_the_error_speaks_of(
    status: int,
) -> None:
    error = {"code": -32603, "message": "the database session was lost at the end"}
    hostile = Hostile(JSONResponse({"jsonrpc": "2.0", "id": 3, "error": error}, status))
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        with pytest.raises(OutcomeUnknown):
            await server.call("create_task", {}, is_read=False)
    assert hostile.calls == 1


async def test_an_argument_that_is_called_a_session_ends_nobody_elses_calls() -> None:
    error = {"code": -32602, "message": "there is no session 42"}
    hostile = Hostile(JSONResponse({"jsonrpc": "2.0", "id": 3, "error": error}, 400))
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        version = server.revision
        with pytest.raises(Exception, match="there is no session 42"):
            await server.call("create_task", {}, is_read=False)
        assert server.revision is version
    assert hostile.calls == 1


async def test_a_number_that_is_none_in_a_header_is_passed_over() -> None:
    hostile = Hostile(Response("no", 429, headers={"retry-after": "²"}))
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        with pytest.raises(RateLimited, match="retry in 5 s"):
            await server.call("create_task", {}, is_read=False)


async def test_an_event_whose_id_no_header_can_hold_is_not_asked_for_again() -> None:
    events = Response("id: é\ndata: \n\n".encode(), media_type="text/event-stream")
    hostile = Hostile(events)
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        with pytest.raises(OutcomeUnknown):
            await server.call("create_task", {}, is_read=False)


async def test_a_session_that_no_header_can_hold_is_none() -> None:
    answer = {"jsonrpc": "2.0", "id": 3, "result": {"content": []}}
    hostile = Hostile(JSONResponse(answer))
    hostile.headers = {"mcp-session-id": "sé1"}
    async with serve(hostile, grace_seconds=0) as url, opened(Endpoint(f"{url}/mcp")) as server:
        assert json.dumps([tool.name for tool in server.tools]) == '["create_task"]'


async def test_of_thousands_of_tools_without_sense_few_are_told_and_only_once() -> None:
    hostile = Hostile(Response(), tool=TOOL)
    hostile.more_tools = [
        {"name": "a\x1b[31m\nforged"},
        *({"inputSchema": number} for number in range(5_000)),
    ]
    with logged() as lines:
        async with (
            serve(hostile, grace_seconds=0) as url,
            opened(Endpoint(f"{url}/mcp"), probe_seconds=0.01) as server,
        ):
            told = [await lines.next(lambda line: "left out" in line)]
            async with asyncio.timeout(8):
                await hostile.was_asked_again.wait()
            assert [tool.name for tool in server.tools] == ["create_task", "a\x1b[31m\nforged"]
        told += [line for line in lines.left() if "left out" in line]
    assert len(told) == 1
    assert len(told[0]) < 1_000
