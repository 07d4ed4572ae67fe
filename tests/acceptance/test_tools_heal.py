"""Servers that die in the middle of an answer: the answer goes on, and no process is left."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.acceptance.router_processes import RunningRouter, running_router, until
from tests.stand_ins.gateway_process import free_port
from tests.stand_ins.inventory import InventoryServer
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.task_servers import COMMAND, ROOT

ITEM = Tool("inventory_get_item", '{"sku": "WIDGET-BLUE"}')
RESERVATION = Tool("reserve_items", '{"sku": "LAMP-7", "count": 1, "customer": "the front desk"}')
GRANDCHILD = Tool("start_grandchild")
END_SECONDS = 20  # takes 3 s on a quiet machine
TOOLS = [
    {
        "name": f"{effect}_over_{way}",
        "mcp_server": f"over-{way}",
        "mcp_tool": "wait_for_note",
        "effect": effect,
    }
    for effect in ("read", "write")
    for way in ("http", "stdio")
]


@dataclass(frozen=True, slots=True)
class Office:
    """A gateway, the model that answers, and the gRPC service; the MCP servers are programs."""

    folder: Path
    router: RunningRouter
    model: LlmStandIn
    inventory: InventoryServer

    def waiting(self, name: str, *, place: str = "") -> Tool:
        """A call that waits for a note, in a place that is called after it."""
        notes = self.folder / (place or name)
        notes.mkdir(exist_ok=True)
        return Tool(name, json.dumps({"folder": str(notes)}))

    def note(self, place: str) -> None:
        (self.folder / place / "note").touch()

    def waiters(self, place: str) -> list[int]:
        """The processes that a call has reached."""
        return [int(file.stem) for file in (self.folder / place).glob("*.waits")]

    async def waiter(self, place: str) -> int:
        await holds(lambda: bool(self.waiters(place)))
        return self.waiters(place)[0]

    async def is_in_state(self, service: str, state: str) -> None:
        async def is_so() -> bool:
            answer = await self.router.asked("/health/ready")
            return bool(answer["downstream"][service]["state"] == state)

        await until(is_so)

    def answer(self) -> Awaitable[str]:
        return asyncio.create_task(self._answer())

    async def _answer(self) -> str:
        """All that a chat completion streams."""
        body = {
            "model": "openrouter/small",
            "messages": [{"role": "user", "content": "Ask everybody."}],
            "gateway_tools": True,
            "stream": True,
            "stream_options": {"include_tool_events": True},
        }
        async with self.router.http() as client:
            answer = await client.post("/v1/chat/completions", json=body)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.text

    async def results(self, request: int) -> dict[str, str]:
        """What the model was told of its last calls, in the request of this number, from 1."""
        messages = (await self.model.has_received(request)).body["messages"]
        asked = max(place for place, one in enumerate(messages) if one["role"] == "assistant")
        return {one["name"]: one["content"] for one in messages[asked + 1 :]}

    async def ends(self, how: signal.Signals, *, first: Tool, children: int) -> None:
        """Ends the gateway in the middle of an answer, and looks for what it leaves behind."""
        waiting = self.waiting("write_over_stdio", place="the end")
        self.model.script("small", Answer(tools=(first,)), Answer(tools=(waiting,)))
        answer, gateway = self.answer(), self.router.process
        child = await self.waiter("the end")
        there = descendants(gateway.pid)
        assert child in there
        assert len(there) == children
        gateway.signal(how)
        await asyncio.to_thread(gateway.wait, END_SECONDS)
        if how is signal.SIGTERM:
            assert not are_alive(there)
        await holds(lambda: not are_alive(there))
        with suppress(httpx.TransportError):
            assert "[DONE]" not in await answer


@asynccontextmanager
async def office(folder: Path, port: int) -> AsyncIterator[Office]:
    """With an MCP server that runs as a child, and one that may be at this port."""
    (folder / "tools.yaml").write_text(yaml.safe_dump(tools(port)), "utf-8")
    async with LlmStandIn("openrouter") as model, InventoryServer() as inventory:
        service = {
            "name": "inventory",
            "address": inventory.address,
            "expose": {"read": ["inventory.v1.Inventory.GetItem"]},
        }
        settings = {"tools_file": "tools.yaml", "grpc_services": [service]}
        async with running_router(folder, model, settings=settings) as router:
            at = Office(folder, router, model, inventory)
            await at.is_in_state("over-stdio", "up")
            await at.is_in_state("inventory", "up")
            yield at


def tools(port: int) -> Any:
    servers = {
        "over-http": {"url": f"http://127.0.0.1:{port}/mcp"},
        "over-stdio": {"command": [*COMMAND], "cwd": str(ROOT), "allow": ["start_grandchild"]},
    }
    return {"servers": servers, "tools": TOOLS}


@asynccontextmanager
async def http_server(
    port: int, *, is_spare: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program; a spare one serves once it is told to, and then at once."""
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, str(port), *(["-"] if is_spare else [])),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=nowhere,
        stderr=nowhere,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_servers_that_die_in_the_middle_cost_no_answer_and_leave_no_process(
    tmp_path: Path,
) -> None:
    port, may_go_on = free_port(), asyncio.Event()
    async with (
        http_server(port) as first,
        http_server(port, is_spare=True) as spare,
        office(tmp_path, port) as at,
        asyncio.timeout(90),
    ):
        await at.is_in_state("over-http", "up")
        stock = at.inventory.inventory
        reads = (at.waiting("read_over_http"), at.waiting("read_over_stdio"), ITEM)
        writes = (at.waiting("write_over_http"), at.waiting("write_over_stdio"), RESERVATION)
        at.model.script(
            "small",
            Answer("I look.", tools=reads),
            Answer("I look again.", tools=(ITEM, GRANDCHILD), before_headers=may_go_on),
            Answer("I write.", tools=writes),
            Answer("That is all."),
        )
        stock.may_answer.clear()
        answer = at.answer()

        # All three servers are at work on a read when they die; two come back at once.
        kill(await at.waiter("read_over_http"))
        await first.wait()
        begin(spare)
        kill(killed := await at.waiter("read_over_stdio"))
        await holds(lambda: stock.calls["GetItem"] == 1)
        await at.inventory.stop()
        at.note("read_over_http")
        at.note("read_over_stdio")
        told = await at.results(2)
        assert f"read by {spare.pid}" in told["read_over_http"]
        assert re.search(r"read by \d+", told["read_over_stdio"])
        assert f"read by {killed}" not in told["read_over_stdio"]
        assert "inventory is unavailable" in told[ITEM.name]

        # The third one comes back while the model thinks.
        stock.may_answer.set()
        await at.inventory.start()
        await at.is_in_state("inventory", "up")
        may_go_on.set()
        told = await at.results(3)
        assert '"count":1204' in told[ITEM.name]
        (grandchild,) = map(int, re.findall(r'"result":(\d+)', told[GRANDCHILD.name]))

        # And all three are at work on a write: whether it was done, nobody knows.
        stock.may_answer.clear()
        kill(await at.waiter("write_over_http"))
        kill(await at.waiter("write_over_stdio"))
        await holds(lambda: stock.calls["ReserveItems"] == 1)
        await at.inventory.stop()
        text = await answer
        told = await at.results(4)
        assert set(told) == {"write_over_http", "write_over_stdio", "reserve_items"}
        assert all("the outcome is unknown" in one for one in told.values())
        assert len(at.waiters("write_over_http")) == len(at.waiters("write_over_stdio")) == 1
        assert stock.calls["ReserveItems"] == 1

        assert said(text) == "I look.\n\nI look again.\n\nI write.\n\nThat is all."
        assert text.count("event: function_result\n") == 8
        assert text.endswith("data: [DONE]\n\n")
        await at.router.settles(calls=4)
        assert await at.router.charged_microusd() == at.model.billed_microusd > 0

        # What a child started ends with it, whatever it ignores; and all end with the gateway.
        await holds(lambda: not are_alive([killed, grandchild]))
        await at.is_in_state("over-stdio", "up")
        await at.ends(signal.SIGTERM, first=GRANDCHILD, children=2)


async def test_a_gateway_that_is_killed_in_the_middle_of_a_call_takes_its_child_along(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, free_port()) as at, asyncio.timeout(60):
        await at.ends(signal.SIGKILL, first=ITEM, children=1)


def begin(spare: asyncio.subprocess.Process) -> None:
    assert spare.stdin
    spare.stdin.write(b"\n")


async def holds(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    await until(asked)


def said(text: str) -> str:
    """The words of a stream."""
    lines = [line for line in text.split("\n") if line.startswith('data: {"id":"chatcmpl')]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def descendants(process: int) -> set[int]:
    """Children, their children, and so on."""
    parents = {int(one.name): status(int(one.name)) for one in Path("/proc").glob("[0-9]*")}
    found = {process}
    while more := {one for one, (_, parent) in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


def are_alive(processes: Iterable[int]) -> bool:
    """Whether any is. What only waits to be reaped by whoever took it over is not."""
    return any(status(one)[0] not in "XZ" for one in processes)


def status(process: int) -> tuple[str, int]:
    """The state of a process and its parent; X, dead, if there is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return fields[0], int(fields[1])
