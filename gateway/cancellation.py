"""Ends tasks, and tells whether one is cancelled itself, or something that it waited for."""

import asyncio
import logging
from typing import Any

logger = logging.getLogger(__name__)


def is_cancelled() -> bool:
    """Whether the task that asks is."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them, and return once they have ended, however they did; the log has what broke."""
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for task, outcome in zip(tasks, outcomes, strict=True):
        # Nobody else asks how a task of the background ended, perhaps long ago.
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            logger.error("task %r broke", task.get_name(), exc_info=outcome)
