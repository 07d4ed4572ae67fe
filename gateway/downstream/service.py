"""One gRPC service: its channel, and all that may go wrong on the way to it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2

from gateway import idempotency
from gateway.cancellation import is_cancelled
from gateway.downstream.backoff import Backoff
from gateway.downstream.channel import MAX_ANSWER_BYTES, open_channel
from gateway.downstream.channel import Tls as Tls
from gateway.downstream.translation import (
    RETRY_AFTER_SECONDS,
    Failure,
    ServiceDown,
    outcome_unknown,
    unavailable_sentence,
    unreadable,
)
from gateway.errors import BadAnswer, GatewayError, RateLimited, Unavailable

_ATTEMPTS = 3
_BACKOFF = Backoff(first_seconds=0.05, most_seconds=1)
_Metadata = tuple[tuple[str, str], ...]
_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True, slots=True)
class Method:
    """`path` is such as `/provider.v1.Provider/Invoke`."""

    path: str
    request: type[Message]
    answer: type[Message]


class Service:
    """Calls that end: each has a deadline, a bounded wait for its turn and few attempts.

    `deadline_seconds` holds for a whole call that reads: its wait in the queue and all its
    attempts; `write_deadline_seconds` for one that changes something.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        tls: Tls | None,
        deadline_seconds: float,
        write_deadline_seconds: float,
        max_concurrent: int,
        queue_seconds: float,
        backoff: Backoff = _BACKOFF,
        metadata: Mapping[str, str] | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.name = name
        self.address = address
        self._tls = tls
        self._deadline_seconds = deadline_seconds
        self._write_deadline_seconds = write_deadline_seconds
        self._max_concurrent = max_concurrent
        self._queue_seconds = queue_seconds
        self._backoff = backoff
        self._metadata = tuple((metadata or {}).items())
        self._max_answer_bytes = max_answer_bytes
        # Thousands of calls at once on one channel fail with CANCELLED.
        self._slots = asyncio.Semaphore(max_concurrent)
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        self._channel = open_channel(
            self.address, self._tls, max_answer_bytes=self._max_answer_bytes
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def call(
        self, method: Method, request: Message, *, is_read: bool, correlation_id: str
    ) -> Any:
        """The answer, a message of `method.answer`; only a read is ever tried again.

        Every attempt has the `idempotency` key that the call is made under.

        Raises:
            GatewayError: as `translation` says.
            RateLimited: also when no turn came within `queue_seconds`.
            OutcomeUnknown: a write was sent, and nobody can tell whether it was done.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds(is_read)
        metadata = _metadata(correlation_id)
        failures = 0
        while True:
            try:
                async with self._turn():
                    seconds = max(ends_at - loop.time(), 0)
                    return await self._send(
                        method, request, seconds, is_read=is_read, metadata=metadata
                    )
            except grpc.aio.AioRpcError as error:
                failures += 1
                failure = self._failure(error, is_read=is_read)
                pause = self._pause_before_retry(failure, failures, ends_at=ends_at)
            # The turn is given back before the wait: another call may use it.
            await asyncio.sleep(pause)

    async def stream(
        self,
        method: Method,
        request: Message,
        *,
        is_read: bool,
        correlation_id: str,
        seconds: float,
    ) -> AsyncGenerator[Any, None]:
        """The answers of a method that sends many, each a message of `method.answer`.

        Whoever stops reading closes the iterator, which cancels the call. A read is tried again
        as long as nothing has come. `seconds` holds for all of it.

        Raises:
            GatewayError: as `call` does.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        metadata = _metadata(correlation_id)
        failures = 0
        has_begun = False
        while True:
            try:
                async with (
                    self._turn(),
                    aclosing(
                        self._receive(method, request, ends_at, is_read=is_read, metadata=metadata)
                    ) as answers,
                ):
                    async for answer in answers:
                        has_begun = True
                        yield answer
                    return
            except grpc.aio.AioRpcError as error:
                failures += 1
                failure = self._failure(error, is_read=is_read, deadline_seconds=seconds)
                if has_begun:
                    raise failure.translated() from error
                pause = self._pause_before_retry(failure, failures, ends_at=ends_at)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def conversation(
        self, path: str, *, seconds: float
    ) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
        """A call in which each message that is sent has one answer; for bytes, and past the queue.

        Raises:
            GatewayError: as `translation` says, also out of the block.
        """
        converse: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
        converse = self._opened().stream_stream(path)
        call = converse(timeout=seconds, metadata=self._metadata)

        async def ask(question: bytes) -> bytes:
            with suppress(asyncio.InvalidStateError):  # it is over, and reading says why
                await call.write(question)
            answer = await call.read()
            if isinstance(answer, bytes):
                return answer
            raise BadAnswer(f"{self.name} ended a conversation before it had answered")

        try:
            with self._translated_closing():
                yield ask
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, deadline_seconds=seconds).translated() from error
        finally:
            call.cancel()

    async def probe(self, method: Method, request: Message) -> Any:
        """One attempt that passes the queue: calls that hang must not make the service look dead.

        Raises:
            GatewayError: as `translation` says.
        """
        try:
            return await self._send(method, request, self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error).translated() from error

    async def check_health(self) -> None:
        """Asks by `grpc.health.v1`; a service without it passes.

        Raises:
            Unavailable: the service says that it is not serving, or is not there.
            DeadlineExceeded: it does not answer.
        """
        check = Method(
            _HEALTH + "Check", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        )
        try:
            answer = await self._send(check, check.request(), self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ):
                raise self._failure(error).translated() from error
            return
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            reason = "it says that it is not serving"
            raise ServiceDown(self.name, reason, retry_after_seconds=RETRY_AFTER_SECONDS)

    async def listen(self, ring: Callable[[], None]) -> None:
        """Rings when the connection comes, when it goes, and when the health changes between.

        Returns once the connection is gone.
        """
        channel = self._opened()
        await channel.channel_ready()
        ring()
        try:
            # The empty request asks about the server as a whole.
            watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
            watch = channel.unary_stream(_HEALTH + "Watch")
            async for _ in watch(b"", metadata=self._metadata):
                ring()
        except grpc.aio.AioRpcError:
            pass  # most services have no Watch; then only the connection tells
        await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        ring()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """
        Raises:
            RateLimited: no turn came in time.
        """
        try:
            async with asyncio.timeout(self._queue_seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise RateLimited(
                f"{self.name} is busy with {self._max_concurrent} calls; retry in 1 s",
                retry_after_seconds=1,
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    async def _send(
        self,
        method: Method,
        request: Message,
        seconds: float,
        *,
        is_read: bool = True,
        metadata: _Metadata = (),
    ) -> Any:
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        send = self._opened().unary_unary(method.path)
        with self._translated_closing(is_sent_write=not is_read):
            raw = await send(
                request.SerializeToString(),
                timeout=seconds,
                metadata=(*self._metadata, *metadata),
            )
        return self._decoded(method, raw, is_read=is_read)

    async def _receive(
        self,
        method: Method,
        request: Message,
        ends_at: float,
        *,
        is_read: bool,
        metadata: _Metadata,
    ) -> AsyncGenerator[Any, None]:
        seconds = max(ends_at - asyncio.get_running_loop().time(), 0)
        receive: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
        receive = self._opened().unary_stream(method.path)
        call = receive(
            request.SerializeToString(), timeout=seconds, metadata=(*self._metadata, *metadata)
        )
        try:
            while True:
                with self._translated_closing(is_sent_write=not is_read):
                    raw = await call.read()
                if not isinstance(raw, bytes):
                    return  # the library's mark for the end
                yield self._decoded(method, raw, is_read=is_read)
        finally:
            call.cancel()

    @contextmanager
    def _translated_closing(self, *, is_sent_write: bool = False) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            # Closing the channel cancels its calls, but nobody cancelled the tasks in them.
            if is_cancelled():
                raise
            raise self._closed(is_sent_write=is_sent_write) from None

    def _decoded(self, method: Method, raw: bytes, *, is_read: bool) -> Any:
        try:
            # Decoded here, because the library would log the error and answer None.
            return method.answer.FromString(raw)
        except DecodeError as error:
            why = f"sent an answer that is not {method.path}'s"
            raise unreadable(self.name, why, is_read=is_read) from error

    def _pause_before_retry(self, failure: Failure, failures: int, *, ends_at: float) -> float:
        """How long to wait before the next attempt.

        Raises:
            GatewayError: there is none.
        """
        pause = self._pause_seconds(failure, failures) if failure.is_read else None
        if pause is None or asyncio.get_running_loop().time() + pause >= ends_at:
            raise failure.translated() from failure.error
        return pause

    def _pause_seconds(self, failure: Failure, failures: int) -> float | None:
        """How long to wait before the next attempt; None if there should be none."""
        pushback = failure.pushback_seconds
        is_transient = failure.code is grpc.StatusCode.UNAVAILABLE
        has_hint = failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and pushback is not None
        if failures >= _ATTEMPTS or not (is_transient or has_hint):
            return None
        if pushback is not None:
            return pushback if pushback >= 0 else None
        return self._backoff.pause_seconds(failures)

    def _seconds(self, is_read: bool) -> float:
        return self._deadline_seconds if is_read else self._write_deadline_seconds

    def _failure(
        self,
        error: grpc.aio.AioRpcError,
        *,
        is_read: bool = True,
        deadline_seconds: float | None = None,
    ) -> Failure:
        state = self._channel.get_state() if self._channel else None
        return Failure(
            self.name,
            self.address,
            error,
            is_connected=state is grpc.ChannelConnectivity.READY,
            is_read=is_read,
            deadline_seconds=deadline_seconds or self._seconds(is_read),
        )

    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            raise self._closed()
        return self._channel

    def _closed(self, *, is_sent_write: bool = False) -> GatewayError:
        reason = "the gateway is not connected to it"
        if is_sent_write:
            return outcome_unknown(self.name, reason)
        return Unavailable(
            unavailable_sentence(self.name, reason, RETRY_AFTER_SECONDS),
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )


def _metadata(correlation_id: str) -> _Metadata:
    key = idempotency.current()
    keyed = ((idempotency.HEADER, key),) if key else ()
    return (("x-correlation-id", correlation_id), *keyed)
