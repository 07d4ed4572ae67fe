"""Calls per second and latency of search and fetch, beside a bare FastMCP server and the limit.

    uv run python -m tests.load.benchmark                 the table, about two minutes
    uv run python -m tests.load.benchmark --soak 600      50 sessions for ten minutes
    uv run python -m tests.load.benchmark --start         time to ready, and idle memory

Each server runs alone on one core, the client on another, all on the loopback address.
"""

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count as counting
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.load.raw_http import RawPost
from tests.load.sse_session import SseSession

SERVER_CORE, CLIENT_CORE = 0, 1
START_SECONDS = 20
# Different questions in turn, so that no answer comes from one warm place.
QUESTIONS = (
    "What is the current price of Bitcoin?",
    "Is the ETH order book healthy?",
    "Show me 4h candles for Solana",
    "btc and eth order flow",
    "dogecoin spread",
    "sol/usdc",
    "xrp volume profile",
    "link price",
    "how much is cardano in euros",
    "avalanche trades",
)
DOCUMENTS = ("ticker:BTCUSDT", "orderbook:ETHUSDT", "klines:SOLUSDT:4h", "order_flow:BTCUSDT")

Call = Callable[[], Awaitable[object]]
Start = Callable[[], AbstractContextManager["ServerProcess"]]
console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Figures:
    per_second: float
    milliseconds: tuple[float, float, float]
    cpu_milliseconds: float
    errors: int


class ServerProcess:
    """A server that was started here, and what the system says of it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_megabytes(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def server(*command: str, core: int = SERVER_CORE) -> Iterator[ServerProcess]:
    """Start `command PORT` on a core, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        _wait_for(port)
        yield ServerProcess(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def gateway() -> AbstractContextManager[ServerProcess]:
    return server("-m", "gateway", "serve", "--log-level", "warning", "--port")


async def measure(target: ServerProcess, calls: list[Call], seconds: float) -> Figures:
    """Every call again and again, each waiting for its own answer only."""
    latencies: list[float] = []
    errors = 0
    cpu, began = target.cpu_seconds, time.perf_counter()

    async def repeat(call: Call) -> None:
        nonlocal errors
        while time.perf_counter() - began < seconds:
            started = time.perf_counter()
            try:
                await call()
            except (RuntimeError, TimeoutError, OSError):
                errors += 1
            latencies.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(repeat(call) for call in calls))
    elapsed = time.perf_counter() - began
    cuts = statistics.quantiles(latencies, n=100)
    return Figures(
        per_second=len(latencies) / elapsed,
        milliseconds=(cuts[49], cuts[94], cuts[98]),
        cpu_milliseconds=(target.cpu_seconds - cpu) * 1000 / len(latencies),
        errors=errors,
    )


@asynccontextmanager
async def sessions(url: str, count: int) -> AsyncIterator[list[SseSession]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(SseSession(url)) for _ in range(count)]


def searching(session: SseSession, first: int) -> Call:
    questions = cycle(QUESTIONS[first % len(QUESTIONS) :] + QUESTIONS[: first % len(QUESTIONS)])
    return lambda: session.call("search", {"query": next(questions)})


def never_twice(session: SseSession, first: int) -> Call:
    """The same questions, each time with another number in them, so that none recurs."""
    numbers = counting(first * 1_000_000)
    questions = cycle(QUESTIONS)
    return lambda: session.call("search", {"query": f"{next(questions)} {next(numbers)}"})


def fetching(session: SseSession, first: int) -> Call:
    documents = cycle(DOCUMENTS[first % len(DOCUMENTS) :] + DOCUMENTS[: first % len(DOCUMENTS)])
    return lambda: session.call("fetch", {"id": next(documents)})


async def over_sse(
    target: ServerProcess, count: int, kind: Callable[[SseSession, int], Call], seconds: float
) -> Figures:
    async with sessions(f"{target.url}/sse/", count) as opened:
        calls = [kind(session, place) for place, session in enumerate(opened)]
        await measure(target, calls, min(1.0, seconds))  # warm
        return await measure(target, calls, seconds)


async def over_http(target: ServerProcess, count: int, seconds: float) -> Figures:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(RawPost("127.0.0.1", target.port)) for _ in range(count)
        ]
        calls = [_posting(client) for client in clients]
        await measure(target, calls, min(1.0, seconds))  # warm
        return await measure(target, calls, seconds)


