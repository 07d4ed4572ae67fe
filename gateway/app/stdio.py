"""The gateway for the one program that started it, over standard input and output."""

from gateway.app.opening import Gateway
from gateway.app.serving import NAME, mcp_resources
from gateway.config.settings import Config
from gateway.tools.guidance import instructions
from gateway.version import VERSION


async def serve_starter(config: Config, gateway: Gateway) -> None:
    """Serve it what an owner sees, until its input ends."""
    # FastMCP takes longer to import than all else, and the command line does without.
    from gateway.endpoints.mcp_server import McpServer
    from gateway.endpoints.stdio import serve_stdio

    view = gateway.owners
    server = McpServer(
        view.toolbox,
        name=NAME,
        instructions=instructions(view.registry.sources, added=view.registry.added),
        version=VERSION,
        resources=mcp_resources(view, gateway.router),
    )
    await serve_stdio(server)
