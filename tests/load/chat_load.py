"""Chats sent to a server: as many as it answers in turn, or so many in a second come what may."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle

from tests.load.chat_connection import ChatConnection, connected

# Whoever comes while all of these are busy waits, and its time counts from when it came.
MOST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each call, in order of size: to the first piece of its answer, and to its end."""

    per_second: float
    firsts: Sequence[float]
    wholes: Sequence[float]
    errors: int

    def __len__(self) -> int:
        return len(self.wholes)


def milliseconds(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1000


class Load:
    """Chats for one server. The answer to each must hold the bytes `proof`."""

    def __init__(self, url: str, requests: Sequence[bytes], *, proof: bytes) -> None:
        self._url = url
        self._requests: Iterator[bytes] = cycle(requests)
        self._proof = proof
        self._firsts: list[float] = []
        self._wholes: list[float] = []
        self._errors = 0
        self._first_error = ""

    async def in_turn(self, connections: int, *, seconds: float) -> Times:
        """Each connection asks again as soon as it is answered."""
        opened = [await connected(self._url) for _ in range(connections)]
        began = time.perf_counter()

        async def repeat(connection: ChatConnection) -> None:
            while time.perf_counter() - began < seconds:
                await self._ask(connection, since=time.perf_counter())

        await asyncio.gather(*map(repeat, opened))
        return self._times(time.perf_counter() - began, opened)

    async def at_rate(self, per_second: float, *, seconds: float) -> Times:
        """One call after another at its time, whether those before it are answered or not."""
        opened = [await connected(self._url) for _ in range(MOST_CONNECTIONS)]
        free: asyncio.LifoQueue[ChatConnection] = asyncio.LifoQueue()
        for connection in opened:
            free.put_nowait(connection)
        began = time.perf_counter()

        async def call(due: float) -> None:
            connection = await free.get()
            await self._ask(connection, since=due)
            free.put_nowait(connection)

        async with asyncio.TaskGroup() as calls:
            for number in range(int(per_second * seconds)):
                due = began + number / per_second
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                calls.create_task(call(due))
        return self._times(time.perf_counter() - began, opened)

    async def _ask(self, connection: ChatConnection, *, since: float) -> None:
        try:
            first, whole, answer = await connection.ask(next(self._requests))
        except (RuntimeError, OSError, TimeoutError) as error:
            self._errors += 1
            self._first_error = self._first_error or repr(error)
            return
        self._errors += self._proof not in answer
        self._firsts.append(first - since)
        self._wholes.append(whole - since)

    def _times(self, elapsed: float, opened: Sequence[ChatConnection]) -> Times:
        """Raises:
        RuntimeError: nothing was answered, with the first thing that was said instead.
        """
        for connection in opened:
            with suppress(OSError):
                connection.close()
        if not self._wholes:
            raise RuntimeError(f"{self._url} answered nothing: {self._first_error}")
        firsts, wholes = sorted(self._firsts), sorted(self._wholes)
        errors = self._errors
        self._firsts, self._wholes, self._errors = [], [], 0
        return Times(len(wholes) / elapsed, firsts, wholes, errors)
