"""The places of this process for runs: one that waits for another agent gives its own away."""

from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[str] = set()
        self._waiting = 0

    @property
    def free(self) -> int:
        return self._most - len(self._taken) + self._waiting

    def take(self, run_id: str) -> None:
        self._taken.add(run_id)

    def leave(self, run_id: str) -> None:
        self._taken.discard(run_id)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Or runs that wait for runs would take all places, and wait for ever."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
