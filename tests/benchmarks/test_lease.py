"""Runs that several processes on one database could carry out."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.benchmarks.lease import Lease
from gateway.benchmarks.record import Run
from gateway.benchmarks.runner import MOST_AT_ONCE
from gateway.benchmarks.store import BenchmarkStore
from gateway.caller import LOCAL, Caller
from gateway.errors import RateLimited, Refused
from gateway.storage.database import Database
from tests.benchmarks.worlds import GOOD, PAID, SUM, settings, world
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID, PAID_ID = "openrouter/good:free", "openrouter/paid-one"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


async def test_two_gateways_that_go_on_with_one_run_ask_nothing_twice(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as one,
        world(tmp_path, stand_in) as other,
    ):
        asked = settings(PAID_ID, attempts=3, budget_microusd=1_000_000)
        run = await one.benchmarks.begin(LOCAL, asked, "shared")
        first = await one.benchmarks.resume(LOCAL, run.id)
        second = await other.benchmarks.resume(LOCAL, run.id)
        came = await asyncio.gather(
            one.benchmarks.carry_out(LOCAL, first),
            other.benchmarks.carry_out(LOCAL, second),
            return_exceptions=True,
        )
        [refused] = [one for one in came if isinstance(one, BaseException)]
        assert isinstance(refused, Refused)
        assert "goes on already" in str(refused)
        report = await one.benchmarks.report(LOCAL, run.id)
        assert (report.run.status, report.done, len(stand_in.requests)) == ("done", 6, 6)


async def test_a_run_that_goes_on_elsewhere_is_not_resumed(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, lease_seconds=1) as one,
        world(tmp_path, stand_in, lease_seconds=1) as other,
    ):
        stand_in.always("*", Answer("4", hold_after=0))
        run = await one.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[SUM]), "shared")
        going = asyncio.create_task(one.benchmarks.carry_out(LOCAL, run))
        await stand_in.has_received(1)
        with pytest.raises(Refused, match="goes on already"):
            await other.benchmarks.resume(LOCAL, run.id)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        await other.benchmarks.resume(LOCAL, run.id)


async def test_whoever_gives_no_sign_loses_the_run_and_hears_it(tmp_path: Path) -> None:
    clock = Hands()
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        run = Run("b1", "nightly", "ann", NOON, None, "running", settings(GOOD_ID))
        store = BenchmarkStore(database)
        await store.add(run, most=9, oldest_beat=0)
        first, second = (Lease(database, seconds=10, clock=clock) for _ in range(2))
        await first.take(run, most_at_once=None)
        clock.time = NOON + timedelta(seconds=9)
        with pytest.raises(Refused):
            await second.take(run, most_at_once=None)
        clock.time = NOON + timedelta(seconds=11)
        assert not await second.is_held(run.id)
        await second.take(run, most_at_once=None)
        async with first.kept(run.id) as renew:
            with pytest.raises(Refused):
                await renew()
        # What the first one leaves behind changes nothing of what the second one does.
        await store.leave(run, "done", ended=NOON, spent_microusd=0, holder=first.holder)
        left = await store.run(run.id)
        assert left is not None
        assert left.status == "running"


async def test_a_caller_who_is_no_owner_runs_only_a_few_at_once(tmp_path: Path) -> None:
    ann = Caller("ann")
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", Answer("4", hold_after=0))
        asked = settings(GOOD_ID, cases=[SUM])
        runs = [await here.benchmarks.begin(ann, asked, "hers") for _ in range(MOST_AT_ONCE + 1)]
        going = [
            asyncio.create_task(here.benchmarks.carry_out(ann, one)) for one in runs[:MOST_AT_ONCE]
        ]
        await stand_in.has_received(MOST_AT_ONCE)
        with pytest.raises(RateLimited, match="go on already"):
            await here.benchmarks.carry_out(ann, runs[-1])
        for one in going:
            one.cancel()
        await asyncio.gather(*going, return_exceptions=True)
