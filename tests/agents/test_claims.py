"""Whose turn it is: the oldest over all agents, as many as each may, and nobody's once stopped."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.pauses import ALL, Pauses
from gateway.agents.run import Run
from gateway.agents.run_store import Room, RunStore
from gateway.clock import now
from gateway.storage.database import Database

BUSY, RARE = Room("busy", 8), Room("rare", 8)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


async def waiting(database: Database, *agents: str, **more: str | None) -> list[Run]:
    """A run of each, in this order."""
    event = (await EventStore(database).store(News("test:all"))).event
    runs = RunStore(database)
    added = [runs.new(agent, event, **more) for agent in agents]
    await runs.add([(one.id, one) for one in added])
    return added


def agents_of(claimed: Sequence[Run]) -> list[str]:
    return [one.agent for one in claimed]


async def test_places_go_to_the_oldest_over_all_agents(database: Database) -> None:
    runs = RunStore(database)
    await waiting(database, "busy", "rare", *["busy"] * 20)
    assert agents_of(await runs.claim([BUSY, RARE], "one", most=2)) == ["busy", "rare"]
    # However its rooms are listed.
    await waiting(database, "rare")
    assert agents_of(await runs.claim([RARE, BUSY], "one", most=2)) == ["busy", "busy"]


async def test_a_busy_agent_does_not_keep_others_from_their_turn(database: Database) -> None:
    runs = RunStore(database)
    await waiting(database, *["busy"] * 4)
    running = list(await runs.claim([BUSY, RARE], "one", most=4))
    await waiting(database, "rare", *["busy"] * 40)
    await runs.end(replace(running[0], status="done", ended=now()))
    assert agents_of(await runs.claim([BUSY, RARE], "one", most=1)) == ["rare"]


async def test_an_agent_runs_as_often_as_it_may_in_all_processes_together(
    database: Database,
) -> None:
    runs = RunStore(database)
    await waiting(database, *["busy"] * 6)
    room = replace(BUSY, concurrency=3)
    assert len(await runs.claim([room], "one", most=2)) == 2
    assert len(await runs.claim([room], "two", most=2)) == 1
    assert await runs.claim([room], "two", most=2) == []


async def test_two_processes_never_claim_the_same_run(database_url: str) -> None:
    async with Database(database_url) as one, Database(database_url) as two:
        await waiting(one, *["busy"] * 8)
        stores = [RunStore(one), RunStore(two)]
        claimed = await asyncio.gather(
            *(stores[turn % 2].claim([BUSY], f"{turn % 2}", most=1) for turn in range(12))
        )
        ids = [run.id for some in claimed for run in some]
        assert len(ids) == len(set(ids)) == 8


async def test_nothing_begins_after_all_were_stopped_whatever_was_looked_at_before(
    database: Database,
) -> None:
    runs, pauses = RunStore(database), Pauses(database)
    await waiting(database, "busy")
    rooms = [BUSY]
    await pauses.pause(ALL, by="alice")
    assert await runs.want("kill") != []
    assert await runs.claim(rooms, "one", most=1) == ()
    await pauses.resume(ALL)
    assert len(await runs.claim(rooms, "one", most=1)) == 1


async def test_a_paused_agent_keeps_what_waits_and_others_begin(database: Database) -> None:
    runs, pauses = RunStore(database), Pauses(database)
    kept, _ = await waiting(database, "busy", "rare")
    await pauses.pause("busy", by="alice")
    assert agents_of(await runs.claim([BUSY, RARE], "one", most=2)) == ["rare"]
    assert (await runs.run(kept.id)).status == "waiting"
    await pauses.resume("busy")
    assert agents_of(await runs.claim([BUSY, RARE], "one", most=2)) == ["busy"]


async def test_who_answers_after_another_waits_until_that_one_has_ended(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        runs = RunStore(database)
        (first,) = await waiting(database, "busy")
        await waiting(database, "rare", after=first.id)
        (running,) = await runs.claim([BUSY, RARE], "one", most=2)
        assert running.id == first.id
        assert await runs.claim([BUSY, RARE], "one", most=2) == []
        await runs.end(replace(running, status="failed", ended=now()))
        assert agents_of(await runs.claim([BUSY, RARE], "one", most=2)) == ["rare"]


async def test_agents_that_wait_for_each_other_have_their_questions_answered(
    database: Database,
) -> None:
    runs, rooms = RunStore(database), [Room("one", 1), Room("other", 1)]
    await waiting(database, "one", "other", "one", "other")
    one, other = await runs.claim(rooms, "here", most=2)
    assert await runs.claim(rooms, "here", most=2) == []
    await waiting(database, "other", parent=one.id)
    # The other one does not wait: its question is to wait for it.
    assert await runs.claim(rooms, "here", most=2) == []
    await waiting(database, "one", parent=other.id)
    questions = await runs.claim(rooms, "here", most=9)
    # What merely happened still waits for its turn.
    assert [run.parent for run in questions] == [one.id, other.id]
    assert await runs.claim(rooms, "here", most=9) == []
