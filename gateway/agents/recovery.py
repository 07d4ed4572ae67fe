"""Goes on with the runs of processes that are gone, and stops those that a person wants stopped."""

import logging
from datetime import timedelta

from gateway.agents.carrying import Carrying
from gateway.agents.durable import Durable
from gateway.agents.executors import Executors
from gateway.agents.run_store import RunStore
from gateway.clock import Clock, now
from gateway.usage.ledger import VOUCH_SECONDS, Ledger

logger = logging.getLogger(__name__)

# What a run said is in our own tables; nobody needs its workflow once it is over.
WORKFLOWS_KEPT = timedelta(hours=1)
# A process that is only cut off vouches for its calls before.
DOUBTED_SECONDS = 2 * VOUCH_SECONDS
# Before that it may be about to begin.
STRAY_AFTER = timedelta(seconds=30)


class Recovery:
    """Each look is for itself: one that fails is made good by the next."""

    def __init__(
        self,
        executors: Executors,
        runs: RunStore,
        durable: Durable,
        carrying: Carrying,
        ledger: Ledger,
        *,
        retention_days: int | None = None,
        clock: Clock = now,
    ) -> None:
        self._executors = executors
        self._runs = runs
        self._durable = durable
        self._carrying = carrying
        self._ledger = ledger
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock

    async def look(self) -> None:
        """Say that this process lives, and take over from those that do not."""
        try:
            await self._executors.beat()
            gone = await self._executors.gone()
            # Asked later: whoever was seen to be dead still is.
            dead = await self._executors.dead() if gone else ()
            for executor in gone:
                seconds = 0.0 if executor in dead else DOUBTED_SECONDS
                await self._ledger.expire(executor, in_seconds=seconds)
                await self._take_over(executor)
                await self._executors.forget(executor)
                logger.info("took over what process %s has left", executor)
            # Those that were taken for dead, and were not.
            for executor in await self._runs.left_by():
                await self._take_over(executor)
            await self._look_at_ours()
        except Exception:
            logger.exception("what was left of runs could not be looked at")

    async def heed(self) -> None:
        """Stop what a person, who may have asked another process, wants stopped."""
        try:
            if wanted := await self._runs.wanted(self._executors.id):
                self._carrying.stop(list(wanted))
        except Exception:
            logger.exception("what is wanted of runs could not be looked at")

    async def prune(self) -> None:
        """Remove what ended long ago."""
        try:
            await self._durable.forget(before=self._clock() - WORKFLOWS_KEPT)
            if self._retention is not None:
                await self._runs.prune(before=self._clock() - self._retention)
        except Exception:
            logger.exception("old runs could not be removed")

    async def _take_over(self, executor: str) -> None:
        await self._durable.recover(executor)
        for run in await self._runs.carried_by(executor):
            # It was to begin, and its process ended before.
            if not await self._durable.goes_on(run.id, run.attempt):
                await self._runs.release(run, executor)

    async def _look_at_ours(self) -> None:
        """Let wait again what DBOS could not go on with, such as for a disk that was full."""
        ours = self._executors.id
        for run in await self._runs.carried_by(ours):
            is_young = run.started is None or self._clock() - run.started < STRAY_AFTER
            if not is_young and not await self._durable.goes_on(run.id, run.attempt):
                logger.error("run=%s was left by its workflow, and begins again", run.id)
                await self._runs.release(run, ours)
                self._durable.drop(run.id)
