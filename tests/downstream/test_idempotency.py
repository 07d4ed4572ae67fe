"""Whoever does the work is told under which key it was asked for, in every attempt."""

import asyncio
import logging
from collections.abc import Mapping

import grpc
import pytest
from starlette.types import Receive, Scope, Send

from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.messages import read_tools
from gateway.errors import Unavailable
from gateway.idempotency import keyed
from tests.downstream.conftest import Connect
from tests.downstream.mcp_servers import (
    QUICK,
    Open,
    modern,
    opened,
    sse,
    stateless,
    streamable,
)
from tests.stand_ins.http_server import serve
from tests.stand_ins.provider import (
    Context,
    Received,
    StandInProvider,
    echoes,
    fails,
    in_turn,
    until_listed,
)
from tests.stand_ins.route_guide import FEATURES, RouteGuide
from tests.stand_ins.task_servers import Front, World, breaking, running, task_server

KEY = "20261121-120304-ab12:7"
HEADER = "idempotency-key"
UNAVAILABLE = fails(grpc.StatusCode.UNAVAILABLE, "the exchange is down")


async def test_a_provider_is_told_the_key_of_a_call_and_none_where_there_is_none(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("order", echoes())
    provider = await connect(service)
    with keyed(KEY):
        await provider.invoke("order", {}, is_read=False)
    await provider.invoke("order", {}, is_read=False)
    assert [call.metadata.get(HEADER) for call in service.calls] == [KEY, None]


async def test_each_attempt_of_a_call_has_the_same_key(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", in_turn(UNAVAILABLE, UNAVAILABLE, echoes()))
    provider = await connect(service)
    with keyed(KEY):
        await provider.invoke("tool", {})
    assert [call.metadata.get(HEADER) for call in service.calls] == [KEY] * 3


async def test_calls_at_once_have_each_their_own_key(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("order", echoes())
    provider = await connect(service)

    async def order(number: int) -> None:
        with keyed(f"run:{number}"):
            await provider.invoke("order", {"number": number}, is_read=False)

    await asyncio.gather(*map(order, range(20)))
    told = {call.arguments["number"]: call.metadata[HEADER] for call in service.calls}
    assert told == {number: f"run:{number}" for number in range(20)}


async def test_looks_at_a_provider_have_no_key_even_if_they_began_under_one(
    service: StandInProvider, connect: Connect
) -> None:
    looks: list[Mapping[str, str]] = []
    answer = service.listing

    async def listing(received: Received, context: Context) -> bytes:
        looks.append(received.metadata)
        return await answer(received, context)

    service.listing = listing
    with keyed(KEY):
        await until_listed(await connect(service))
    assert looks
    assert not any(HEADER in metadata for metadata in looks)


async def test_methods_are_told_the_key_whether_they_answer_once_or_often() -> None:
    everything = MethodExposure(read=["*"])
    async with (
        RouteGuide() as server,
        GrpcService("routes", server.address, exposure=everything, backoff=QUICK) as routes,
    ):
        await routes.discovered(within_seconds=5)
        get, many = sorted(routes.methods, key=lambda method: method.is_streaming)
        _, latitude, longitude = FEATURES[0]
        with keyed("run:1"):
            await routes.call(get, {"latitude": latitude, "longitude": longitude})
        assert server.metadata[HEADER] == "run:1"
        with keyed("run:2"):
            await routes.call(many, {})
        assert server.metadata[HEADER] == "run:2"


@pytest.mark.parametrize("reached", [streamable, stateless, sse, modern])
async def test_an_mcp_server_is_told_the_key_over_every_transport(reached: Open) -> None:
    world = World()
    async with reached(task_server(world)) as way, opened(way) as server:
        with keyed(KEY):
            await server.call("create_task", {"title": "a"}, is_read=False)
        await server.call("create_task", {"title": "b"}, is_read=False)
    assert world.keys == [KEY, None]


async def test_a_read_that_is_sent_once_more_to_an_mcp_server_has_the_same_key() -> None:
    world, front = World(), Front()
    async with running(task_server(world)) as app, serve(front, grace_seconds=0) as url:
        front.app = app
        async with opened(Endpoint(f"{url}/mcp")) as server:

            async def breaking_once(scope: Scope, receive: Receive, send: Send) -> None:
                front.app = app
                await breaking(app)(scope, receive, send)

            front.app = breaking_once
            with keyed(KEY):
                await server.call("search", {"query": "a"}, is_read=True)
    assert world.keys == [KEY, KEY]


async def test_a_key_is_in_no_line_of_the_log_and_in_no_error(
    service: StandInProvider, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.offer("tool", UNAVAILABLE)
    provider = await connect(service)
    await until_listed(provider)
    async with streamable(task_server()) as way, opened(way) as server:
        with keyed(KEY):
            await server.call("create_task", {"title": "a"}, is_read=False)
            with pytest.raises(Unavailable) as raised:
                await provider.invoke("tool", {}, is_read=False)
    assert KEY not in caplog.text + str(raised.value)


@pytest.mark.parametrize(
    ("says", "takes_key"),
    [
        ({}, False),
        ({"annotations": {"idempotentHint": True}}, True),
        ({"annotations": {"idempotentHint": "yes"}}, False),
        ({"annotations": "idempotentHint"}, False),
        ({"_meta": {"gateway/takes-key": True}}, True),
        ({"_meta": {"gateway/takes-key": 1}}, False),
        ({"_meta": ["gateway/takes-key"]}, False),
    ],
)
def test_an_mcp_server_says_by_a_hint_or_by_meta_that_a_tool_takes_a_key(
    says: dict[str, object], takes_key: bool
) -> None:
    (tool,), left_out = read_tools([{"name": "create", **says}])
    assert (tool.takes_key, left_out) == (takes_key, [])
