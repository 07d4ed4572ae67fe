"""What every watcher is given: where its news go, and how it waits."""

from collections.abc import Awaitable, Callable

from gateway.agents.event import News, Stored

Publish = Callable[[News], Awaitable[Stored]]
Wait = Callable[[float], Awaitable[object]]
"""For so many seconds."""
