"""What the gateway adds to a gRPC tool's call, and to an answer of three rounds with tools.

    uv run python -m tests.load.tools_benchmark               the tables, about a minute
    uv run python -m tests.load.tools_benchmark --seconds 1   quicker, and rougher

One call at a time, each way in turn, so that whatever else the machine does hits all alike. The
gateway has the core of servers for itself; the client, the stand-in model and the inventory share
the other. All is on the loopback address. The ledger is in SQLite, with a budget and a quota.
"""

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import uvloop
from openai import AsyncOpenAI
from rich.console import Console
from rich.table import Table

from gateway import caller
from gateway.app.opening import opened
from gateway.caller import LOCAL
from gateway.config.settings import load
from tests.load.benchmark import CLIENT_CORE, SERVER_CORE, server
from tests.load.chat_connection import ChatConnection, chat_request, connected, post_request
from tests.load.chat_load import milliseconds
from tests.load.direct_inventory import DirectInventory
from tests.load.router_benchmark import (
    KEY,
    Target,
    loaded_gateway,
    machine_load,
    stand_in_model,
)

SKUS = ("WIDGET-BLUE", "WIDGET-RED", "BOLT-M6")
ROUNDS = (SKUS[:2], SKUS[2:])
TOOL = "get_item"
QUESTION = "How many widgets and bolts are left, and where do they lie? Write report {}."
# More than the gateway remembers how it read them, so that each is new.
QUESTIONS = 500
VERSION = "2026-07-28"
WARM_CALLS = 50
FOUND_SECONDS = 20
SETTINGS = """
grpc_services:
  - name: inventory
    address: {address}
    methods:
      inventory.v1.Inventory.GetItem: {{tool: {{name: get_item, effect: read}}}}
"""

Work = Callable[[], Awaitable[None]]
Seconds = Mapping[str, Sequence[float]]
console = Console(width=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3, help="for each line of the tables")
    seconds = parser.parse_args().seconds
    os.sched_setaffinity(0, {CLIENT_CORE})
    with ExitStack() as stack:
        inventory = stack.enter_context(
            server("-m", "tests.stand_ins.inventory", "--port", core=CLIENT_CORE)
        )
        address = f"127.0.0.1:{inventory.port}"
        settings = Path(stack.enter_context(tempfile.TemporaryDirectory()), "gateway.yaml")
        settings.write_text(SETTINGS.format(address=address))
        model = stack.enter_context(stand_in_model(*_rounds()))
        gateway = stack.enter_context(loaded_gateway(model, GATEWAY_CONFIG=str(settings)))
        alone = _alone(_in_process, str(settings), address, seconds)
        with server("-m", "tests.load.direct_inventory", address) as peer:
            doors = {"gateway": gateway, "FastMCP": Target(peer.url, "", "none")}
            served = uvloop.run(_through_doors(doors, address, seconds))
        console.print(_calls_table(alone, served))
        cpu = gateway.cpu_seconds
        answers = uvloop.run(_answers(model, gateway, address, seconds))
        cpu_milliseconds = (gateway.cpu_seconds - cpu) * 1000
        console.print(_answers_table(answers))
        # Of each kind, the warm ones too.
        count = sum(map(len, answers.values())) / 3 + 2 * WARM_CALLS
        console.print(
            f"the gateway took {cpu_milliseconds / count:.2f} ms of its core for each of its "
            f"answers, of either kind; load of the machine: {machine_load()}"
        )


async def _in_turn(ways: Mapping[str, Work], seconds: float) -> Seconds:
    """How long each took, in order of size; the first calls do not count."""
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(WARM_CALLS):
        for work in ways.values():
            await work()
    end = time.perf_counter() + seconds * len(ways)
    while time.perf_counter() < end:
        for name, work in ways.items():
            began = time.perf_counter()
            await work()
            measured[name].append(time.perf_counter() - began)
    return {name: sorted(each) for name, each in measured.items()}


