"""The tools that a caller may use, in one order that never changes between calls."""

from collections.abc import Awaitable, Callable, Sequence

from gateway.errors import NotFound
from gateway.tools.arguments import check_arguments
from gateway.tools.tool import Answer, Arguments, Tool

ToolSource = Callable[[], Awaitable[Sequence[Tool]]]


class Toolbox:
    """Tools of several sources: in the order of the sources, then of their names."""

    def __init__(self, sources: Sequence[ToolSource]) -> None:
        self._sources = sources

    async def tools(self) -> Sequence[Tool]:
        return [tool for source in self._sources for tool in await source()]

    async def tool(self, name: str) -> Tool:
        """Raises:
        NotFound: no tool has that name; the message lists those there are.
        """
        tools = {tool.name: tool for tool in await self.tools()}
        if name not in tools:
            raise NotFound(f"no tool is named {name[:60]!r}; there are: {', '.join(tools)}")
        return tools[name]

    async def call(self, name: str, arguments: Arguments) -> Answer:
        """Raises:
        NotFound: as `tool` does.
        InvalidRequest: the arguments do not fit; nothing was called.
        """
        tool = await self.tool(name)
        check_arguments(arguments, tool.input_schema, tool=tool.name)
        return await tool.call(arguments)
