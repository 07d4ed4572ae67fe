"""A service that speaks `provider.v1`: its tools, and how it is doing."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message

from gateway import request_id
from gateway.clock import Clock, now
from gateway.downstream.backoff import Backoff
from gateway.downstream.capabilities import MAX_NAME_CHARACTERS, Capabilities
from gateway.downstream.payload import decode, encode
from gateway.downstream.service import Method, Service, Tls
from gateway.downstream.status import State, Status
from gateway.downstream.translation import ServiceDown, plain, refuse_error, unreadable
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
)
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
        self._probe_seconds = probe_seconds
        self._backoff = backoff
        self._clock = clock
        self._state = State.STARTING
        self._since = clock()
        self._error: str | None = None
        self._looks_again_at = 0.0
        self._bell = asyncio.Event()
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
        self._admit()
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
        is_doubtful = isinstance(error, ServiceDown | DeadlineExceeded | OutcomeUnknown)
        if is_unknown_tool or is_doubtful:
            self._bell.set()

    async def _watch(self) -> None:
        failures = 0
        while True:
            self._bell.clear()
            self._looks_again_at = time.monotonic()
            error = await self._look()
            failures = failures + 1 if error else 0
            seconds = self._pause_seconds(error, failures)
            if error:
                self._doubt(error, failures, seconds=seconds)
            await self._rest(seconds)

    async def _look(self) -> GatewayError | None:
        """What is wrong with the provider, or None."""
        try:
            await self._list()
        except GatewayError as error:
            return error
        except Exception:
            # Whatever a provider sends, the watch must go on.
            logger.exception("downstream=%s could not be looked at", self.name)
            return BadAnswer("its answer could not be read")
        return None

    def _pause_seconds(self, error: GatewayError | None, failures: int) -> float:
        """How long to wait before the next look."""
        if error is None:
            return self._probe_seconds
        seconds = self._backoff.pause_seconds(failures)
        if isinstance(error, RateLimited):
            return max(seconds, min(error.retry_after_seconds, self._probe_seconds))
        return seconds

    def _doubt(self, error: GatewayError, failures: int, *, seconds: float) -> None:
        """Down only by proof, or by a second failure: one slow look is no outage."""
        if isinstance(error, ServiceDown):
            self._went_down(error.reason, seconds=seconds)
        elif self._state is not State.UP or failures > 1:
            self._went_down(str(error), seconds=seconds)
        else:
            logger.info("downstream=%s doubt=%r", self.name, plain(str(error)))

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