def _alone(work: Callable[..., Seconds], *arguments: Any) -> Seconds:
    """Run in a process of its own, on the core of servers."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=os.sched_setaffinity, initargs=(0, {SERVER_CORE})
    ) as process:
        return process.submit(work, *arguments).result()


def _in_process(settings: str, address: str, seconds: float) -> Seconds:
    return uvloop.run(_with_toolbox(settings, address, seconds))


async def _with_toolbox(settings: str, address: str, seconds: float) -> Seconds:
    with tempfile.TemporaryDirectory() as folder:
        config = load(Path(settings), environment={"MCP_DATABASE_DIR": folder})
        async with opened(config) as gateway:
            await gateway.services.discovered(within_seconds=FOUND_SECONDS)
            caller.begin(LOCAL)
            toolbox = gateway.view(LOCAL).toolbox
            skus = cycle(SKUS)

            async def call() -> None:
                answer = await toolbox.call(TOOL, {"sku": next(skus)})
                assert answer.content["simulated"]

            gc.collect()
            gc.freeze()  # as the server does
            ways = {"direct": _direct(DirectInventory(address)), "toolbox": call}
            return await _in_turn(ways, seconds)


async def _through_doors(doors: Mapping[str, Target], address: str, seconds: float) -> Seconds:
    inventory = DirectInventory(address)
    ways = {name: await _mcp(target) for name, target in doors.items()}
    measured = await _in_turn({"direct": _direct(inventory), **ways}, seconds)
    await inventory.close()
    return measured


def _direct(inventory: DirectInventory) -> Work:
    skus = cycle(SKUS)

    async def call() -> None:
        item = await inventory.item(next(skus))
        assert item.simulated

    return call


async def _mcp(target: Target) -> Work:
    """Calls as the newest protocol has them: each request stands alone."""
    url = str(httpx.URL(target.url).copy_with(path="/mcp"))
    connection, requests = await connected(url), cycle([_mcp_call(url, sku) for sku in SKUS])

    async def call() -> None:
        answered = await connection.ask(next(requests))
        assert b'"isError":false' in answered.answer, answered.answer
        assert b'"simulated":true' in answered.answer

    return call


def _mcp_call(url: str, sku: str) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": TOOL, "arguments": {"sku": sku}, "_meta": meta}
    headers = {
        "Authorization": f"Bearer {KEY}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": TOOL,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return post_request(url, body, headers=headers)


async def _answers(model: Target, gateway: Target, address: str, seconds: float) -> Seconds:
    """Streamed answers, with and without tools; and the same by bare requests, and by an SDK."""
    inventory, door = DirectInventory(address), await connected(gateway.url)
    sdk = AsyncOpenAI(api_key="direct", base_url=model.url)
    ways: dict[str, Work] = {}
    for kind, tools in (("three rounds", [TOOL]), ("plain", [])):
        requests = [_chat(gateway, tools, number) for number in range(QUESTIONS)]
        await _streamed(door, requests[0])
        sent = await _last_bodies(model, count=len(ROUNDS) + 1 if tools else 1)
        straight = await connected(model.url)
        requests_to_model = [chat_request(model.url, body, key="direct") for body in sent]
        asks = [partial(_streamed, straight, one) for one in requests_to_model]
        ways[f"{kind}, direct"] = _script(asks, inventory)
        ways[f"{kind}, by OpenAI's SDK"] = _script(
            [partial(_by_sdk, sdk, body) for body in sent], inventory
        )
        ways[f"{kind}, gateway"] = _asking(door, requests)
    measured = await _in_turn(ways, seconds)
    await inventory.close()
    await sdk.close()
    return measured


def _chat(gateway: Target, tools: Sequence[str], number: int) -> bytes:
    body = {
        "model": gateway.model,
        "messages": [{"role": "user", "content": QUESTION.format(number)}],
        "max_tokens": 200,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"gateway_tools": tools} if tools else {}),
    }
    return chat_request(gateway.url, body, key=KEY)


async def _last_bodies(model: Target, *, count: int) -> Sequence[dict[str, Any]]:
    """What the gateway sent for its last answer, so that the script sends exactly the same."""
    url = httpx.URL(model.url).copy_with(path="/stand-in")
    async with httpx.AsyncClient() as client:
        told = (await client.get(url, params={"bodies": count})).raise_for_status().json()
    bodies: list[dict[str, Any]] = told["bodies"]
    assert len(bodies) == count
    return bodies


def _script(asks: Sequence[Callable[[], Awaitable[object]]], inventory: DirectInventory) -> Work:
    """What somebody would write for this one answer: the same requests, and the same calls."""

    async def run() -> None:
        for number, ask in enumerate(asks):
            await ask()
            if number < len(asks) - 1:
                await asyncio.gather(*map(inventory.item, ROUNDS[number]))

    return run


async def _by_sdk(client: AsyncOpenAI, body: Mapping[str, Any]) -> None:
    named = {name: body[name] for name in ("model", "messages", "stream")}
    extra = {name: value for name, value in body.items() if name not in named}
    async for chunk in await client.chat.completions.create(**named, extra_body=extra):
        assert chunk.id


def _asking(connection: ChatConnection, requests: Sequence[bytes]) -> Work:
    next_request = cycle(requests)

    async def ask() -> None:
        answer = await _streamed(connection, next(next_request))
        assert b'"finish_reason":"stop"' in answer, answer

    return ask


async def _streamed(connection: ChatConnection, request: bytes) -> bytes:
    answer = (await connection.ask(request)).answer
    assert b"[DONE]" in answer, answer
    return answer


def _rounds() -> Sequence[str]:
    calls = [[f'{TOOL}={{"sku":"{sku}"}}' for sku in skus] for skus in ROUNDS]
    return [option for one in calls for option in ("--round", *one)]


def _calls_table(alone: Seconds, served: Seconds) -> Table:
    table = Table("one gRPC tool call at a time", "p50 ms", "p99 ms", "added p50", "calls/s")
    for measured in (alone, served):
        where = "in process" if measured is alone else "from a client"
        for name, seconds in measured.items():
            added = milliseconds(seconds, 50) - milliseconds(measured["direct"], 50)
            label = name if name == "direct" else f"through {NAMES[name]}"
            table.add_row(f"{label}, {where}", *_figures(seconds, added), _per_second(seconds))
    return table


NAMES = {
    "toolbox": "the gateway's toolbox",
    "gateway": "the gateway's MCP",
    "FastMCP": "FastMCP alone",
}


def _answers_table(measured: Seconds) -> Table:
    table = Table(
        "one streamed answer at a time", "p50 ms", "p99 ms", "added p50", "for each round"
    )
    for name, seconds in measured.items():
        kind = name.partition(",")[0]
        direct = milliseconds(measured[f"{kind}, direct"], 50)
        added = milliseconds(seconds, 50) - direct
        rounds = len(ROUNDS) + 1 if kind == "three rounds" else 1
        table.add_row(name, *_figures(seconds, added), f"{added / rounds:.2f}")
    return table


def _figures(seconds: Sequence[float], added: float) -> tuple[str, str, str]:
    middle, high = milliseconds(seconds, 50), milliseconds(seconds, 99)
    return f"{middle:.2f}", f"{high:.2f}", f"{added:.2f}"


def _per_second(seconds: Sequence[float]) -> str:
    return f"{len(seconds) / sum(seconds):.0f}"


if __name__ == "__main__":
    main()
