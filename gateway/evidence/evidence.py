"""What was seen of how good models are at tasks, shared by all processes on one database."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Self

from gateway.cancellation import ended
from gateway.clock import Clock, now
from gateway.errors import Unavailable
from gateway.evidence import kept
from gateway.evidence.kept import Known
from gateway.evidence.observation import Kind, Observation
from gateway.evidence.sums import NOTHING, Everything, Seen, Sums
from gateway.storage.database import Database
from gateway.storage.refreshing import keep_refreshing

logger = logging.getLogger(__name__)

KEPT = timedelta(days=365)
PRUNED_EVERY = timedelta(days=1)
REFRESH_SECONDS = 30.0
# While the database does not answer, what is noted waits; so many kinds of it at the most.
MOST_PENDING = 10_000
_NOT_WRITTEN = "what models did is not written down"
# By model, task and kind: a busy moment is one line of the database.
_Pending = dict[tuple[str, str, Kind], tuple[Observation, int]]


class Evidence:
    """Open for as long as something may be seen; `seen` answers from memory.

    `revision` is another object whenever what is in memory has changed.
    """

    def __init__(
        self, database: Database, *, refresh_seconds: float = REFRESH_SECONDS, clock: Clock = now
    ) -> None:
        self.revision: object = object()
        self._database = database
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._known = Known(Sums(clock()))
        self._pending: _Pending = {}
        # What was read before a line was written must not be remembered after it.
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._prune()
        await self.refresh()
        keeping = keep_refreshing(
            self._keep_up, seconds=self._refresh_seconds, otherwise=_NOT_WRITTEN
        )
        self._task = asyncio.create_task(keeping, name="evidence")
        return self

    async def __aexit__(self, *_: object) -> None:
        # In turn: a line that is being written is not asked to be written again below.
        async with self._turn:
            self._task.cancel()
        await ended(self._task)
        try:
            async with self._turn:
                await self._write_pending()
        except Exception:
            # Whoever closes it closes other things too.
            logger.exception("what models did of late is not written down")

    def seen(self, model: str, task: str) -> Seen:
        return self.everything.get(model, {}).get(task, NOTHING)

    def of_model(self, model: str) -> Mapping[str, Seen]:
        """By task."""
        return self.everything.get(model, {})

    @property
    def everything(self) -> Everything:
        return self._known.sums.everything

    async def record(self, observations: Sequence[Observation]) -> None:
        """Keep them, and count them from now on.

        Raises:
            Unavailable: the database does not answer, and they are not kept.
        """
        rows = [kept.row(one, looks=1) for one in observations]
        if not rows:
            return
        async with self._turn:
            await self._database.write(partial(kept.write, rows=rows))
            await self._learn_what_was_written()

    async def replace(self, one: Observation) -> None:
        """Keep it in place of what the same source told before, such as a thumb on one answer.

        Raises:
            Unavailable: the database does not answer, and nothing changed.
        """
        new = kept.row(one, looks=1)
        async with self._turn:
            gone = await self._database.write(partial(kept.exchange, new=new))
            known = [look for line_id, look in gone if line_id <= self._known.last_id]
            self._remember(
                replace(
                    self._known,
                    sums=self._known.sums.minus(known),
                    rows=self._known.rows - len(known),
                )
            )
            await self._learn_what_was_written()

    def note(self, one: Observation) -> None:
        """Keep it soon, together with others like it; a crash may lose those of some seconds."""
        self._wait_with(one, looks=1)

    async def refresh(self) -> None:
        """Write what was noted, and learn what other processes saw."""
        async with self._turn:
            await self._write_pending()
            await self._learn()

    async def forget(self, models: Sequence[str]) -> int:
        """Drop all that was seen of these models; how many lines that were."""
        async with self._turn:
            self._pending = {key: one for key, one in self._pending.items() if key[0] not in models}
            dropped = await self._database.write(partial(kept.drop_models, models=list(models)))
            await self._learn()
        return dropped

    async def _learn(self) -> None:
        """In the reader's thread: a year's lines are too much for the event loop."""
        read = partial(kept.learned, known=self._known, now=self._clock())
        self._remember(await self._database.read(read))

    async def _learn_what_was_written(self) -> None:
        try:
            await self._learn()
        except Unavailable as error:
            # It is kept, and counts when the next refresh finds it.
            logger.warning("what models did is seen later: %s", error)

    def _remember(self, known: Known) -> None:
        if known.sums is not self._known.sums:
            self.revision = object()
        self._known = known

    def _wait_with(self, one: Observation, *, looks: int) -> None:
        key = (one.model, one.task, one.kind)
        before = self._pending.get(key)
        if before is not None:
            one, looks = _together(before[0], one), before[1] + looks
        elif len(self._pending) >= MOST_PENDING:
            return
        self._pending[key] = (one, looks)

    async def _write_pending(self) -> None:
        pending, self._pending = self._pending, {}
        if not pending:
            return
        rows = [kept.row(one, looks=looks) for one, looks in pending.values()]
        try:
            await self._database.write(partial(kept.write, rows=rows))
        except Exception:
            for one, looks in pending.values():
                self._wait_with(one, looks=looks)
            raise

    async def _keep_up(self) -> None:
        await self.refresh()
        if self._clock() - self._pruned_at > PRUNED_EVERY:
            await self._prune()

    async def _prune(self) -> None:
        """Drop what is old, and make one line of what is alike in a day that is over."""
        self._pruned_at = at = self._clock()
        await self._database.write(partial(kept.drop_older, than=at - KEPT))
        # Day by day: all that is written waits for it.
        for day in await self._database.read(partial(kept.unmerged_days, before=at)):
            await self._database.write(partial(kept.merge_day, day=day))


def _together(before: Observation, one: Observation) -> Observation:
    weight = before.weight + one.weight
    good = before.weight * before.quality + one.weight * one.quality
    last = one if one.at >= before.at else before
    return replace(last, quality=good / weight if weight else one.quality, weight=weight)
