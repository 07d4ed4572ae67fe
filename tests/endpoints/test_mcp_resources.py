"""Resources read by the official client, over Streamable HTTP and SSE, each as its caller."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from gateway.caller import ANONYMOUS, Caller
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.freshness import Freshness
from gateway.documents.query import Query
from gateway.documents.registry import Registry
from gateway.endpoints.gateway_resources import GatewayResources
from gateway.endpoints.mcp import McpDoor
from gateway.endpoints.mcp_resources import McpResources
from gateway.errors import NotFound
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.model_tools import ModelTools
from gateway.sources.models.source import ModelSource
from gateway.sources.router_reader import RouterReader
from gateway.strategies import PromptingStrategy
from gateway.tools.toolbox import Toolbox
from gateway.version import VERSION
from tests.endpoints.doors import open_doors
from tests.routing_bench import FREE, PAID, Bench, bench
from tests.stand_ins.llm.server import LlmStandIn

ALICE = Caller("alice", models=("openrouter/free-*", "openrouter/paid-*"))
KEYS = {"gw_alice": ALICE, "gw_owner": Caller("owner", is_owner=True)}
RUN = "nightly/2026-11-20"


class Benchmarks:
    """One run of a benchmark, whose ID holds a slash."""

    pattern = IdPattern("benchmark:{id}")
    fresh_seconds = 1.0
    description = "One run."
    revision = "one"

    def entries(self, _: Query) -> list[Entry]:
        return []

    async def read(self, document_id: DocumentId) -> Document:
        if document_id.values["id"] != RUN:
            raise NotFound("there is no such run", suggestions=[f"benchmark:{RUN}"])
        moment = datetime(2026, 11, 20, tzinfo=UTC)
        return Document(document_id, "A run", "Good.", "All was good.", moment, "a bench")


@dataclass(frozen=True, slots=True)
class World:
    url: str
    bench: Bench


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with (
        LlmStandIn("openrouter", offers=[FREE, PAID]) as stand_in,
        bench(folder, stand_in) as on,
        Freshness() as freshness,
    ):
        routed = on.routed
        models = ModelTools(routed.catalog, routed.completion, routed.ledger)
        toolbox = Toolbox([models.tools, on.tools.tools])
        source = ModelSource(routed.catalog, RouterReader(routed.catalog))
        registry = Registry([source, Benchmarks()], freshness, public_url="https://gw.example")
        resources = GatewayResources(
            registry,
            toolbox,
            catalog=routed.catalog,
            ledger=routed.ledger,
            strategies=on.strategies,
            statuses=lambda: {name: one.status.state for name, one in routed.providers.items()},
        )
        door = McpDoor(toolbox, instructions="Models.", version="0.1.0")
        McpResources(resources.resources()).serve_on(door._server.low_level)
        async with door, open_doors(door.routes(), keys=KEYS, keyless=ANONYMOUS) as url:
            yield World(url, on)


Connect = Callable[[str, str | None], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def over_sse(url: str, key: str | None) -> AsyncIterator[Any]:
    async with (
        sse_client(f"{url}/sse/", headers=bearer(key)) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_http(url: str, key: str | None) -> AsyncIterator[Any]:
    async with (
        httpx2.AsyncClient(headers=bearer(key), timeout=30) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def without_handshake(url: str, key: str | None) -> AsyncIterator[Any]:
    async with httpx2.AsyncClient(headers=bearer(key), timeout=30) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode="2026-07-28") as client:
            yield client


def bearer(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def text(result: Any, mime_type: str = "application/json") -> str:
    [content] = result.contents
    assert content.mime_type == mime_type
    said: str = content.text
    return said


EVERY_WAY: list[tuple[Connect, int]] = [
    (over_sse, -32002),
    (over_http, -32002),
    (without_handshake, -32602),
]


@pytest.mark.parametrize(("connect", "not_found"), EVERY_WAY)
async def test_the_official_client_lists_and_reads_all_of_them(
    tmp_path: Path, connect: Connect, not_found: int
) -> None:
    async with world(tmp_path) as on, connect(on.url, "gw_alice") as client:
        await on.bench.strategies.set("alice", "openrouter/paid-one", PromptingStrategy("Brief."))
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri for one in listed] == [
            "gateway://status",
            "gateway://models",
            "gateway://free-models",
        ]
        assert [one.uri_template for one in templates] == [
            "gateway://usage/{provider}",
            "gateway://model/{+id}",
            "gateway://prompting-strategy/{+id}",
            "gateway://benchmark/{+id}",
        ]
        assert all(one.title and one.description and one.mime_type for one in (*listed, *templates))
        read = client.read_resource
        status = json.loads(text(await read("gateway://status")))
        assert (status["status"], status["version"]) == ("ready", VERSION)
        assert status["models"]["free"] == 1
        models = json.loads(text(await read("gateway://models")))
        assert models["total"] == 2
        free = json.loads(text(await read("gateway://free-models")))
        assert [one["id"] for one in free["models"]] == ["openrouter/free-one:free"]
        usage = json.loads(text(await read("gateway://usage/openrouter")))
        assert (usage["provider"], usage["whose"]) == ("openrouter", "alice")
        assert usage["total"]["calls"] == 0
        for uri in ("gateway://model/openrouter/paid-one", "gateway://model/openrouter%2Fpaid-one"):
            assert "paid-one" in text(await read(uri), "text/markdown")
        strategy = json.loads(text(await read("gateway://prompting-strategy/openrouter/paid-one")))
        assert strategy["strategy"]["system_prompt"] == "Brief."
        assert "All was good." in text(await read(f"gateway://benchmark/{RUN}"), "text/markdown")
        for uri, said in (
            ("gateway://statu", "no resource is at 'gateway://statu'; there are: gateway://status"),
            ("gateway://model/", "there are: gateway://status"),
            ("https://example.com/x", "there are: gateway://status"),
            ("gateway://model/openrouter/paid-on", "gateway://model/openrouter/paid-one"),
            ("gateway://usage/nobody", "no provider is named 'nobody'; there are: openrouter"),
            ("gateway://benchmark/other", f"Did you mean: gateway://benchmark/{RUN}?"),
            ("gateway://prompting-strategy/x/y", "no model 'x/y' is known"),
        ):
            with pytest.raises(MCPError) as refused:
                await read(uri)
            assert refused.value.error.code == not_found, uri
            assert said in refused.value.error.message
            assert refused.value.error.data["uri"] == uri


async def test_what_was_used_is_told_by_provider_to_its_caller_and_all_of_it_to_an_owner(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as on:
        request = ChatRequest("free-one:free", (Message("user", (Text("Hello!"),)),))
        for who in (ALICE, Caller("bob"), ALICE):
            async with on.bench.routed.completion.answering(who, request) as answering:
                [_ async for _ in answering]
        said = {}
        for key in KEYS:
            async with over_http(on.url, key) as client:
                said[key] = json.loads(
                    text(await client.read_resource("gateway://usage/openrouter"))
                )
                status = json.loads(text(await client.read_resource("gateway://status")))
                assert status.get("providers") == (
                    {"openrouter": "up"} if key == "gw_owner" else None
                )
    assert (said["gw_alice"]["whose"], said["gw_alice"]["total"]["calls"]) == ("alice", 2)
    assert (said["gw_owner"]["whose"], said["gw_owner"]["total"]["calls"]) == ("all callers", 3)
    [line] = said["gw_owner"]["by_model"]
    assert line["model"] == "openrouter/free-one:free"


@pytest.mark.parametrize("connect", [over_sse, over_http])
async def test_without_a_key_only_what_is_public_is_there(tmp_path: Path, connect: Connect) -> None:
    async with world(tmp_path) as on, connect(on.url, None) as client:
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri for one in listed] == ["gateway://status"]
        assert [one.uri_template for one in templates] == ["gateway://model/{+id}"]
        status = json.loads(text(await client.read_resource("gateway://status")))
        assert status == {"status": "ready", "version": VERSION}
        with pytest.raises(MCPError, match="no resource is at 'gateway://models'"):
            await client.read_resource("gateway://models")


async def test_a_benchmark_is_no_resource_where_there_are_none(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
        Freshness() as freshness,
    ):
        registry = Registry([], freshness, public_url="https://gw.example")
        resources = GatewayResources(
            registry,
            Toolbox([on.tools.tools]),
            catalog=on.routed.catalog,
            ledger=on.routed.ledger,
            strategies=on.strategies,
            statuses=dict,
        ).resources()
    assert "benchmark" not in [one.name for one in resources]
