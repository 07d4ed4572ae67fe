"""Server reflection: what a service says of itself, by `grpc.reflection` v1, else v1alpha."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2

from gateway.downstream.grpc.descriptors import (
    ANNOTATIONS,
    MAX_FILES,
    MAX_SERVICES,
    Collection,
    Descriptors,
    DescriptorSource,
    counted,
    missing_services,
)
from gateway.downstream.service import Service
from gateway.downstream.translation import plain
from gateway.errors import BadAnswer, GatewayError

SECONDS = 10.0  # for the whole conversation

# The messages of both are the same.
_PATHS = tuple(
    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    for version in ("v1", "v1alpha")
)
_CORE_ERROR = "Internal error from Core"
_Ask = Callable[[bytes], Awaitable[bytes]]


class _Refused(Exception):
    """The service does not know what it was asked about."""


async def reflect(service: Service, source: DescriptorSource) -> Descriptors:
    """Raises:
    BadAnswer: the service has no reflection, or what it says makes no sense or is too large.
    GatewayError: it could not be asked, as `translation` says.
    """
    for path in _PATHS:
        try:
            async with service.conversation(path, seconds=SECONDS) as ask:
                return await _descriptors(ask, source)
        except GatewayError as error:
            if not (is_unimplemented(error) or _broke_off(error)):
                raise
        except (ValueError, DecodeError) as error:
            raise BadAnswer(f"{service.name}: {plain(str(error))}") from error
    raise BadAnswer(
        f"{service.name} has no server reflection; name its descriptor_set or its protos"
    )


def is_unimplemented(error: GatewayError) -> bool:
    """Whether it was raised because the service has no such method."""
    cause = error.__cause__
    if not isinstance(cause, grpc.aio.AioRpcError):
        return False
    return cause.code() is grpc.StatusCode.UNIMPLEMENTED


def _broke_off(error: GatewayError) -> bool:
    """Whether the service turned the call down while the question was still being sent.

    Then gRPC for Python does not tell the service's own status, which mostly is UNIMPLEMENTED.
    """
    cause = error.__cause__
    return isinstance(cause, grpc.aio.AioRpcError) and cause.details() == _CORE_ERROR


async def _descriptors(ask: _Ask, source: DescriptorSource) -> Descriptors:
    services = counted(await _listed(ask), source.services)
    if len(services) > MAX_SERVICES:
        raise ValueError(f"it has more than {MAX_SERVICES} services")
    collection, known = Collection(), set[str]()
    mistakes = list(missing_services(source, services))
    for name in services:
        if name in known:
            continue
        try:
            await _add(ask, collection, file_containing_symbol=name)
        except _Refused as error:
            mistakes.append(f"it lists {plain(name, limit=100)}, and does not describe it: {error}")
        known = set(collection.services())
    await _add_imports(ask, collection)
    described = tuple(name for name in services if name in known)
    return Descriptors(collection.in_order(), described, tuple(mistakes))


async def _listed(ask: _Ask) -> Iterable[str]:
    try:
        answer = await _answer(ask, list_services="*")
    except _Refused as error:
        raise ValueError(f"it does not list its services: {error}") from error
    return [service.name for service in answer.list_services_response.service]


async def _add_imports(ask: _Ask, collection: Collection) -> None:
    # Each turn adds a file, or ends it.
    for _ in range(MAX_FILES):
        missing = sorted(collection.complete())
        if not missing:
            return
        for name in missing:
            try:
                await _add(ask, collection, file_by_filename=name)
            except _Refused as error:
                if name != ANNOTATIONS:
                    shown = plain(name, limit=100)
                    raise ValueError(
                        f"it imports {shown!r}, and does not have it: {error}"
                    ) from error
                collection.add_annotations()
        if missing == sorted(collection.missing()):
            raise ValueError(f"it imports {plain(missing[0])!r}, and sends another file for it")


async def _add(ask: _Ask, collection: Collection, **question: str) -> None:
    answer = await _answer(ask, **question)
    for raw in answer.file_descriptor_response.file_descriptor_proto:
        collection.add(raw)


async def _answer(ask: _Ask, **question: str) -> Any:
    """Raises:
    _Refused: in the service's words.
    """
    request = reflection_pb2.ServerReflectionRequest(**question)
    answer = reflection_pb2.ServerReflectionResponse.FromString(
        await ask(request.SerializeToString())
    )
    if answer.HasField("error_response"):
        said = plain(answer.error_response.error_message, limit=200)
        raise _Refused(said or "it does not say why")
    return answer
