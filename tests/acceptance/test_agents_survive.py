"""Agents whose processes are killed in mid-thought: nothing is lost, asked or done twice."""

import asyncio
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from gateway.agents.event import News
from gateway.app.opening import Gateway, opened
from gateway.clock import now
from gateway.config.settings import Config, load
from gateway.storage.tables import usage
from gateway.tasks.task import Filter
from gateway.usage.ledger import Ledger
from tests.acceptance.router_processes import provider
from tests.stand_ins.agents_process import Nursery, kill, nursery
from tests.stand_ins.inventory import Inventory, InventoryServer, Item
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.postgres import postgres

RUNS = 50
ROUNDS = 3
KILLS = 12
SETTLE_SECONDS = 60
# A micro-dollar for each token: what an answer costs tells which one it was.
OFFER = Offer("small", input=Decimal(1), output=Decimal(1))
OUTPUT_TOKENS = 100
AGENT = {
    "name": "keeper",
    "is_on": True,
    "instructions": "Keep the warehouse.",
    "model": "openrouter/small",
    "hears": ["stock:low"],
    "tools": ["create_task", "reserve_items"],
    "concurrency": 8,
    "output_tokens": OUTPUT_TOKENS,
    "budget_per_run_usd": 0.2,
    "budget_per_day_usd": 10,
}


@dataclass
class Kills:
    """Which process dies after how many calls of models and tools; `seen` is where it stands."""

    points: list[int]
    seen: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self) -> None:
        self.seen += 1
        if self.points and self.seen >= self.points[0]:
            self.reached.set()

    async def next(self) -> None:
        await self.reached.wait()
        self.points.pop(0)
        self.reached.clear()


@dataclass
class World:
    """Everything that outlives the processes which are killed."""

    gateway: Gateway
    config: Config
    model: LlmStandIn
    inventory: Inventory
    kills: Kills
    # Of each conversation the numbers of the answers that were given to it.
    given: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    # What a model was told, word by word, in each conversation.
    told: dict[tuple[int, int], set[str]] = field(default_factory=lambda: defaultdict(set))

    def reply(self, body: Mapping[str, Any]) -> Answer:
        self.kills.see()
        messages = body["messages"]
        (which,) = re.findall(r'"number": (\d+)', messages[1]["content"])
        place = int(which), sum(one["role"] == "tool" for one in messages)
        number = sum(map(len, self.given.values())) + 1
        self.given[place].append(number)
        self.told[place].add(json.dumps(messages))
        return _answer(*place, number)

    async def publish(self, numbers: range) -> None:
        for number in numbers:
            await self.gateway.agents.publish(News("stock:low", {"number": number}))

    async def all_have_ended(self) -> None:
        async with asyncio.timeout(SETTLE_SECONDS):
            # Another process cannot set an event here: asking again is all there is.
            while not await self._have_ended():  # noqa: ASYNC110 - for the same reason
                await asyncio.sleep(0.05)

    async def _have_ended(self) -> bool:
        runs = await self.gateway.agents.runs(limit=2 * RUNS)
        return len(runs) >= RUNS and all(one.has_ended for one in runs)


def _answer(run: int, round_: int, number: int) -> Answer:
    """It says which answer it is; and which it was, what it costs says too."""
    said = Answer(f"Answer {number}.", input_tokens=number)
    if round_ == 0:
        task = json.dumps({"title": f"Count what is left of item {run}"})
        return replace(said, tools=(Tool("create_task", task),))
    if round_ == 1:
        order = json.dumps({"sku": "LAMP-7", "count": 1, "customer": f"run {run}"})
        return replace(said, tools=(Tool("reserve_items", order),))
    return said


class NotedInventory(Inventory):
    """Its calls may be what a process dies of, too."""

    kills: Kills

    async def reserve_items(self, request: Any, context: Any) -> Any:
        self.kills.see()
        return await super().reserve_items(request, context)


