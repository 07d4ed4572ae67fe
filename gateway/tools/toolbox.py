"""The tools that a caller may use, in one order that never changes between calls."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from gateway import caller, request_id
from gateway.clock import Clock, now
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from gateway.tools.arguments import check_arguments
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.usage.tool_call import ToolCall

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
DEADLINE_SECONDS = 40.0
MAX_CONCURRENT = 64
QUEUE_SECONDS = 5.0

ToolSource = Callable[[], Awaitable[Sequence[Tool]]]


class Toolbox:
    """Tools of several sources, in their order, as far as the current caller may use them.

    Of two tools with one name the first counts, so that no later source can take the place of
    a tool that a caller knows, such as `search`. `missing` names the services whose tools are
    not known yet. At most `max_concurrent` calls run at once of each origin; `on_call` hears of
    each call that ended, and `on_change` of the tools whenever there are others.
    """

    def __init__(
        self,
        sources: Sequence[ToolSource],
        *,
        missing: Callable[[], Sequence[str]] = tuple,
        deadline_seconds: float = DEADLINE_SECONDS,
        max_concurrent: int = MAX_CONCURRENT,
        queue_seconds: float = QUEUE_SECONDS,
        on_call: Callable[[ToolCall], None] | None = None,
        on_change: Callable[[Sequence[Tool]], None] | None = None,
        clock: Clock = now,
    ) -> None:
        self._sources = sources
        self._missing = missing
        self._deadline_seconds = deadline_seconds
        self._max_concurrent = max_concurrent
        self._queue_seconds = queue_seconds
        self._on_call = on_call
        self._on_change = on_change
        self._clock = clock
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._left_out: set[str] = set()
        self._listed: tuple[Sequence[Sequence[Tool]], dict[str, Tool]] = ((), {})

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
        if name in tools and who.may_use_tool(name):
            return tools[name]
        there_are = f"there are: {', '.join(filter(who.may_use_tool, tools))}"
        if name in tools:
            raise PermissionDenied(f"the key of {who.name!r} may not use {name}; {there_are}")
        if missing := self._missing():
            raise Unavailable(
                f"no tool is named {name[:60]!r} yet: {', '.join(missing)} has not been reached "
                f"since the start; {there_are}",
                retry_after_seconds=RETRY_SECONDS,
            )
        raise NotFound(f"no tool is named {name[:60]!r}; {there_are}", what="tool")

    async def call(
        self, name: str, arguments: Arguments, *, deadline_seconds: float | None = None
    ) -> Answer:
        """The answer, with a line of it in the ledger, however it ends.

        Raises:
            NotFound, PermissionDenied, Unavailable: as `tool` does.
            InvalidRequest: the arguments do not fit; nothing was called.
            RateLimited: too many calls of its origin run.
            DeadlineExceeded: it did not answer in time, and only reads.
            OutcomeUnknown: it did not answer in time, and may have changed something.
            GatewayError: whatever the tool itself raises.
        """
        tool = await self.tool(name)
        seconds = tool.deadline_seconds or deadline_seconds or self._deadline_seconds
        began, outcome = time.perf_counter(), "cancelled"
        try:
            check_arguments(arguments, tool.input_schema, tool=tool.name)
            async with self._slot(tool):
                answer = await self._in_time(tool, arguments, seconds)
            outcome = "ok"
            return answer
        except GatewayError as error:
            outcome = error.code
            raise
        except Exception:
            outcome = GatewayError.code
            raise
        finally:
            self._tell(tool, outcome, milliseconds=(time.perf_counter() - began) * 1000)

    async def _in_time(self, tool: Tool, arguments: Arguments, seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await tool.call(arguments)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            if tool.effect is not Effect.READ:
                raise OutcomeUnknown(
                    f"{tool.name} did not answer within {seconds:g} s, and may have done it all "
                    "the same; look it up before trying again"
                ) from error
            raise DeadlineExceeded(
                f"{tool.name} did not answer within {seconds:g} s; try again, or ask for less"
            ) from error

    @asynccontextmanager
    async def _slot(self, tool: Tool) -> AsyncIterator[None]:
        slots = self._slots.setdefault(tool.origin, asyncio.Semaphore(self._max_concurrent))
        try:
            async with asyncio.timeout(self._queue_seconds if slots.locked() else None):
                await slots.acquire()
        except TimeoutError as error:
            raise RateLimited(
                f"{self._max_concurrent} calls of {tool.origin} run already; retry in 1 s",
                retry_after_seconds=1,
            ) from error
        try:
            yield
        finally:
            slots.release()

    def _tell(self, tool: Tool, outcome: str, *, milliseconds: float) -> None:
        if self._on_call is None:
            return
        self._on_call(
            ToolCall(
                time=self._clock(),
                request_id=request_id.current(),
                caller=caller.current().name,
                tool=tool.name,
                origin=tool.origin,
                effect=tool.effect,
                outcome=outcome,
                milliseconds=milliseconds,
            )
        )

    async def _named(self) -> dict[str, Tool]:
        listed = [await source() for source in self._sources]
        known, named = self._listed
        if len(known) == len(listed) and all(a is b for a, b in zip(known, listed, strict=True)):
            return named
        named = self._first_of_each_name(listed)
        self._listed = (listed, named)
        if self._on_change is not None:
            self._on_change(list(named.values()))
        return named

    def _first_of_each_name(self, listed: Sequence[Sequence[Tool]]) -> dict[str, Tool]:
        named: dict[str, Tool] = {}
        for tool in (tool for tools in listed for tool in tools):
            if named.setdefault(tool.name, tool) is not tool:
                self._leave_out(tool.name)
        return named

    def _leave_out(self, name: str) -> None:
        if name not in self._left_out:
            self._left_out.add(name)
            logger.warning("left out tool=%s: an earlier tool has that name", name)
