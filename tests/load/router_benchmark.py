"""Chats a second and what the gateway adds to each, beside a bare proxy and the limit.

    uv run python -m tests.load.router_benchmark              the tables, about two minutes
    uv run python -m tests.load.router_benchmark --seconds 1  quicker, and rougher

One stand-in for OpenRouter, which answers with 31 events at once, is asked directly, through a
bare proxy of Starlette and httpx, and through the gateway: with a key, a budget, a quota, and the
ledger in SQLite. Each server is alone on one core; the client and the stand-in share the other.
All is on the loopback address. In the end the ledger must have what the stand-in billed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from tests.golden.prompts import TUNED, prompts
from tests.load.benchmark import CLIENT_CORE, SERVER_CORE, server
from tests.load.chat_connection import chat_request
from tests.load.chat_load import Load, Times, milliseconds
from tests.load.decisions import Decision, decisions
from tests.stand_ins.gateway_process import running_gateway

KEY = "gw_benchmark_benchmark_benchmark"
MOST_PROMPT_CHARACTERS = 1500
TOKENS = 30
CONNECTIONS = (1, 10, 50)
RATE = 100
COLUMNS = (
    "calls", "load", "direct/s", "p50 ms", "p99", "proxy/s", "p50 ms", "p99",
    "gateway/s", "p50 ms", "p99", "added p50", "p99", "CPU ms", "errors",
)  # fmt: skip

console = Console(width=160)


@dataclass(frozen=True, slots=True)
class Target:
    """A server to load; `pid` is None where its costs are not of interest."""

    url: str
    model: str
    key: str
    pid: int | None = None

    def requests(self, *, is_stream: bool) -> list[bytes]:
        options = {"stream_options": {"include_usage": True}} if is_stream else {}
        return [
            chat_request(
                self.url,
                {
                    "model": self.model,
                    "messages": [{"role": "user", "content": prompt.text}],
                    "max_tokens": 200,
                    "stream": is_stream,
                    **options,
                },
                key=self.key,
            )
            for prompt in prompts(TUNED)
            if len(prompt.text) <= MOST_PROMPT_CHARACTERS
        ]

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self, what: str) -> float:
        """`VmRSS` is now, `VmHWM` the most that ever was."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith(what))
        return int(line.split()[1]) / 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of load on each server, and what the stand-in billed for the gateway's part."""

    is_stream: bool
    connections: int | None
    times: Mapping[str, Times]
    cpu_milliseconds: float
    billed_microusd: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, help="for each cell of the table")
    seconds = parser.parse_args().seconds
    os.sched_setaffinity(0, {CLIENT_CORE})
    with ExitStack() as stack:
        stand_in = stack.enter_context(stand_in_model())
        peer = stack.enter_context(server("-m", "tests.load.pass_through", stand_in.url))
        began = time.perf_counter()
        gateway = stack.enter_context(loaded_gateway(stand_in))
        ready_seconds = time.perf_counter() - began
        time.sleep(2)
        idle = gateway.megabytes("VmRSS")
        targets = {
            "direct": stand_in,
            "proxy": Target(f"{peer.url}/v1", "small", "peer"),
            "gateway": gateway,
        }
        rows = uvloop.run(_loaded(targets, seconds))
        console.print(_table(rows))
        console.print(
            f"CPU ms: of the gateway, for each call; load of the machine: {machine_load()}"
        )
        console.print(
            f"gateway: ready after {ready_seconds:.2f} s; {idle:.0f} MB idle, "
            f"{gateway.megabytes('VmRSS'):.0f} MB after the load, "
            f"{gateway.megabytes('VmHWM'):.0f} MB at most"
        )
        is_exact = _compared(gateway, sum(row.billed_microusd for row in rows))
    with on_core(SERVER_CORE):
        console.print(_decisions_table(uvloop.run(decisions())))
    sys.exit(0 if is_exact else 1)


async def _loaded(targets: Mapping[str, Target], seconds: float) -> list[Row]:
    return [
        await _row(targets, connections, is_stream=is_stream, seconds=seconds)
        for is_stream in (False, True)
        for connections in (*CONNECTIONS, None)
    ]


