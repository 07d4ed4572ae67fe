"""The real clients against the real doors: every transport, every protocol version."""

import json
from collections.abc import AsyncIterator

import fastmcp
import mcp.client.session
import pytest
import pytest_asyncio
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.stand_ins.gadgets import Gadgets, serve_doors

TRANSPORTS = (
    ("/sse", sse_client),
    ("/sse/", sse_client),
    ("/mcp", streamable_http_client),
    ("/mcp/", streamable_http_client),
)


# One server for the whole file: starting one takes longer than any of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def gadgets() -> Gadgets:
    return Gadgets()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(gadgets: Gadgets) -> AsyncIterator[str]:
    async with serve_doors(gadgets) as base_url:
        yield base_url


def the_json_of(result: CallToolResult) -> object:
    """What the one text item says, which must be what the structured content says."""
    assert not result.is_error
    [item] = result.content
    assert item.type == "text"
    assert json.loads(item.text) == result.structured_content
    return result.structured_content


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_the_official_client_searches_and_fetches_in_every_handshake_version(
    url: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client always proposes its newest version; a client of that time proposed its own.
    monkeypatch.setattr(mcp.client.session, "LATEST_HANDSHAKE_VERSION", version)
    for path, transport in TRANSPORTS:
        async with (
            transport(url + path) as (read, write),
            ClientSession(read, write) as session,
        ):
            opened = await session.initialize()
            found = await session.call_tool("search", {"query": "bitcoin"})
            fetched = await session.call_tool("fetch", {"id": "note:1"})
        assert opened.protocol_version == version
        assert opened.server_info.name == "gateway"
        assert opened.instructions == "Notes to search and fetch."
        assert the_json_of(found) == {
            "results": [
                {"id": "note:1", "title": "Bitcoin — €60 000"},
                {"id": "note:2", "title": "Ether is not Bitcoin"},
            ]
        }
        assert the_json_of(fetched) == {"id": "note:1", "text": "Bitcoin — €60 000"}


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_official_client_is_served_in_every_mode_wherever_it_posts(
    url: str, mode: str
) -> None:
    for path in ("/mcp", "/mcp/", "/sse", "/sse/", "/research/mcp", "/research/sse/"):
        async with Client(url + path, mode=mode) as client:
            found = await client.call_tool("search", {"query": "ether"})
        assert the_json_of(found) == {
            "results": [{"id": "note:2", "title": "Ether is not Bitcoin"}]
        }


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_fastmcp_client_is_served_at_every_spelling(url: str, mode: str) -> None:
    for path, _ in TRANSPORTS:
        async with fastmcp.Client(url + path, mode=mode) as client:
            tools = await client.list_tools()
            found = await client.call_tool("search", {"query": "ether"})
        assert [tool.name for tool in tools][:2] == ["search", "fetch"]
        assert found.structured_content == {
            "results": [{"id": "note:2", "title": "Ether is not Bitcoin"}]
        }
        assert found.meta is not None
        assert found.meta["gateway/found"] == 1


async def test_every_hint_of_every_tool_is_an_explicit_boolean(url: str) -> None:
    async with Client(f"{url}/mcp") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = {
        name: (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
            tool.annotations.open_world_hint,
        )
        for name, tool in tools.items()
        if tool.annotations
    }
    assert hints == {
        "search": (True, False, True, False),
        "fetch": (True, False, True, False),
        "break": (True, False, True, True),
        "count": (True, False, True, False),
        "pause": (True, False, True, False),
        "remove": (False, True, False, False),
        "slow": (True, False, True, False),
    }
    assert all(tool.title and tool.description for tool in tools.values())
    assert all(tool.meta is None for tool in tools.values())


async def test_a_tool_shows_its_output_schema_when_it_has_one(url: str) -> None:
    async with Client(f"{url}/mcp") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools["search"].output_schema is not None
    assert tools["search"].output_schema["required"] == ["results"]
    assert tools["remove"].output_schema is None


async def test_the_research_door_lists_exactly_search_and_fetch(url: str) -> None:
    for path in ("/research/mcp", "/research/sse/"):
        async with fastmcp.Client(url + path) as client:
            assert [tool.name for tool in await client.list_tools()] == ["search", "fetch"]


async def test_a_tool_that_appears_later_is_listed_and_can_be_called(
    url: str, gadgets: Gadgets
) -> None:
    [remove] = [tool for tool in await gadgets.toolbox().tools() if tool.name == "remove"]
    async with fastmcp.Client(f"{url}/sse/") as client:
        assert "remove" in [tool.name for tool in await client.list_tools()]
        gadgets.extra.append(remove.__class__("later", "L", "Use", {"type": "object"}, remove.call))
        assert "later" in [tool.name for tool in await client.list_tools()]
        await client.call_tool("later", {"id": "note:1"})
        gadgets.extra.clear()
    assert gadgets.removed == ["note:1"]
