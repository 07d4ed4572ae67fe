"""A client of OpenAI's, the responses door that it uses, tools, and a provider behind it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from gateway.caller import LOCAL, Caller
from gateway.endpoints.responses import responses_routes
from gateway.errors import ToolFailed
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.policy import Policy
from gateway.storage.database import Database
from gateway.stored_responses import StoredResponses
from gateway.tools.tool import Answer, Effect, Tool
from gateway.tools.toolbox import Toolbox
from gateway.usage.limit import Limit
from tests.endpoints.doors import open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import OFFERS, LlmStandIn

SMALL = "openrouter/small"
NOTES: Any = {"type": "mcp", "server_label": "notes", "require_approval": "never"}


@dataclass(frozen=True, slots=True)
class Door:
    """`notes` is what the tool `add_note` has written down."""

    client: AsyncOpenAI
    stand_in: LlmStandIn
    router: Router
    stored: StoredResponses
    url: str
    notes: list[str] = field(default_factory=list)

    async def ask(self, **options: Any) -> Any:
        return await self.client.responses.create(**{"model": SMALL, "input": "Hello.", **options})


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    kind: str = "openrouter",
    limits: Sequence[Limit] = (),
    keys: Mapping[str, Caller] | None = None,
    keyless: Caller = LOCAL,
    keepalive_seconds: float = 15,
    grace_seconds: int = 1,
    offers: Sequence[Offer] = OFFERS,
    policy: Policy | None = None,
) -> AsyncIterator[Door]:
    url = f"sqlite:///{folder}/gateway.db"
    notes: list[str] = []
    toolbox = Toolbox([_source(notes)])
    async with (
        LlmStandIn(kind, offers=offers) as stand_in,
        router(stand_in, database_url=url, limits=limits, policy=policy) as routed,
        Database(url) as database,
    ):
        stored = StoredResponses(database)
        loop = ToolLoop(routed.completion, lambda _: toolbox, routed.approvals)
        routes = responses_routes(loop, stored, keepalive_seconds=keepalive_seconds)
        async with (
            open_doors(routes, keys=keys, keyless=keyless, grace_seconds=grace_seconds) as address,
            AsyncOpenAI(
                base_url=f"{address}/v1", api_key="any", max_retries=0, timeout=10
            ) as client,
        ):
            yield Door(client, stand_in, routed, stored, address, notes)


def _source(notes: list[str]) -> Any:
    async def add(arguments: Mapping[str, Any]) -> Answer:
        notes.append(arguments["text"])
        return Answer({"number": len(notes)})

    async def count(_: Mapping[str, Any]) -> Answer:
        return Answer({"count": len(notes)})

    async def lose(_: Mapping[str, Any]) -> Answer:
        raise ToolFailed("the notes are locked")

    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    nothing = {"type": "object", "properties": {}}
    tools = (
        Tool("add_note", "Add", "Write it down.", text, add, Effect.WRITE, origin="notes"),
        Tool("count_notes", "Count", "How many there are.", nothing, count, origin="notes"),
        Tool("lose_notes", "Lose", "Always fails.", nothing, lose, Effect.WRITE, origin="notes"),
    )

    async def source() -> Sequence[Tool]:
        return tools

    return source