async def _row(
    targets: Mapping[str, Target], connections: int | None, *, is_stream: bool, seconds: float
) -> Row:
    """One after the other: they would be in each other's way."""
    times: dict[str, Times] = {}
    cpu_milliseconds, billed = 0.0, 0
    for name, target in targets.items():
        proof = b"[DONE]" if is_stream else b'"usage"'
        load = Load(target.url, target.requests(is_stream=is_stream), proof=proof)
        before = _billed(targets["direct"])
        warm = await load.in_turn(connections or 10, seconds=min(seconds / 4, 1))
        cpu = target.cpu_seconds if target.pid else 0.0
        if connections:
            times[name] = await load.in_turn(connections, seconds=seconds)
        else:
            times[name] = await load.at_rate(RATE, seconds=seconds)
        if target.pid:
            cpu_milliseconds = (target.cpu_seconds - cpu) * 1000 / max(len(times[name]), 1)
            billed = _billed(targets["direct"]) - before
        console.print(f"{name}: {len(warm) + len(times[name])} calls", style="dim")
    return Row(is_stream, connections, times, cpu_milliseconds, billed)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(*COLUMNS)
    for column in table.columns:
        column.no_wrap = True
    for row in rows:
        kind = "stream" if row.is_stream else "plain"
        table.add_row(*_cells(row, kind, "wholes"))
        if row.is_stream:
            table.add_row(*_cells(row, " 1st event", "firsts"))
    return table


def _cells(row: Row, kind: str, which: str) -> list[str]:
    load = f"{row.connections} in turn" if row.connections else f"{RATE}/s"
    cells = [kind, load]
    for times in row.times.values():
        measured = getattr(times, which)
        middle, high = milliseconds(measured, 50), milliseconds(measured, 99)
        cells += [f"{times.per_second:.0f}", f"{middle:.2f}", f"{high:.2f}"]
    direct, gateway = (getattr(row.times[name], which) for name in ("direct", "gateway"))
    for percent in (50, 99):
        added = milliseconds(gateway, percent) - milliseconds(direct, percent)
        cells.append(f"{added:.2f}")
    errors = sum(times.errors for times in row.times.values())
    return [*cells, f"{row.cpu_milliseconds:.2f}", str(errors)]


def _decisions_table(measured: Sequence[Decision]) -> Table:
    table = Table("alone, on one core", "times", "p50 ms", "p99 ms")
    for one in measured:
        middle, high = milliseconds(one.seconds, 50), milliseconds(one.seconds, 99)
        table.add_row(one.name, str(len(one.seconds)), f"{middle:.2f}", f"{high:.2f}")
    return table


def _compared(gateway: Target, billed_microusd: int) -> bool:
    answer = httpx.get(f"{gateway.url}/usage", headers={"authorization": f"Bearer {KEY}"})
    (line,) = answer.raise_for_status().json()["lines"]
    written = round(line["billed_usd"] * 1_000_000)
    is_exact: bool = written == billed_microusd
    console.print(
        f"{line['calls']} calls in the ledger: {written} microusd, and the stand-in billed "
        f"{billed_microusd}: {'equal' if is_exact else 'NOT EQUAL'}"
    )
    return is_exact


def _billed(stand_in: Target) -> int:
    root = httpx.URL(stand_in.url).copy_with(path="/stand-in")
    billed: int = httpx.get(root).json()["billed_microusd"]
    return billed


def machine_load() -> str:
    """Others who work at the same time make everything slower, the gateway and the peer alike."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


@contextmanager
def stand_in_model(*options: str) -> Iterator[Target]:
    command = [sys.executable, "-m", "tests.stand_ins.llm", "openrouter", "--tokens", str(TOKENS)]
    command += options
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield Target(process.stdout.readline().strip(), "small", "direct")
        # It ends with its standard input.


@contextmanager
def loaded_gateway(stand_in: Target, **more: str) -> Iterator[Target]:
    """With a key, a budget, a quota and a ledger; `more` are further variables."""
    with TemporaryDirectory(prefix="benchmark-") as folder, on_core(SERVER_CORE):
        env = {
            "OPENROUTER_API_KEY": "benchmark",
            "OPENROUTER_BASE_URL": stand_in.url,
            "GATEWAY_API_KEYS": f"benchmark={KEY}",
            "GATEWAY_MONTHLY_BUDGET_USD": "100000",
            "TOKEN_BUDGET": "1000000000",
            "MCP_DATABASE_DIR": folder,
            **more,
        }
        with running_gateway(env=env) as running:
            os.sched_setaffinity(0, {CLIENT_CORE})
            yield Target(f"{running.base_url}/v1", "openrouter/small", KEY, running.pid)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that are started in the block stay on that core."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {CLIENT_CORE})


if __name__ == "__main__":
    main()
