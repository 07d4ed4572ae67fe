import asyncio

import pytest

from gateway.benchmarks.purse import OverBudget, Purse


class Books:
    """What a ledger would say that was spent."""

    def __init__(self) -> None:
        self.spent = 0

    async def committed(self) -> int:
        return self.spent


async def test_what_is_free_needs_no_budget() -> None:
    async with Purse(None, Books().committed).holding(0):
        pass


@pytest.mark.parametrize(("budget", "worst"), [(None, 1), (100, None), (100, 101)])
async def test_what_the_budget_may_not_pay_is_not_begun(
    budget: int | None, worst: int | None
) -> None:
    with pytest.raises(OverBudget):
        async with Purse(budget, Books().committed).holding(worst):
            raise AssertionError("it began")


async def test_a_call_waits_for_others_that_may_yet_leave_enough() -> None:
    books = Books()
    purse = Purse(100, books.committed)
    begun, gate = asyncio.Event(), asyncio.Event()

    async def call(cost: int, wait: asyncio.Event | None = None) -> None:
        async with purse.holding(60):
            begun.set()
            if wait is not None:
                await wait.wait()
            books.spent += cost

    async with asyncio.timeout(5):
        first = asyncio.create_task(call(30, gate))
        await begun.wait()
        second = asyncio.create_task(call(60))
        done, _ = await asyncio.wait({second}, timeout=0)
        assert not done
        gate.set()
        await asyncio.gather(first, second)
        assert books.spent == 90
        with pytest.raises(OverBudget, match=r"a call may cost \$0\.00006"):
            await call(1)


async def test_whoever_waits_is_refused_when_too_little_is_left() -> None:
    books = Books()
    purse = Purse(100, books.committed)
    begun, gate = asyncio.Event(), asyncio.Event()

    async def dear() -> None:
        async with purse.holding(60):
            begun.set()
            await gate.wait()
            books.spent += 60

    async def next_one() -> None:
        async with purse.holding(60):
            raise AssertionError("it began")

    async with asyncio.timeout(5):
        first = asyncio.create_task(dear())
        await begun.wait()
        second = asyncio.create_task(next_one())
        await asyncio.wait({second}, timeout=0)
        gate.set()
        await first
        with pytest.raises(OverBudget):
            await second
