import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.endpoints.body_limit import BodyLimit
from tests.stand_ins.http_server import serve


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(body)(scope, receive, send)


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


@pytest.mark.parametrize(
    ("declared", "chunks", "status"),
    [(10, (4, 6), 200), (11, (4, 7), 413), (10_000_000, (6, 10_000_000), 413)],
)
async def test_a_body_passes_up_to_the_limit_and_not_one_byte_over(
    declared: int, chunks: tuple[int, ...], status: int
) -> None:
    async with serve(BodyLimit(echo, limit_bytes=10)) as url, httpx.AsyncClient() as client:
        whole = await client.post(url, content=b"x" * declared)
        chunked = await client.post(url, content=pieces(*chunks))
        after = await client.post(url, content=b"still served")
    assert whole.status_code == chunked.status_code == status
    if status == 200:
        assert whole.content == chunked.content == b"x" * 10
    else:
        assert whole.json() == {"error": "the request body is over 10 bytes"}
    assert after.status_code == 413


async def test_a_body_that_never_ends_does_not_wait_for_ever() -> None:
    async with serve(BodyLimit(echo, deadline_seconds=0.1)) as url, asyncio.timeout(5):
        # httpx reads no answer before its body is sent, so this client is bare.
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nstuck")
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "the request body did not arrive within 0.1 s" in answer


async def test_a_request_without_body_passes_untouched() -> None:
    async with serve(BodyLimit(echo, limit_bytes=0)) as url, httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 200
