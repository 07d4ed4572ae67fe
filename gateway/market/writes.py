"""Writes that were begun: none ends with the call that asked for it, and none is forgotten."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeAlias

from gateway.errors import GatewayError, OutcomeUnknown

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0

Write: TypeAlias = asyncio.Task[dict[str, Any]]


class Writes:
    """Owns each write until it ends; the end of the block waits for them, but not for long."""

    def __init__(self, *, close_seconds: float = CLOSE_SECONDS) -> None:
        self._close_seconds = close_seconds
        self._under_way: set[Write] = set()

    async def __aenter__(self) -> Self:
        return self

    def begin(self, name: str, writing: Coroutine[Any, Any, dict[str, Any]]) -> Write:
        """Wait for it with `asyncio.shield`: who hangs up must not stop what was confirmed."""
        write = asyncio.create_task(writing, name=name)
        self._under_way.add(write)
        write.add_done_callback(self._ended)
        return write

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=self._close_seconds)
        for write in late:
            logger.warning("write=%s outcome=unknown: it did not end in time", write.get_name())
            write.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, write: Write) -> None:
        self._under_way.discard(write)
        if write.cancelled():
            return
        # Taken here too, since its caller may be gone.
        error = write.exception()
        outcome = type(error).__name__ if error else "done"
        logger.info("write=%s outcome=%s", write.get_name(), outcome)


def failed_safely(write: Write) -> bool:
    """Whether it has ended, and the exchange certainly did nothing."""
    if not write.done() or write.cancelled():
        return False
    error = write.exception()
    return isinstance(error, GatewayError) and not isinstance(error, OutcomeUnknown)
