"""MCP over Streamable HTTP: one POST for each message, and a stream for what the server says."""

import asyncio
import logging
import re
from collections.abc import Mapping

import httpx

from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp import http_client
from gateway.downstream.mcp.envelope import MODERN
from gateway.downstream.mcp.http_client import Endpoint, exchange
from gateway.downstream.mcp.link import Inbox, Outgoing
from gateway.downstream.mcp.messages import (
    INVALID_PARAMS,
    Garbled,
    Lost,
    RpcError,
    SessionForgotten,
    Trouble,
)
from gateway.downstream.payload import decode

logger = logging.getLogger(__name__)

_ACCEPT = "application/json, text/event-stream"
_SESSION = "mcp-session-id"
_SESSION_ID = re.compile(r"[\x21-\x7e]{1,1000}")
_VERSION = "mcp-protocol-version"
# The others speak of the connection, whatever their bodies say.
_STATUSES_OF_ERRORS = (400, 404, 500)
_GOODBYE_SECONDS = 1.0
_MOST_RESUMPTIONS = 5
_MOST_RETRY_SECONDS = 5.0
# A server may close the stream of notifications whenever it likes, even at once.
_BACKOFF = Backoff(first_seconds=0.5, most_seconds=60)


class Streamable:
    """A `Link` to an endpoint that speaks Streamable HTTP."""

    def __init__(self, name: str, endpoint: Endpoint, *, max_concurrent: int) -> None:
        self._name = name
        self._endpoint = endpoint
        self._max_concurrent = max_concurrent
        self._http: httpx.AsyncClient | None = None
        self._inbox: Inbox | None = None
        self._session: dict[str, str] = {}
        self._version: dict[str, str] = {}
        self._listening: asyncio.Task[None] | None = None

    async def open(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._http = http_client.client(self._endpoint, max_concurrent=self._max_concurrent)

    async def send(self, message: Outgoing) -> None:
        """Returns once the answer was taken, if the message has one."""
        http, inbox = self._opened()
        if version := message.headers.get(_VERSION):
            self._version = {_VERSION: version}
        if message.answer is None and version == MODERN:
            return  # nothing but requests goes to such servers
        headers = {
            **message.headers,
            **self._session,
            "accept": _ACCEPT,
            "content-type": "application/json",
        }
        last_event = None
        try:
            async with exchange(
                http, "POST", self._endpoint.url, content=message.raw, headers=headers
            ) as response:
                await self._refuse(response, inbox)
                self._remember_session(response)
                if message.answer is None or message.answer.done():
                    return
                if http_client.is_json(response):
                    inbox.take(await http_client.body(response, inbox))
                elif http_client.is_event_stream(response):
                    last_event = _LastEvent()
                    await last_event.follow(response, inbox, message.answer)
        except Lost:
            if last_event is None or last_event.id is None:
                raise
        if message.answer is None or message.answer.done():
            return
        if last_event is None:
            raise Garbled("sent an answer that is no MCP")
        await self._resume(last_event, message.answer)

    async def close(self) -> None:
        await http_client.ended(self._listening)
        http, self._http = self._http, None
        if http is None:
            return
        try:
            await self._say_goodbye(http)
        finally:
            await http.aclose()

    def listen(self) -> None:
        """For changes of the tools, where the server has a stream of its own for them."""
        if self._version.get(_VERSION) != MODERN:
            self._listening = asyncio.create_task(
                self._listen(), name=f"listen to mcp {self._name}"
            )

    async def _listen(self) -> None:
        http, inbox = self._opened()
        failures = 0
        while True:
            try:
                headers = {**self._headers, "accept": "text/event-stream"}
                async with exchange(http, "GET", self._endpoint.url, headers=headers) as response:
                    if response.status_code == 404:
                        inbox.doubt()
                    if not http_client.is_event_stream(response):
                        return  # it has none
                    async for event in http_client.events(response, inbox):
                        failures = 0
                        http_client.deliver(event, inbox)
            except Trouble as error:
                logger.debug("mcp=%s stream of notifications: %s", self._name, error)
            failures += 1
            # A stream ends when its server does: the next one may not know us.
            inbox.doubt()
            await asyncio.sleep(_BACKOFF.pause_seconds(failures))

    async def _resume(self, last_event: "_LastEvent", answer: "asyncio.Future[object]") -> None:
        """A server that numbers its events keeps those that we have not heard.

        Raises:
            Lost: the rest cannot be had.
        """
        http, inbox = self._opened()
        for _ in range(_MOST_RESUMPTIONS):
            if last_event.id is None:
                break
            await asyncio.sleep(last_event.retry_seconds)
            headers = {
                **self._headers,
                "accept": "text/event-stream",
                "last-event-id": last_event.id,
            }
            try:
                async with exchange(http, "GET", self._endpoint.url, headers=headers) as response:
                    if not http_client.is_event_stream(response):
                        break
                    await last_event.follow(response, inbox, answer)
            except Trouble as error:
                logger.debug("mcp=%s could not be resumed: %s", self._name, error)
            if answer.done():
                return
        raise Lost("the stream of its answer ended before the answer")

    async def _refuse(self, response: httpx.Response, inbox: Inbox) -> None:
        """An error of JSON-RPC says more than the status that it comes with.

        Raises:
            Trouble: what either means, unless it is a success.
        """
        if response.is_success:
            return
        if http_client.is_json(response):
            error = _error(await http_client.body(response, inbox))
            if error and self._session and _is_about_the_session(error, response.status_code):
                raise SessionForgotten("it has forgotten the session")
            if error and response.status_code in _STATUSES_OF_ERRORS:
                raise error
        http_client.refuse(response, has_session=bool(self._session))

    def _remember_session(self, response: httpx.Response) -> None:
        session = response.headers.get(_SESSION, "")
        # The specification allows no other characters, and no header could hold them.
        if not self._session and _SESSION_ID.fullmatch(session):
            self._session = {_SESSION: session}

    async def _say_goodbye(self, http: httpx.AsyncClient) -> None:
        if not self._session:
            return
        try:
            async with (
                asyncio.timeout(_GOODBYE_SECONDS),
                exchange(http, "DELETE", self._endpoint.url, headers=self._headers),
            ):
                pass
        except (Trouble, TimeoutError) as error:
            logger.debug("mcp=%s was not told goodbye: %s", self._name, error)

    @property
    def _headers(self) -> Mapping[str, str]:
        return {**self._session, **self._version}

    def _opened(self) -> tuple[httpx.AsyncClient, Inbox]:
        if self._http is None or self._inbox is None:
            raise Lost("the connection was closed")
        return self._http, self._inbox


class _LastEvent:
    """How far an event stream was heard, so that the rest of it can be asked for."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.retry_seconds = 0.5

    async def follow(
        self, response: httpx.Response, inbox: Inbox, answer: "asyncio.Future[object]"
    ) -> None:
        async for event in http_client.events(response, inbox):
            self.id = event.id or self.id
            if event.retry_seconds is not None:
                self.retry_seconds = min(event.retry_seconds, _MOST_RETRY_SECONDS)
            http_client.deliver(event, inbox)
            if answer.done():
                return


def _is_about_the_session(error: RpcError, status: int) -> bool:
    """Some servers say so with HTTP 400; any other status may be of a call that was begun."""
    is_of_http = status in (400, 404) and error.code != INVALID_PARAMS
    return is_of_http and "session" in error.reason.lower()


def _error(raw: bytes) -> RpcError | None:
    try:
        value = decode(raw)
    except ValueError:
        return None
    is_error = isinstance(value, dict) and isinstance(value.get("error"), dict)
    return RpcError.read(value["error"]) if is_error else None
