"""How far a running call of a tool has come, told to whoever asked for it to be told."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

Report = Callable[[float, float | None, str | None], Awaitable[None]]

_current: ContextVar[Report | None] = ContextVar("progress", default=None)


def begin(report: Report | None) -> None:
    """Tell the progress of what is called from here on, in this task and those that it starts."""
    _current.set(report)


async def tell(done: float, total: float | None = None, message: str | None = None) -> None:
    """`done` only ever grows; `total` is None where nobody knows it."""
    report = _current.get()
    if report is not None:
        await report(done, total, message)
