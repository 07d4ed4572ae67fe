"""The router as its users run it: `gateway serve` in a process of its own, before stand-ins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import yaml
from openai import APIError, AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

from gateway.clock import Clock, now
from gateway.config.settings import load
from gateway.storage.database import Database
from gateway.usage.ledger import Ledger
from tests.stand_ins.gateway_process import GatewayProcess, running_gateway
from tests.stand_ins.llm.server import LlmStandIn

PROVIDER_KEY = "sk-canary-of-the-provider-0123456789"
SETTLE_SECONDS = 60  # takes 1 s on a quiet machine
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """`key` is what its clients send, if they have to send one."""

    process: GatewayProcess
    key: str = "none-is-needed"

    @property
    def url(self) -> str:
        return self.process.base_url

    def openai(self, **options: Any) -> AsyncOpenAI:
        """OpenAI's own SDK, which does not try again unless it is told to."""
        options = {"max_retries": 0, "timeout": 60, "api_key": self.key, **options}
        limits = httpx2.Limits(max_connections=None)
        client = httpx2.AsyncClient(limits=limits, trust_env=False)
        return AsyncOpenAI(base_url=f"{self.url}/v1", http_client=client, **options)

    def http(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=60, trust_env=False, follow_redirects=True
        )

    async def asked(self, path: str) -> Any:
        async with self.http() as client:
            answer = await client.get(path)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def usage(self, group_by: str = "") -> Any:
        """All that is in the ledger."""
        return await self.asked(f"/v1/usage?from=2000-01-01&to=2100-01-01&group_by={group_by}")

    async def charged_microusd(self) -> int:
        total = (await self.usage())["total"]
        return round((total["charged_usd"] or 0) * 1_000_000)

    async def limit(self, name: str) -> Any:
        (found,) = [one for one in (await self.asked("/v1/limits"))["data"] if one["name"] == name]
        return found

    async def settles(self, calls: int) -> None:
        """Wait until so many calls have their line: what it cost may be asked for behind them."""

        async def are_settled() -> bool:
            total: int = (await self.usage())["total"]["calls"]
            return total >= calls

        await until(are_settled)


async def heard_until_it_broke(
    stream: AsyncStream[ChatCompletionChunk],
) -> tuple[str, APIError]:
    """What a stream said, and the error that ended it."""
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in stream:
            heard.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - it breaks off

    with pytest.raises(APIError) as caught:
        await listen()
    return "".join(heard), caught.value


@asynccontextmanager
async def running_router(
    folder: Path,
    *stand_ins: LlmStandIn,
    settings: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    key: str = "none-is-needed",
) -> AsyncIterator[RunningRouter]:
    """With each stand-in as a provider named after its kind, and `settings` in gateway.yaml.

    What it keeps is in `folder`, for the next one that runs there.
    """
    file = folder / "gateway.yaml"
    providers = [provider(one) for one in stand_ins]
    file.write_text(yaml.safe_dump({"providers": providers, **(settings or {})}), "utf-8")
    kept = {"MCP_DATABASE_DIR": str(folder / "kept"), **(env or {})}
    async with gateway_process("--config", str(file), env=kept) as process:
        yield RunningRouter(process, key)


@asynccontextmanager
async def ledger_of(folder: Path, clock: Clock = now) -> AsyncIterator[Ledger]:
    """What another process sees that shares the database of the one that runs, or ran, there."""
    kept = {"MCP_DATABASE_DIR": str(folder / "kept")}
    config = load(folder / "gateway.yaml", environment=kept)
    async with (
        Database(config.database) as database,
        Ledger(database, config.limits, clock=clock) as ledger,
    ):
        yield ledger


def provider(stand_in: LlmStandIn, **options: Any) -> dict[str, Any]:
    """As it stands under `providers`; it is asked once for each request."""
    named = {"kind": stand_in.kind, "base_url": stand_in.base_url, "api_key": PROVIDER_KEY}
    return {**named, "attempts": 1, **options}


@asynccontextmanager
async def gateway_process(*arguments: str, env: Mapping[str, str]) -> AsyncIterator[GatewayProcess]:
    """Started and stopped beside the loop, in which stand-ins have to answer meanwhile."""
    running = running_gateway(*arguments, env=env)
    process = await asyncio.to_thread(running.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS):
        # Another process cannot set an event here: asking again is all there is.
        while not await holds():  # noqa: ASYNC110 - for the same reason
            await asyncio.sleep(0.02)
