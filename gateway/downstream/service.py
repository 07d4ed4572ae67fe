"""One gRPC service: its channel, and all that may go wrong on the way to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2

from gateway.downstream.backoff import Backoff
from gateway.downstream.translation import (
    RETRY_AFTER_SECONDS,
    Failure,
    ServiceDown,
    outcome_unknown,
    unavailable_sentence,
    unreadable,
)
from gateway.errors import ConfigurationError, GatewayError, RateLimited, Unavailable

_ATTEMPTS = 3
_BACKOFF = Backoff(first_seconds=0.05, most_seconds=1)
_HEALTH = "/grpc.health.v1.Health/"
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A server closes the connection of a client that pings more often, or without calls.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # A proxy that is set for the web does not lead to a service next door.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Otherwise channels share their connections, and one waits for the other's backoff.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. Without `ca_file` the system's authorities count; a certificate and its
    key make it mutual; `server_name` is what the service's certificate says if not its host."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


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
    ) -> None:
        self.name = name
        self.address = address
        self._tls = tls
        self._deadline_seconds = deadline_seconds
        self._write_deadline_seconds = write_deadline_seconds
        self._max_concurrent = max_concurrent
        self._queue_seconds = queue_seconds
        self._backoff = backoff
        # Thousands of calls at once on one channel fail with CANCELLED.
        self._slots = asyncio.Semaphore(max_concurrent)
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        self._channel = _channel(self.address, self._tls)
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

        Raises:
            GatewayError: as `translation` says.
            RateLimited: also when no turn came within `queue_seconds`.
            OutcomeUnknown: a write was sent, and nobody can tell whether it was done.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds(is_read)
        metadata = (("x-correlation-id", correlation_id),)
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
                pause = self._pause_seconds(failure, failures) if is_read else None
                if pause is None or loop.time() + pause >= ends_at:
                    raise failure.translated() from error
            # The turn is given back before the wait: another call may use it.
            await asyncio.sleep(pause)

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
            async for _ in watch(b""):
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
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        send = self._opened().unary_unary(method.path)
        try:
            raw = await send(request.SerializeToString(), timeout=seconds, metadata=metadata)
        except asyncio.CancelledError:
            # Closing the channel cancels its calls, but nobody cancelled the tasks in them.
            if _is_cancelled():
                raise
            raise self._closed(is_sent_write=not is_read) from None
        try:
            # Decoded here, because the library would log the error and answer None.
            return method.answer.FromString(raw)
        except DecodeError as error:
            why = f"sent an answer that is not {method.path}'s"
            raise unreadable(self.name, why, is_read=is_read) from error

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

    def _failure(self, error: grpc.aio.AioRpcError, *, is_read: bool = True) -> Failure:
        state = self._channel.get_state() if self._channel else None
        return Failure(
            self.name,
            self.address,
            error,
            is_connected=state is grpc.ChannelConnectivity.READY,
            is_read=is_read,
            deadline_seconds=self._seconds(is_read),
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


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    if tls is None:
        return grpc.aio.insecure_channel(address, _OPTIONS)
    if (tls.certificate_file is None) != (tls.key_file is None):
        # The library would end the whole process over it.
        raise ConfigurationError(f"{address}: a certificate and its key only go together")
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_pem(tls.ca_file),
        private_key=_pem(tls.key_file),
        certificate_chain=_pem(tls.certificate_file),
    )
    name = [("grpc.ssl_target_name_override", tls.server_name)] if tls.server_name else []
    return grpc.aio.secure_channel(address, credentials, [*_OPTIONS, *name])


def _pem(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in content:
        raise ConfigurationError(f"{file}: is not PEM; it should have a line -----BEGIN ...-----")
    return content
