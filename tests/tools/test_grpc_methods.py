"""The methods of a gRPC service as tools: their names, what is said of them, their calls."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import InvalidRequest
from gateway.tools import progress
from gateway.tools.arguments import check_schema
from gateway.tools.downstream import PORTABLE_NAME
from gateway.tools.grpc_methods import MethodTools
from gateway.tools.tool import Effect, Tool
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.grpc_server import GrpcServer, compiled, without_comments
from tests.stand_ins.route_guide import FEATURES, SERVICE, RouteGuide

MILL = {"latitude": FEATURES[0][1], "longitude": FEATURES[0][2]}
SOON = Backoff(first_seconds=0.01, most_seconds=0.05)


def reading(**sayings: Mapping[str, Any]) -> MethodExposure:
    """All methods, and what the configuration says of some as tools."""
    return MethodExposure(
        read=[f"{SERVICE}.*"],
        sayings={f"{SERVICE}.{name}": Saying(tool=says) for name, says in sayings.items()},
    )


async def tools_of(
    server: GrpcServer, exposure: MethodExposure, name: str = "routes"
) -> Mapping[str, Tool]:
    async with GrpcService(name, server.address, exposure=exposure, backoff=SOON) as service:
        await service.discovered(within_seconds=5)
        tools = await MethodTools(service).tools()
        assert [tool.name for tool in tools] == sorted(tool.name for tool in tools)
        assert all(PORTABLE_NAME.fullmatch(tool.name) for tool in tools)
        return {tool.name: tool for tool in tools}


async def test_methods_are_tools_with_portable_names_schemas_and_an_origin() -> None:
    async with RouteGuide() as server:
        tools = await tools_of(server, reading())
    assert tools.keys() == {"routes_get_feature", "routes_list_features"}
    get = tools["routes_get_feature"]
    check_schema(get.input_schema)
    assert (get.title, get.effect, get.origin) == (
        "Get feature (RouteGuide)",
        Effect.READ,
        "routes",
    )
    assert get.description == f"The method GetFeature of the gRPC service {SERVICE}."
    assert get.output_schema is not None


async def test_what_is_said_of_a_tool_is_what_clients_see() -> None:
    says = {
        "name": "look_up",
        "title": "Look up",
        "description": "Looks up a place.",
        "effect": "destroy",
    }
    async with RouteGuide() as server:
        tool = (await tools_of(server, reading(GetFeature=says)))["look_up"]
    assert (tool.title, tool.effect) == ("Look up", Effect.DESTROY)
    assert tool.description.startswith("Looks up a place. This changes something outside")


async def test_documents_and_what_they_list_are_no_tools() -> None:
    async with GrpcServer(without_comments(compiled("shop.proto")), {}) as server:
        tools = await tools_of(server, MethodExposure(), "shop")
    assert tools.keys() == {"buy_it", "shop_keep", "shop_look", "shop_writes"}


async def test_a_name_that_no_client_takes_or_two_want_is_not_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with RouteGuide() as server:
        odd = await tools_of(server, reading(GetFeature={"name": "1st-Feature!"}))
        same = {"name": "same"}
        both = await tools_of(server, reading(GetFeature=same, ListFeatures=same))
    assert odd.keys() == both.keys() == {"routes_get_feature", "routes_list_features"}
    assert "'1st-Feature!'" in caplog.text


async def test_a_stated_name_that_another_method_has_by_itself_tells_them_apart() -> None:
    async with RouteGuide() as server:
        tools = await tools_of(server, reading(ListFeatures={"name": "routes_get_feature"}))
    stated, other = sorted(tools)
    assert stated == "routes_get_feature"
    assert other.startswith("routes_get_feature_")
    assert "messages" in (tools[stated].output_schema or {})["properties"]


async def test_long_names_end_in_a_hash_that_stays() -> None:
    async with RouteGuide() as server:
        name = "a-service-with-a-name-that-is-much-too-long-for-all-that-follow"
        tools = await tools_of(server, reading(), name)
        again = await tools_of(server, MethodExposure(read=[f"{SERVICE}.ListFeatures"]), name)
    assert len(tools) == 2
    assert all(len(tool) <= 60 for tool in tools)
    assert set(again) <= set(tools)


async def test_a_service_whose_name_begins_with_a_digit_has_tools_that_do_not() -> None:
    async with RouteGuide() as server:
        assert "grpc_2nd_get_feature" in await tools_of(server, reading(), "2nd")


async def test_a_tool_is_called_through_the_toolbox_which_checks_its_arguments() -> None:
    async with (
        RouteGuide() as server,
        GrpcService("routes", server.address, exposure=reading(), backoff=SOON) as service,
    ):
        await service.discovered(within_seconds=5)
        toolbox = Toolbox([MethodTools(service).tools])
        answer = await toolbox.call("routes_get_feature", MILL)
        assert answer.content == {"name": "Old Mill", "location": MILL}
        with pytest.raises(InvalidRequest, match="latitude must be a whole number"):
            await toolbox.call("routes_get_feature", {"latitude": "north"})
        with pytest.raises(InvalidRequest, match="latitude must be at most 2147483647"):
            await toolbox.call("routes_get_feature", {"latitude": 2**40})


async def test_a_stream_tells_its_progress() -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with (
        RouteGuide() as server,
        GrpcService("routes", server.address, exposure=reading(), backoff=SOON) as service,
    ):
        await service.discovered(within_seconds=5)
        toolbox = Toolbox([MethodTools(service).tools])
        progress.begin(hear)
        everywhere = {
            "lo": {"latitude": 400000000, "longitude": -750000000},
            "hi": {"latitude": 420000000, "longitude": -730000000},
        }
        answer = await toolbox.call("routes_list_features", everywhere)
    assert (answer.content["count"], answer.content["is_cut"]) == (4, False)
    assert [told[0], told[-1]] == [(1, None, "1 message"), (4, None, "4 messages")]


async def test_tools_follow_the_methods_and_are_the_same_until_then() -> None:
    async with GrpcService("routes", "127.0.0.1:1", exposure=reading()) as service:
        tools = MethodTools(service)
        assert await tools.tools() is await tools.tools()
        assert list(await tools.tools()) == []


async def test_no_service_takes_the_name_of_a_tool_that_is_somebody_elses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reserved = {"create_chat_completion", "routes_list_features"}
    exposure = reading(GetFeature={"name": "create_chat_completion"})
    async with (
        RouteGuide() as server,
        GrpcService("routes", server.address, exposure=exposure, backoff=SOON) as service,
    ):
        await service.discovered(within_seconds=5)
        get, other = await MethodTools(service, reserved=reserved).tools()
    assert get.name == "routes_get_feature"
    assert other.name.startswith("routes_list_features_")
    assert "'create_chat_completion' of a tool is that of several methods" in caplog.text
