"""Ends tasks, and tells whether one is cancelled itself, or something that it waited for."""

import asyncio
from typing import Any


def is_cancelled() -> bool:
    """Whether the task that asks is."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them, and return once they have ended, however they did."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
