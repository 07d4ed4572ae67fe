"""A transport for httpx that keeps many connections open and costs little for each request.

httpx's own pool looks at every connection for every request: 64 calls at once made 290 requests
a second on one core, where this makes thousands.
"""

import asyncio
import contextlib
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator

import httpx

from gateway.llm.provider.connection import Connection

# Routers on the way forget silent connections; a new one costs less than a lost request.
MOST_IDLE_SECONDS = 45.0

# A connection that was closed before is known to be within a round trip.
MOST_RESEND_SECONDS = 0.5

Origin = tuple[str, str, int]


class LeanTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 with or without TLS; of httpx's timeouts it knows `connect` only.

    A request on a connection that the peer had closed meanwhile is sent once more on a new one,
    if that shows at once and nothing of an answer came.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        most_idle: int = 64,
        most_resend_seconds: float = MOST_RESEND_SECONDS,
    ) -> None:
        self._tls = tls
        self._most_resend_seconds = most_resend_seconds
        self._most_idle = most_idle
        self._idle: dict[Origin, list[Connection]] = defaultdict(list)
        self._busy: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = _origin(request.url)
        raw = _head(request) + await request.aread()
        connection = self._rested(origin) or await self._open(origin, request)
        is_new = connection.rests_since == 0.0
        began_at = asyncio.get_running_loop().time()
        try:
            await self._begin(connection, raw, request)
        except httpx.RemoteProtocolError:
            took_seconds = asyncio.get_running_loop().time() - began_at
            # Whoever worked on it before it broke off may bill it.
            if is_new or connection.heard or took_seconds > self._most_resend_seconds:
                raise
            connection = await self._open(origin, request)
            await self._begin(connection, raw, request)
        body = _Body(self, origin, connection)
        return httpx.Response(connection.status, headers=connection.headers, stream=body)

    async def aclose(self) -> None:
        for connections in (*self._idle.values(), list(self._busy)):
            for connection in connections:
                connection.abort()
        self._idle.clear()
        self._busy.clear()
        # The sockets are closed by the loop in its next turn.
        await asyncio.sleep(0)

    def give_back(self, origin: Origin, connection: Connection) -> None:
        self._busy.discard(connection)
        idle = self._idle[origin]
        if not connection.is_reusable or len(idle) >= self._most_idle:
            connection.abort()
            return
        connection.rests_since = asyncio.get_running_loop().time()
        idle.append(connection)

    async def _begin(self, connection: Connection, raw: bytes, request: httpx.Request) -> None:
        self._busy.add(connection)
        try:
            if trace := request.extensions.get("trace"):
                # The one event, by the name that httpx's own transport gives it.
                await trace("http11.send_request_headers.started", {})
            await connection.begin(raw)
        except BaseException:
            self._busy.discard(connection)
            connection.abort()
            raise

    def _rested(self, origin: Origin) -> Connection | None:
        """The connection that rests for the shortest time: the others may grow old and go."""
        idle = self._idle[origin]
        oldest = asyncio.get_running_loop().time() - MOST_IDLE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.is_open and connection.rests_since > oldest:
                return connection
            connection.abort()
        return None

    async def _open(self, origin: Origin, request: httpx.Request) -> Connection:
        scheme, host, port = origin
        seconds = request.extensions.get("timeout", {}).get("connect")
        tls = self._context() if scheme == "https" else None
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, host, port, ssl=tls
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the connection took too long") from error
        except (OSError, ssl.SSLError) as error:
            raise httpx.ConnectError(_said(error)) from error
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        return self._tls


class _Body(httpx.AsyncByteStream):
    def __init__(self, transport: LeanTransport, origin: Origin, connection: Connection) -> None:
        self._transport = transport
        self._origin = origin
        self._connection = connection
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._connection.read():
            yield piece

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._transport.give_back(self._origin, self._connection)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
        raise httpx.LocalProtocolError("a header must not hold a line break")
    return head + b"\r\n\r\n"


def _said(error: OSError) -> str:
    with contextlib.suppress(AttributeError):
        return error.strerror or type(error).__name__
    return type(error).__name__
