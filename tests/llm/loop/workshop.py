"""Tools that a test watches: they read, write, fail, take long, or destroy."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import ToolFailed
from gateway.tools.tool import Answer, Effect, Tool

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
}


class Workshop:
    """`made` are the titles in the order in which calls began; `hold` keeps `slow` from ending."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.slow_began = asyncio.Event()
        self.slow_was_cancelled = False
        self.hold = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0

    async def tools(self) -> Sequence[Tool]:
        return self._tools

    @property
    def _tools(self) -> list[Tool]:
        return [
            self._tool("look_up", Effect.READ, origin="library"),
            self._tool("create_task", Effect.WRITE),
            self._tool("break_it", Effect.READ),
            self._tool("slow", Effect.READ),
            self._tool("drop_all", Effect.DESTROY),
        ]

    def _tool(self, name: str, effect: Effect, *, origin: str = "workshop") -> Tool:
        async def call(arguments: Mapping[str, Any]) -> Answer:
            self.made.append((name, arguments["title"]))
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
            try:
                return await self._answer(name, arguments["title"])
            finally:
                self.at_once -= 1

        return Tool(name, name, f"Does {name}.", SCHEMA, call=call, effect=effect, origin=origin)

    async def _answer(self, name: str, title: str) -> Answer:
        if name == "break_it":
            raise ToolFailed(f"the {title} broke\u202e")
        if name == "slow":
            self.slow_began.set()
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.slow_was_cancelled = True
                raise
        return Answer({"done": title, "hidden": "a\u200bb"})
