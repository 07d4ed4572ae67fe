"""A service that speaks `provider.v1`: its tools, resources and prompts, and how it is doing."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from google.protobuf.message import Message

from gateway.clock import Clock, now
from gateway.downstream.backoff import Backoff
from gateway.downstream.capabilities import (
    Capabilities,
    ProviderPrompt,
    ProviderResource,
    ProviderTool,
)
from gateway.downstream.payload import decode, encode
from gateway.downstream.service import Method, Service, Tls
from gateway.downstream.status import State, Status
from gateway.downstream.translation import ServiceDown, plain, refuse_error
from gateway.errors import BadAnswer, DeadlineExceeded, GatewayError, InvalidRequest, NotFound
from gateway.protobuf import Protocol, provider_protocol

__all__ = [
    "Capabilities",
    "Provider",
    "ProviderPrompt",
    "ProviderResource",
    "ProviderTool",
]

logger = logging.getLogger(__name__)

_SERVICE = "provider.v1.Provider"
_BACKOFF = Backoff(first_seconds=0.25, most_seconds=2)


class Provider:
    """Opens without waiting: a provider that is absent, or dies, comes back by itself.

    `on_change` is called, without arguments, whenever `capabilities` became others.
    `deadline_seconds` holds for one call with all its attempts.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        tls: Tls | None = None,
        deadline_seconds: float = 5,
        max_concurrent: int = 64,
        queue_seconds: float = 1,
        probe_seconds: float = 10,
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
            max_concurrent=max_concurrent,
            queue_seconds=queue_seconds,
        )
        self._methods: Mapping[str, Method] = {}
        self._probe_seconds = probe_seconds
        self._backoff = backoff
        self._clock = clock
        self._state = State.STARTING
        self._since = clock()
        self._error: str | None = None
        self._looks_again_at = 0.0
        self._bell = asyncio.Event()
        self._listed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._methods = _methods(provider_protocol())
        await self._service.__aenter__()
        self._tasks = [
            asyncio.create_task(self._watch(), name=f"watch {self.name}"),
            asyncio.create_task(self._listen(), name=f"listen to {self.name}"),
        ]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._service.__aexit__(exc_type, exc, traceback)

    @property
    def status(self) -> Status:
        return Status(
            name=self.name,
            address=self.address,
            state=self._state,
            since=self._since,
            version=self.capabilities.version if self.capabilities else None,
            error=self._error,
            retry_seconds=self._wait_seconds() if self._state is State.DOWN else None,
        )

    async def listed(self, within_seconds: float) -> bool:
        """Whether the capabilities are known, at the latest after `within_seconds`."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._listed.wait()
        except TimeoutError:
            return False
        return True

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
            GatewayError: whatever else goes wrong, as `translation` says.
        """
        answer = await self._call(
            "Invoke",
            {"tool_name": tool, "payload": {"value": self._json(arguments)}},
            is_read=is_read,
            correlation_id=correlation_id,
        )
        return self._result(tool, answer.result.value)

    async def read_resource(self, uri: str) -> tuple[bytes, str]:
        """The content and its media type."""
        answer = await self._call("ReadResource", {"uri": uri})
        return answer.content, answer.mime_type or "application/octet-stream"

    async def prompt(self, name: str, arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The messages, each a role and a text; roles are as the provider says them."""
        answer = await self._call(
            "GetPrompt", {"prompt_name": name, "arguments": {"value": self._json(arguments)}}
        )
        return [(message.role, message.content) for message in answer.messages]

    async def _call(
        self,
        rpc: str,
        fields: Mapping[str, Any],
        *,
        is_read: bool = True,
        correlation_id: str | None = None,
    ) -> Any:
        self._admit()
        correlation_id = correlation_id or uuid4().hex
        request = self._request(rpc, {**fields, "correlation_id": correlation_id})
        try:
            answer = await self._service.call(
                self._methods[rpc], request, is_read=is_read, correlation_id=correlation_id
            )
            refuse_error(self.name, answer.error)
        except GatewayError as error:
            self._learn(error)
            raise
        return answer

    def _admit(self) -> None:
        """While the provider is down a call fails at once, but for one each time a wait is over."""
        if self._state is not State.DOWN:
            return
        if (seconds := self._wait_seconds()) > 0:
            reason = self._error or "it is down"
            raise ServiceDown(self.name, reason, retry_after_seconds=seconds)
        self._looks_again_at = time.monotonic() + self._backoff.most_seconds

    def _learn(self, error: GatewayError) -> None:
        """Looks again at once when a call shows that what we believe is no longer so."""
        if isinstance(error, ServiceDown):
            self._went_down(error.reason, seconds=self._backoff.first_seconds)
        is_unknown_tool = isinstance(error, NotFound) and re.search(r"\btool\b", str(error), re.I)
        if is_unknown_tool or isinstance(error, ServiceDown | DeadlineExceeded):
            self._bell.set()

    async def _watch(self) -> None:
        failures = 0
        while True:
            self._bell.clear()
            self._looks_again_at = time.monotonic()
            reason = await self._look()
            failures = failures + 1 if reason else 0
            seconds = self._backoff.pause_seconds(failures) if reason else self._probe_seconds
            if reason:
                self._went_down(reason, seconds=seconds)
            await self._rest(seconds)

    async def _look(self) -> str | None:
        """What is wrong with the provider, or None."""
        try:
            await self._list()
        except ServiceDown as error:
            return error.reason
        except GatewayError as error:
            return str(error)
        except Exception:
            # Whatever a provider sends, the watch must go on.
            logger.exception("downstream=%s could not be looked at", self.name)
            return "its answer could not be read"
        return None

    async def _list(self) -> None:
        await self._service.check_health()
        listing = self._methods["ListCapabilities"]
        message = await self._service.probe(listing, self._request("ListCapabilities", {}))
        self._came_up(Capabilities.read(message))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        while True:
            try:
                await self._service.listen(self._bell.set)
            except Exception:
                # Without this task changes are still found, at the next probe.
                logger.exception("downstream=%s could not be listened to", self.name)
            # A connection that breaks at once, again and again, must not make us spin.
            await asyncio.sleep(self._backoff.first_seconds)

    def _came_up(self, capabilities: Capabilities) -> None:
        self._error = None
        if self._state is not State.UP:
            self._state, self._since = State.UP, self._clock()
            count = len(capabilities.tools)
            logger.info(
                "downstream=%s state=up version=%s tools=%d",
                self.name,
                capabilities.version,
                count,
            )
        if capabilities == self.capabilities:
            return
        self.capabilities = capabilities
        self._listed.set()
        self._tell()

    def _went_down(self, reason: str, *, seconds: float) -> None:
        self._error = plain(reason)
        self._looks_again_at = time.monotonic() + seconds
        if self._state is not State.DOWN:
            self._state, self._since = State.DOWN, self._clock()
            logger.warning("downstream=%s state=down error=%r", self.name, self._error)

    def _tell(self) -> None:
        if self.on_change is None:
            return
        try:
            self.on_change()
        except Exception:
            # Whoever listens must not be able to stop the watch.
            logger.exception("downstream=%s: its change was not taken up", self.name)

    def _wait_seconds(self) -> float:
        return max(0.0, self._looks_again_at - time.monotonic())

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

    def _result(self, tool: str, raw: bytes) -> Any:
        if not raw:
            raise BadAnswer(f"{self.name} sent an empty answer for {tool}")
        try:
            value = decode(raw)
        except ValueError as error:
            raise BadAnswer(f"{self.name} sent an answer for {tool} that is not JSON") from error
        if not isinstance(value, dict | list):
            kind = type(value).__name__
            raise BadAnswer(f"{self.name} answered {tool} with {kind}, not an object or array")
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
