"""MCP servers behind a URL that forget, break, hang, refuse or are not there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, urlsplit

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.server import McpServer
from gateway.downstream.mcp.transports import SseEndpoint
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    KeyRefused,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from tests.downstream.mcp_servers import (
    Open,
    logged,
    opened,
    sse,
    stateless,
    streamable,
)
from tests.stand_ins.http_server import serve
from tests.stand_ins.task_servers import (
    COMMAND,
    ROOT,
    Front,
    World,
    breaking,
    over_http,
    running,
    task_server,
)


async def test_a_server_that_has_forgotten_the_session_is_asked_again_even_to_write() -> None:
    world, front = World(), Front()
    async with (
        running(task_server(world)) as first,
        running(task_server(world)) as second,
        serve(front, grace_seconds=0) as url,
    ):
        front.app = first
        async with opened(Endpoint(f"{url}/mcp")) as server:
            await server.call("create_task", {"title": "a"}, is_read=False)
            front.app = second
            await server.call("create_task", {"title": "b"}, is_read=False)
            assert server.status.state is State.UP
    assert [task["title"] for task in world.tasks] == ["a", "b"]


async def test_a_restarted_server_is_found_again_and_the_read_in_between_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (*COMMAND, str(port))
    environment = {"PATH": os.environ["PATH"], "FASTMCP_LOG_LEVEL": "CRITICAL"}

    async def start() -> asyncio.subprocess.Process:
        silent = asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stderr=silent
        )

    process = await start()
    try:
        way = Endpoint(f"http://127.0.0.1:{port}/mcp")
        async with opened(way, patience_seconds=8) as server:
            waiting = asyncio.create_task(server.call("wait", {}, is_read=False))
            read = asyncio.create_task(server.call("search", {"query": "a"}, is_read=True))
            assert (await read).structured
            process.kill()
            await process.wait()
            with pytest.raises(OutcomeUnknown, match="look it up before trying again"):
                await waiting
            read = asyncio.create_task(server.call("search", {"query": "b"}, is_read=True))
            process = await start()
            assert (await read).structured
    finally:
        process.kill()
        await process.wait()


async def test_a_connection_that_breaks_in_a_write_is_told_and_the_write_not_repeated() -> None:
    world, front = World(), Front()
    async with running(task_server(world)) as app, serve(front, grace_seconds=0) as url:
        front.app = app
        async with opened(Endpoint(f"{url}/mcp")) as server:
            front.app = breaking(app)
            with pytest.raises(OutcomeUnknown, match="the connection broke"):
                await server.call("create_task", {"title": "a"}, is_read=False)
            front.app = app
            await server.call("create_task", {"title": "b"}, is_read=False)
    assert [task["title"] for task in world.tasks] == ["a", "b"]


async def test_a_server_that_nobody_can_reach_for_a_moment_loses_no_call_not_even_a_write() -> None:
    world = World()
    async with over_http(task_server(world), stateless_http=True, json_response=True) as url:
        there = urlsplit(url)
        relay = await relaying(0, there)
        port = relay.sockets[0].getsockname()[1]
        async with opened(Endpoint(f"http://127.0.0.1:{port}/mcp")) as server:
            relay.close()
            await relay.wait_closed()
            read = asyncio.create_task(server.call("search", {"query": "a"}, is_read=True))
            write = asyncio.create_task(server.call("create_task", {"title": "a"}, is_read=False))
            with logged() as lines:
                await lines.next(lambda line: "state=down" in line)
            assert (server.status.state, server.status.error) == (
                State.DOWN,
                "nothing listens at its address",
            )
            relay = await relaying(port, there)
            assert (await read).structured
            assert (await write).structured
        relay.close()
        await relay.wait_closed()
    assert sorted(world.calls) == ["create_task", "search"]


async def relaying(port: int, there: SplitResult) -> asyncio.Server:
    """A server on a port of its own, whose connections break when it is closed."""
    writers: list[asyncio.StreamWriter] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        writers.extend((writer, far_writer))
        await asyncio.gather(passed_on(reader, far_writer), passed_on(far_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    close = server.close

    def close_all() -> None:
        close()
        for writer in writers:
            writer.close()

    server.close = close_all  # type: ignore[method-assign]  # connections outlive their server
    return server


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def test_a_hanging_server_delays_nobody_else() -> None:
    world = World()
    async with (
        streamable(task_server(world)) as slow,
        streamable(task_server()) as quick,
        opened(slow, name="slow", max_concurrent=2, queue_seconds=0.05) as hanging,
        opened(quick) as other,
    ):
        calls = [asyncio.create_task(hanging.call("wait", {}, is_read=True)) for _ in range(2)]
        async with asyncio.timeout(5):
            await world.waiting.wait()
            with pytest.raises(RateLimited, match="slow is busy with 2 calls"):
                await hanging.call("search", {"query": "a"}, is_read=True)
            assert (await other.call("search", {"query": "a"}, is_read=True)).structured
        world.may_go_on.set()
        for call in calls:
            assert (await call).structured == {"result": "went on"}


@pytest.mark.parametrize("reached", [streamable, stateless, sse])
async def test_an_answer_that_is_too_large_costs_only_its_call(reached: Open) -> None:
    async with reached(task_server()) as way, opened(way) as server:
        with pytest.raises(BadAnswer, match="tasks sent an answer of more than 4 MiB"):
            await server.call("say_much", {"characters": 5 * 1024 * 1024}, is_read=True)
        answer = await server.call("say_much", {"characters": 1024 * 1024}, is_read=True)
        assert len(answer.items[0]["text"]) == 1024 * 1024


async def test_a_call_that_is_not_answered_in_time_says_what_may_have_happened() -> None:
    async with streamable(task_server()) as way, opened(way) as server:
        with pytest.raises(DeadlineExceeded, match=r"tasks: it did not answer within 0\.05 s"):
            await server.call("wait", {}, is_read=True, deadline_seconds=0.05)
        with pytest.raises(OutcomeUnknown, match=r"look it up before.*within 0\.05 s"):
            await server.call("wait", {}, is_read=False, deadline_seconds=0.05)
        answer = await server.call("search", {"query": "a"}, is_read=True)
        assert answer.structured


@asynccontextmanager
async def answering(answer: Response) -> AsyncIterator[str]:
    front = Front()
    front.app = answer
    async with serve(front, grace_seconds=0) as url:
        yield f"{url}/mcp"


async def down(url: str, **headers: str) -> tuple[McpServer, str]:
    """The error of a server that does not come up, with the log of it."""
    with logged() as lines:
        async with McpServer("tasks", Endpoint(url, headers)) as server:
            return server, await lines.next(lambda line: "state=down" in line)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response("no", 401), "does not take the gateway's credentials (HTTP 401)"),
        (Response("no", 404), "it answers HTTP 404"),
        (Response("no", 500), "it answers HTTP 500"),
        (Response("hello", 200), "sent an answer that is no MCP"),
        (JSONResponse(["hello"]), "sent an answer that is no MCP"),
        (RedirectResponse("http://localhost:1/mcp"), "it redirects to another place (HTTP 307)"),
    ],
)
async def test_what_is_no_mcp_server_is_said_to_be_none(answer: Response, reason: str) -> None:
    async with answering(answer) as url:
        _, line = await down(url, authorization="Bearer s3cret")
    assert reason in line
    assert "s3cret" not in line


async def test_credentials_that_are_refused_and_a_limited_rate_have_errors_of_their_own() -> None:
    front = Front()
    async with running(task_server()) as app, serve(front, grace_seconds=0) as url:
        front.app = app
        async with opened(Endpoint(f"{url}/mcp")) as server:
            front.app = Response("no", 403)
            with pytest.raises(KeyRefused, match="does not take the gateway's credentials"):
                await server.call("search", {"query": "a"}, is_read=True)
            front.app = Response("no", 429, headers={"retry-after": "7"})
            with pytest.raises(RateLimited, match="retry in 7 s") as raised:
                await server.call("create_task", {"title": "a"}, is_read=False)
            assert raised.value.retry_after_seconds == 7


async def test_a_server_that_was_never_there_is_unavailable_at_once_and_found_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    way = Endpoint(f"http://127.0.0.1:{port}/mcp")
    async with McpServer("tasks", way, patience_seconds=0) as server:
        with pytest.raises(Unavailable, match="tasks is unavailable"):
            await server.call("search", {"query": "a"}, is_read=True)
        assert server.tools == ()
    with pytest.raises(Unavailable):
        await server.call("search", {"query": "a"}, is_read=True)


async def test_an_older_server_that_sends_messages_elsewhere_is_refused() -> None:
    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        event = b"event: endpoint\ndata: http://localhost:1/messages\n\n"
        response = Response(event, media_type="text/event-stream")
        await response(scope, receive, send)

    front = Front()
    front.app = elsewhere
    async with serve(front, grace_seconds=0) as url:
        with logged() as lines:
            async with McpServer("tasks", SseEndpoint(Endpoint(f"{url}/sse"))):
                line = await lines.next(lambda line: "state=down" in line)
    assert "it sends messages to another server" in line
