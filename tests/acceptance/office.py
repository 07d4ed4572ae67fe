"""A gateway with everything behind it: models, MCP servers over HTTP and stdio, a gRPC service."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.router_processes import RunningRouter, running_router
from tests.stand_ins.inventory import InventoryServer
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.task_servers import COMMAND, ROOT, World, over_http, task_server

QUESTION = "Research Kubernetes security, create a task for each finding and write a report."
REPORT = "# Report\n\nTwo findings, and a task for each."
ROUNDS = (
    Answer(
        "I look into it.",
        tools=(
            Tool("deep_research", '{"question": "Kubernetes security"}'),
            Tool("inventory_get_item", '{"sku": "WIDGET-BLUE"}'),
            Tool("execute_code", '{"code": "open(1)"}'),
        ),
    ),
    Answer(
        "Two findings.",
        tools=(
            Tool("create_task", '{"title": "Close the port"}'),
            Tool("create_task", '{"title": "Rotate the keys"}'),
            Tool("save_conversation", '{"text": "what was found"}'),
        ),
    ),
    Answer(REPORT),
)


@dataclass(frozen=True, slots=True)
class Office:
    router: RunningRouter
    model: LlmStandIn
    world: World
    inventory: InventoryServer

    def script(self) -> None:
        self.model.script("small", *ROUNDS)

    @property
    def titles(self) -> list[str]:
        return sorted(task["title"] for task in self.world.tasks)

    def results(self, request: int) -> list[str]:
        """What the model read of its tools, in the request of this number."""
        return [json.dumps(one) for one in self.model.requests[request].body["messages"]]

    async def tool_calls(self) -> Mapping[str, Any]:
        answer = await self.router.asked("/v1/usage/tools?from=2000-01-01&to=2100-01-01")
        return {line["tool"]: line for line in answer["lines"]}


@asynccontextmanager
async def office(folder: Path, *, kind: str = "openrouter") -> AsyncIterator[Office]:
    """Tasks are kept by a server over HTTP, conversations by a child of the gateway's."""
    world = World()
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(LlmStandIn(kind))
        tasks = await stack.enter_async_context(over_http(task_server(world)))
        inventory = await stack.enter_async_context(InventoryServer())
        tools = {
            "servers": {
                "task-orchestrator": {
                    "url": tasks,
                    "allow": ["create_task", "list_tasks", "execute_code"],
                    "read": ["list_tasks"],
                },
                "search-aggregator": {"url": tasks, "allow": ["deep_*"], "read": ["*"]},
                "context-persistence": {
                    "command": list(COMMAND),
                    "cwd": str(ROOT),
                    "allow": ["save_conversation", "wait"],
                    "read": ["wait"],
                },
            }
        }
        (folder / "tools.yaml").write_text(yaml.safe_dump(tools), "utf-8")
        settings = {
            "tools_file": "tools.yaml",
            "grpc_services": [
                {
                    "name": "inventory",
                    "address": inventory.address,
                    "expose": {"read": ["inventory.v1.Inventory.GetItem"]},
                }
            ],
        }
        router = await stack.enter_async_context(running_router(folder, model, settings=settings))
        process = router.process
        await asyncio.to_thread(
            process.wait_until,
            lambda: all(f"mcp={name} state=up" in process.log() for name in tools["servers"]),
        )
        yield Office(router, model, world, inventory)
