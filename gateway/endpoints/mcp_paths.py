"""Where MCP is spoken: known without all that it takes to speak it."""

from collections.abc import Sequence

NAMES = ("sse", "messages", "mcp")


def mcp_paths(prefix: str, name: str) -> Sequence[str]:
    """With and without a last slash: a redirect would lose what was posted."""
    return f"{prefix}/{name}", f"{prefix}/{name}/"
