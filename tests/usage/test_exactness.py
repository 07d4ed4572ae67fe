"""Limits hold over many calls, several processes and a `kill -9`, to the micro-dollar."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway import clock as real_clock
from gateway.errors import LimitExceeded, Unavailable
from gateway.storage.database import Database
from gateway.usage.call import Amount, Settlement
from gateway.usage.entries import Told
from gateway.usage.ledger import Ledger
from tests.stand_ins.postgres import postgres
from tests.usage.ledgers import CALL, StoppedClock, budget, call, costing, open_ledger, quota

ROOT = Path(__file__).parents[2]
LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def spender(url: str, *, most: int, asks: int, end: str) -> AsyncIterator[Process]:
    arguments = ("-m", "tests.usage.spender", url, str(most), str(asks), end)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    try:
        async with asyncio.timeout(20):
            assert await line(process) == "ready"
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def go(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")


async def grant(ledger: Ledger, worst: Amount) -> bool:
    try:
        await ledger.reserve(CALL, worst)
    except LimitExceeded:
        return False
    return True


async def test_of_500_calls_at_once_exactly_100_are_granted(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        granted = await asyncio.gather(*(grant(ledger, costing(1)) for _ in range(500)))
        assert sum(granted) == 100
        (state,) = await ledger.states()
        assert state.remaining == 0


async def test_two_processes_together_are_granted_no_more_than_one(database_url: str) -> None:
    async with Database(database_url):
        pass
    async with (
        spender(database_url, most=100, asks=250, end="settle") as one,
        spender(database_url, most=100, asks=250, end="settle") as other,
    ):
        go(one)
        go(other)
        granted = [int(await line(process)) for process in (one, other)]
        assert sum(granted) == 100
        await asyncio.gather(one.wait(), other.wait())
    async with open_ledger(database_url, budget(100)) as ledger:
        (state,) = await ledger.states()
        (total,) = await ledger.report(LONG_AGO, FAR)
        assert (state.settled, state.reserved) == (100, 0)
        assert (total.calls, total.charged_microusd) == (100, 100)


async def test_what_a_killed_process_held_is_charged_in_full_after_its_lease(
    database_url: str,
) -> None:
    clock = StoppedClock()
    clock.moment = real_clock.now()
    async with open_ledger(database_url, budget(100), clock=clock) as ledger:
        async with spender(database_url, most=100, asks=40, end="hold") as process:
            go(process)
            assert await line(process) == "40"
            process.kill()
            await process.wait()
        await ledger.sweep()
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (0, 40)
        assert sum([await grant(ledger, costing(1)) for _ in range(61)]) == 60
        clock.advance(hours=1)
        await ledger.renew()
        await ledger.sweep()
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (40, 60)
        (lost,) = await ledger.report(LONG_AGO, FAR, group_by=("outcome",))
        assert (lost.group, lost.calls, lost.failed) == ({"outcome": "lost"}, 40, 40)
        assert lost.charged_microusd == 40
        assert lost.input_tokens == 40 * costing(1).input_tokens


async def test_a_lost_call_is_charged_once_by_however_many_sweep(database_url: str) -> None:
    clock = StoppedClock()
    async with (
        open_ledger(database_url, budget(100), clock=clock) as one,
        open_ledger(database_url, budget(100), clock=clock) as other,
    ):
        await one.reserve(CALL, costing(60))
        clock.advance(minutes=16)
        await asyncio.gather(*(ledger.sweep() for ledger in (one, other, one, other)))
        (state,) = await one.states()
        assert (state.settled, state.reserved) == (60, 0)


async def test_a_process_that_lives_keeps_its_calls_however_long_they_run(
    database_url: str,
) -> None:
    clock = StoppedClock()
    async with (
        open_ledger(database_url, budget(100), clock=clock) as one,
        open_ledger(database_url, budget(100), clock=clock) as other,
    ):
        await one.reserve(CALL, costing(60))
        for _ in range(3):
            clock.advance(minutes=14)
            await one.renew()
            await other.sweep()
        (state,) = await other.states()
        assert (state.settled, state.reserved) == (0, 60)


async def test_a_call_that_ends_after_it_was_written_off_is_charged_the_truth(
    database_url: str,
) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, budget(100), clock=clock) as ledger:
        reservation = await ledger.reserve(CALL, costing(60))
        clock.advance(minutes=16)
        await ledger.sweep()
        late = Settlement(10, 5, billed_microusd=7)
        await ledger.settle(reservation, late)
        await ledger.settle(reservation, late)
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (7, 0)
        (total,) = await ledger.report(LONG_AGO, FAR, group_by=("outcome",))
        assert (total.group, total.charged_microusd) == ({"outcome": "ok"}, 7)
        assert total.input_tokens == 10


@pytest.mark.parametrize("name", ["half a letter \ud800", "nothing\0"])
async def test_a_name_that_no_database_takes_is_written_as_well_as_it_can_be(
    database_url: str, name: str
) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, budget(100), clock=clock) as ledger:
        ended = await ledger.reserve(call(model=name), costing(10))
        await ledger.settle(ended, Settlement(billed_microusd=1))
        await ledger.reserve(call(model=name), costing(20))
    clock.advance(minutes=16)
    # A call that could not be written off would keep every gateway from starting.
    async with open_ledger(database_url, budget(100), clock=clock) as ledger:
        (state,) = await ledger.states()
        (total,) = await ledger.report(LONG_AGO, FAR)
        assert (state.settled, state.reserved) == (21, 0)
        assert (total.calls, total.charged_microusd) == (2, 21)


async def test_a_process_that_ends_leaves_its_open_calls_reserved(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        await ledger.reserve(CALL, costing(60))
    async with open_ledger(database_url, budget(100)) as ledger:
        assert not await grant(ledger, costing(41))


async def test_what_ended_while_the_server_restarted_is_written() -> None:
    async with open_ledger(postgres().new_database(), budget(100)) as ledger:
        reservation = await ledger.reserve(CALL, costing(60))
        settling = asyncio.create_task(ledger.settle(reservation, Settlement(billed_microusd=7)))
        postgres().end_all_connections()
        await settling
        await ledger.release(await ledger.reserve(CALL, costing(40)))
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (7, 0)


async def test_what_the_database_cannot_take_now_is_written_when_it_can(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"

    async def rename(old: str, new: str) -> None:
        await database.write(lambda c: c.execute(text(f"ALTER TABLE {old} RENAME TO {new}")))

    async with Database(url) as database, Ledger(database, [budget(100)]) as ledger:
        reservation = await ledger.reserve(CALL, costing(60))
        await rename("usage", "away")
        await ledger.settle(reservation, Settlement(billed_microusd=7))
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (0, 60)
        await rename("away", "usage")
        # Whatever is asked next brings along what waits.
        await ledger.reserve(CALL, costing(0))
        (state,) = await ledger.states()
        assert (state.settled, state.reserved) == (7, 0)


async def test_what_is_only_told_does_not_pile_up_while_the_database_is_away(
    tmp_path: Path,
) -> None:
    async def rename(old: str, new: str) -> None:
        await database.write(lambda c: c.execute(text(f"ALTER TABLE {old} RENAME TO {new}")))

    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    async with database, Ledger(database, [budget(100)]) as ledger:
        reservation = await ledger.reserve(call(route_id="paid"), costing(60))
        await rename("routes", "away")
        for number in range(3):
            await ledger.tell(Told(f"r{number}", "alice", FAR, {}))
        await ledger.settle(reservation, Settlement(billed_microusd=7, route={}))
        await rename("away", "routes")
        await ledger.reserve(CALL, costing(0))
        (state,) = await ledger.states()
        assert state.settled == 7
        assert [one["route_id"] for one in await ledger.routes()] == ["paid"]


async def test_a_database_that_is_away_is_asked_now_and_then_however_much_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    async with database, Ledger(database) as ledger:
        calls = [await ledger.reserve(CALL, costing(0)) for _ in range(2)]
        await database.write(lambda c: c.execute(text("ALTER TABLE usage RENAME TO away")))
        for _ in range(300):
            for one in calls:
                ledger.settling(one, Settlement())
        for _ in range(300):
            await database.read(lambda c: c.execute(text("SELECT 1")).all())
        assert caplog.text.count("will be written later") < 5
        await database.write(lambda c: c.execute(text("ALTER TABLE away RENAME TO usage")))


async def test_a_call_is_refused_while_the_database_cannot_be_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    async with Database(url) as database, Ledger(database, [budget(100)]) as ledger:
        await database.write(lambda c: c.execute(text("ALTER TABLE reservations RENAME TO away")))
        with pytest.raises(Unavailable, match="does not answer"):
            await ledger.reserve(CALL, costing(1))


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "hour", "day", "die"]),
        st.integers(0, 40),
        st.sampled_from(["alice", "bob"]),
    ),
    max_size=25,
)


@given(steps)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_order_of_events_exceeds_a_limit_or_loses_a_microdollar(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str]]
) -> None:
    """Lines and open reservations, added up by hand, are what the limits say is used."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/gateway.db"
    asyncio.run(_walk(url, steps))


