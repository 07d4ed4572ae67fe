"""A real `provider.v1` server that can be told to misbehave."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.downstream.provider import Provider
from gateway.protobuf import provider_protocol


@dataclass(frozen=True, slots=True)
class Received:
    """One call as the server saw it; `at` is in the seconds of the event loop."""

    name: str
    payload: bytes
    correlation_id: str
    metadata: Mapping[str, str]
    at: float

    @property
    def arguments(self) -> Any:
        return json.loads(self.payload)


Context = grpc.aio.ServicerContext[Any, Any]
# Gives the bytes of the whole answer, so that it can also be no message at all.
Behaviour = Callable[[Received, Context], Awaitable[bytes]]


def message(kind: str, /, **fields: Any) -> Any:
    return provider_protocol().message(f"provider.v1.{kind}")(**fields)


def answers(value: Any) -> Behaviour:
    return answers_raw(json.dumps(value).encode())


def answers_raw(result: bytes) -> Behaviour:
    return sends(message("InvokeResponse", result={"value": result}).SerializeToString())


def echoes() -> Behaviour:
    async def behave(received: Received, _: Context) -> bytes:
        return await answers(received.arguments)(received, _)

    return behave


def says_error(text: str) -> Behaviour:
    """The second error style of the contract: OK, with a text in `error`."""
    return sends(message("InvokeResponse", error=text).SerializeToString())


def sends(raw: bytes) -> Behaviour:
    async def behave(_: Received, __: Context) -> bytes:
        return raw

    return behave


def fails(
    code: grpc.StatusCode, details: str = "", *, pushback_ms: str = "", error_code: str = ""
) -> Behaviour:
    said = {"grpc-retry-pushback-ms": pushback_ms, "x-error-code": error_code}
    trailing = tuple((key, value) for key, value in said.items() if value)

    async def behave(_: Received, context: Context) -> bytes:
        await context.abort(code, details, trailing)

    return behave


def waits(until: asyncio.Event, then: Behaviour) -> Behaviour:
    async def behave(received: Received, context: Context) -> bytes:
        await until.wait()
        return await then(received, context)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other; the last one stays."""
    left = list(behaviours)

    async def behave(received: Received, context: Context) -> bytes:
        chosen = left.pop(0) if len(left) > 1 else left[0]
        return await chosen(received, context)

    return behave


async def until_listed(provider: Provider) -> None:
    """Returns once the gateway knows what the provider offers."""
    listed = asyncio.Event()
    provider.on_change = listed.set
    if provider.capabilities is None:
        async with asyncio.timeout(5):
            await listed.wait()
    provider.on_change = None


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class StandInProvider:
    """Keeps its port when it stops, so that it can come back on the same one."""

    def __init__(
        self,
        *,
        has_health: bool = False,
        version: str = "1.0.0",
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.version = version
        # Replace it to misbehave: `listing = sends(b"garbage")`.
        self.listing: Behaviour = self._list
        self.calls: list[Received] = []
        self.listings = 0
        self.running = 0
        self.most_running = 0
        self.health = health.aio.HealthServicer() if has_health else None
        self._credentials = credentials
        self._behaviours: dict[str, Behaviour] = {}
        self._tools: dict[str, Any] = {}
        self._news = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    def offer(self, name: str, behaviour: Behaviour, **fields: Any) -> None:
        """`fields` are those of `provider.v1.Tool`, but for schemas, which are plain objects."""
        for schema in ("input_schema", "output_schema"):
            if schema in fields:
                fields[schema] = {"value": json.dumps(fields[schema]).encode()}
        self._tools[name] = message("Tool", name=name, **fields)
        self._behaviours[name] = behaviour

    def withdraw(self, name: str) -> None:
        del self._tools[name], self._behaviours[name]

    async def called(self, count: int) -> None:
        """Returns once that many calls of tools have arrived in all."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.calls) >= count)

    async def asked(self, count: int) -> None:
        """Returns once the capabilities were asked for that often in all."""
        async with self._news:
            await self._news.wait_for(lambda: self.listings >= count)

    async def set_serving(self, is_serving: bool) -> None:
        assert self.health is not None
        status = health_pb2.HealthCheckResponse
        await self.health.set("", status.SERVING if is_serving else status.NOT_SERVING)

    async def start(self) -> None:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self._handlers(),))
        if self.health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
            await self.set_serving(True)
        if self._credentials is None:
            self._server.add_insecure_port(self.address)
        else:
            self._server.add_secure_port(self.address, self._credentials)
        await self._server.start()

    async def stop(self) -> None:
        """Breaks the calls that run, as a crash does."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _handlers(self) -> grpc.GenericRpcHandler:
        rpcs = {
            "ListCapabilities": (self._list_capabilities, None),
            "Invoke": (self._invoke, "InvokeRequest"),
        }
        return grpc.method_handlers_generic_handler(
            "provider.v1.Provider",
            {
                name: grpc.unary_unary_rpc_method_handler(
                    rpc, provider_protocol().message(f"provider.v1.{kind}").FromString
                )
                if kind
                else grpc.unary_unary_rpc_method_handler(rpc)
                for name, (rpc, kind) in rpcs.items()
            },
        )

    async def _list_capabilities(self, _: bytes, context: Context) -> bytes:
        self.listings += 1
        await self._tell()
        return await self.listing(_received("ListCapabilities", b"", "", context), context)

    async def _list(self, _: Received, __: Context) -> bytes:
        return bytes(
            message(
                "Capabilities",
                tools=list(self._tools.values()),
                provider_version=self.version,
            ).SerializeToString()
        )

    async def _invoke(self, request: Any, context: Context) -> bytes:
        received = _received(
            request.tool_name, request.payload.value, request.correlation_id, context
        )
        self.calls.append(received)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self._tell()
            behaviour = self._behaviours.get(received.name) or fails(
                grpc.StatusCode.NOT_FOUND, f"Tool not found: {received.name}"
            )
            return await behaviour(received, context)
        finally:
            self.running -= 1

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


def _received(name: str, payload: bytes, correlation_id: str, context: Context) -> Received:
    metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
    at = asyncio.get_running_loop().time()
    return Received(name, payload, correlation_id, metadata, at)
