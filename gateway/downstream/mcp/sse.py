"""MCP over HTTP with SSE, as before 2025-03-26: one stream in, and POSTs out."""

import asyncio
from typing import Any

import httpx

from gateway.downstream.mcp import http_client
from gateway.downstream.mcp.http_client import Endpoint, exchange
from gateway.downstream.mcp.link import Inbox, Outgoing
from gateway.downstream.mcp.messages import Lost, NotSent, Trouble


class Sse:
    """A `Link` to an endpoint that speaks the older transport."""

    def __init__(self, name: str, endpoint: Endpoint, *, max_concurrent: int) -> None:
        self._name = name
        self._endpoint = endpoint
        self._max_concurrent = max_concurrent
        self._http: httpx.AsyncClient | None = None
        self._reading: asyncio.Task[None] | None = None
        self._messages_url: str | None = None

    async def open(self, inbox: Inbox) -> None:
        self._http = http_client.client(self._endpoint, max_concurrent=self._max_concurrent)
        place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(
            self._read(self._http, inbox, place), name=f"read mcp {self._name}"
        )
        awaited: set[asyncio.Future[Any]] = {place, self._reading}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if not place.done():
            place.cancel()
            self._reading.result()
            raise NotSent("its stream ended before it said where messages go")
        self._messages_url = place.result()

    async def send(self, message: Outgoing) -> None:
        if self._http is None or self._messages_url is None:
            raise Lost("the connection was closed")
        headers = {**message.headers, "content-type": "application/json"}
        async with exchange(
            self._http, "POST", self._messages_url, content=message.raw, headers=headers
        ) as response:
            http_client.refuse(response, has_session=True)

    async def close(self) -> None:
        await http_client.ended(self._reading)
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    def listen(self) -> None:
        """Its one stream carries everything."""

    async def _read(
        self, http: httpx.AsyncClient, inbox: Inbox, place: "asyncio.Future[str]"
    ) -> None:
        reason = "its stream ended"
        try:
            headers = {"accept": "text/event-stream"}
            async with exchange(http, "GET", self._endpoint.url, headers=headers) as response:
                http_client.refuse(response, has_session=False)
                if not http_client.is_event_stream(response):
                    raise NotSent("it does not answer with an event stream")
                async for event in http_client.events(response, inbox):
                    if event.name == "endpoint" and not place.done():
                        place.set_result(_within(response.url, event.raw))
                    http_client.deliver(event, inbox)
        except Trouble as error:
            if not place.done():
                raise
            reason = error.reason
        inbox.end(reason)


def _within(url: httpx.URL, told: bytes) -> str:
    """
    Raises:
        NotSent: messages would go to another server, and the credentials with them.
    """
    try:
        place = url.join(told.decode().strip())
    except (httpx.InvalidURL, UnicodeDecodeError) as error:
        raise NotSent("it does not say where messages go") from error
    if not http_client.is_same_server(url, place) or (
        place.userinfo and place.userinfo != url.userinfo
    ):
        raise NotSent("it sends messages to another server, which is not followed")
    return str(place)