@asynccontextmanager
async def world(folder: Path, kills: Kills, *, env: Mapping[str, str]) -> AsyncIterator[World]:
    inventory = NotedInventory(items={"LAMP-7": Item("LAMP-7", "Desk lamp", 1_000, 34.0, "B-02")})
    inventory.kills = kills
    async with LlmStandIn("openrouter", offers=[OFFER]) as model, InventoryServer(inventory) as by:
        settings = {
            "providers": [provider(model)],
            "agents_file": "agents.yaml",
            "grpc_services": [{"name": "inventory", "address": by.address}],
        }
        agents = {"agents": [AGENT], "limits": {"runs_at_once": 8}}
        (folder / "gateway.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        (folder / "agents.yaml").write_text(yaml.safe_dump(agents), "utf-8")
        config = load(folder / "gateway.yaml", environment=env)
        async with opened(config) as gateway:
            opened_world = World(gateway, config, model, inventory, kills)
            model.always("small", opened_world.reply)
            yield opened_world


def _environment(folder: Path, database: str | None) -> dict[str, str]:
    kept = {"MCP_DATABASE_DIR": str(folder / "kept")}
    return kept if database is None else {**kept, "GATEWAY_DATABASE_URL": database}


async def killing(world: World, nursery: Nursery, *, replicas: int) -> int:
    """Kill one process at each point, the oldest first, and let a new one take its place."""
    turns, killed = random.Random(6), 0
    running = [await nursery.open() for _ in range(replicas)]
    while world.kills.points:
        await world.kills.next()
        # Somewhere within the call, or just behind it.
        for _ in range(turns.randrange(200)):
            await asyncio.sleep(0)
        kill(running.pop(0))
        killed += 1
        running.append(await nursery.open())
        if killed == KILLS // 2:
            await world.publish(range(RUNS // 2, RUNS))
    await world.all_have_ended()
    return killed


@pytest.mark.parametrize(("kind", "replicas"), [("sqlite", 1), ("postgresql", 2)])
async def test_runs_whose_processes_are_killed_end_as_if_nothing_had_happened(
    tmp_path: Path, kind: str, replicas: int
) -> None:
    database = postgres().new_database() if kind == "postgresql" else None
    points = sorted(random.Random(kind).sample(range(6, RUNS * ROUNDS), KILLS))
    env, log = _environment(tmp_path, database), tmp_path / "log"
    async with (
        world(tmp_path, Kills(points), env=env) as at,
        nursery(tmp_path / "gateway.yaml", env=env, log=log) as born,
    ):
        await at.publish(range(RUNS // 2))
        assert await killing(at, born, replicas=replicas) == KILLS
        await all_did_their_work_once(at)
        await nothing_recorded_was_asked_again(at)
        await the_ledger_is_exact(at)


async def all_did_their_work_once(world: World) -> None:
    runs = await world.gateway.agents.runs(limit=2 * RUNS)
    assert Counter(one.status for one in runs) == {"done": RUNS}
    assert {(one.rounds, one.calls) for one in runs} == {(ROUNDS, ROUNDS - 1)}
    listing = await world.gateway.router.tasks.listed(Filter(), limit=2 * RUNS)
    titles = Counter(one.title for one in listing.tasks)
    assert titles == {f"Count what is left of item {number}": 1 for number in range(RUNS)}
    reserved: list[Any] = list(world.inventory.reservations.values())
    customers = Counter(one.customer for one in reserved)
    assert customers == {f"run {number}": 1 for number in range(RUNS)}


async def nothing_recorded_was_asked_again(world: World) -> None:
    asked = 0
    for run in await world.gateway.agents.runs(limit=RUNS):
        story = await world.gateway.agents.story(run.id)
        answers = [one for one in story.steps if one.kind == "ask"]
        assert [one.outcome for one in story.steps] == ["ok"] * (2 * ROUNDS - 1)
        for round_, step in enumerate(answers):
            place = int(story.event.news.data["number"]), round_
            assert step.answer is not None
            recorded = int(re.findall(r"Answer (\d+)", step.answer["message"]["content"])[0])
            # Those before it were lost with their process; behind it there is none.
            assert recorded == world.given[place][-1], place
            assert len(world.told[place]) == 1, place
            asked += len(world.given[place])
    assert asked == len(world.model.requests)


async def the_ledger_is_exact(world: World) -> None:
    ledger = world.gateway.router.ledger
    later = Ledger(
        world.gateway.router.database,
        world.config.limits,
        clock=lambda: now() + timedelta(minutes=16),
    )
    async with later:
        # What the killed processes held is charged in full now.
        await later.sweep()
    await ledger.refresh()
    columns = (usage.c.input_tokens, usage.c.charged_microusd, usage.c.outcome, usage.c.request_id)
    lines = await world.gateway.router.database.read(
        lambda connection: connection.execute(select(*columns)).all()
    )
    settled = {tokens: charged for tokens, charged, outcome, _ in lines if outcome == "ok"}
    lost = [charged for _, charged, outcome, _ in lines if outcome != "ok"]
    billed = {bill.tokens.input: bill.microusd for bill in world.model.bills}
    assert len(settled) + len(lost) == len(lines)
    assert settled.items() <= billed.items()
    assert len(billed.keys() - settled.keys()) <= len(lost)
    assert min(lost) >= OUTPUT_TOKENS
    (day,) = [one for one in ledger.all_standing() if one.limit.name == "agent-keeper-day"]
    assert day.used == sum(settled.values()) + sum(lost) <= day.limit.most
    of_runs: Counter[str] = Counter()
    for _, charged, _, request_id in lines:
        of_runs[request_id] += charged
    assert max(of_runs.values()) <= 200_000
