"""The contract that ChatGPT's connector asks for, on the wire of a real gateway."""

import re
from typing import Any

import httpx
import pytest
from jsonschema import validate

from tests.stand_ins.gateway_process import GatewayProcess
from tests.stand_ins.mcp_clients import over_sse, refused, said
from tests.stand_ins.tool_definitions import released

MARKET_TOOLS = 14
MODEL_TOOLS = 4 + 9
TASK_TOOLS = 3
WRITING = {
    "create_chat_completion",
    "clear_openrouter_tracking",
    "set_model_prompting_strategy",
    "benchmark_task",
    "benchmark_tasks",
    "benchmark_free_models",
    "create_task",
    "update_task_status",
}
QUERIES = (
    "What is the current price of Bitcoin?",
    "Is the ETH order book healthy?",
    "Show me 4h candles for Solana",
    "btc and eth order flow",
)


def rpc(url: str, method: str, params: dict[str, Any] | None = None) -> Any:
    """One JSON-RPC request without a session, as ChatGPT sends it."""
    answer = httpx.post(
        url,
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}},
        headers={"user-agent": "openai-mcp/1.0.0", "accept": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def listed(url: str) -> dict[str, Any]:
    return {tool["name"]: tool for tool in rpc(url, "tools/list")["tools"]}


def test_search_and_fetch_take_exactly_one_string(gateway: GatewayProcess) -> None:
    tools = listed(f"{gateway.base_url}/mcp")
    for name, argument in (("search", "query"), ("fetch", "id")):
        schema = tools[name]["inputSchema"]
        assert list(schema["properties"]) == schema["required"] == [argument]
        assert schema["properties"][argument]["type"] == "string"
        assert tools[name]["description"].startswith("Use this when")
        assert tools[name]["outputSchema"]["type"] == "object"


def test_every_tool_says_what_it_may_change(gateway: GatewayProcess) -> None:
    tools = listed(f"{gateway.base_url}/mcp")
    assert len(tools) == 2 + MARKET_TOOLS + MODEL_TOOLS + TASK_TOOLS
    assert list(tools)[:2] == ["search", "fetch"]
    for name, tool in tools.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name)
        assert 0 < len(tool["description"]) <= 1_024
        assert tool["title"]
        hints = tool["annotations"]
        assert hints["readOnlyHint"] is (name not in WRITING)
        assert hints["destructiveHint"] is (name == "clear_openrouter_tracking")
        assert isinstance(hints["idempotentHint"], bool)
        assert isinstance(hints["openWorldHint"], bool)


def test_the_research_doors_list_exactly_search_and_fetch(gateway: GatewayProcess) -> None:
    assert list(listed(f"{gateway.base_url}/research/mcp")) == ["search", "fetch"]
    assert list(listed(f"{gateway.base_url}/research/sse/")) == ["search", "fetch"]


def test_the_list_of_tools_is_the_same_to_the_byte(gateway: GatewayProcess) -> None:
    url = f"{gateway.base_url}/mcp"
    assert rpc(url, "tools/list") == rpc(url, "tools/list")
    assert list(listed(url)) == list(listed(url))


def test_the_tools_are_those_that_were_released(gateway: GatewayProcess) -> None:
    """Clients keep the list that they once read: a change here must be meant, and released.

    `python -m tests.golden.write_tools` writes the file anew.
    """
    now = rpc(f"{gateway.base_url}/mcp", "tools/list")["tools"]
    assert now == released(), "run: python -m tests.golden.write_tools"
    assert f"tools of=market shown={MARKET_TOOLS} sha256=" in gateway.log()


async def test_answers_fit_the_schemas_that_are_advertised(gateway: GatewayProcess) -> None:
    tools = listed(f"{gateway.base_url}/mcp")
    async with over_sse(gateway.base_url) as call:
        for query in QUERIES:
            found = said(await call("search", {"query": query}))
            validate(found, tools["search"]["outputSchema"])
            assert list(found) == ["results"]
            assert 1 <= len(found["results"]) <= 10
            for result in found["results"]:
                assert set(result) == {"id", "title", "url", "text"}
                assert all(isinstance(value, str) and value for value in result.values())
                assert result["url"].startswith(f"{gateway.base_url}/data/")
                assert len(result["text"]) <= 200
            document = said(await call("fetch", {"id": found["results"][0]["id"]}))
            validate(document, tools["fetch"]["outputSchema"])
            assert document["metadata"]["kind"] == document["id"].partition(":")[0]
            assert re.fullmatch(r"\d{4}-.*Z", document["metadata"]["as_of"])
            assert document["metadata"]["source"] == "simulated exchange"


async def test_the_titles_of_the_first_live_results_carry_value_unit_and_time(
    gateway: GatewayProcess,
) -> None:
    async with over_sse(gateway.base_url) as call:
        await call("fetch", {"id": "ticker:BTCUSDT"})
        found = said(await call("search", {"query": "bitcoin price"}))
    title = found["results"][0]["title"]
    assert re.search(r"BTC/USDT [\d,.]+ USDT .* as of \d\d:\d\d:\d\d UTC · simulated", title), title


async def test_fetch_takes_the_url_that_it_issued(gateway: GatewayProcess) -> None:
    async with over_sse(gateway.base_url) as call:
        by_id = said(await call("fetch", {"id": "klines:solusdt:4H"}))
        by_url = said(await call("fetch", {"id": by_id["url"]}))
    assert by_id["id"] == by_url["id"] == "klines:SOLUSDT:4h"


async def test_a_renamed_coin_is_found_under_its_new_name_which_is_said(
    gateway: GatewayProcess,
) -> None:
    async with over_sse(gateway.base_url) as call:
        found = said(await call("search", {"query": "MATIC price"}))
        error = refused(await call("fetch", {"id": "ticker:MATICUSDT"}))
    assert found["results"][0]["id"] == "ticker:POLUSDT"
    assert "MATIC is now POL" in found["results"][0]["title"]
    assert "ticker:POLUSDT" in error


async def test_an_unknown_coin_finds_nothing_and_is_told_why(gateway: GatewayProcess) -> None:
    async with over_sse(gateway.base_url) as call:
        result = await call("search", {"query": "price of zorgcoin"})
    assert said(result) == {"results": []}
    assert "'zorgcoin'" in (result.meta or {})["gateway/message"]


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/sse", "/sse/", "/research/mcp"])
def test_discover_is_answered_as_plain_json(gateway: GatewayProcess, path: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "openai-mcp", "version": "1.0.0"},
    }
    answer = httpx.post(
        gateway.base_url + path,
        json={
            "jsonrpc": "2.0",
            "id": "openai-mcp-discover",
            "method": "server/discover",
            "params": {"_meta": meta},
        },
        headers={
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "server/discover",
            "accept": "application/json, text/event-stream",
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    result = answer.json()["result"]
    assert "2026-07-28" in result["supportedVersions"]
    assert len(result["instructions"]) <= 2_000


def test_the_instructions_begin_with_what_matters(gateway: GatewayProcess) -> None:
    client = {"protocolVersion": "2025-11-25", "capabilities": {}}
    opened = rpc(
        f"{gateway.base_url}/mcp",
        "initialize",
        {**client, "clientInfo": {"name": "test", "version": "1"}},
    )
    first, rest = opened["instructions"].split("\n\n", 1)
    assert len(first) <= 512
    assert all(word in first for word in ("search", "fetch", "cite", "simulated"))
    assert rest
