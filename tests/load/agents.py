"""Events accepted and runs finished by agents, beside empty workflows of DBOS, on SQLite.

    uv run python -m tests.load.agents                   10,000 events, some minutes
    uv run python -m tests.load.agents --events 1000     quicker, and rougher

A model in another process answers each run at once, in one round. All events are accepted before
any is worked off: by one agent that does one at a time, then by four that share them. Each has to
work its own off in their order. Each measurement has a process of its own, for its memory.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from gateway.agents.event import News
from gateway.agents.run_rows import RUN_COLUMNS, run_of
from gateway.app.opening import Gateway, opened
from gateway.config.settings import Config, load
from gateway.storage.agent_tables import agent_runs
from tests.load.router_benchmark import stand_in_model

EVENTS, PUBLISHERS = 10_000, 200
SEVERAL = 4
LOOK_SECONDS = 0.25
MEGABYTE = 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """`growth_bytes` is how much more memory it had at its peak than when it was open."""

    name: str
    runs_per_second: float
    accepted_per_second: float | None = None
    peak_bytes: int | None = None
    growth_bytes: int | None = None


def agents(count: int, lanes: int, model_url: str) -> Measured:
    with tempfile.TemporaryDirectory(prefix="agents-") as folder:
        config = _config(Path(folder), lanes, model_url)
        return asyncio.run(_agents(config, count, lanes))


async def _agents(config: Config, count: int, lanes: int) -> Measured:
    async with opened(config) as gateway:
        accepted = await _timed(lambda: _accept(gateway, count, lanes))
    async with opened(config, carries_out="all") as gateway:
        memory = [_resident_bytes()]
        finished = await _timed(lambda: _all_done(gateway, count, memory))
        await _check_order(gateway, count)
    return Measured(
        f"{lanes} agent{'s' if lanes > 1 else ''}, one run at a time each",
        count / finished,
        accepted_per_second=count / accepted,
        peak_bytes=max(memory),
        growth_bytes=max(memory) - memory[0],
    )


async def _accept(gateway: Gateway, count: int, lanes: int) -> None:
    numbers = iter(range(count))

    async def publish() -> None:
        for number in numbers:
            data = {"number": number, "lane": str(number % lanes), "text": "x" * 500}
            await gateway.agents.publish(News("load:event", data))

    async with asyncio.TaskGroup() as group:
        for _ in range(PUBLISHERS):
            group.create_task(publish())


async def _all_done(gateway: Gateway, count: int, memory: list[int]) -> None:
    done = select(func.count()).where(agent_runs.c.status == "done")
    database = gateway.router.database
    while await database.read(lambda connection: connection.execute(done).scalar_one()) < count:
        memory.append(_resident_bytes())
        await asyncio.sleep(LOOK_SECONDS)


async def _check_order(gateway: Gateway, count: int) -> None:
    """Each agent's next run began when the one of the event before had ended."""
    query = select(*RUN_COLUMNS).order_by(agent_runs.c.agent, agent_runs.c.position)
    rows = await gateway.router.database.read(lambda connection: connection.execute(query).all())
    runs = [run_of(row) for row in rows]
    assert len(runs) == count, len(runs)
    for before, behind in pairwise(runs):
        if before.agent == behind.agent:
            assert before.ended is not None
            assert behind.started is not None
            assert before.ended <= behind.started, behind.id


def empty(count: int, is_queued: bool) -> Measured:
    """Workflows of DBOS that do nothing."""
    from dbos import DBOS

    with tempfile.TemporaryDirectory(prefix="dbos-") as folder:
        url = f"sqlite:///{folder}/dbos.db"
        DBOS(config={"name": "empty", "system_database_url": url, "log_level": "WARNING"})
        nothing = DBOS.workflow()(_nothing)
        DBOS.launch()
        queue = DBOS.register_queue("empty", worker_concurrency=50, polling_interval_sec=0.05)
        began = time.perf_counter()
        for number in range(count) if not is_queued else ():
            nothing(number)
        for handle in [queue.enqueue(nothing, one) for one in range(count) if is_queued]:
            handle.get_result(polling_interval_sec=0.01)
        seconds = time.perf_counter() - began
        DBOS.destroy(destroy_registry=True)
    return Measured(f"DBOS alone, empty, {'queued' if is_queued else 'called'}", count / seconds)


def _nothing(number: int) -> int:
    return number


def _config(folder: Path, lanes: int, model_url: str) -> Config:
    provider = {"kind": "openrouter", "base_url": model_url, "api_key": "benchmark"}
    settings = {"providers": [provider], "agents_file": "agents.yaml"}
    lines = [
        {
            "name": f"agent-{lane}",
            "is_on": True,
            "instructions": "Answer.",
            "model": "openrouter/small",
            "hears": [{"topic": "load:event", "where": {"lane": str(lane)}}],
            "budget_per_day_usd": 10_000,
        }
        for lane in range(lanes)
    ]
    (folder / "gateway.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    (folder / "agents.yaml").write_text(yaml.safe_dump({"agents": lines}), "utf-8")
    return load(folder / "gateway.yaml", environment={"MCP_DATABASE_DIR": str(folder / "kept")})


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def alone(work: Callable[..., T], *arguments: Any) -> T:
    """In a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def table(rows: Sequence[Measured]) -> Table:
    shown = Table(title="Agents on SQLite, in one process")
    for heading in ("", "events accepted/s", "runs finished/s", "peak memory", "growth"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        shown.add_row(
            row.name,
            *(f"{one:,.0f}" if one else "" for one in (row.accepted_per_second,)),
            f"{row.runs_per_second:,.0f}",
            *(
                "" if one is None else f"{one / MEGABYTE:,.0f} MB"
                for one in (row.peak_bytes, row.growth_bytes)
            ),
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description="What agents accept and finish.")
    parser.add_argument("--events", type=int, default=EVENTS)
    count = parser.parse_args().events
    rows = [alone(empty, min(count, 2_000), is_queued) for is_queued in (False, True)]
    with stand_in_model() as model:
        rows += [alone(agents, count, lanes, model.url) for lanes in (1, SEVERAL)]
    Console().print(table(rows))


if __name__ == "__main__":
    main()
