"""gRPC services that mean harm: small messages and descriptors that would become huge."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    MethodOptions,
)

from gateway.clock import now
from gateway.downstream.backoff import Backoff
from gateway.downstream.grpc.descriptors import MAX_FILES, Collection, Descriptors
from gateway.downstream.grpc.exposure import MAX_FOUND, MAX_SCHEMA_CHARACTERS, MAX_SHOWN, expose
from gateway.downstream.grpc.message_json import to_json
from gateway.downstream.grpc.message_schema import MAX_LETTERS
from gateway.downstream.grpc.methods import MethodExposure
from gateway.downstream.storm import FREE_RINGS
from gateway.downstream.watch import Watch

Field = FieldDescriptorProto


def wide(fields: int, *, kind: Any = Field.TYPE_INT32, type_name: str = "") -> DescriptorProto:
    """A message with so many fields."""
    message = DescriptorProto(name="Wide")
    for number in range(1, fields + 1):
        message.field.add(
            name=f"f{number}", number=number, label=1, type=kind, type_name=type_name or None
        )
    return message


def described(file: FileDescriptorProto) -> Descriptors:
    return Descriptors((file,), tuple(f"evil.{one.name}" for one in file.service))


def with_methods(file: FileDescriptorProto, count: int) -> Descriptors:
    """Each of them is a tool by what it says of itself."""
    service = file.service.add(name="Evil")
    options = MethodOptions(idempotency_level=MethodOptions.NO_SIDE_EFFECTS)
    service.method.extend(
        MethodDescriptorProto(
            name=f"M{number}", input_type=".evil.Wide", output_type=".evil.Wide", options=options
        )
        for number in range(count)
    )
    return described(file)


def test_two_bytes_that_stand_for_a_thousand_fields_are_not_written_out() -> None:
    file = FileDescriptorProto(name="evil.proto", package="evil", syntax="proto3")
    file.message_type.append(wide(1_000))
    rows = file.message_type.add(name="Rows")
    rows.field.add(name="rows", number=1, label=3, type=Field.TYPE_MESSAGE, type_name=".evil.Wide")
    pool = described(file).pool()
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("evil.Rows"))
    answer = kind.FromString(b"\x0a\x00" * 100_000)
    with pytest.raises(ValueError, match="more than 200000 values"):
        to_json(answer, pool=pool)


def test_a_service_of_many_methods_shows_only_so_many_and_says_so() -> None:
    file = FileDescriptorProto(name="evil.proto", package="evil", syntax="proto3")
    file.message_type.append(wide(1))
    exposed = expose(with_methods(file, MAX_SHOWN + 2), MethodExposure())
    assert len(exposed.methods) == MAX_SHOWN
    assert "evil.Evil.M501 is left out: 500 methods are the most" in exposed.mistakes[-1]


def test_a_service_of_more_methods_than_anybody_has_is_refused() -> None:
    file = FileDescriptorProto(name="evil.proto", package="evil", syntax="proto3")
    file.message_type.append(wide(1))
    with pytest.raises(ValueError, match=f"more than {MAX_FOUND} methods"):
        expose(with_methods(file, MAX_FOUND + 1), MethodExposure())


def test_schemas_that_are_large_together_are_left_out() -> None:
    choices = EnumDescriptorProto(name="Choice")
    for number in range(200):
        choices.value.add(name=f"{'LONG' * 20}_{number}", number=number)
    file = FileDescriptorProto(name="evil.proto", package="evil", syntax="proto3")
    file.enum_type.append(choices)
    file.message_type.append(wide(900, kind=Field.TYPE_ENUM, type_name=".evil.Choice"))
    (method,) = expose(with_methods(file, 1), MethodExposure()).methods
    assert len(json.dumps(method.input_schema)) < MAX_LETTERS

    file.message_type[0].CopyFrom(wide(900))
    file.ClearField("service")
    exposed = expose(with_methods(file, 50), MethodExposure())
    schemas = [(one.input_schema, one.output_schema) for one in exposed.methods]
    assert len(json.dumps(schemas)) < MAX_SCHEMA_CHARACTERS + 2 * MAX_LETTERS
    assert len(exposed.methods) + len(exposed.mistakes) == 50


def test_files_that_import_more_than_can_be_there_are_refused_at_once() -> None:
    names = [f"{number}" for number in range(MAX_FILES + 1)]
    endless = FileDescriptorProto(name="evil.proto", dependency=names)
    with pytest.raises(ValueError, match=f"import more than {MAX_FILES}"):
        Collection().add(endless.SerializeToString())
    same = FileDescriptorProto(name="evil.proto", dependency=["a"] * (MAX_FILES + 1))
    with pytest.raises(ValueError, match=f"import more than {MAX_FILES}"):
        Collection().add(same.SerializeToString())


async def test_a_service_that_rings_whenever_it_is_looked_at_does_not_make_us_spin() -> None:
    looked_at: list[float] = []
    enough = asyncio.Event()

    async def look() -> None:
        looked_at.append(time.monotonic())
        watch.ring()
        if len(looked_at) == FREE_RINGS + 3:
            enough.set()

    async def listen(_: Callable[[], None]) -> None:
        await asyncio.Event().wait()

    watch = Watch(
        "evil",
        "127.0.0.1:1",
        look=look,
        listen=listen,
        probe_seconds=10,
        backoff=Backoff(first_seconds=0.01, most_seconds=0.05),
        clock=now,
    )
    async with watch, asyncio.timeout(8):
        await enough.wait()
    assert looked_at[-1] - looked_at[0] >= 0.3
