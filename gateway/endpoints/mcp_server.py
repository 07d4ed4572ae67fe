"""One FastMCP server over a toolbox, whatever it is spoken over."""

from typing import Any

from fastmcp import FastMCP
from mcp.server.lowlevel import NotificationOptions, Server
from mcp_types import CallToolRequestParams, PaginatedRequestParams

from gateway.endpoints.mcp_resources import McpResources
from gateway.endpoints.mcp_tools import McpTools
from gateway.tools.toolbox import Toolbox

CACHE_SECONDS = 60  # how long a client may keep the list of tools without asking again


class McpServer:
    """`low_level` is what transports run; keep this for as long as it runs."""

    def __init__(
        self,
        toolbox: Toolbox,
        *,
        name: str,
        instructions: str,
        version: str,
        resources: McpResources | None = None,
    ) -> None:
        # The low-level server knows its FastMCP only weakly, so this has to hold it.
        self._fastmcp = FastMCP(
            name, instructions=instructions, version=version, cache_ttl=CACHE_SECONDS
        )
        server = self._fastmcp._mcp_server
        tools = McpTools(toolbox)
        server.add_request_handler("tools/list", PaginatedRequestParams, tools.list)
        server.add_request_handler("tools/call", CallToolRequestParams, tools.call)
        if resources is not None:
            resources.serve_on(server)
        # FastMCP's own registry, hooks and telemetry are not used: measured, half the cost of a
        # call. Without the schema lookup the SDK lists all tools before each modern call.
        server.middleware.clear()
        server.get_tool_input_schema = lambda _: None
        # Nobody is told when the tools change, so nobody is promised it.
        server.notification_options = NotificationOptions()
        self.low_level: Server[Any] = server
