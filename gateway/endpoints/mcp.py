"""The MCP door: one FastMCP server over a toolbox, spoken over SSE and over Streamable HTTP."""

from types import TracebackType
from typing import Self

from fastmcp import FastMCP
from mcp.server.lowlevel import NotificationOptions
from mcp_types import CallToolRequestParams, PaginatedRequestParams
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.mcp_tools import McpTools
from gateway.endpoints.sse import SseTransport
from gateway.endpoints.streamable import StreamableTransport
from gateway.tools.toolbox import Toolbox

CACHE_SECONDS = 60  # how long a client may keep the list of tools without asking again


class McpDoor:
    """The paths of one toolbox; they answer while the door's `async with` is open.

    `{prefix}/sse` and `{prefix}/mcp`, each with and without a last slash, never redirect.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        *,
        prefix: str = "",
        name: str = "gateway",
        instructions: str,
        version: str,
        deadline_seconds: float,
    ) -> None:
        self._prefix = prefix
        # The low-level server knows its FastMCP only weakly, so the door has to hold it.
        self._fastmcp = FastMCP(
            name, instructions=instructions, version=version, cache_ttl=CACHE_SECONDS
        )
        server = self._fastmcp._mcp_server
        tools = McpTools(toolbox, deadline_seconds=deadline_seconds)
        server.add_request_handler("tools/list", PaginatedRequestParams, tools.list)
        server.add_request_handler("tools/call", CallToolRequestParams, tools.call)
        # FastMCP's own registry, hooks and telemetry are not used: measured, half the cost of a
        # call. Without the schema lookup the SDK lists all tools before each modern call.
        server.middleware.clear()
        server.get_tool_input_schema = lambda _: None
        # Nobody is told when the tools change, so nobody is promised it.
        server.notification_options = NotificationOptions()
        self._streamable = StreamableTransport(server)
        self._sse = SseTransport(server, message_path=f"{prefix}/messages/")

    async def __aenter__(self) -> Self:
        await self._streamable.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._streamable.__aexit__(kind, error, traceback)

    def routes(self) -> list[BaseRoute]:
        apps = {
            "sse": BodyLimit(self._sse_or_streamable),
            "messages": BodyLimit(self._sse.messages),
            "mcp": BodyLimit(self._streamable),
        }
        return [
            Route(f"{self._prefix}/{name}{slash}", app)
            for name, app in apps.items()
            for slash in ("", "/")
        ]

    async def _sse_or_streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever POSTs where only a legacy stream is expected speaks Streamable HTTP."""
        is_legacy = scope["method"] in {"GET", "HEAD"}
        app = self._sse.stream if is_legacy else self._streamable
        await app(scope, receive, send)
