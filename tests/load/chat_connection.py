"""One kept-alive HTTP connection that asks for chat completions, as cheap as a client can be."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0
# Of a chunked body; JSON and events hold no CR, so nothing inside looks like it.
_LAST_CHUNK = b"0\r\n\r\n"


class Answered(NamedTuple):
    """When the first piece of an answer came and when all of it had, and the whole of it."""

    first: float
    whole: float
    answer: bytes


def chat_request(url: str, body: dict[str, Any], *, key: str) -> bytes:
    """The bytes of a request, made once for all that are alike."""
    return post_request(f"{url}/chat/completions", body, headers={"Authorization": f"Bearer {key}"})


def post_request(url: str, body: dict[str, Any], *, headers: Mapping[str, str]) -> bytes:
    address = urlsplit(url)
    content = json.dumps(body).encode()
    lines = (
        f"POST {address.path} HTTP/1.1",
        f"Host: {address.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class ChatConnection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer = bytearray()
        self._first = 0.0
        self._end = 0
        self._waiting: asyncio.Future[None] | None = None

    async def ask(self, request: bytes) -> Answered:
        """The answer's head and body; its times are of `time.perf_counter`.

        Raises:
            RuntimeError: the answer has another status than 200.
        """
        assert self._transport
        self._answer.clear()
        self._first, self._end = 0.0, 0
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._waiting
        answered = Answered(self._first, time.perf_counter(), bytes(self._answer))
        if answered.answer[9:12] != b"200":
            raise RuntimeError(answered.answer.decode(errors="replace")[:600])
        return answered

    def close(self) -> None:
        assert self._transport
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._end:
            self._read_head()
        if not self._first and self._end and len(self._answer) > abs(self._end):
            self._first = time.perf_counter()
        if self._is_whole and self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the server closed the connection"))

    def _read_head(self) -> None:
        """Where the answer ends; below 0, where its chunks begin."""
        head, found, _ = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        beginning = len(head) + 4
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        self._end = beginning + int(length) if length else -beginning

    @property
    def _is_whole(self) -> bool:
        if self._end < 0:
            return self._answer.endswith(_LAST_CHUNK)
        return 0 < self._end <= len(self._answer)


async def connected(url: str) -> ChatConnection:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    _, connection = await asyncio.get_running_loop().create_connection(
        ChatConnection, address.hostname, address.port
    )
    return connection
