"""Keys: what is open without one, what opens with one, and that none is ever shown."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from mcp import ClientSession
from mcp.client.sse import sse_client

from gateway.keys import hashed
from tests.acceptance.router_processes import (
    HELLO,
    PROVIDER_KEY,
    RunningRouter,
    running_router,
)
from tests.stand_ins.gateway_process import ROOT
from tests.stand_ins.llm.script import Answer, key_refused
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import refused, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNER = "gw_canary_owner_0123456789abcdef"
GUEST = "gw_canary_guest_0123456789abcdef"
PROMPT, ANSWERED = "canary-of-a-prompt", "canary-of-an-answer"
GUEST_SETTINGS = {
    "name": "guest",
    "key_sha256": hashed(GUEST),
    "models": ["openrouter/small"],
    "requests": 100,
}
PRIVATE = ("usage:", "route:", "quota:", "budget:")
SPENDING_TOOLS = {"create_chat_completion", "get_usage_stats", "select_optimal_model"}
CHAT = {"model": "openrouter/small", "messages": HELLO}


@dataclass(frozen=True, slots=True)
class World:
    router: RunningRouter
    stand_in: LlmStandIn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with (
        LlmStandIn("openrouter") as stand_in,
        running_router(
            tmp_path_factory.mktemp("router"),
            stand_in,
            settings={"callers": [GUEST_SETTINGS]},
            env={"GATEWAY_API_KEYS": f"owner={OWNER}"},
            key=OWNER,
        ) as router,
    ):
        yield World(router, stand_in)


@asynccontextmanager
async def mcp(world: World, key: str | None) -> AsyncIterator[ClientSession]:
    async with (
        sse_client(f"{world.router.url}/sse/", headers=bearer(key)) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def bearer(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


@pytest.mark.parametrize("key", [None, "gw_wrong_0123456789abcdef", PROVIDER_KEY])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/openrouter/small"),
        ("GET", "/v1/usage"),
        ("GET", "/v1/quota"),
        ("GET", "/v1/limits"),
    ],
)
async def test_without_a_right_key_openais_door_is_shut(
    world: World, method: str, path: str, key: str | None
) -> None:
    async with httpx.AsyncClient(base_url=world.router.url, headers=bearer(key)) as client:
        answer = await client.request(method, path, json=CHAT if method == "POST" else None)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    assert "Bearer" in answer.headers["www-authenticate"]
    assert key is None or key not in answer.text


@pytest.mark.parametrize("key", [None, GUEST])
async def test_over_mcp_only_an_owner_reads_what_is_private(world: World, key: str | None) -> None:
    async with mcp(world, key) as session:
        for question in (
            "what did I spend this month",
            "how many free requests are left",
            "why was the last request routed to that model",
            "usage last 30 days",
        ):
            found = said(await session.call_tool("search", {"query": question}))
            ids = [result["id"] for result in found["results"]]
            assert not [one for one in ids if one.startswith(PRIVATE)], question
        for name in ("usage:30d", "quota:guest-requests", "route:r0", "budget:month"):
            said_of_it = refused(await session.call_tool("fetch", {"id": name}))
            assert "no kind of document" in said_of_it
            assert "usage:{" not in said_of_it
        model = said(await session.call_tool("fetch", {"id": "model:openrouter/small"}))
        assert model["id"] == "model:openrouter/small"


async def test_over_mcp_nobody_without_a_key_is_offered_what_spends(world: World) -> None:
    async with mcp(world, None) as session:
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert not names & SPENDING_TOOLS
        refused(await session.call_tool("create_chat_completion", {"prompt": "Hello"}))
    assert not [one for one in world.stand_in.requests if "Hello" in str(one.body)]


async def test_over_mcp_a_key_opens_all(world: World) -> None:
    async with mcp(world, OWNER) as session:
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert names >= SPENDING_TOOLS
        found = said(await session.call_tool("search", {"query": "what did I spend this month"}))
        assert found["results"][0]["id"].startswith("usage:")
        assert said(await session.call_tool("fetch", {"id": "usage:30d"}))["id"] == "usage:30d"


async def test_pages_about_spending_are_found_by_owners_only(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.router.url) as browser:
        for key, status in ((None, 404), (GUEST, 404), (OWNER, 200)):
            page = await browser.get("/data/usage:30d", headers=bearer(key))
            assert page.status_code == status, key


async def test_a_guest_uses_its_own_models_and_sees_its_own_usage(world: World) -> None:
    async with world.router.openai(api_key=GUEST) as client:
        await client.chat.completions.create(model="openrouter/small", messages=HELLO)
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model="openrouter/large", messages=HELLO)
        assert "openrouter/large" not in {model.id async for model in client.models.list()}
    async with world.router.openai() as client:
        await client.chat.completions.create(model="openrouter/large", messages=HELLO)
    async with httpx.AsyncClient(base_url=world.router.url, headers=bearer(GUEST)) as client:
        lines = (await client.get("/v1/usage?group_by=caller,model")).json()["lines"]
    assert {(line["caller"], line["model"]) for line in lines} == {("guest", "openrouter/small")}


async def test_no_secret_is_ever_shown(world: World) -> None:
    prompt: Any = [{"role": "user", "content": PROMPT}]
    world.stand_in.script(
        "small", Answer(ANSWERED), Answer(ANSWERED, ends="error", ends_after=1), key_refused()
    )
    async with world.router.openai() as client:
        first = await client.chat.completions.with_raw_response.create(
            model="openrouter/small", messages=prompt
        )
        shown = []
        for _ in range(2):
            with pytest.raises(openai.APIError) as caught:
                await client.chat.completions.create(model="openrouter/small", messages=prompt)
            shown.append(caught.value.message)
    route_id = first.headers["x-gateway-route-id"]
    async with world.router.http() as browser:
        for path in (
            "/",
            "/metrics",
            "/health",
            "/v1/models",
            "/v1/usage?group_by=request_id",
            "/v1/limits",
            f"/data/route:{route_id}",
            "/data/usage:today",
            "/data/provider:openrouter",
            "/data/model:openrouter/small",
        ):
            page = await browser.get(path, headers={"accept": "text/html"})
            assert page.status_code == 200, path
            shown.append(page.text)
    shown.append(world.router.process.log())
    for canary in (OWNER, GUEST, PROVIDER_KEY, PROMPT, ANSWERED):
        assert not [text for text in shown if canary in text], canary


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
async def test_on_a_public_address_without_keys_it_refuses_to_start(
    host: str, tmp_path: Path
) -> None:
    ended = started("--host", host, env={"MCP_DATABASE_DIR": str(tmp_path)})
    assert ended.returncode == 78
    assert "GATEWAY_API_KEYS" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def started(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "serve", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
