"""What tests of routing share: official clients with keys, `gateway benchmark`, and a memory."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx2
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from gateway.config.settings import load
from gateway.evidence.evidence import Evidence
from gateway.keys import hashed
from gateway.storage.database import Database
from tests.acceptance.router_processes import RunningRouter, running_router
from tests.stand_ins.gateway_process import ROOT, own_environment
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Scripted
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import said

OWNER = "gw_routing_owner_0123456789abcdef"
END_SECONDS = 120  # takes 5 s on a quiet machine
Connect = Callable[[str, str], AbstractAsyncContextManager[Any]]


def key_of(name: str) -> str:
    return f"gw_{name}_0123456789abcdef"


def caller(name: str, *models: str, **more: Any) -> dict[str, Any]:
    """As it stands under `callers`."""
    return {"name": name, "key_sha256": hashed(key_of(name)), "models": list(models), **more}


def free(name: str, **more: Any) -> Offer:
    return Offer(f"{name}:free", Decimal(0), Decimal(0), **more)


def answering(answers: Mapping[str, str], *, otherwise: str = "I do not know.") -> Scripted:
    """A model that knows what to say to messages that hold one of these texts."""

    def reply(body: Mapping[str, Any]) -> Answer:
        asked = str(body["messages"][-1]["content"])
        known = (text for question, text in answers.items() if question in asked)
        return Answer(next(known, otherwise))

    return reply


class Office:
    """A gateway that can be started again over what it kept.

    Where `settings` name callers it takes keys, of which `router` has the owner's.
    """

    def __init__(self, folder: Path, *stand_ins: LlmStandIn, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.router: RunningRouter
        self._stand_ins = stand_ins
        self._settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        keys = {"GATEWAY_API_KEYS": f"owner={OWNER}"} if "callers" in self._settings else {}
        running = running_router(
            self.folder, *self._stand_ins, settings=self._settings, env=keys, key=OWNER
        )
        self.router = await self._stack.enter_async_context(running)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        await self._stack.aclose()
        await self.__aenter__()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        async with self.router.http() as client:
            answer = await client.post(path, json=dict(body))
        assert answer.is_success, f"{answer.text}\n{self.router.process.log()}"
        return answer.json()

    async def read(self, document_id: str) -> Mapping[str, Any]:
        """A document, fetched as MCP clients do."""
        async with over_sse(self.router.url, OWNER) as session:
            document: Mapping[str, Any] = said(
                await session.call_tool("fetch", {"id": document_id})
            )
        assert document["id"] == document_id
        return document


@asynccontextmanager
async def evidence_of(folder: Path) -> AsyncIterator[Evidence]:
    """What gateways that keep their things in this folder read, or will read."""
    config = load(None, environment={"MCP_DATABASE_DIR": str(folder / "kept")})
    async with Database(config.database) as database, Evidence(database) as evidence:
        yield evidence


class Ended(NamedTuple):
    """What a command printed, and what it told beside that."""

    code: int
    out: str
    aside: str


async def benchmark(folder: Path, *arguments: str) -> Ended:
    """`gateway benchmark` in a process of its own, beside the gateway of this folder."""
    async with running_benchmark(folder, *arguments) as process, asyncio.timeout(END_SECONDS):
        out, aside = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), aside.decode())


@asynccontextmanager
async def running_benchmark(
    folder: Path, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same while it runs; it is killed in the end."""
    command, *more = arguments
    config = ("--config", str(folder / "gateway.yaml"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "benchmark", command, *config, *more),
        cwd=ROOT,
        env={**own_environment(), "MCP_DATABASE_DIR": str(folder / "kept")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def over_sse(url: str, key: str) -> AsyncIterator[ClientSession]:
    async with (
        sse_client(f"{url}/sse/", headers=_bearer(key)) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_http(url: str, key: str) -> AsyncIterator[ClientSession]:
    async with (
        _http(key) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def without_handshake(url: str, key: str) -> AsyncIterator[Client]:
    async with _http(key) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode="2026-07-28") as client:
            yield client


def _http(key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers=_bearer(key), timeout=END_SECONDS)


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


WAYS: Mapping[str, Connect] = {
    "SSE": over_sse,
    "HTTP with a handshake": over_http,
    "HTTP without": without_handshake,
}
