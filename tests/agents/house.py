"""A gateway that carries runs out, with agents that do as a test says, and tools behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gateway.agents.agents import Agents
from gateway.agents.event import News
from gateway.agents.run import Run, Status, Story
from gateway.app.opening import Gateway, opened
from gateway.config.settings import Config, load
from tests.acceptance.router_processes import provider
from tests.stand_ins.llm.script import Answer, Reply, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.task_servers import World, over_http, task_server

SECONDS = 20
Says = Callable[[Sequence[Mapping[str, Any]]], Reply]


@dataclass
class House:
    """`says` has for each agent what its model answers to the messages that it is shown."""

    gateway: Gateway
    config: Config
    model: LlmStandIn
    world: World
    says: dict[str, Says]

    @property
    def agents(self) -> Agents:
        return self.gateway.agents

    async def heard(self, topic: str, **data: Any) -> Story:
        """How the one agent that hears a topic answered it."""
        return await self.story(await self.told(topic, **data))

    async def told(self, topic: str, **data: Any) -> str:
        return (await self.agents.publish(News(topic, data))).event.id

    async def story(self, event_id: str) -> Story:
        (run,) = await self.ended(event_id)
        return await self.agents.story(run.id)

    async def ended(self, event_id: str) -> Sequence[Run]:
        """All runs that answer an event, once they have ended."""

        def have_ended(runs: Sequence[Run]) -> bool:
            return bool(runs) and all(one.has_ended for one in runs)

        return await self.become(event_id, have_ended)

    async def is_now(self, event_id: str, status: Status) -> Run:
        runs = await self.become(event_id, lambda found: [r.status for r in found] == [status])
        return runs[0]

    async def become(self, event_id: str, holds: Callable[[Sequence[Run]], bool]) -> Sequence[Run]:
        async with asyncio.timeout(SECONDS):
            while not holds(runs := await self.agents.runs(event_id=event_id)):  # noqa: ASYNC110 - see below
                # What is written in the database sets no event here.
                await asyncio.sleep(0.02)
        return runs


@asynccontextmanager
async def house(
    folder: Path,
    agents: Sequence[Mapping[str, Any]],
    *,
    places: int = 4,
    says: Mapping[str, Says] | None = None,
) -> AsyncIterator[House]:
    """What it keeps is in `folder`, for the next one that opens there."""
    world = World()
    async with LlmStandIn("openrouter") as model, over_http(task_server(world)) as url:
        server = {"url": url, "allow": ["execute_code", "search_*"]}
        files: Mapping[str, Any] = {
            "tools.yaml": {"servers": {"outside": server}},
            "agents.yaml": {"agents": [*agents], "limits": {"runs_at_once": places}},
            "gateway.yaml": {
                "providers": [provider(model)],
                "agents_file": "agents.yaml",
                "tools_file": "tools.yaml",
            },
        }
        for name, content in files.items():
            (folder / name).write_text(yaml.safe_dump(content), "utf-8")
        environment = {"MCP_DATABASE_DIR": str(folder / "kept")}
        config = load(folder / "gateway.yaml", environment=environment)
        # What runs already may ask before all is open.
        said = dict(says or {})
        model.always("small", lambda body: reply(said, body))
        async with opened(config, carries_out="all") as gateway:
            yield House(gateway, config, model, world, said)


def reply(said: Mapping[str, Says], body: Mapping[str, Any]) -> Reply:
    messages = body["messages"]
    # Its instructions are its name.
    return said[messages[0]["content"].split()[0]](messages)


@asynccontextmanager
async def another(config: Config) -> AsyncIterator[Agents]:
    """The agents as another process sees them that carries nothing out."""
    async with opened(config) as gateway:
        yield gateway.agents


def agent(name: str, **more: Any) -> dict[str, Any]:
    """It hears `test:NAME`, and its instructions are its name."""
    given = {"instructions": name, "model": "openrouter/small", "hears": [f"test:{name}"]}
    return {"name": name, "is_on": True, **given, **more}


def says(*answers: Reply) -> Says:
    """One after the other, by how often it has answered; the last one for ever."""

    def said(messages: Sequence[Mapping[str, Any]]) -> Reply:
        so_far: int = sum(one["role"] == "assistant" for one in messages)
        return answers[min(so_far, len(answers) - 1)]

    return said


def wants(tool: str, arguments: str = "{}", *, text: str = "I call it.") -> Answer:
    return Answer(text, tools=(Tool(tool, arguments),))
