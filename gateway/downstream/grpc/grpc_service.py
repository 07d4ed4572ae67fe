"""Any gRPC service: which of its methods may be called, and their calls in JSON."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message

from gateway import request_id
from gateway.clock import Clock, now
from gateway.downstream.backoff import Backoff
from gateway.downstream.channel import Tls, check_address
from gateway.downstream.grpc.descriptors import (
    MAX_BYTES,
    Descriptors,
    DescriptorSource,
    read_descriptors,
)
from gateway.downstream.grpc.exposure import Exposed, Rpc, expose
from gateway.downstream.grpc.message_json import to_json, to_message
from gateway.downstream.grpc.methods import ExposedMethod, MethodExposure
from gateway.downstream.grpc.reflection import is_unimplemented, reflect
from gateway.downstream.service import Service
from gateway.downstream.status import Status
from gateway.downstream.translation import plain, unreadable
from gateway.downstream.watch import Watch
from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    GatewayError,
    NotFound,
    Unavailable,
)

logger = logging.getLogger(__name__)

# How a service is called when the settings do not say otherwise.
DEADLINE_SECONDS = 5.0
WRITE_DEADLINE_SECONDS = 30.0
STREAM_DEADLINE_SECONDS = 30.0
MAX_CONCURRENT = 64
QUEUE_SECONDS = 1.0
PROBE_SECONDS = 10.0
MAX_MESSAGES = 1_000
MAX_MISTAKES = 20  # that are told
MAX_ANSWER_BYTES = 900_000  # a tool may answer a million characters

_BACKOFF = Backoff(first_seconds=0.25, most_seconds=2)
_BY_REFLECTION = DescriptorSource()
_AS_ANNOTATED = MethodExposure()
# Beyond that other requests go on while an answer is turned into JSON.
_LARGE_BYTES = 64 * 1024

OnMessage = Callable[[int], Awaitable[None]]


class GrpcService:
    """Opens without waiting: a service that is absent, or dies, comes back by itself.

    `methods` are those that may be called, none until they are known; `revision` is another
    object whenever they became others, and then `on_change` is called, without arguments. What
    the configuration names and nobody found is in `mistakes`, and in the status. Of a stream at
    most `max_messages` and `max_bytes` are gathered; `max_bytes` holds for every answer.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        source: DescriptorSource = _BY_REFLECTION,
        exposure: MethodExposure = _AS_ANNOTATED,
        tls: Tls | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        write_deadline_seconds: float = WRITE_DEADLINE_SECONDS,
        stream_deadline_seconds: float = STREAM_DEADLINE_SECONDS,
        max_concurrent: int = MAX_CONCURRENT,
        queue_seconds: float = QUEUE_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_ANSWER_BYTES,
        backoff: Backoff = _BACKOFF,
        clock: Clock = now,
    ) -> None:
        self.name = name
        self.address = address
        self.on_change: Callable[[], None] | None = None
        self.methods: Sequence[ExposedMethod] = ()
        self.mistakes: Sequence[str] = ()
        self.revision: object = object()
        self._source = source
        self._exposure = exposure
        self._deadline_seconds = deadline_seconds
        self._write_deadline_seconds = write_deadline_seconds
        self._stream_deadline_seconds = stream_deadline_seconds
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._exposed: Exposed | None = None
        self._descriptors: Descriptors | None = None
        self._is_current = False
        self._known = asyncio.Event()
        self._stack = AsyncExitStack()
        self._service = Service(
            name,
            address,
            tls=tls,
            deadline_seconds=deadline_seconds,
            write_deadline_seconds=write_deadline_seconds,
            max_concurrent=max_concurrent,
            queue_seconds=queue_seconds,
            metadata=metadata,
            # Descriptors may be larger than any other answer.
            max_answer_bytes=max(MAX_BYTES, max_bytes),
        )
        self._watch = Watch(
            name,
            address,
            look=self._look,
            listen=self._listen,
            probe_seconds=probe_seconds,
            backoff=backoff,
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        """Raises:
        ConfigurationError: the address, a certificate or the file of descriptors is no good.
        """
        try:
            check_address(self.address)
            if not self._source.is_reflection:
                await self._take(await asyncio.to_thread(read_descriptors, self._source))
        except ConfigurationError as error:
            raise ConfigurationError(f"gRPC service {self.name}: {error}") from error
        except BadAnswer as error:
            raise ConfigurationError(str(error)) from error
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._service)
            await stack.enter_async_context(self._watch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(exc_type, exc, traceback)

    @property
    def status(self) -> Status:
        status = self._watch.status
        if status.error or not self.mistakes:
            return status
        return replace(status, error=plain("; ".join(self.mistakes)))

    def seconds(self, method: ExposedMethod) -> float:
        """How long a call may take at most, with all its attempts."""
        if method.is_streaming:
            return self._stream_deadline_seconds
        is_read = method.effect == "read"
        return self._deadline_seconds if is_read else self._write_deadline_seconds

    @property
    def is_known(self) -> bool:
        """Whether its methods were ever found."""
        return self._known.is_set()

    async def discovered(self, *, within_seconds: float) -> None:
        """Returns once the methods are known, or the time is over."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._known.wait()
        except TimeoutError:
            return

    async def call(
        self,
        method: ExposedMethod,
        arguments: Mapping[str, Any],
        *,
        on_message: OnMessage | None = None,
    ) -> dict[str, Any]:
        """What the method answers, as `message_json` writes it; only a read is tried again.

        A method that sends many messages answers `{"messages": […], "count": n, "is_cut": bool}`,
        and `on_message` hears how many have come after each.

        Raises:
            InvalidRequest: the arguments do not fit; nothing was sent.
            NotFound: the service has no such method any more.
            Unavailable: at once, while the service is known to be down.
            BadAnswer: the answer makes no sense, or is too large.
            OutcomeUnknown: instead of that, and when the end of a write was not heard.
            GatewayError: whatever else goes wrong, as `translation` says.
        """
        rpc, exposed = self._rpc(method)
        request = to_message(rpc.wire.request, arguments, pool=exposed.pool)
        self._watch.admit()
        try:
            if rpc.method.is_streaming:
                return await self._gathered(rpc, exposed, request, on_message)
            return await self._answer(rpc, exposed, request)
        except GatewayError as error:
            self._learn(error)
            raise

    def _rpc(self, method: ExposedMethod) -> tuple[Rpc, Exposed]:
        if self._exposed is None:
            self._watch.admit()
            raise Unavailable(
                f"{self.name} has not said yet which methods it has; retry in 1 s",
                retry_after_seconds=1,
            )
        rpc = self._exposed.by_path.get(method.path)
        if rpc is None:
            names = [one.full_name for one in self.methods]
            raise NotFound(
                f"{self.name} has no method {method.full_name}",
                suggestions=get_close_matches(method.full_name, names),
            )
        return rpc, self._exposed

    async def _answer(self, rpc: Rpc, exposed: Exposed, request: Message) -> dict[str, Any]:
        is_read = rpc.method.effect == "read"
        answer = await self._service.call(
            rpc.wire, request, is_read=is_read, correlation_id=request_id.current()
        )
        if (size := answer.ByteSize()) > self._max_bytes:
            why = f"sent an answer of {size} bytes, and {self._max_bytes} is the most"
            raise unreadable(self.name, why, is_read=is_read)
        return await self._json(rpc, exposed, answer)

    async def _gathered(
        self, rpc: Rpc, exposed: Exposed, request: Message, on_message: OnMessage | None
    ) -> dict[str, Any]:
        """Ends the stream where it has sent enough, or when the time is over; it says so."""
        is_read = rpc.method.effect == "read"
        seconds = self._stream_deadline_seconds
        stream = self._service.stream(
            rpc.wire,
            request,
            is_read=is_read,
            correlation_id=request_id.current(),
            seconds=seconds,
        )
        messages: list[dict[str, Any]] = []
        left_bytes = self._max_bytes
        try:
            async with aclosing(stream) as answers:
                async for answer in answers:
                    if len(messages) == self._max_messages:
                        return _of(messages, f"it sent more than {self._max_messages} messages")
                    if answer.ByteSize() > self._max_bytes:
                        return _of(messages, f"it sent more than {self._max_bytes} bytes")
                    message = await self._json(rpc, exposed, answer)
                    left_bytes -= len(json.dumps(message, ensure_ascii=False).encode())
                    if left_bytes < 0:
                        return _of(messages, f"it sent more than {self._max_bytes} bytes")
                    messages.append(message)
                    if on_message is not None:
                        await on_message(len(messages))
        except DeadlineExceeded:
            if not (messages and is_read):
                raise
            return _of(messages, f"it was not at its end after {seconds:g} s")
        return _of(messages)

    async def _json(self, rpc: Rpc, exposed: Exposed, answer: Message) -> dict[str, Any]:
        try:
            if answer.ByteSize() > _LARGE_BYTES:
                return await asyncio.to_thread(to_json, answer, pool=exposed.pool)
            return to_json(answer, pool=exposed.pool)
        except (ValueError, OverflowError) as error:
            why = f"sent an answer of {rpc.method.name} that cannot be shown: {plain(str(error))}"
            raise unreadable(self.name, why, is_read=rpc.method.effect == "read") from error

    def _learn(self, error: GatewayError) -> None:
        if is_unimplemented(error):
            self._is_current = False
            self._watch.ring()
        self._watch.learn(error)

    async def _look(self) -> None:
        await self._service.check_health()
        if self._is_current or not self._source.is_reflection:
            return
        # What changes while the service is asked is asked for again.
        self._is_current = True
        try:
            await self._take(await reflect(self._service, self._source))
        except BaseException:
            self._is_current = False
            raise

    async def _listen(self, ring: Callable[[], None]) -> None:
        def look_again() -> None:
            # Whoever comes back may be another version.
            self._is_current = False
            ring()

        await self._service.listen(look_again)

    async def _take(self, descriptors: Descriptors) -> None:
        """Raises:
        BadAnswer: they contradict each other.
        """
        if descriptors == self._descriptors:
            return
        try:
            # Large ones take long to read, and requests go on meanwhile.
            exposed = await asyncio.to_thread(expose, descriptors, self._exposure)
        except ValueError as error:
            raise BadAnswer(f"{self.name}: {plain(str(error))}") from error
        self._descriptors, self._exposed = descriptors, exposed
        self.mistakes = _told(exposed.mistakes)
        self._report(exposed)
        has_changed = exposed.methods != self.methods or not self._known.is_set()
        self._known.set()
        if has_changed:
            self.methods, self.revision = exposed.methods, object()
            self._tell()

    def _report(self, exposed: Exposed) -> None:
        logger.info("downstream=%s methods=%d", self.name, len(exposed.methods))
        for mistake in self.mistakes:
            logger.warning("downstream=%s mistake=%r", self.name, mistake)
        if exposed.unsupported:
            names = plain(", ".join(exposed.unsupported))
            logger.info("downstream=%s left out, as the caller streams: %s", self.name, names)

    def _tell(self) -> None:
        if self.on_change is None:
            return
        try:
            self.on_change()
        except Exception:
            # Whoever listens must not be able to stop the watch.
            logger.exception("downstream=%s: its change was not taken up", self.name)


def _told(mistakes: Sequence[str]) -> tuple[str, ...]:
    """However many a service makes, a few tell what is wrong."""
    told = tuple(map(plain, mistakes[:MAX_MISTAKES]))
    left_out = len(mistakes) - len(told)
    return (*told, f"and {left_out} more") if left_out else told


def _of(messages: list[dict[str, Any]], why_cut: str | None = None) -> dict[str, Any]:
    answer = {"messages": messages, "count": len(messages), "is_cut": why_cut is not None}
    return answer if why_cut is None else {**answer, "why_cut": why_cut}
