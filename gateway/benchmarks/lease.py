"""Who carries out a run: one process at a time, for as long as it says that it still does."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from gateway.benchmarks.record import Run
from gateway.clock import Clock
from gateway.errors import RateLimited, Refused, Unavailable
from gateway.storage.database import Database
from gateway.storage.tables import benchmark_runs, microseconds

logger = logging.getLogger(__name__)

# A process that was killed is taken for one that is alive for so long.
LEASE_SECONDS = 10.0
_BEATS_IN_A_LEASE = 4
_COLUMNS = benchmark_runs.c


class Lease:
    """Of one process: `holder` is what it is known by to all others on the database."""

    def __init__(self, database: Database, *, seconds: float, clock: Clock) -> None:
        self.holder = secrets.token_hex(8)
        self._database = database
        self._seconds = seconds
        self._clock = clock

    @property
    def oldest_beat(self) -> int:
        """Whoever gave its last sign earlier is gone."""
        return microseconds(self._clock() - timedelta(seconds=self._seconds))

    async def take(self, run: Run, *, most_at_once: int | None) -> None:
        """Raises:
        Refused: it goes on already, here or elsewhere.
        RateLimited: as many of its caller's runs go on as may at once.
        """
        is_taken = await self._database.write(
            lambda connection: self._take(connection, run, most_at_once)
        )
        if not is_taken:
            raise goes_on_already(run.id)

    @asynccontextmanager
    async def kept(self, run_id: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Say that it goes on, also while a long answer is waited for.

        What it gives says so at once; it raises `Refused` when another process has taken over.
        """

        async def renew() -> None:
            await self._renew(run_id)

        beating = asyncio.create_task(self._beat(renew), name=f"lease of {run_id}")
        try:
            yield renew
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    async def is_held(self, run_id: str) -> bool:
        """Whether some process carries it out; of one that was killed only time can tell."""
        first = await self._last_beat(run_id)
        for _ in range(2 * _BEATS_IN_A_LEASE):
            last = await self._last_beat(run_id)
            if last is None or last <= self.oldest_beat:
                return False
            if last != first:
                return True
            await asyncio.sleep(self._seconds / _BEATS_IN_A_LEASE)
        return True

    async def _beat(self, renew: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._seconds / _BEATS_IN_A_LEASE)
            try:
                await renew()
            except Refused:
                # Whoever begins the next turn hears it too, and stops.
                return
            except Unavailable as error:
                logger.warning("a benchmark could not say that it goes on: %s", error)

    async def _renew(self, run_id: str) -> None:
        beat = {"beat": microseconds(self._clock())}
        mine = (_COLUMNS.id == run_id) & (_COLUMNS.carrier == self.holder)
        statement = update(benchmark_runs).where(mine).values(beat)
        renewed = await self._database.write(
            lambda connection: connection.execute(statement).rowcount
        )
        if not renewed:
            raise goes_on_already(run_id)

    def _take(self, connection: Connection, run: Run, most_at_once: int | None) -> bool:
        if most_at_once is not None and self._others(connection, run) >= most_at_once:
            raise RateLimited(
                f"{most_at_once} of your benchmarks go on already; wait for one to end",
                retry_after_seconds=self._seconds,
            )
        taken = update(benchmark_runs).where(_COLUMNS.id == run.id, self._is_free())
        values = {
            "carrier": self.holder,
            "beat": microseconds(self._clock()),
            "status": "running",
            "ended": None,
        }
        return bool(connection.execute(taken.values(values)).rowcount)

    def _others(self, connection: Connection, run: Run) -> int:
        """How many of its caller's go on."""
        others = select(func.count()).where(
            _COLUMNS.caller == run.caller, _COLUMNS.id != run.id, ~self._is_free()
        )
        return int(connection.execute(others).scalar_one())

    def _is_free(self) -> ColumnElement[bool]:
        return is_free(self.oldest_beat)

    async def _last_beat(self, run_id: str) -> int | None:
        statement = select(_COLUMNS.beat).where(
            _COLUMNS.id == run_id, _COLUMNS.carrier.is_not(None)
        )
        return await self._database.read(
            lambda connection: connection.execute(statement).scalar_one_or_none()
        )


def is_free(oldest_beat: int) -> ColumnElement[bool]:
    """Of runs that nothing carries out, as far as can be told."""
    return or_(_COLUMNS.carrier.is_(None), _COLUMNS.beat.is_(None), _COLUMNS.beat <= oldest_beat)


def goes_on_already(run_id: str) -> Refused:
    return Refused(f"benchmark {run_id} goes on already")
