"""Which processes live: here by their numbers, elsewhere by whether they still beat."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.agents.executors import GONE_AFTER, Executors
from gateway.storage.agent_tables import agent_executors
from gateway.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG = GONE_AFTER.total_seconds() + 1


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as opened:
        yield opened


class Seconds:
    """They count from whenever."""

    passed = 1_000_000.0

    def __call__(self) -> float:
        return self.passed


async def becomes(database: Database, executor: str, **values: Any) -> None:
    """What a process says of itself is something else."""
    change = update(agent_executors).where(agent_executors.c.id == executor).values(**values)
    await database.write(lambda connection: connection.execute(change))


async def known(database: Database) -> list[str]:
    query = select(agent_executors.c.id)
    return await database.read(lambda connection: list(connection.scalars(query)))


@pytest.mark.parametrize("skew", [-HOUR, timedelta(0), HOUR])
async def test_one_on_another_machine_lives_while_it_beats_whatever_its_clock_says(
    database: Database, skew: timedelta
) -> None:
    theirs, seconds = [NOON + skew], Seconds()
    far = Executors(database, clock=lambda: theirs[0])
    near = Executors(database, clock=lambda: NOON, seconds=seconds)
    await far.beat()
    await becomes(database, far.id, host="another machine")
    for _ in range(5):
        assert await near.gone() == []
        seconds.passed += LONG / 2
        theirs[0] += timedelta(seconds=LONG / 2)
        await far.beat()
    assert await near.gone() == []
    # Now it says no more.
    seconds.passed += LONG - 2
    assert await near.gone() == []
    seconds.passed += 2
    assert await near.gone() == [far.id]
    # It may only be cut off.
    assert await near.dead() == []


async def test_who_looks_for_the_first_time_waits_before_it_takes_over(
    database: Database,
) -> None:
    seconds = Seconds()
    far, near = Executors(database), Executors(database, seconds=seconds)
    await far.beat()
    await becomes(database, far.id, host="another machine", beat=1)
    assert await near.gone() == []
    # A single look is not long enough; then only the clocks can tell.
    assert not await near.others_live()
    await far.beat()
    assert await near.others_live()
    seconds.passed += LONG
    assert await near.gone() == []


async def test_one_on_this_machine_is_gone_as_soon_as_its_process_is(database: Database) -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    near, dead, reused, alive = (Executors(database) for _ in range(4))
    for one in (near, dead, reused, alive):
        await one.beat()
    await becomes(database, dead.id, process=f"{ended.pid}.12345")
    # Another process has its number by now.
    await becomes(database, reused.id, process=f"{os.getpid()}.1")
    assert sorted(await near.gone()) == sorted(await near.dead()) == sorted([dead.id, reused.id])
    assert await near.others_live()


async def test_who_has_too_many_files_open_takes_nobody_for_dead(database: Database) -> None:
    near, alive = Executors(database), Executors(database)
    await near.beat()
    await alive.beat()
    assert await near.gone() == []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            await near.gone()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert await near.gone() == []


async def test_one_that_was_forgotten_while_it_lives_says_so_again(database: Database) -> None:
    one, other = Executors(database), Executors(database)
    await one.beat()
    await other.beat()
    await other.forget(one.id)
    assert await known(database) == [other.id]
    await one.beat()
    assert sorted(await known(database)) == sorted([one.id, other.id])
    assert await other.gone() == []
