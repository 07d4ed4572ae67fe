"""Where a limit is only held by calls under way, an agent waits and asks again.

The ledger holds the most that a call may cost until it knows what it did cost. Whoever waits here
holds nothing itself, and lends its place to other runs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.agents.places import Places
from gateway.agents.run import Step
from gateway.clock import Clock
from gateway.errors import LimitExceeded
from gateway.usage.returns import Returns

# A limit that many share gives back all the time: asking takes longer than to wait a little.
LEAST_SHARE_OF_PAUSE = 0.2
FIRST_PAUSE_SECONDS = 0.5
# What other processes give back is seen only by asking again.
MOST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    returns: Returns
    places: Places
    clock: Clock

    async def asked(
        self,
        ask: Callable[[Step], Awaitable[Step]],
        step: Step,
        *,
        until: datetime,
        waits: Callable[[Step], Awaitable[None]],
    ) -> Step:
        """What came of asking, with how long it waited; `waits` hears of that before each pause.

        Raises:
            LimitExceeded: a limit is spent, or what it lacks is still held at the time `until`.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            count = self.returns.count
            try:
                return await ask(step)
            except LimitExceeded as error:
                refused = error
            left = (until - self.clock()).total_seconds()
            if not refused.is_only_held or left <= 0:
                raise refused
            await waits(self._waited(step, refused.limit))
            await self._given_back(refused.limit, after=count, seconds=min(pause, left))
            step = self._waited(step, refused.limit)
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    def _waited(self, step: Step, limit: str) -> Step:
        seconds = round((self.clock() - step.began).total_seconds(), 1)
        return replace(step, asked={"waited_for": limit, "waited_seconds": seconds})

    async def _given_back(self, limit: str, *, after: int, seconds: float) -> None:
        """Until it may be worth asking again."""
        with self.places.lent(), suppress(TimeoutError):
            await asyncio.sleep(LEAST_SHARE_OF_PAUSE * seconds)
            async with asyncio.timeout(seconds):
                await self.returns.wait(limit, after=after)