async def _walk(url: str, steps: list[tuple[str, int, str]]) -> None:
    clock = StoppedClock()
    limits = (budget(100, window="rolling_2_days"), quota(5, per=("caller",)))
    running = []
    async with open_ledger(url, *limits, clock=clock) as ledger:
        for kind, number, caller in steps:
            if kind == "reserve":
                try:
                    asked = call(caller=caller)
                    running.append(await ledger.reserve(asked, costing(number)))
                except LimitExceeded:
                    pass
            elif kind == "settle" and running:
                reservation = running.pop(number % len(running))
                worst = reservation.worst.microusd or 0
                await ledger.settle(reservation, Settlement(billed_microusd=min(number, worst)))
            elif kind == "release" and running:
                await ledger.release(running.pop(number % len(running)))
            elif kind == "die":
                clock.advance(minutes=16)
                await ledger.sweep()
                running = []
            else:
                clock.advance(**{"hours": 1} if kind == "hour" else {"days": 1})
            now, window = clock(), limits[0].window
            in_window = [r for r in running if window.bucket(r.time) >= window.start(now)]
            lines = await ledger.report(window.start(now), FAR)
            expected = sum(found.charged_microusd or 0 for found in lines)
            expected += sum(reservation.worst.microusd or 0 for reservation in in_window)
            (money,) = [state for state in await ledger.states() if state.limit.is_budget]
            assert money.used == expected <= 100
