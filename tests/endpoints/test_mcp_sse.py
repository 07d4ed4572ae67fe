"""The legacy SSE transport on the wire: first event, refusals, disconnect, shutdown."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from gateway.caller import ANONYMOUS, Caller
from gateway.endpoints.authentication import Authentication
from gateway.keys import hashed
from tests.stand_ins.gadgets import Gadgets, doors_app, serve_doors
from tests.stand_ins.http_server import serve

CHECKOUT = Path(__file__).parents[2]
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
SLOW = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "slow"}}
JSON = {"Content-Type": "application/json"}


# One server for the whole file: starting one takes longer than any of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def gadgets() -> Gadgets:
    return Gadgets()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(gadgets: Gadgets) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_doors(gadgets) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def the_next_event(lines: AsyncIterator[str]) -> tuple[str, str]:
    kind = await anext(lines)
    data = await anext(lines)
    await anext(lines)
    return kind.removeprefix("event: "), data.removeprefix("data: ")


@pytest.mark.parametrize(
    ("path", "headers", "messages"),
    [
        ("/sse", {}, "/messages/"),
        ("/sse/?a=1", {}, "/messages/"),
        ("/research/sse", {}, "/research/messages/"),
        ("/sse/", {"X-Forwarded-Prefix": "/gw/"}, "/gw/messages/"),
        ("/sse/", {"X-Forwarded-Prefix": "//evil.example"}, "/messages/"),
        ("/sse/", {"X-Forwarded-Prefix": "/a?b=\\"}, "/messages/"),
    ],
)
async def test_the_first_event_says_where_to_post_as_the_client_must_see_it(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], messages: str
) -> None:
    async with asyncio.timeout(5), client.stream("GET", path, headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        kind, endpoint = await the_next_event(stream.aiter_lines())
    assert kind == "endpoint"
    assert endpoint.startswith(f"{messages}?session_id=")


async def test_a_server_that_knows_its_prefix_says_it_once(gadgets: Gadgets) -> None:
    app = doors_app(gadgets)

    async def under_gw(scope: Scope, receive: Receive, send: Send) -> None:
        """What `uvicorn --root-path /gw` makes of a request whose prefix a proxy stripped."""
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/gw", "path": f"/gw{scope['path']}"}
        await app(scope, receive, send)

    headers = {"X-Forwarded-Prefix": "/gw"}
    async with (
        asyncio.timeout(5),
        serve(under_gw) as url,
        httpx.AsyncClient(headers=headers) as client,
        client.stream("GET", f"{url}/sse") as stream,
    ):
        _, endpoint = await the_next_event(stream.aiter_lines())
    assert endpoint.startswith("/gw/messages/?session_id=")


async def test_a_message_is_accepted_at_once_and_answered_on_the_stream(
    client: httpx.AsyncClient,
) -> None:
    async with asyncio.timeout(5), client.stream("GET", "/sse/") as stream:
        lines = stream.aiter_lines()
        _, endpoint = await the_next_event(lines)
        accepted = await client.post(endpoint, json=HELLO)
        kind, answer = await the_next_event(lines)
        also_without_slash = await client.post(endpoint.replace("/?", "?"), json=INITIALIZED)
    assert accepted.status_code == also_without_slash.status_code == 202
    assert kind == "message"
    assert '"protocolVersion":"2024-11-05"' in answer


async def test_nobody_speaks_in_the_session_of_another_caller(gadgets: Gadgets) -> None:
    keys = {hashed("gw_alice"): Caller("alice"), hashed("gw_bob"): Caller("bob")}
    app = Authentication(doors_app(gadgets), keys=keys, keyless=ANONYMOUS)
    alices, bobs = {"x-api-key": "gw_alice"}, {"x-api-key": "gw_bob"}
    async with (
        asyncio.timeout(5),
        serve(app) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", "/sse", headers=alices) as stream,
    ):
        lines = stream.aiter_lines()
        _, endpoint = await the_next_event(lines)
        refused = [await client.post(endpoint, json=HELLO, headers=one) for one in (bobs, {})]
        accepted = await client.post(endpoint, json={**HELLO, "id": "hers"}, headers=alices)
        _, answer = await the_next_event(lines)
    assert [one.status_code for one in refused] == [404, 404]
    assert accepted.status_code == 202
    assert '"id":"hers"' in answer


@pytest.mark.parametrize(
    ("query", "body", "status", "said"),
    [
        ("", b"{}", 400, "session_id is missing"),
        ("?session_id=zz", b"{}", 400, "session_id is not one that a stream gave out"),
        (f"?session_id={'a' * 32}", b"{", 400, "the body is not JSON"),
        (f"?session_id={'a' * 32}", b'{"id": 1}', 400, "not a JSON-RPC 2.0 message"),
        (
            f"?session_id={'a' * 32}",
            b'{"jsonrpc": "2.0", "method": "x"}',
            404,
            "this session has ended or was never opened; open a new stream",
        ),
        (f"?session_id={'a' * 32}", b" " * (4 * 1024 * 1024 + 1), 413, "over 4194304 bytes"),
    ],
)
async def test_a_message_that_cannot_be_delivered_is_refused_in_json_and_plain_words(
    client: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    query: str,
    body: bytes,
    status: int,
    said: str,
) -> None:
    answer = await client.post(f"/messages/{query}", content=body, headers=JSON)
    assert answer.status_code == status
    assert said in str(answer.json()["error"])
    assert not [record for record in caplog.records if record.exc_info]


async def test_messages_are_posted_and_nothing_else(client: httpx.AsyncClient) -> None:
    answer = await client.get("/messages/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_a_client_that_goes_away_cancels_its_call_and_its_session(
    client: httpx.AsyncClient, gadgets: Gadgets, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(5), client.stream("GET", "/sse/") as stream:
        lines = stream.aiter_lines()
        _, endpoint = await the_next_event(lines)
        for message in (HELLO, INITIALIZED, SLOW):
            await client.post(endpoint, json=message)
        await gadgets.slow_began.wait()
    async with asyncio.timeout(1):
        await gadgets.slow_was_cancelled.wait()
    async with asyncio.timeout(5):
        while (await client.post(endpoint, json=SLOW)).status_code != 404:
            pass
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_stopped_process_ends_twenty_open_streams_properly_and_at_once() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--factory", "--port", "0"),
        *("--timeout-graceful-shutdown", "5", "tests.stand_ins.gadgets:new_doors_app"),
        cwd=CHECKOUT,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    url = None
    while not url:
        line = (await process.stderr.readline()).decode()
        assert line, "the server ended before it was ready"
        url = line.partition("running on ")[2].partition(" ")[0]
    async with (
        asyncio.timeout(20),
        AsyncExitStack() as streams,
        httpx.AsyncClient(base_url=url, timeout=20) as client,
    ):
        opened = [
            await streams.enter_async_context(client.stream("GET", path))
            for path in ["/sse/"] * 15 + ["/mcp"] * 5
        ]
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        # Reading to the end fails for a chunked body that was cut off without its last chunk.
        bodies = [await stream.aread() for stream in opened]
        _, rest = await process.communicate()
    assert time.monotonic() - began < 2
    assert sum(b"event: endpoint" in body for body in bodies) == 15
    assert b"Traceback" not in rest
    assert b"ERROR" not in rest
