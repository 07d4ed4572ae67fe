"""The MCP door: one server over a toolbox, spoken over SSE and over Streamable HTTP."""

from types import TracebackType
from typing import Self

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.mcp_paths import mcp_paths
from gateway.endpoints.mcp_resources import McpResources
from gateway.endpoints.mcp_server import McpServer
from gateway.endpoints.sse import SseTransport
from gateway.endpoints.streamable import StreamableTransport
from gateway.tools.toolbox import Toolbox


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
        resources: McpResources | None = None,
    ) -> None:
        self._prefix = prefix
        self._server = McpServer(
            toolbox,
            name=name,
            instructions=instructions,
            version=version,
            resources=resources,
        )
        self._streamable = StreamableTransport(self._server.low_level)
        self._sse = SseTransport(self._server.low_level, message_path=f"{prefix}/messages/")

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
            Route(path, app) for name, app in apps.items() for path in mcp_paths(self._prefix, name)
        ]

    async def _sse_or_streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever POSTs where only a legacy stream is expected speaks Streamable HTTP."""
        is_legacy = scope["method"] in {"GET", "HEAD"}
        app = self._sse.stream if is_legacy else self._streamable
        await app(scope, receive, send)
