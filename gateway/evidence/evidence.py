"""What was seen of how good models are at tasks, shared by all processes on one database."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, delete, func, insert, select

from gateway.clock import Clock, now
from gateway.errors import Unavailable
from gateway.evidence.observation import Kind, Observation
from gateway.evidence.sums import NOTHING, Everything, Seen, summed
from gateway.storage.database import Database
from gateway.storage.tables import evidence, microseconds, moment

logger = logging.getLogger(__name__)

KEPT = timedelta(days=365)
PRUNED_EVERY = timedelta(days=1)
REFRESH_SECONDS = 30.0
_DAY = 86_400_000_000
# By model, task and kind: a busy moment is one line of the database.
_Pending = dict[tuple[str, str, Kind], tuple[Observation, int]]


class Evidence:
    """Open for as long as something may be seen; `seen` answers from memory.

    `revision` is another object whenever what is in memory may have changed.
    """

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self.revision: object = object()
        self._database = database
        self._clock = clock
        self._everything: Everything = {}
        self._pending: _Pending = {}

    async def __aenter__(self) -> Self:
        await self._prune()
        await self.refresh()
        self._task = asyncio.create_task(self._keep_up(), name="evidence")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(Unavailable):
            await self._write_pending()

    def seen(self, model: str, task: str) -> Seen:
        return self._everything.get(model, {}).get(task, NOTHING)

    def of_model(self, model: str) -> Mapping[str, Seen]:
        """By task."""
        return self._everything.get(model, {})

    @property
    def everything(self) -> Everything:
        return self._everything

    async def record(self, observations: Sequence[Observation]) -> None:
        """Keep them, and count them from now on.

        Raises:
            Unavailable: the database does not answer, and they are not kept.
        """
        rows = [_row(one, looks=1) for one in observations]
        if rows:
            await self._database.write(lambda connection: _insert(connection, rows))
            await self.refresh()

    async def replace(self, one: Observation) -> None:
        """Keep it in place of what the same source told before, such as a thumb on one answer."""
        same = (evidence.c.source == one.source) & (evidence.c.kind == one.kind)

        def write(connection: Connection) -> None:
            connection.execute(delete(evidence).where(same))
            _insert(connection, [_row(one, looks=1)])

        await self._database.write(write)
        await self.refresh()

    def note(self, one: Observation) -> None:
        """Keep it soon, together with others like it; a crash may lose those of some seconds."""
        key = (one.model, one.task, one.kind)
        before, looks = self._pending.get(key, (None, 0))
        self._pending[key] = (one if before is None else _together(before, one), looks + 1)

    async def refresh(self) -> None:
        """Write what was noted, and learn what other processes saw."""
        await self._write_pending()
        since = self._clock() - KEPT
        found = await self._database.read(lambda connection: _read(connection, since))
        self._everything = summed(found, self._clock())
        self.revision = object()

    async def forget(self, models: Sequence[str]) -> int:
        """Drop all that was seen of these models; how many lines that were."""
        self._pending = {key: one for key, one in self._pending.items() if key[0] not in models}
        of_models = evidence.c.model.in_(list(models))
        dropped = await self._database.write(
            lambda connection: connection.execute(delete(evidence).where(of_models)).rowcount
        )
        await self.refresh()
        return dropped

    async def _write_pending(self) -> None:
        pending, self._pending = self._pending, {}
        if not pending:
            return
        rows = [_row(one, looks=looks) for one, looks in pending.values()]
        await self._database.write(lambda connection: _insert(connection, rows))

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
                if self._clock() - self._pruned_at > PRUNED_EVERY:
                    await self._prune()
            except Unavailable as error:
                logger.warning("what models did is not written down: %s", error)

    async def _prune(self) -> None:
        self._pruned_at = self._clock()
        oldest = microseconds(self._pruned_at - KEPT)
        await self._database.write(
            lambda connection: connection.execute(delete(evidence).where(evidence.c.time < oldest))
        )


def _together(before: Observation, one: Observation) -> Observation:
    weight = before.weight + one.weight
    good = before.weight * before.quality + one.weight * one.quality
    quality = good / weight if weight else one.quality
    return Observation(one.model, one.task, one.kind, quality, weight, one.source, one.at)


def _row(one: Observation, *, looks: int) -> dict[str, Any]:
    return {
        "time": microseconds(one.at),
        "model": one.model,
        "task": one.task,
        "kind": one.kind,
        "quality": one.quality,
        "weight": one.weight,
        "looks": looks,
        "source": one.source,
    }


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(insert(evidence), rows)


def _read(connection: Connection, since: datetime) -> list[tuple[Observation, int]]:
    """A day's looks at one model, one task and one kind are one; they are as old as the last."""
    columns = (evidence.c.model, evidence.c.task, evidence.c.kind)
    statement = (
        select(
            *columns,
            func.sum(evidence.c.weight).label("weight"),
            func.sum(evidence.c.weight * evidence.c.quality).label("good"),
            func.sum(evidence.c.looks).label("looks"),
            func.max(evidence.c.time).label("newest"),
            # Sources begin with their kind and rise with time.
            func.max(evidence.c.source).label("source"),
        )
        .where(evidence.c.time >= microseconds(since))
        .group_by(*columns, evidence.c.time - evidence.c.time % _DAY)
    )
    return [
        (
            Observation(
                row.model,
                row.task,
                row.kind,
                row.good / row.weight if row.weight else 0.0,
                row.weight,
                row.source,
                moment(row.newest),
            ),
            int(row.looks),
        )
        for row in connection.execute(statement)
    ]
