"""The ways to an MCP server: stdio, Streamable HTTP, and HTTP with SSE."""

from dataclasses import dataclass

from gateway.downstream.mcp.child import Child, Command
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.link import Link
from gateway.downstream.mcp.sse import Sse
from gateway.downstream.mcp.streamable import Streamable


@dataclass(frozen=True, slots=True)
class SseEndpoint:
    """An endpoint that speaks the older transport."""

    endpoint: Endpoint

    @property
    def address(self) -> str:
        return self.endpoint.address


Way = Command | Endpoint | SseEndpoint


def link(name: str, way: Way, *, max_concurrent: int) -> Link:
    match way:
        case Command():
            return Child(name, way)
        case SseEndpoint():
            return Sse(name, way.endpoint, max_concurrent=max_concurrent)
        case Endpoint():
            return Streamable(name, way, max_concurrent=max_concurrent)
