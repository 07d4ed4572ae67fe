"""What the two HTTP transports of MCP share: one address, bounded answers, statuses in words."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.downstream.mcp.link import Inbox
from gateway.downstream.mcp.messages import (
    MAX_MESSAGE_BYTES,
    Busy,
    Garbled,
    Lost,
    NotSent,
    Refusal,
    SessionForgotten,
    Unreachable,
)

CONNECT_SECONDS = 5.0
WRITE_SECONDS = 30.0
BEGINNING_BYTES = 512
BUSY_SECONDS = 5.0
# Beside the calls: the stream of notifications, a cancellation, a look at the tools.
SPARE_CONNECTIONS = 8
_KEPT = (307, 308)  # redirects that keep the method and the body
# It goes back in a header; one that could not is as good as none.
_ID = re.compile(rb"[\x21-\x7e]{1,1000}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens; the headers go there and nowhere else."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """Without a login or a query, which may hold a secret."""
        url = httpx.URL(self.url)
        return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def client(endpoint: Endpoint, *, max_concurrent: int) -> httpx.AsyncClient:
    """Follows no redirect by itself, takes no proxy and no login from the environment."""
    headers = httpx.Headers(dict(endpoint.headers))
    headers["accept-encoding"] = "identity"
    return httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, write=WRITE_SECONDS),
        limits=httpx.Limits(max_connections=max_concurrent + SPARE_CONNECTIONS),
        trust_env=False,
        follow_redirects=False,
    )


@asynccontextmanager
async def exchange(
    http: httpx.AsyncClient, method: str, url: str, **request: Any
) -> AsyncIterator[httpx.Response]:
    """One request and its answer, after at most one redirect to the same server.

    Raises:
        Unreachable: there is no connection.
        Lost: it broke, now or while the answer is read.
    """
    try:
        async with http.stream(method, url, **request) as response:
            elsewhere = _redirection(response)
            if elsewhere is None:
                yield response
                return
        async with http.stream(method, elsewhere, **request) as response:
            yield response
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Unreachable(_connection(error)) from error
    except httpx.TransportError as error:
        raise Lost("the connection broke") from error
    except (httpx.InvalidURL, httpx.StreamError, RuntimeError) as error:
        # httpx says so of a client that was closed under a request.
        raise Lost("the connection was closed") from error


def refuse(response: httpx.Response, *, has_session: bool) -> None:
    """Whatever is not a success, as far as the status tells what it means.

    Raises:
        Trouble: always, but for statuses from 200 to 299.
    """
    status = response.status_code
    if response.is_success:
        return
    if status == 404 and has_session:
        raise SessionForgotten("it has forgotten the session")
    if status in (401, 403):
        raise Refusal(f"does not take the gateway's credentials (HTTP {status})")
    if status == 429:
        seconds = _retry_after(response)
        raise Busy("limits the rate (HTTP 429)", retry_after_seconds=seconds)
    if 300 <= status < 400:
        raise NotSent(f"it redirects to another place (HTTP {status}), which is not followed")
    # Not 503: proxies say so too when the server behind them was lost in the middle of a request.
    if status in (400, 404, 405, 406, 410, 413, 415):
        raise NotSent(f"it answers HTTP {status}")
    raise Lost(f"it answers HTTP {status}")


async def body(response: httpx.Response, inbox: Inbox) -> bytes:
    """
    Raises:
        Garbled: it is larger than a message may be, or packed.
    """
    whole = bytearray()
    async for chunk in _chunks(response):
        inbox.heard(len(chunk))
        whole += chunk
        if len(whole) > MAX_MESSAGE_BYTES:
            limit = MAX_MESSAGE_BYTES // (1024 * 1024)
            raise Garbled(f"sent an answer of more than {limit} MiB")
    return bytes(whole)


def is_json(response: httpx.Response) -> bool:
    return _content_type(response) == "application/json"


def is_event_stream(response: httpx.Response) -> bool:
    return response.status_code == 200 and _content_type(response) == "text/event-stream"


@dataclass(slots=True)
class Event:
    name: str = "message"
    id: str | None = None
    retry_seconds: float | None = None
    data: list[bytes] = field(default_factory=list)
    size: int = 0

    @property
    def raw(self) -> bytes:
        return b"\n".join(self.data)

    @property
    def is_whole(self) -> bool:
        return self.size <= MAX_MESSAGE_BYTES


async def events(response: httpx.Response, inbox: Inbox) -> AsyncIterator[Event]:
    """Server-sent events; of one that is too large only the beginning stays."""
    event = Event()
    async for line, is_whole in _lines(response, inbox):
        if not line:
            if event.data or event.id is not None or event.retry_seconds is not None:
                yield event
            event = Event()
            continue
        _read_field(event, line, is_whole=is_whole)


def deliver(event: Event, inbox: Inbox) -> None:
    if event.name != "message" or not event.size:
        return
    if event.is_whole:
        inbox.take(event.raw)
    else:
        inbox.take_beginning(event.raw[:BEGINNING_BYTES])


async def ended(*tasks: asyncio.Task[None] | None) -> None:
    running = [task for task in tasks if task]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """As they come over the wire: a few packed kilobytes may be gigabytes.

    Raises:
        Garbled: they are packed, which nobody asked for.
    """
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Garbled("packed its answer, which it was asked not to do")
    async for chunk in response.aiter_raw():
        yield chunk


async def _lines(response: httpx.Response, inbox: Inbox) -> AsyncIterator[tuple[bytes, bool]]:
    """Lines that end with CR LF, LF or CR, as the specification of event streams allows."""
    kept = bytearray()
    dropped = 0
    after_cr = False
    async for chunk in _chunks(response):
        inbox.heard(len(chunk))
        if after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        after_cr = chunk.endswith(b"\r")
        *ended_lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in ended_lines:
            kept += part
            yield bytes(kept), not dropped
            kept.clear()
            dropped = 0
        kept += rest
        if len(kept) > MAX_MESSAGE_BYTES + BEGINNING_BYTES:
            dropped += len(kept)
            del kept[BEGINNING_BYTES:]


def _read_field(event: Event, line: bytes, *, is_whole: bool) -> None:
    name, _, value = line.partition(b":")
    value = value.removeprefix(b" ")
    match name:
        case b"data":
            event.size += len(value) if is_whole else MAX_MESSAGE_BYTES + 1
            if event.size <= MAX_MESSAGE_BYTES or not event.data:
                event.data.append(value)
        case b"event":
            event.name = value.decode(errors="replace")
        case b"id" if _ID.fullmatch(value):
            event.id = value.decode()
        case b"retry" if value.isdigit() and len(value) < 9:
            event.retry_seconds = int(value) / 1000


def _redirection(response: httpx.Response) -> httpx.URL | None:
    """Where else on the same server, such as with a slash at the end."""
    keeps_method = response.status_code in _KEPT or (
        response.is_redirect and response.request.method == "GET"
    )
    if not keeps_method or response.next_request is None:
        return None
    here, there = response.request.url, response.next_request.url
    return there if is_same_server(here, there) and not there.userinfo else None


def is_same_server(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _connection(error: httpx.TransportError) -> str:
    said = str(error).lower()
    if isinstance(error, httpx.ConnectTimeout):
        return "its host does not answer"
    if "certificate" in said or "ssl" in said:
        return "the TLS handshake failed"
    if "name or service" in said or "nodename" in said or "name resolution" in said:
        return "its host is not known"
    return "nothing listens at its address"


def _content_type(response: httpx.Response) -> str:
    value: str = response.headers.get("content-type", "")
    return value.partition(";")[0].strip().lower()


def _retry_after(response: httpx.Response) -> float:
    said: str = response.headers.get("retry-after", "")
    return min(float(said), 3600.0) if said.isdecimal() else BUSY_SECONDS
