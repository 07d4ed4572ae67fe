"""The processes that carry runs out: which of them live, and what the dead have left."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from gateway.clock import Clock, now
from gateway.storage.agent_tables import agent_executors as executors
from gateway.storage.database import Database
from gateway.storage.tables import microseconds, moment

BEAT_SECONDS = 3.0
# Of a process on another machine nothing else is known.
GONE_AFTER = timedelta(seconds=20)


class Executor(NamedTuple):
    id: str
    host: str
    process: str
    beat: int


class Executors:
    """`id` names this process, as its ledger does; `seconds` count evenly, from whenever."""

    def __init__(
        self,
        database: Database,
        *,
        executor: str | None = None,
        clock: Clock = now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = executor or uuid4().hex
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self._host = _host()
        # Of each process on another machine its last beat, and when it was first seen.
        self._seen: dict[str, tuple[int, float]] = {}

    async def beat(self) -> None:
        """Say that this process lives."""

        def work(connection: Connection) -> None:
            beat = {"beat": microseconds(self._clock())}
            is_ours = executors.c.id == self.id
            if not connection.execute(update(executors).where(is_ours).values(beat)).rowcount:
                ours = Executor(self.id, self._host, _process(os.getpid()), beat["beat"])
                connection.execute(insert(executors), ours._asdict())

        await self._database.write(work)

    async def gone(self) -> Sequence[str]:
        """The others that carry nothing out any more."""
        return [one.id for one in await self._others() if self._is_gone(one)]

    async def dead(self) -> Sequence[str]:
        """Those of them that ended for certain; the others may only be cut off."""
        return [one.id for one in await self._others() if self._is_dead(one)]

    async def leave(self) -> None:
        """Carry nothing out any more."""
        await self.forget(self.id)

    async def others_live(self) -> bool:
        """Whether another process carries out what there is, as far as one look can tell."""
        return any(self._seems_to_live(one) for one in await self._others())

    async def forget(self, executor: str) -> None:
        is_it = executors.c.id == executor

        def work(connection: Connection) -> None:
            connection.execute(delete(executors).where(is_it))

        await self._database.write(work)
        self._seen.pop(executor, None)

    async def _others(self) -> Sequence[Executor]:
        def work(connection: Connection) -> Sequence[Executor]:
            rows = connection.execute(select(*executors.c).where(executors.c.id != self.id))
            return [Executor(*row) for row in rows]

        return await self._database.read(work)

    def _is_dead(self, executor: Executor) -> bool:
        return executor.host == self._host and not _runs_here(executor)

    def _is_gone(self, executor: Executor) -> bool:
        if executor.host == self._host:
            return not _runs_here(executor)
        beat, since = self._seen.get(executor.id, (None, 0.0))
        if beat != executor.beat:
            # Its clock may be another than ours: only that it beats tells that it lives.
            self._seen[executor.id] = executor.beat, self._seconds()
            return False
        return self._seconds() - since > GONE_AFTER.total_seconds()

    def _seems_to_live(self, executor: Executor) -> bool:
        if executor.host == self._host:
            return _runs_here(executor)
        return moment(executor.beat) >= self._clock() - GONE_AFTER


def _runs_here(executor: Executor) -> bool:
    return _process(int(executor.process.partition(".")[0])) == executor.process


def _host() -> str:
    """Where a number of a process means the same process."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    # In a container that is started anew the same numbers come again, of other processes.
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not space or not boot.exists():
        return uuid4().hex
    return f"{socket.gethostname()} {boot.read_text().strip()} {space}"


def _process(number: int) -> str:
    """A number and when its process began, which no other process shares; no time, no process."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        # Of another error, such as too many open files, nobody is dead.
        return f"{number}."
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended.
    return f"{number}." if fields[0] == "Z" else f"{number}.{fields[19]}"
