"""The official MCP client, in every way in which it reaches a gateway."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from unittest.mock import patch

from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

Call = Callable[[str, Mapping[str, Any]], Awaitable[CallToolResult]]
Connect = Callable[[str], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def over_sse(base_url: str) -> AsyncIterator[Call]:
    async with (
        sse_client(f"{base_url}/sse/") as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield lambda name, arguments: session.call_tool(name, dict(arguments))


def over_http(version: str) -> Connect:
    """Streamable HTTP in one protocol version; the last one knows no handshake."""
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return _without_handshake
    return lambda base_url: _with_handshake(base_url, version)


@asynccontextmanager
async def _with_handshake(base_url: str, version: str) -> AsyncIterator[Call]:
    # The client always proposes its newest version; a client of that time proposed its own.
    newest = patch("mcp.client.session.LATEST_HANDSHAKE_VERSION", version)
    async with (
        streamable_http_client(f"{base_url}/mcp") as (read, write),
        ClientSession(read, write) as session,
    ):
        with newest:
            opened = await session.initialize()
        assert opened.protocol_version == version
        yield lambda name, arguments: session.call_tool(name, dict(arguments))


@asynccontextmanager
async def _without_handshake(base_url: str) -> AsyncIterator[Call]:
    async with Client(f"{base_url}/mcp", mode="2026-07-28") as client:
        yield lambda name, arguments: client.call_tool(name, dict(arguments))


def said(result: CallToolResult) -> Any:
    """The answer: the one text item, which must be the structured content as JSON."""
    assert not result.is_error, result.content
    [item] = result.content
    assert item.type == "text"
    assert json.loads(item.text) == result.structured_content
    return result.structured_content


def refused(result: CallToolResult) -> str:
    """What a tool error says."""
    assert result.is_error
    [item] = result.content
    assert item.type == "text"
    return item.text
