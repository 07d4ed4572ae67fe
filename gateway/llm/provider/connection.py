"""One HTTP/1.1 connection: a request goes out whole, its answer comes in piece by piece."""

import asyncio
from typing import cast

import httptools
import httpx

# Beyond this the peer is told to wait until somebody reads.
MOST_BUFFERED_BYTES = 1 << 20

Header = tuple[bytes, bytes]


class Connection(asyncio.Protocol):
    """`begin` sends and waits for the head of the answer; `read` gives its body until `b""`.

    Both raise the transport errors of httpx. `heard` is whether any byte of the answer came:
    a connection that rested for long may turn out to be closed when it is used again.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.heard = False
        self.status = 0
        self.headers: list[Header] = []
        self.rests_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._is_paused = False
        self._has_head = False
        self._is_complete = True
        self._is_keepable = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def begin(self, request: bytes) -> None:
        assert self._transport
        self._parser = httptools.HttpResponseParser(self)
        self.headers = []
        self.heard = self._has_head = self._is_complete = self._is_keepable = False
        self._transport.write(request)
        while not self._has_head:
            if self._failure:
                raise self._failure
            await self._wait()

    async def read(self) -> bytes:
        while not self._pieces:
            if self._is_complete:
                return b""
            if self._failure:
                raise self._failure
            await self._wait()
        pieces, self._pieces = self._pieces, []
        self._buffered = 0
        if self._is_paused and self._transport:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def is_reusable(self) -> bool:
        """Whether the last answer was read to its end, and the peer keeps the connection."""
        return self.is_open and self._is_complete and self._is_keepable and not self._pieces

    def abort(self) -> None:
        """Close at once, so that the peer notices and stops its work."""
        self.is_open = False
        if self._transport:
            self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.abort()
        self._wake()

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are not asyncio.Transport by name.
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if self._is_complete:
            # Nobody asked: what it says, such as 408, belongs to no request.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"this is no HTTP/1.1: {type(error).__name__}"))
            return
        if self._buffered > MOST_BUFFERED_BYTES and self._transport and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if not self._is_complete and self._failure is None:
            if self._ends_with_connection and exc is None:
                self._is_complete = True
            else:
                self._failure = httpx.RemoteProtocolError("the connection was closed too early")
        self._wake()

    @property
    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return self._has_head and not names & {b"content-length", b"transfer-encoding"}

    # What the parser says.

    def on_message_begin(self) -> None:
        if self._is_complete:
            # It comes in one piece with the answer before it, and nobody asked for it.
            raise httpx.RemoteProtocolError("an answer to no request")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Behind the head come the trailers of a chunked body, which nobody needs.
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers = []
            return
        self._has_head = True

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._buffered += len(piece)

    def on_message_complete(self) -> None:
        # An interim answer such as 100 comes before the one that counts.
        if self._has_head:
            self._is_complete = True
            self._is_keepable = self._parser.should_keep_alive()
