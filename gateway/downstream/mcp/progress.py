"""How far a call has come, told to whoever waits for it: the latest only, and never backwards."""

import asyncio
import contextvars
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.downstream.translation import plain

logger = logging.getLogger(__name__)

OnProgress = Callable[[float, float | None, str | None], Awaitable[None]]

MAX_SAID_CHARACTERS = 200


class Progress:
    """However fast a server reports, one report is told at a time, in the caller's context."""

    def __init__(self, tell: OnProgress) -> None:
        self._tell = tell
        self._context = contextvars.copy_context()
        self._done = -math.inf
        self._latest: tuple[float, float | None, str | None] | None = None
        self._teller: asyncio.Task[None] | None = None

    def take(self, parameters: Mapping[str, Any]) -> None:
        done, total = _number(parameters.get("progress")), _number(parameters.get("total"))
        if done is None or done <= self._done:
            return
        said = parameters.get("message")
        message = plain(said, limit=MAX_SAID_CHARACTERS) if isinstance(said, str) else None
        self._done, self._latest = done, (done, total, message)
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(
                self._tell_latest(), name="progress of a call", context=self._context
            )

    async def told(self) -> None:
        """Once all that was reported has been told."""
        if self._teller:
            await self._teller

    def close(self) -> None:
        if self._teller:
            self._teller.cancel()

    async def _tell_latest(self) -> None:
        while self._latest:
            latest, self._latest = self._latest, None
            try:
                await self._tell(*latest)
            except Exception:
                # Whoever listens must not be able to fail the call.
                logger.exception("progress was not taken up")


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
