"""What calls held of limits and gave back, as this process books it: whoever needs it may wait."""

import asyncio
from collections.abc import Collection


class Returns:
    """`count` counts them, so that nobody misses one that comes before it waits."""

    def __init__(self) -> None:
        self.count = 0
        self._last: dict[str, int] = {}
        self._told = asyncio.Event()

    def tell(self, limits: Collection[str]) -> None:
        """Calls that ended have given back what they held of the limits with these names."""
        if not limits:
            return
        self.count += 1
        self._last.update(dict.fromkeys(limits, self.count))
        told, self._told = self._told, asyncio.Event()
        told.set()

    async def wait(self, limit: str, *, after: int) -> None:
        """Until something is given back of a limit; `after` is the count that was seen before."""
        while self._last.get(limit, 0) <= after:
            await self._told.wait()
