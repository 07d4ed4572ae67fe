"""What is asked for twice under one key is done once, and which tools promise that."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.server import McpServer
from gateway.downstream.provider import Provider
from gateway.errors import InvalidRequest, OutcomeUnknown, ToolFailed
from gateway.idempotency import keyed
from gateway.tools.downstream import Exposure, ServiceTools
from gateway.tools.grpc_methods import MethodTools
from gateway.tools.remote_mcp import NamedTool, RemoteExposure, RemoteTools
from gateway.tools.tool import Tool
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.grpc_server import GrpcServer, compiled
from tests.stand_ins.http_server import serve
from tests.stand_ins.inventory import Inventory, InventoryServer
from tests.stand_ins.provider import StandInProvider, echoes, until_listed
from tests.stand_ins.task_servers import (
    Front,
    World,
    breaking,
    over_http,
    running,
    task_server,
)

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
KEY = "20261121-120304-ab12:7"
QUICK = Backoff(first_seconds=0.01, most_seconds=0.05)
LAMPS = {"sku": "LAMP-7", "count": 2, "customer": "the office"}


@asynccontextmanager
async def warehouse(inventory: Inventory) -> AsyncIterator[Toolbox]:
    async with (
        InventoryServer(inventory) as server,
        GrpcService("warehouse", server.address, backoff=QUICK) as service,
    ):
        await service.discovered(within_seconds=5)
        yield Toolbox([MethodTools(service).tools])


@asynccontextmanager
async def tasks(url: str) -> AsyncIterator[Toolbox]:
    async with McpServer("tasks", Endpoint(url), backoff=QUICK) as server:
        await server.discovered(within_seconds=8)
        yield Toolbox([RemoteTools(server, RemoteExposure(allow=("*",))).tools])


async def test_a_method_that_is_called_again_after_a_crash_does_its_work_once() -> None:
    inventory = Inventory()
    inventory.may_tell.clear()
    async with warehouse(inventory) as toolbox, asyncio.timeout(8):
        with keyed(KEY):
            unheard = asyncio.create_task(toolbox.call("reserve_items", LAMPS))
            await inventory.has_reserved.wait()
            unheard.cancel()  # the gateway dies once the work is done, before it hears of it
            await asyncio.wait({unheard})
            inventory.may_tell.set()
            again = await toolbox.call("reserve_items", LAMPS)
        other = await toolbox.call("reserve_items", LAMPS)
    assert (again.content["number"], other.content["number"]) == ("R-1", "R-2")
    assert inventory.calls["ReserveItems"] == 3
    assert len(inventory.reservations) == 2


async def test_a_key_is_never_that_of_another_call() -> None:
    inventory, world = Inventory(), World()
    async with (
        warehouse(inventory) as reserving,
        over_http(task_server(world)) as url,
        tasks(url) as creating,
    ):
        with keyed(KEY):
            await reserving.call("reserve_items", LAMPS)
            with pytest.raises(InvalidRequest, match="that of another reservation"):
                await reserving.call("reserve_items", {**LAMPS, "count": 3})
            await creating.call("create_task", {"title": "a"})
            with pytest.raises(ToolFailed, match="that of another task"):
                await creating.call("create_task", {"title": "b"})
    assert (len(inventory.reservations), len(world.tasks)) == (1, 1)


async def test_a_tool_of_an_mcp_server_whose_answer_was_lost_does_its_work_once() -> None:
    world, front = World(), Front()
    async with running(task_server(world)) as app, serve(front, grace_seconds=0) as url:
        front.app = app
        async with tasks(f"{url}/mcp") as toolbox:
            with keyed(KEY):
                front.app = breaking(app)
                with pytest.raises(OutcomeUnknown):
                    await toolbox.call("create_task", {"title": "a"})
                front.app = app
                again = await toolbox.call("create_task", {"title": "a"})
            other = await toolbox.call("create_task", {"title": "a"})
    assert (again.content["id"], other.content["id"]) == (1, 2)
    assert world.calls == ["create_task"] * 3
    assert len(world.tasks) == 2


async def test_twenty_calls_at_once_under_one_key_do_the_work_once() -> None:
    inventory, world = Inventory(), World()
    async with (
        warehouse(inventory) as reserving,
        over_http(task_server(world)) as url,
        tasks(url) as creating,
    ):
        with keyed(KEY):
            reserved = [reserving.call("reserve_items", LAMPS) for _ in range(20)]
            created = [creating.call("create_task", {"title": "a"}) for _ in range(20)]
            answers = await asyncio.gather(*reserved, *created)
    assert len({str(answer.content) for answer in answers}) == 2
    assert (len(inventory.reservations), len(world.tasks)) == (1, 1)


async def test_the_server_that_the_page_shows_does_its_work_once() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    shown: dict[str, Any] = {}
    exec(program, shown)
    async with over_http(shown["server"]) as url, tasks(url) as toolbox:
        assert (await toolbox.tool("create_task")).takes_key
        with keyed(KEY):
            first, again = [await toolbox.call("create_task", {"title": "a"}) for _ in range(2)]
        other = await toolbox.call("create_task", {"title": "a"})
    assert [one.content["id"] for one in (first, again, other)] == [1, 1, 2]


async def test_a_tool_of_an_mcp_server_takes_a_key_where_the_server_says_so() -> None:
    exposure = RemoteExposure(allow=("*_task", "save_*"), named=[NamedTool("new", "create_task")])
    async with (
        over_http(task_server()) as url,
        McpServer("tasks", Endpoint(url), backoff=QUICK) as server,
    ):
        await server.discovered(within_seconds=8)
        tools = await RemoteTools(server, exposure).tools()
    assert taking(tools) == {"new": True, "delete_task": False, "save_conversation": True}


async def test_a_method_takes_a_key_where_its_proto_or_the_configuration_says_so() -> None:
    exposure = MethodExposure(
        write=["shop.Shop.Ask", "shop.Shop.Refund"],
        sayings={
            "shop.Shop.Buy": Saying(tool={"takes_key": True}),
            "shop.Shop.Ask": Saying(tool={"takes_key": False, "name": "ask_shop"}),
        },
    )
    async with GrpcServer(compiled("shop.proto", "inventory.proto"), {}) as server:
        as_annotated = await methods_of(server, MethodExposure(write=["shop.Shop.Ask"]))
        as_configured = await methods_of(server, exposure)
    # Ask is IDEMPOTENT, and Look has NO_SIDE_EFFECTS.
    assert {name for name, takes in as_annotated.items() if takes} == {
        "a_ask", "a_look", "a_list_items", "reserve_items"
    }  # fmt: skip
    assert not as_annotated["buy_it"]
    assert (as_configured["buy_it"], as_configured["ask_shop"]) == (True, False)


async def methods_of(server: GrpcServer, exposure: MethodExposure) -> Mapping[str, bool]:
    async with GrpcService("a", server.address, exposure=exposure, backoff=QUICK) as service:
        await service.discovered(within_seconds=5)
        return taking(await MethodTools(service).tools())


async def test_a_tool_of_a_provider_takes_a_key_where_its_tags_say_so() -> None:
    service = StandInProvider()
    service.offer("exchange.order", echoes(), tags=["destructive", "idempotent"])
    service.offer("exchange.cancel", echoes(), tags=["destructive"])
    async with service, Provider("exchange", service.address, backoff=QUICK) as provider:
        await until_listed(provider)
        exposed = ServiceTools(provider, Exposure(destructive=("*",)))
        tools = await exposed.tools()
    assert taking(tools) == {"exchange_order": True, "exchange_cancel": False}


def taking(tools: Sequence[Tool]) -> Mapping[str, bool]:
    return {tool.name: tool.takes_key for tool in tools}
