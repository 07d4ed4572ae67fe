"""A plain gRPC server for any proto, with reflection or without."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_reflection.v1alpha import reflection

from gateway.protobuf import Protocol, compile_protos, protos_root
from tests.stand_ins.provider import free_port

PROTOS = Path(__file__).parent / "protos"

Context = grpc.aio.ServicerContext[Any, Any]
One = Callable[[Any, Context], Awaitable[Any]]
Many = Callable[[Any, Context], AsyncIterator[Any]]


def compiled(*names: str) -> FileDescriptorSet:
    return FileDescriptorSet.FromString(_compiled(names))


@lru_cache
def _compiled(names: tuple[str, ...]) -> bytes:
    return compile_protos(PROTOS, names, imports=[protos_root()]).SerializeToString()


def without_comments(descriptors: FileDescriptorSet) -> FileDescriptorSet:
    bare = FileDescriptorSet.FromString(descriptors.SerializeToString())
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare


class GrpcServer:
    """Keeps its port when it stops, so that it can come back on the same one.

    `behaviours` are by path; one that is an async generator sends many messages. `reflection` are
    the versions that are served; `metadata` is what the last call came with.
    """

    def __init__(
        self,
        descriptors: FileDescriptorSet,
        behaviours: Mapping[str, One | Many],
        *,
        reflects: Sequence[str] = ("v1alpha",),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.protocol = Protocol(descriptors)
        self.behaviours = dict(behaviours)
        self.reflects = tuple(reflects)
        self.services = tuple(
            f"{file.package}.{service.name}"
            for file in descriptors.file
            for service in file.service
        )
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.calls: list[str] = []
        self.metadata: Mapping[str, str] = {}
        self._described: Protocol | None = None
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None

    def message(self, full_name: str, /, **fields: Any) -> Any:
        return self.protocol.message(full_name)(**fields)

    def redefine(
        self, descriptors: FileDescriptorSet, behaviours: Mapping[str, One | Many]
    ) -> None:
        """What it serves from the next start on."""
        self.protocol = Protocol(descriptors)
        self.behaviours = dict(behaviours)

    def reflect(self, descriptors: FileDescriptorSet) -> None:
        """What its reflection says from now on."""
        self._described = Protocol(descriptors)

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[Any], context: Context
    ) -> AsyncIterator[Any]:
        described = (self._described or self.protocol).pool
        servicer = reflection.aio.ReflectionServicer(self.services, pool=described)
        async for answer in servicer.ServerReflectionInfo(requests, context):
            yield answer

    async def start(self) -> None:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        for version in self.reflects:
            self._server.add_generic_rpc_handlers((reflection_handler(self, version),))
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


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        behaviour = self._server.behaviours.get(details.method)
        if behaviour is None:
            return None
        self._server.calls.append(details.method)
        self._server.metadata = {key: str(value) for key, value in details.invocation_metadata}
        service, _, name = details.method.removeprefix("/").partition("/")
        methods = {one.name: one for one in self._server.protocol.methods(service)}
        method = methods[name]
        read = self._server.protocol.message(method.input_type.full_name).FromString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(behaviour, read, _written)
        return grpc.unary_unary_rpc_method_handler(behaviour, read, _written)


def _written(message: Any) -> bytes:
    # Bytes as they are, for an answer that is no message.
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())


def reflection_handler(servicer: Any, version: str) -> grpc.GenericRpcHandler:
    from grpc_reflection.v1alpha import reflection_pb2

    return grpc.method_handlers_generic_handler(
        f"grpc.reflection.{version}.ServerReflection",
        {
            "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
                servicer.ServerReflectionInfo,
                reflection_pb2.ServerReflectionRequest.FromString,
                reflection_pb2.ServerReflectionResponse.SerializeToString,
            )
        },
    )
