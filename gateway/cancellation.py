"""Whether a task is cancelled itself, or something that it waited for."""

import asyncio


def is_cancelled() -> bool:
    """Whether the task that asks is."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
