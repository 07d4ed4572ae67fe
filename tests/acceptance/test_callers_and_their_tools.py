"""Each key sees and calls its own tools over MCP, and pays for what it calls."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from gateway.keys import hashed
from tests.stand_ins.gateway_process import GatewayProcess, running_gateway
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import refused, said

KEYS = {name: f"gw_the-key-of-{name}" for name in ("olga", "alice", "bob", "eve")}
CALLERS = f"""
callers:
  - name: olga
    key_sha256: {hashed(KEYS["olga"])}
    is_owner: true
  - name: alice
    key_sha256: {hashed(KEYS["alice"])}
    tools: [search, fetch, create_chat_completion, get_usage_stats]
    requests: 2
  - name: bob
    key_sha256: {hashed(KEYS["bob"])}
    tools: ["get_*"]
  - name: eve
    key_sha256: {hashed(KEYS["eve"])}
    tools: [create_chat_completion]
    models: ["openrouter/*"]
"""
TRANSPORTS = ("sse", "http")
MODEL_TOOLS = {
    "create_chat_completion",
    "get_personalized_models",
    "get_usage_stats",
    "select_optimal_model",
    "route_task",
    "preemptive_route_task",
    "get_cost_estimate",
    "get_free_models",
    "set_model_prompting_strategy",
    "benchmark_task",
    "benchmark_tasks",
    "benchmark_free_models",
}
TASK_TOOLS = {"create_task", "list_tasks", "update_task_status"}
OF_OWNERS = {"clear_openrouter_tracking"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayProcess]:
    file = tmp_path_factory.mktemp("config") / "gateway.yaml"
    file.write_text(CALLERS)
    async with LlmStandIn("nanogpt", offers=[Offer("included", is_included=True)]) as stand_in:
        env = {"NANOGPT_API_KEY": "sk-stand-in", "NANOGPT_BASE_URL": stand_in.base_url}
        with running_gateway("--config", str(file), env=env) as process:
            yield process


@asynccontextmanager
async def session(
    gateway: GatewayProcess, transport: str, name: str | None
) -> AsyncIterator[ClientSession]:
    headers = {"authorization": f"Bearer {KEYS[name]}"} if name else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        streams = (
            sse_client(f"{gateway.base_url}/sse/", headers=headers)
            if transport == "sse"
            else streamable_http_client(f"{gateway.base_url}/mcp", http_client=http)
        )
        async with streams as (read, write), ClientSession(read, write) as opened:
            await opened.initialize()
            yield opened


async def names(opened: ClientSession) -> set[str]:
    return {tool.name for tool in (await opened.list_tools()).tools}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_callers_with_different_keys_see_different_tools(
    gateway: GatewayProcess, transport: str
) -> None:
    seen: dict[str | None, set[str]] = {}
    for name in ("olga", "alice", "bob", None):
        async with session(gateway, transport, name) as opened:
            seen[name] = await names(opened)
    assert seen["olga"] > {"search", "fetch", "binance_get_ticker"} | MODEL_TOOLS | TASK_TOOLS
    assert seen["alice"] == {"search", "fetch", "create_chat_completion", "get_usage_stats"}
    assert seen["bob"] == {
        "get_personalized_models",
        "get_usage_stats",
        "get_cost_estimate",
        "get_free_models",
    }
    assert seen[None] == seen["olga"] - MODEL_TOOLS - TASK_TOOLS - OF_OWNERS


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_completion_is_booked_on_whose_key_it_was(
    gateway: GatewayProcess, transport: str
) -> None:
    before = calls(gateway)
    async with session(gateway, transport, "alice") as alice:
        answer = said(await alice.call_tool("create_chat_completion", {"prompt": "Hello!"}))
        own = said(await alice.call_tool("get_usage_stats", {}))
    assert answer["model"] == "nanogpt/included"
    assert calls(gateway) == {**before, "alice": before.get("alice", 0) + 1}
    assert (own["whose"], own["total"]["calls"]) == ("alice", before.get("alice", 0) + 1)
    async with session(gateway, transport, "olga") as owner:
        said(await owner.call_tool("create_chat_completion", {"prompt": "Hello!"}))
        everybodys = said(await owner.call_tool("get_usage_stats", {}))
    assert everybodys["total"]["calls"] == sum(calls(gateway).values()) == sum(before.values()) + 2


async def test_limits_and_models_of_a_key_hold_over_mcp_too(gateway: GatewayProcess) -> None:
    async with session(gateway, "http", "alice") as alice:
        # What the tests before did not use of it.
        for _ in range(3):
            last = await alice.call_tool("create_chat_completion", {"prompt": "Hello!"})
    assert "allows 2 requests" in refused(last)
    async with session(gateway, "http", "eve") as eve:
        assert await names(eve) == {"create_chat_completion"}
        assert refused(await eve.call_tool("create_chat_completion", {"prompt": "Hello!"}))
    assert "eve" not in calls(gateway)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_tool_that_a_key_may_not_use_is_refused_by_name(
    gateway: GatewayProcess, transport: str
) -> None:
    async with session(gateway, transport, "bob") as bob:
        answer = await bob.call_tool("create_chat_completion", {"prompt": "Hello!"})
        assert "the key of 'bob' may not use create_chat_completion" in refused(answer)
    async with session(gateway, transport, None) as nobody:
        answer = await nobody.call_tool("create_chat_completion", {"prompt": "Hello!"})
        assert "no tool is named 'create_chat_completion'" in refused(answer)


def calls(gateway: GatewayProcess) -> Mapping[str, int]:
    """How many calls each caller has made, as the owner sees it."""
    answer = httpx.get(
        f"{gateway.base_url}/v1/usage",
        params={"group_by": "caller"},
        headers={"authorization": f"Bearer {KEYS['olga']}"},
    )
    return {line["caller"]: line["calls"] for line in answer.json()["lines"]}
