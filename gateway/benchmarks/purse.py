"""The budget of a run: no call begins whose worst case it could not pay."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.errors import PaymentRequired
from gateway.usage.limit import dollars


class OverBudget(PaymentRequired):
    """A call was not begun, because the run's budget might not pay for it."""

    code = "over_budget"


class Purse:
    """Shared by the calls of one run.

    `committed` asks the ledger for what the run has spent, and what its calls hold that run: it
    knows also of calls that a crash cut off. Calls that are admitted here are counted once more
    until they end; whoever is refused for that alone waits for them.
    """

    def __init__(
        self, budget_microusd: int | None, committed: Callable[[], Awaitable[int]]
    ) -> None:
        self._budget = budget_microusd or 0
        self._committed = committed
        self._admission = asyncio.Lock()
        self._ended = asyncio.Event()
        self._held: list[int] = []

    @asynccontextmanager
    async def holding(self, worst_microusd: int | None) -> AsyncIterator[None]:
        """Raises:
        OverBudget: there may not be enough left, even once all other calls have ended.
        """
        if worst_microusd is None:
            raise OverBudget("what it may cost is not known, and the run has a budget")
        if worst_microusd == 0:
            yield
            return
        async with self._admission:
            await self._wait_for(worst_microusd)
            self._held.append(worst_microusd)
        try:
            yield
        finally:
            self._held.remove(worst_microusd)
            self._ended.set()

    async def _wait_for(self, worst: int) -> None:
        while True:
            # Before the ledger is asked: what ends meanwhile must be seen afterwards.
            self._ended.clear()
            is_alone = not self._held
            # Before the ledger is asked: a call that ends meanwhile is counted in one of the two.
            held = sum(self._held)
            committed = await self._committed()
            if committed + held + worst <= self._budget:
                return
            if is_alone:
                raise OverBudget(
                    f"a call may cost {dollars(worst)}, and {dollars(committed)} of the run's "
                    f"budget of {dollars(self._budget)} are spent"
                )
            await self._ended.wait()
