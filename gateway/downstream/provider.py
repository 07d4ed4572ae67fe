"""A service that speaks `provider.v1`: its tools, and how it is doing."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message

from gateway import request_id
from gateway.clock import Clock, now
from gateway.downstream.backoff import Backoff
from gateway.downstream.capabilities import MAX_NAME_CHARACTERS, Capabilities
from gateway.downstream.payload import decode, encode
from gateway.downstream.service import Method, Service, Tls
from gateway.downstream.status import Status
from gateway.downstream.translation import plain, refuse_error, unreadable
from gateway.downstream.watch import Watch
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.protobuf import Protocol, provider_protocol

logger = logging.getLogger(__name__)

# How a service is called when the settings do not say otherwise.
DEADLINE_SECONDS = 5.0
WRITE_DEADLINE_SECONDS = 30.0
MAX_CONCURRENT = 64
QUEUE_SECONDS = 1.0
PROBE_SECONDS = 10.0

_SERVICE = "provider.v1.Provider"
_BACKOFF = Backoff(first_seconds=0.25, most_seconds=2)


class Provider:
    """Opens without waiting: a provider that is absent, or dies, comes back by itself.

    `on_change` is called, without arguments, whenever `capabilities` became others.
    `deadline_seconds` holds for one read with all its attempts, `write_deadline_seconds` for one
    write. It is up until the connection goes, it says that it does not serve, or two looks at
    it in a row fail: one slow answer is no outage.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        tls: Tls | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        write_deadline_seconds: float = WRITE_DEADLINE_SECONDS,
        max_concurrent: int = MAX_CONCURRENT,
        queue_seconds: float = QUEUE_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        backoff: Backoff = _BACKOFF,
        clock: Clock = now,
    ) -> None:
        self.name = name
        self.address = address
        self.on_change: Callable[[], None] | None = None
        self.capabilities: Capabilities | None = None
        self._service = Service(
            name,
            address,
            tls=tls,
            deadline_seconds=deadline_seconds,
            write_deadline_seconds=write_deadline_seconds,
            max_concurrent=max_concurrent,
            queue_seconds=queue_seconds,
        )
        self._methods: Mapping[str, Method] = {}
        self._known = asyncio.Event()
        self._watch = Watch(
            name,
            address,
            look=self._list,
            listen=self._service.listen,
            probe_seconds=probe_seconds,
            backoff=backoff,
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        self._methods = _methods(provider_protocol())
        await self._service.__aenter__()
        await self._watch.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._watch.__aexit__(exc_type, exc, traceback)
        await self._service.__aexit__(exc_type, exc, traceback)

    @property
    def status(self) -> Status:
        version = self.capabilities.version if self.capabilities else None
        return replace(self._watch.status, version=version)

    async def discovered(self, *, within_seconds: float) -> None:
        """Returns once its tools are known, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._known.wait()

    async def invoke(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        is_read: bool = True,
        correlation_id: str | None = None,
    ) -> Any:
        """What `tool` answers: an object or an array, with JSON's own types.

        Only a read is tried again when it fails; `tool` is sent exactly as it is listed.

        Raises:
            Unavailable: at once, while the provider is known to be down.
            BadAnswer: the answer is empty, or is no JSON object or array.
            OutcomeUnknown: instead of that, and when the end of a write was not heard.
            GatewayError: whatever else goes wrong, as `translation` says.
        """
        self._watch.admit()
        correlation_id = correlation_id or request_id.current()
        request = self._request(
            "Invoke",
            {
                "tool_name": tool,
                "payload": {"value": self._json(arguments)},
                "correlation_id": correlation_id,
            },
        )
        try:
            answer = await self._service.call(
                self._methods["Invoke"], request, is_read=is_read, correlation_id=correlation_id
            )
            refuse_error(self.name, answer.error)
        except GatewayError as error:
            self._learn(error)
            raise
        return self._result(tool, answer.result.value, is_read=is_read)

    def _learn(self, error: GatewayError) -> None:
        """An unknown tool is a reason to look, too: it may have been one a moment ago."""
        if isinstance(error, NotFound) and re.search(r"\btool\b", str(error), re.I):
            self._watch.ring()
        self._watch.learn(error)

    async def _list(self) -> None:
        await self._service.check_health()
        listing = self._methods["ListCapabilities"]
        message = await self._service.probe(listing, self._request("ListCapabilities", {}))
        capabilities = Capabilities.read(message)
        if capabilities != self.capabilities:
            self.capabilities = capabilities
            self._known.set()
            logger.info(
                "downstream=%s version=%s tools=%d",
                self.name,
                capabilities.version,
                len(capabilities.tools),
            )
            self._tell()

    def _tell(self) -> None:
        if self.on_change is None:
            return
        try:
            self.on_change()
        except Exception:
            # Whoever listens must not be able to stop the watch.
            logger.exception("downstream=%s: its change was not taken up", self.name)

    def _request(self, rpc: str, fields: Mapping[str, Any]) -> Message:
        try:
            return self._methods[rpc].request(**fields)
        except (ValueError, UnicodeError) as error:
            raise InvalidRequest(f"{self.name} cannot be sent this text: {error}") from error

    def _json(self, arguments: Mapping[str, Any]) -> bytes:
        try:
            return encode(arguments)
        except ValueError as error:
            raise InvalidRequest(f"the arguments are not JSON: {error}") from error

    def _result(self, tool: str, raw: bytes, *, is_read: bool) -> Any:
        name = plain(tool, limit=MAX_NAME_CHARACTERS)
        if not raw:
            raise unreadable(self.name, f"sent an empty answer for {name}", is_read=is_read)
        try:
            value = decode(raw)
        except ValueError as error:
            why = f"sent an answer for {name} that is not JSON"
            raise unreadable(self.name, why, is_read=is_read) from error
        if not isinstance(value, dict | list):
            why = f"answered {name} with {type(value).__name__}, not an object or array"
            raise unreadable(self.name, why, is_read=is_read)
        return value


def _methods(protocol: Protocol) -> dict[str, Method]:
    return {
        method.name: Method(
            path=f"/{_SERVICE}/{method.name}",
            request=protocol.message(method.input_type.full_name),
            answer=protocol.message(method.output_type.full_name),
        )
        for method in protocol.methods(_SERVICE)
    }
