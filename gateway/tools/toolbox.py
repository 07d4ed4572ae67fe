"""The tools that a caller may use, in one order that never changes between calls."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from gateway import caller
from gateway.errors import NotFound, PermissionDenied, Unavailable
from gateway.tools.arguments import check_arguments
from gateway.tools.tool import Answer, Arguments, Tool

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0

ToolSource = Callable[[], Awaitable[Sequence[Tool]]]


class Toolbox:
    """Tools of several sources, in their order, as far as the current caller may use them.

    Of two tools with one name the first counts, so that no later source can take the place of
    a tool that a caller knows, such as `search`. `missing` names the services whose tools are
    not known yet.
    """

    def __init__(
        self, sources: Sequence[ToolSource], *, missing: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._sources = sources
        self._missing = missing
        self._left_out: set[str] = set()

    async def tools(self) -> Sequence[Tool]:
        who = caller.current()
        return [tool for tool in (await self._named()).values() if who.may_use_tool(tool.name)]

    async def tool(self, name: str) -> Tool:
        """Raises:
        NotFound: no tool has that name; the message lists those there are.
        PermissionDenied: the caller may not use it.
        Unavailable: no tool has that name, but a service that is missing may have it.
        """
        tools, who = await self._named(), caller.current()
        there_are = f"there are: {', '.join(filter(who.may_use_tool, tools))}"
        if name in tools:
            if who.may_use_tool(name):
                return tools[name]
            raise PermissionDenied(f"the key of {who.name!r} may not use {name}; {there_are}")
        if missing := self._missing():
            raise Unavailable(
                f"no tool is named {name[:60]!r} yet: {', '.join(missing)} has not been reached "
                f"since the start; {there_are}",
                retry_after_seconds=RETRY_SECONDS,
            )
        raise NotFound(f"no tool is named {name[:60]!r}; {there_are}")

    async def call(self, name: str, arguments: Arguments) -> Answer:
        """Raises:
        NotFound, PermissionDenied, Unavailable: as `tool` does.
        InvalidRequest: the arguments do not fit; nothing was called.
        """
        tool = await self.tool(name)
        check_arguments(arguments, tool.input_schema, tool=tool.name)
        return await tool.call(arguments)

    async def _named(self) -> dict[str, Tool]:
        tools: dict[str, Tool] = {}
        for source in self._sources:
            for tool in await source():
                if tools.setdefault(tool.name, tool) is not tool:
                    self._leave_out(tool.name)
        return tools

    def _leave_out(self, name: str) -> None:
        if name not in self._left_out:
            self._left_out.add(name)
            logger.warning("left out tool=%s: an earlier tool has that name", name)
