"""How many answers are given at once: those beyond it wait for a while, and closing for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import Unavailable

QUEUE_SECONDS = 30.0
# Whoever is cancelled at the end may have a last word to say before it lets go of its answer.
LETTING_GO_SECONDS = 10.0


class Slots:
    def __init__(self, most: int) -> None:
        self._most = most
        self._free = asyncio.Semaphore(most)
        self._working: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Raises:
        Unavailable: none became free in time.
        """
        try:
            async with asyncio.timeout(QUEUE_SECONDS if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._most} requests are being answered at once, and none ended within "
                f"{QUEUE_SECONDS:g} s",
                retry_after_seconds=5,
            ) from error
        working = asyncio.get_running_loop().create_future()
        self._working.add(working)
        try:
            yield
        finally:
            self._working.discard(working)
            working.set_result(None)
            self._free.release()

    async def left(self) -> None:
        """Wait until nobody holds one, for a while."""
        if self._working:
            await asyncio.wait(self._working, timeout=LETTING_GO_SECONDS)