def _posting(client: RawPost) -> Call:
    return lambda: client.post("/search", {"query": "bitcoin price"})


async def table(seconds: float) -> None:
    shown = Table("server", "sessions", "calls/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms/call",
                  "errors", "against FastMCP")  # fmt: skip
    base: dict[int, float] = {}
    for name, start, run in _contestants():
        with start() as target:
            for count in (1, 10, 50):
                figures = await run(target, count, seconds)
                if name.startswith("bare FastMCP"):
                    base[count] = figures.per_second
                shown.add_row(*_row(name, count, figures, base[count]))
                console.print(f"{name}, {count} sessions: {figures.per_second:.0f} calls/s")
            console.print(f"{name}: {target.memory_megabytes:.0f} MB")
    console.print(shown)


def _contestants() -> list[tuple[str, Start, Callable[..., Awaitable[Figures]]]]:
    peers = str(Path(__file__).with_name("peers.py"))
    return [
        ("bare FastMCP, one trivial tool", lambda: server(peers, "fastmcp"),
         lambda t, n, s: over_sse(t, n, searching, s)),
        ("gateway search, questions recur", gateway, lambda t, n, s: over_sse(t, n, searching, s)),
        ("gateway search, none recurs", gateway, lambda t, n, s: over_sse(t, n, never_twice, s)),
        ("gateway fetch", gateway, lambda t, n, s: over_sse(t, n, fetching, s)),
        ("bare Starlette, JSON over HTTP", lambda: server(peers, "starlette"), over_http),
    ]  # fmt: skip


def _row(name: str, count: int, figures: Figures, base: float) -> list[str]:
    middle, high, highest = figures.milliseconds
    return [
        name, str(count), f"{figures.per_second:.0f}", f"{middle:.2f}", f"{high:.2f}",
        f"{highest:.2f}", f"{figures.cpu_milliseconds:.3f}", str(figures.errors),
        f"{figures.per_second / base:.0%}",
    ]  # fmt: skip


def start(times: int) -> None:
    """How long until the gateway answers, and how much memory it then holds."""
    for _ in range(times):
        began = time.perf_counter()
        with gateway() as target:
            ready = time.perf_counter() - began
            time.sleep(3)
            console.print(f"ready after {ready:.2f} s, idle at {target.memory_megabytes:.0f} MB")


async def soak(seconds: float, count: int, pause_seconds: float) -> None:
    """Sessions that search, fetch what they found, and pause; errors and memory as time goes."""
    calls = errors = 0
    with gateway() as target:
        async with sessions(f"{target.url}/sse/", count) as opened:
            end = time.monotonic() + seconds

            async def use(session: SseSession, place: int) -> None:
                nonlocal calls, errors
                questions = cycle(QUESTIONS[place % len(QUESTIONS) :] + QUESTIONS)
                while time.monotonic() < end:
                    try:
                        found = await session.call("search", {"query": next(questions)})
                        first = found["structuredContent"]["results"][0]["id"]
                        await session.call("fetch", {"id": first})
                    except (RuntimeError, TimeoutError, OSError, LookupError) as error:
                        errors += 1
                        console.print(f"error: {error}")
                    calls += 2
                    await asyncio.sleep(pause_seconds)

            async def report() -> None:
                while time.monotonic() < end:
                    megabytes = target.memory_megabytes
                    console.print(f"{calls} calls, {errors} errors, {megabytes:.1f} MB")
                    await asyncio.sleep(min(10.0, max(0.1, end - time.monotonic())))

            await asyncio.gather(report(), *(use(one, n) for n, one in enumerate(opened)))
            console.print(f"end: {calls} calls, {errors} errors, {target.memory_megabytes:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6, help="for each line of the table")
    parser.add_argument("--soak", type=float, nargs="?", const=60, help="seconds, 60 by default")
    parser.add_argument("--start", action="store_true", help="time to ready, five times")
    parser.add_argument("--sessions", type=int, default=50, help="of the soak")
    parser.add_argument(
        "--pause", type=float, default=0.5, help="of a session between two searches"
    )
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    if options.start:
        start(5)
    elif options.soak:
        asyncio.run(soak(options.soak, options.sessions, options.pause))
    else:
        asyncio.run(table(options.seconds))


if __name__ == "__main__":
    main()
