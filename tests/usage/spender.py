"""A process of its own that spends from a shared budget: `python -m tests.usage.spender URL …`.

It reserves `asks` calls of 1 micro-dollar at once against a budget of `most`. Then it either
settles every call that was granted, at its worst case, or holds them until it is killed. It
writes how many it was granted.
"""

import asyncio
import sys

from gateway.errors import LimitExceeded
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from tests.usage.ledgers import CALL, budget, costing, open_ledger, quota


async def main(url: str, most: str, asks: str, end: str) -> None:
    limits = (budget(int(most)), quota(int(most), window="rolling_30_days"))
    async with open_ledger(url, *limits) as ledger:
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        granted = sum(
            await asyncio.gather(*(_spend(ledger, is_held=end == "hold") for _ in range(int(asks))))
        )
        say(str(granted))
        if end == "hold":
            await asyncio.Event().wait()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _spend(ledger: Ledger, *, is_held: bool) -> bool:
    try:
        reservation = await ledger.reserve(CALL, costing(1))
    except LimitExceeded:
        return False
    if not is_held:
        await ledger.settle(reservation, Settlement(billed_microusd=1))
    return True


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
