"""How long a call waits for the ledger, by hand: `python -m tests.load.limits [URL …]`.

Without a URL it measures a SQLite file and a PostgreSQL of its own. Every call is bound by four
limits, reserves its worst case and settles the truth. The table says for one call at a time how
long each of both takes, and for 100 at a time how many calls pass in a second.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator

from gateway.storage.database import Database
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.stand_ins.postgres import postgres

LIMITS = (
    Limit("money", "microusd", 10**12, Window.parse("month")),
    Limit("each caller", "microusd", 10**12, Window.parse("day"), per=("caller",)),
    Limit("free", "requests", 10**9, Window.parse("rolling_30_days"), {"tier": "free"}),
    Limit("tokens", "tokens", 10**12, Window.parse("week"), per=("model",)),
)
CALL = Call("request-1", "alice", "nanogpt", "nanogpt/glm", "free")
WORST = Amount(1, tokens=1000, input_tokens=600, microusd=1000)
TRUTH = Settlement(100, 50, billed_microusd=100, list_microusd=100, total_ms=800.0)

ONE_BY_ONE = 500
AT_ONCE = 100
CALLS = 5000


async def main(urls: list[str]) -> None:
    say(f"{'database':12}{'reserve ms':>22}{'settle ms':>22}{'calls/s':>10}{'CPU':>7}")
    for url in urls:
        async with Database(url) as database, Ledger(database, LIMITS) as ledger:
            await one_by_one(ledger, 50)
            reserving, settling = await one_by_one(ledger, ONE_BY_ONE)
            rate, cpu = await at_once(ledger)
        kind = url.partition(":")[0]
        say(f"{kind:12}{spread(reserving):>22}{spread(settling):>22}{rate:>10.0f}{cpu:>7.0%}")


async def one_by_one(ledger: Ledger, calls: int) -> tuple[list[float], list[float]]:
    reserving, settling = [], []
    for _ in range(calls):
        start = time.perf_counter()
        reservation = await ledger.reserve(CALL, WORST)
        middle = time.perf_counter()
        await ledger.settle(reservation, TRUTH)
        reserving.append(middle - start)
        settling.append(time.perf_counter() - middle)
    return reserving, settling


async def at_once(ledger: Ledger) -> tuple[float, float]:
    left = iter(range(CALLS))
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_spend(ledger, left) for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - start
    return CALLS / seconds, (time.process_time() - cpu) / seconds


async def _spend(ledger: Ledger, left: Iterator[int]) -> None:
    for _ in left:
        await ledger.settle(await ledger.reserve(CALL, WORST), TRUTH)


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"p50 {middle * 1000:.2f}  p99 {late * 1000:.2f}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        urls = sys.argv[1:] or [f"sqlite:///{folder}/gateway.db", postgres().new_database()]
        asyncio.run(main(urls))
