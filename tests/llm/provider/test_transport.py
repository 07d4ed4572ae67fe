"""HTTP/1.1 on connections that are kept, against a server that sends exactly what it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.llm.provider.connection import MOST_BUFFERED_BYTES
from gateway.llm.provider.transport import LeanTransport
from tests.stand_ins.certificates import Authority

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request with the next bytes; `None` closes the connection instead."""

    def __init__(self, *answers: bytes | None, closes: bool = False) -> None:
        self.answers = list(answers)
        self.closes = closes
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Server"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{port}/a?b=c"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0] or 0)
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def transport(tls: ssl.SSLContext | None = None) -> AsyncIterator[LeanTransport]:
    lean = LeanTransport(tls=tls)
    async with asyncio.timeout(5):
        yield lean
        await lean.aclose()


async def ask(lean: LeanTransport, server: Server, content: bytes = b"hello") -> bytes:
    request = httpx.Request("POST", server.url, headers={"x-a": "b"}, content=content)
    response = await lean.handle_async_request(request)
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def test_requests_follow_one_another_on_one_connection() -> None:
    async with Server(*[PLAIN] * 3).listening() as server, transport() as lean:
        for _ in range(3):
            assert await ask(lean, server) == b"ok"
        assert server.connections == 1
        request = server.requests[0]
        assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
        assert request.lower().count(b"host: localhost:") == 1
        assert request.endswith(b"\r\n\r\nhello")


async def test_a_connection_that_closes_behind_its_answer_is_replaced() -> None:
    async with Server(*[PLAIN] * 2, closes=True).listening() as server, transport() as lean:
        for _ in range(2):
            assert await ask(lean, server) == b"ok"
        assert server.connections == 2


async def test_what_the_server_says_of_closing_is_heeded() -> None:
    closing = PLAIN.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with Server(closing, PLAIN).listening() as server, transport() as lean:
        for _ in range(2):
            assert await ask(lean, server) == b"ok"
        assert server.connections == 2


async def test_a_request_that_met_a_closing_connection_is_sent_once_more() -> None:
    async with Server(PLAIN, None, PLAIN).listening() as server, transport() as lean:
        for _ in range(2):
            assert await ask(lean, server) == b"ok"
        assert (server.connections, len(server.requests)) == (2, 3)


async def test_on_a_new_connection_nothing_is_sent_twice() -> None:
    async with Server(None, PLAIN).listening() as server, transport() as lean:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(lean, server)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + PLAIN, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1\r\no\r\n1;x=y\r\nk\r\n0\r\nx-trailer: 1\r\n\r\n",
            b"ok",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
    ids=["100", "103", "chunked with a trailer", "empty", "204"],
)
async def test_every_shape_of_answer_is_read_to_its_end_and_the_connection_kept(
    answer: bytes, body: bytes
) -> None:
    async with Server(answer, PLAIN).listening() as server, transport() as lean:
        assert await ask(lean, server) == body
        assert await ask(lean, server) == b"ok"
        assert server.connections == 1


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with Server(answer, closes=True).listening() as server, transport() as lean:
        assert await ask(lean, server) == b"all of it"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-len",
    ],
    ids=["another protocol", "too short", "half a chunk", "half a head"],
)
async def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    async with Server(answer, closes=True).listening() as server, transport() as lean:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(lean, server)


async def test_a_body_that_nobody_reads_waits_at_the_server() -> None:
    size = 64 * MOST_BUFFERED_BYTES
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size)
    async with Server(answer).listening() as server, transport() as lean:
        request = httpx.Request("GET", server.url)
        response = await lean.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        pieces = aiter(response.stream)
        first = await anext(pieces)
        for _ in range(200):
            # The loop turns, and with it everything that could arrive.
            await asyncio.sleep(0)
        (connection,) = lean._busy
        assert connection._buffered < 4 * MOST_BUFFERED_BYTES
        received = len(first)
        async for piece in pieces:
            received += len(piece)
        assert received == size
        await response.aclose()


async def test_what_comes_unasked_closes_the_connection_and_reaches_nobody() -> None:
    unasked = PLAIN + b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
    async with Server(unasked, PLAIN).listening() as server, transport() as lean:
        for _ in range(2):
            assert await ask(lean, server) == b"ok"
        assert server.connections == 2


async def test_a_line_break_in_a_header_is_not_sent() -> None:
    async with Server(PLAIN).listening() as server, transport() as lean:
        request = httpx.Request("GET", server.url, headers={"x-a": "b\r\nx-c: d"})
        with pytest.raises(httpx.LocalProtocolError):
            await lean.handle_async_request(request)
        assert server.connections == 0


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.issue("localhost")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(identity.certificate_file, identity.key_file)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(authority.ca_file)
    async with Server(PLAIN).listening(server_side) as server:
        async with transport(trusting) as lean:
            assert await ask(lean, server) == b"ok"
        async with transport() as lean:
            with pytest.raises(httpx.ConnectError):
                await ask(lean, server)


async def test_a_request_that_was_perhaps_worked_on_is_not_sent_again() -> None:
    async with Server(PLAIN, None, PLAIN).listening() as server:
        lean = LeanTransport(most_resend_seconds=0)
        async with asyncio.timeout(5):
            assert await ask(lean, server) == b"ok"
            with pytest.raises(httpx.RemoteProtocolError):
                await ask(lean, server)
            await lean.aclose()
        assert len(server.requests) == 2
