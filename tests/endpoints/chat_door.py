"""A client of OpenAI's, the chat door that it uses, and a provider behind it, all real."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

from gateway.caller import LOCAL, Caller
from gateway.endpoints.chat import chat_routes
from gateway.llm.policy import Policy
from gateway.tools.toolbox import ToolSource
from gateway.usage.limit import Limit
from tests.endpoints.doors import open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.server import LlmStandIn

HELLO: Any = [{"role": "user", "content": "Say hello."}]
SMALL = "openrouter/small"


@dataclass(frozen=True, slots=True)
class Door:
    """A client, the door that it uses, and the provider behind it."""

    client: AsyncOpenAI
    stand_in: LlmStandIn
    router: Router
    url: str

    async def stream(self, **options: Any) -> AsyncStream[ChatCompletionChunk]:
        chunks: AsyncStream[ChatCompletionChunk] = await self.client.chat.completions.create(
            model=SMALL, messages=HELLO, stream=True, **options
        )
        return chunks


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    kind: str = "openrouter",
    limits: Sequence[Limit] = (),
    keyless: Caller = LOCAL,
    keepalive_seconds: float = 15,
    policy: Policy | None = None,
    max_retries: int = 0,
    grace_seconds: int = 1,
    tools: Sequence[ToolSource] = (),
) -> AsyncIterator[Door]:
    url = f"sqlite:///{folder}/gateway.db"
    async with (
        LlmStandIn(kind) as stand_in,
        router(stand_in, database_url=url, limits=limits, policy=policy) as routed,
        open_doors(
            chat_routes(routed.loop(*tools), routed.sessions, keepalive_seconds=keepalive_seconds),
            keyless=keyless,
            grace_seconds=grace_seconds,
        ) as address,
        AsyncOpenAI(
            base_url=f"{address}/v1", api_key="any", max_retries=max_retries, timeout=10
        ) as client,
    ):
        yield Door(client, stand_in, routed, address)
