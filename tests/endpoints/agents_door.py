"""A whole gateway with agents and all its doors, and a client of it, without a server between."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from starlette.types import ASGIApp

from gateway.agents.agents import Agents
from gateway.app.opening import Gateway, opened
from gateway.app.serving import served
from gateway.config.settings import load
from gateway.keys import hashed
from tests.acceptance.router_processes import provider
from tests.stand_ins.http_server import serve
from tests.stand_ins.llm.server import LlmStandIn

MODEL = "openrouter/small"
HELPER = {
    "name": "helper",
    "instructions": "Help.",
    "model": MODEL,
    "hears": ["git:*"],
    "tools": ["create_task"],
}
OWNER, PUBLISHER, GUEST = "gw_owner_0123456789", "gw_publisher_0123456789", "gw_guest_0123456789"
CALLERS = (
    {"name": "ann", "key_sha256": hashed(OWNER), "is_owner": True},
    {"name": "ci", "key_sha256": hashed(PUBLISHER), "tools": ["publish_event"]},
    {"name": "guest", "key_sha256": hashed(GUEST)},
)


@dataclass(frozen=True, slots=True)
class Door:
    gateway: Gateway
    app: ASGIApp

    @property
    def agents(self) -> Agents:
        return self.gateway.agents

    def as_(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client for what neither streams nor disconnects."""
        sent = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://127.0.0.1",
            headers={**sent, **headers},
        )

    @asynccontextmanager
    async def on_a_port(
        self, key: str | None = None, *, grace_seconds: int = 1
    ) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with (
            serve(self.app, grace_seconds=grace_seconds) as url,
            httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client,
        ):
            yield client


@asynccontextmanager
async def door(
    folder: Path,
    *,
    agents: Sequence[Mapping[str, Any]] = (HELPER,),
    has_keys: bool = False,
    reply: Callable[[Mapping[str, Any]], Any] | None = None,
    env: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Door]:
    """Runs are carried out only with a `reply`, which is what the model answers.

    All `settings` but `gateway` are what `agents.yaml` says beside the agents.
    """
    async with AsyncExitStack() as stack:
        stated: dict[str, Any] = {"agents_file": "agents.yaml", **settings.pop("gateway", {})}
        if reply is not None:
            stand_in = await stack.enter_async_context(LlmStandIn("openrouter"))
            stand_in.always("small", reply)
            stated["providers"] = [provider(stand_in)]
        if has_keys:
            stated["callers"] = list(CALLERS)
        (folder / "gateway.yaml").write_text(yaml.safe_dump(stated))
        (folder / "agents.yaml").write_text(yaml.safe_dump({"agents": list(agents), **settings}))
        environment = {"MCP_DATABASE_DIR": str(folder / "kept"), **(env or {})}
        config = load(folder / "gateway.yaml", environment=environment)
        gateway = await stack.enter_async_context(
            opened(config, carries_out="all" if reply is not None else "nothing")
        )
        app = await stack.enter_async_context(served(config, gateway))
        yield Door(gateway, app)


def message(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])
