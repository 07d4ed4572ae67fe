"""gRPC services of any kind, by their reflection alone, as the clients of MCP see them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
import yaml
from jsonschema import Draft202012Validator, validate
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Tool

from gateway.keys import hashed
from tests.acceptance.router_processes import gateway_process, until
from tests.stand_ins.gateway_process import GatewayProcess
from tests.stand_ins.inventory import InventoryServer
from tests.stand_ins.mcp_clients import refused, said
from tests.stand_ins.route_guide import FEATURES, RouteGuide

TRANSPORTS = ("sse", "http", "without a handshake")
KEYS = {name: f"gw_the-key-of-{name}" for name in ("olga", "alice")}
CALLERS = [
    {"name": "olga", "key_sha256": hashed(KEYS["olga"]), "is_owner": True},
    {"name": "alice", "key_sha256": hashed(KEYS["alice"])},
]
MILL, LATITUDE, LONGITUDE = FEATURES[0]
MILL_ID = f"feature:{LATITUDE}:{LONGITUDE}"
STOCK = "how many blue widgets are left"
# What the stand-in of gRPC's own service does not say, as nobody may edit its proto.
OVERLAY = {
    "routeguide.RouteGuide.GetFeature": {
        "tool": {"effect": "read"},
        "document": {
            "id": "feature:{latitude}:{longitude}",
            "title": "{name} at {location.latitude}, {location.longitude}",
            "words": ["feature", "landmark"],
            "description": "What is at a point along the roads.",
        },
    },
}
INVENTORY_TOOLS = {
    "inventory_list_items",
    "reserve_items",
    "stock_movements",
}
ROUTE_TOOLS = {"route_guide_get_feature", "route_guide_list_features"}
Session = Client | ClientSession
pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[GatewayProcess]:
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(settings), "utf-8")
    async with gateway_process("--config", str(file), env={}) as process:
        # It serves before its services are reached.
        await until(lambda: are_up(process))
        yield process


async def are_up(gateway: GatewayProcess) -> bool:
    status: str = (await health(gateway))["status"]
    return status == "ready"


async def health(gateway: GatewayProcess) -> Any:
    async with httpx.AsyncClient(base_url=gateway.base_url, trust_env=False) as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == httpx.codes.OK
    return answer.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def warehouse() -> AsyncIterator[InventoryServer]:
    async with InventoryServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(warehouse: InventoryServer) -> AsyncIterator[Mapping[str, Any]]:
    """As they stand in gateway.yaml: one that says all of itself, and one that says nothing."""
    async with RouteGuide() as guide:
        yield {
            "inventory": {"name": "inventory", "address": warehouse.address},
            "route_guide": {
                "name": "route_guide",
                "address": guide.address,
                "expose": {"read": ["routeguide.RouteGuide.List*"]},
                "methods": OVERLAY,
            },
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayProcess]:
    """For this machine only, so that whoever asks is the owner."""
    folder = tmp_path_factory.mktemp("local")
    async with running(folder, grpc_services=[*services.values()]) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_keys(
    services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayProcess]:
    """With callers, and a warehouse for everybody."""
    public = {**services["inventory"], "is_public": True}
    both = [public, services["route_guide"]]
    folder = tmp_path_factory.mktemp("keys")
    async with running(folder, callers=CALLERS, grpc_services=both) as process:
        yield process


@asynccontextmanager
async def session(
    gateway: GatewayProcess, transport: str = "http", *, name: str | None = None
) -> AsyncIterator[Session]:
    """The official client, over SSE and over Streamable HTTP of both kinds."""
    headers = {"authorization": f"Bearer {KEYS[name]}"} if name else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        streams = (
            sse_client(f"{gateway.base_url}/sse/", headers=headers)
            if transport == "sse"
            else streamable_http_client(f"{gateway.base_url}/mcp", http_client=http)
        )
        if transport == "without a handshake":
            async with Client(streams, mode="2026-07-28") as client:
                yield client
            return
        async with streams as (read, write), ClientSession(read, write) as opened:
            await opened.initialize()
            yield opened


async def listed(opened: Session) -> Mapping[str, Tool]:
    return {tool.name: tool for tool in (await opened.list_tools()).tools}


async def found(opened: Session, question: str) -> Mapping[str, Any]:
    results = said(await opened.call_tool("search", {"query": question}))["results"]
    return {result["id"]: result for result in results}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_methods_are_listed_with_their_schemas_and_what_they_may_change(
    gateway: GatewayProcess, transport: str
) -> None:
    async with session(gateway, transport) as opened:
        tools = await listed(opened)
    assert set(tools) >= INVENTORY_TOOLS | ROUTE_TOOLS
    for name in INVENTORY_TOOLS | ROUTE_TOOLS:
        tool = tools[name]
        assert tool.description
        Draft202012Validator.check_schema(tool.input_schema)
        Draft202012Validator.check_schema(tool.output_schema)
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint is (name != "reserve_items"), name
        assert hints.destructive_hint is False
        assert hints.open_world_hint is True
    point = tools["route_guide_get_feature"].input_schema["properties"]
    assert set(point) == {"latitude", "longitude"}
    assert point["latitude"]["minimum"] == -(2**31)
    reserved = tools["reserve_items"].input_schema["properties"]
    assert set(reserved) == {"sku", "count", "customer", "note"}
    assert "for a customer" in (tools["reserve_items"].description or "")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_is_in_stock_is_found_read_and_opened(
    gateway: GatewayProcess, transport: str
) -> None:
    async with session(gateway, transport) as opened:
        results = await found(opened, STOCK)
        result = results["item:WIDGET-BLUE"]
        document = said(await opened.call_tool("fetch", {"id": "item:WIDGET-BLUE"}))
    assert result["title"].startswith("Blue widget")
    assert result["url"] == document["url"]
    assert result["url"].startswith(f"{gateway.base_url}/")
    assert document["title"].startswith("Blue widget: 1,204 in stock · as of")
    assert "simulated" in document["title"]
    assert document["metadata"]["source"] == "inventory"
    for value in ("WIDGET-BLUE", "A-01", "2026-11-24"):
        assert value in document["text"]
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(result["url"], headers={"accept": "text/html"})
    assert page.status_code == httpx.codes.OK
    assert page.headers["content-type"].startswith("text/html")
    assert "Blue widget: 1,204 in stock" in page.text


async def test_a_method_that_was_not_written_for_the_gateway_is_called(
    gateway: GatewayProcess,
) -> None:
    async with session(gateway) as opened:
        tool = (await listed(opened))["route_guide_get_feature"]
        point = {"latitude": LATITUDE, "longitude": LONGITUDE}
        feature = said(await opened.call_tool(tool.name, point))
        assert tool.output_schema is not None
        validate(feature, tool.output_schema)
        assert feature == {"name": MILL, "location": point}
        wrong = await opened.call_tool(tool.name, {"latitude": "north"})
        assert "latitude" in refused(wrong)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stream_tells_its_progress_while_it_runs(
    gateway: GatewayProcess, warehouse: InventoryServer, transport: str
) -> None:
    stock, told = warehouse.inventory, asyncio.Queue[tuple[float, str | None]]()
    stock.pauses_after = 2
    stock.may_go_on.clear()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        told.put_nowait((progress, message))

    async with session(gateway, transport) as opened, asyncio.timeout(10):
        calling = asyncio.create_task(
            opened.call_tool("stock_movements", {"sku": "WIDGET-BLUE"}, progress_callback=tell)
        )
        # The third message is not sent before the client has heard of two.
        assert await told.get() == (1, "1 message")
        assert await told.get() == (2, "2 messages")
        assert not calling.done()
        stock.may_go_on.set()
        answer = said(await calling)
        rest = [await told.get() for _ in range(3)]
    assert rest == [(3, "3 messages"), (4, "4 messages"), (5, "5 messages")]
    assert (answer["count"], answer["is_cut"]) == (5, False)
    assert [one["change"] for one in answer["messages"]] == [40, -3, -5, 12, -2]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stream_of_somebody_elses_service_tells_its_progress_too(
    gateway: GatewayProcess, transport: str
) -> None:
    told: list[float] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    everywhere = {
        "lo": {"latitude": 400_000_000, "longitude": -750_000_000},
        "hi": {"latitude": 420_000_000, "longitude": -730_000_000},
    }
    async with session(gateway, transport) as opened:
        answer = said(
            await opened.call_tool("route_guide_list_features", everywhere, progress_callback=tell)
        )
    assert [one["name"] for one in answer["messages"]] == [name for name, _, _ in FEATURES]
    assert told == [1, 2, 3, 4]


async def test_a_write_is_done_once_and_can_be_read_as_a_document(
    gateway: GatewayProcess, warehouse: InventoryServer
) -> None:
    asked = {"sku": "LAMP-7", "count": 2, "customer": "the front desk"}
    before = len(warehouse.inventory.reservations)
    async with session(gateway) as opened:
        number = said(await opened.call_tool("reserve_items", asked))["number"]
        too_many = await opened.call_tool("reserve_items", {**asked, "count": 99})
        assert "only 12 of LAMP-7 are left" in refused(too_many)
        results = await found(opened, f"who has reservation {number}?")
        document = said(await opened.call_tool("fetch", {"id": f"reservation:{number}"}))
    assert len(warehouse.inventory.reservations) == before + 1
    assert f"reservation:{number}" in results
    assert document["title"].startswith("2 of LAMP-7 reserved for the front desk")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_few_lines_of_yaml_make_documents_of_a_service_that_says_nothing(
    gateway: GatewayProcess, transport: str
) -> None:
    async with session(gateway, transport) as opened:
        results = await found(opened, f"the landmark at {LATITUDE} {LONGITUDE}")
        document = said(await opened.call_tool("fetch", {"id": MILL_ID}))
    assert results[MILL_ID]["url"] == document["url"]
    assert document["title"].startswith(f"{MILL} at {LATITUDE}, {LONGITUDE}")
    assert document["metadata"]["source"] == "route_guide"


async def test_readiness_names_the_services_and_follows_them(
    gateway: GatewayProcess, warehouse: InventoryServer
) -> None:
    async def state(name: str) -> str:
        answer = await health(gateway)
        assert warehouse.address not in str(answer)
        return str(answer["downstream"][name]["state"])

    async def is_down() -> bool:
        return await state("inventory") == "down"

    assert (await state("inventory"), await state("route_guide")) == ("up", "up")
    await warehouse.stop()
    await until(is_down)
    assert await state("route_guide") == "up"
    await warehouse.start()
    await until(lambda: are_up(gateway))
    async with session(gateway) as opened:
        assert said(await opened.call_tool("inventory_list_items", {}))["items"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_without_a_key_only_a_public_service_is_seen_and_only_read(
    with_keys: GatewayProcess, warehouse: InventoryServer, transport: str
) -> None:
    async with session(with_keys, transport) as nobody:
        tools = await listed(nobody)
        assert not ROUTE_TOOLS & set(tools)
        assert set(tools) & INVENTORY_TOOLS == INVENTORY_TOOLS - {"reserve_items"}
        asked = {"sku": "LAMP-7", "count": 1, "customer": "nobody"}
        before = len(warehouse.inventory.reservations)
        assert "no tool is named 'reserve_items'" in refused(
            await nobody.call_tool("reserve_items", asked)
        )
        assert len(warehouse.inventory.reservations) == before
        assert "item:WIDGET-BLUE" in await found(nobody, STOCK)
        lamp = said(await nobody.call_tool("fetch", {"id": "item:LAMP-7"}))
        assert lamp["title"].startswith("Desk lamp: 12 in stock")
        assert MILL_ID not in await found(nobody, f"the landmark at {LATITUDE} {LONGITUDE}")
        assert refused(await nobody.call_tool("fetch", {"id": MILL_ID}))
        assert MILL not in json.dumps([tool.model_dump() for tool in tools.values()])


async def test_a_key_opens_the_tools_and_an_owners_the_documents_too(
    with_keys: GatewayProcess,
) -> None:
    async with session(with_keys, name="alice") as alice:
        assert set(await listed(alice)) >= INVENTORY_TOOLS | ROUTE_TOOLS
        assert refused(await alice.call_tool("fetch", {"id": MILL_ID}))
        asked = {"sku": "LAMP-7", "count": 1, "customer": "alice"}
        assert said(await alice.call_tool("reserve_items", asked))["customer"] == "alice"
    async with session(with_keys, name="olga") as owner:
        assert said(await owner.call_tool("fetch", {"id": MILL_ID}))["title"].startswith(MILL)
