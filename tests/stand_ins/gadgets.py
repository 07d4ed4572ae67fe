"""A small real toolbox: search, fetch, a tool that reads, one that destroys, and ones that fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from gateway.endpoints.mcp import McpDoor
from gateway.errors import NotFound, Unavailable
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.http_server import serve

NOTES = {
    "note:1": "Bitcoin — €60 000",
    "note:2": "Ether is not Bitcoin",
}


class Gadgets:
    """What the tools work on; a test sees here what was called, and lets the slow one go."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.slow_began = asyncio.Event()
        self.slow_was_cancelled = asyncio.Event()
        self.may_end = asyncio.Event()
        self.extra: list[Tool] = []

    def toolbox(self, *, deadline_seconds: float = 5) -> Toolbox:
        return Toolbox([self._reading, self._doing], deadline_seconds=deadline_seconds)

    def reading_toolbox(self) -> Toolbox:
        return Toolbox([self._reading])

    async def _reading(self) -> Sequence[Tool]:
        return [
            Tool(
                "search",
                "Search notes",
                "Use this when notes are looked for.",
                _object(query={"type": "string"}),
                self._search,
                output_schema=_object(results={"type": "array"}),
            ),
            Tool(
                "fetch",
                "Fetch a note",
                "Use this when a note is to be read.",
                _object(id={"type": "string"}),
                self._fetch,
                output_schema=_object(id={"type": "string"}, text={"type": "string"}),
            ),
        ]

    async def _doing(self) -> Sequence[Tool]:
        count = _object(count={"type": "integer", "minimum": 1, "maximum": 9})
        none = _object()
        return [
            Tool("break", "Break", "Use this to break.", none, self._break, is_open_world=True),
            Tool("count", "Count", "Use this to count.", count, self._count),
            Tool("pause", "Pause", "Use this to wait.", none, self._pause),
            Tool(
                "remove",
                "Remove a note",
                "Use this to remove a note for good.",
                _object(id={"type": "string"}),
                self._remove,
                effect=Effect.DESTROY,
            ),
            Tool("slow", "Slow", "Use this to wait long.", none, self._slow),
            *self.extra,
        ]

    async def _search(self, arguments: Arguments) -> Answer:
        words = arguments["query"].lower().split()
        found = [key for key, text in NOTES.items() if any(word in text.lower() for word in words)]
        return Answer(
            {"results": [{"id": key, "title": NOTES[key]} for key in found]},
            meta={"gateway/found": len(found)},
        )

    async def _fetch(self, arguments: Arguments) -> Answer:
        key = arguments["id"]
        if key not in NOTES:
            raise NotFound(f"there is no note {key!r}", suggestions=list(NOTES))
        return Answer({"id": key, "text": NOTES[key]})

    async def _remove(self, arguments: Arguments) -> Answer:
        self.removed.append(arguments["id"])
        return Answer({"removed": arguments["id"]})

    async def _count(self, arguments: Arguments) -> Answer:
        return Answer({"counted": list(range(int(arguments["count"])))})

    async def _break(self, _: Arguments) -> Answer:
        raise KeyError("the innermost secret")

    async def _pause(self, _: Arguments) -> Answer:
        raise Unavailable("the notes are asleep", retry_after_seconds=7)

    async def _slow(self, _: Arguments) -> Answer:
        self.slow_began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.slow_was_cancelled.set()
            raise
        return Answer({"waited": True})


def _object(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def doors_app(gadgets: Gadgets, *, deadline_seconds: float = 5) -> Starlette:
    """Both doors as the gateway mounts them: everything at the root, reading under /research."""
    full, research = (
        McpDoor(
            toolbox,
            prefix=prefix,
            instructions="Notes to search and fetch.",
            version="0.1.0",
        )
        for prefix, toolbox in (
            ("", gadgets.toolbox(deadline_seconds=deadline_seconds)),
            ("/research", gadgets.reading_toolbox()),
        )
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with full, research:
            yield

    return Starlette(routes=[*full.routes(), *research.routes()], lifespan=lifespan)


def new_doors_app() -> Starlette:
    """For a process of its own: `uvicorn --factory tests.stand_ins.gadgets:new_doors_app`."""
    return doors_app(Gadgets())


@asynccontextmanager
async def serve_doors(gadgets: Gadgets, *, deadline_seconds: float = 5) -> AsyncIterator[str]:
    async with serve(doors_app(gadgets, deadline_seconds=deadline_seconds)) as url:
        yield url
