"""Serves one exchange's tools, resources and prompts over gRPC, as `provider.v1.Provider`."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from gateway.errors import ConfigurationError, GatewayError, InvalidRequest
from gateway.market.capabilities import capabilities, json_message
from gateway.market.prompts import write_prompt
from gateway.market.resources import MIME_TYPE, read_resource
from gateway.market.statuses import status_of, trailing_metadata
from gateway.market.tools import Tools
from gateway.market.venue import Venue
from gateway.protobuf import provider_protocol

logger = logging.getLogger(__name__)

SERVICE = "provider.v1.Provider"
CALLS_AT_ONCE = 256
GRACE_SECONDS = 5.0

# Without so_reuseport two providers would share a port, and each get half of the calls.
_OPTIONS = (("grpc.so_reuseport", 0),)

Answer = Callable[[Any], Awaitable[Message]]
# Quoted, here and below: only the type stubs know these as generic.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class MarketServer:
    """Listens between `async with` and its end; a stop lets the calls under way finish."""

    def __init__(self, venue: Venue, tools: Tools, *, host: str, port: int) -> None:
        self._venue = venue
        self._tools = tools
        self._host = host
        self._port = port
        self._server: grpc.aio.Server | None = None
        self._health = health_aio.HealthServicer()

    @property
    def address(self) -> str:
        is_bare_ipv6 = ":" in self._host and not self._host.startswith("[")
        host = f"[{self._host}]" if is_bare_ipv6 else self._host
        return f"{host}:{self._port}"

    async def __aenter__(self) -> Self:
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS_AT_ONCE)
        server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            self._port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise ConfigurationError(
                f"cannot listen on {self.address}: is another program on that port?"
            ) from error
        await server.start()
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        self._server = server
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(GRACE_SECONDS)
            self._server = None

    def _handlers(self) -> grpc.GenericRpcHandler:
        answers: dict[str, Answer] = {
            "ListCapabilities": self._list_capabilities,
            "Invoke": self._invoke,
            "ReadResource": self._read_resource,
            "GetPrompt": self._get_prompt,
        }
        handlers = {
            method.name: _unary(method.name, answers[method.name], method.input_type.full_name)
            for method in provider_protocol().methods(SERVICE)
            if method.name in answers
        }
        # Stream is left out: gRPC itself answers UNIMPLEMENTED for a method without a handler.
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def _list_capabilities(self, _: Any) -> Message:
        return capabilities(self._venue, self._tools)

    async def _invoke(self, request: Any) -> Message:
        result = await self._tools.call(request.tool_name, _arguments(request.payload))
        return _message("InvokeResponse")(result=json_message(result))

    async def _read_resource(self, request: Any) -> Message:
        page = await read_resource(self._venue, request.uri)
        return _message("ResourceResponse")(content=page.encode(), mime_type=MIME_TYPE)

    async def _get_prompt(self, request: Any) -> Message:
        text = await write_prompt(self._venue, request.prompt_name, _arguments(request.arguments))
        message = _message("PromptMessage")(role="user", content=text)
        return _message("PromptResponse")(messages=[message])


def _unary(name: str, answer: Answer, input_type: str) -> "grpc.RpcMethodHandler[Any, Any]":
    async def handle(request: Any, context: Context) -> Message:
        began = time.perf_counter()
        status = grpc.StatusCode.OK
        try:
            return await answer(request)
        except GatewayError as error:
            status = status_of(error)
            context.set_trailing_metadata(trailing_metadata(error))
            await context.abort(status, str(error))
        except asyncio.CancelledError:
            status = grpc.StatusCode.CANCELLED
            raise
        except Exception:
            # Whatever it is, it must not reach the caller as a traceback.
            status = grpc.StatusCode.INTERNAL
            logger.exception("%s failed", name)
            await context.abort(status, "internal error")
        finally:
            _log(name, request, status=status, seconds=time.perf_counter() - began)
        raise AssertionError("abort always raises")

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=_class(input_type).FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _log(name: str, request: Any, *, status: grpc.StatusCode, seconds: float) -> None:
    """One line per call; never an argument, a URI or a name that the caller made up."""
    told = str(getattr(request, "correlation_id", ""))[:64]
    correlation_id = told if told.isascii() and told.isprintable() else "?"
    # Whoever watches asks for the capabilities every few seconds.
    is_probe = name == "ListCapabilities" and status is grpc.StatusCode.OK
    logger.log(
        logging.DEBUG if is_probe else logging.INFO,
        "rpc=%s status=%s milliseconds=%.1f correlation_id=%s",
        name,
        status.name,
        seconds * 1000,
        correlation_id or "-",
    )


def _arguments(payload: Any) -> Any:
    """Raises:
    InvalidRequest: the payload is not JSON.
    """
    if not payload.value:
        return {}
    try:
        return json.loads(payload.value)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the arguments are not JSON; they are an object such as {}") from error


def _message(name: str) -> type[Message]:
    return _class(f"provider.v1.{name}")


def _class(full_name: str) -> type[Message]:
    return provider_protocol().message(full_name)
