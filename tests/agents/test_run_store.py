"""Runs as they are kept: whoever does not carry a run changes nothing, and each ends once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.executors import Executors
from gateway.agents.run import ENDED, Run, Status, Step
from gateway.agents.run_store import Room, RunStore
from gateway.agents.steps import result_of
from gateway.agents.suggestion_store import SuggestionStore
from gateway.errors import NotFound, Refused
from gateway.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROOM = Room("review", 10)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
def runs(database: Database, clock: Clock) -> RunStore:
    return RunStore(database, clock=clock)


async def waiting(database: Database, runs: RunStore, **more: str) -> Run:
    event = (await EventStore(database).store(News("test:review"))).event
    run = runs.new("review", event, **more)
    await runs.add([(run.id, run)])
    return run


async def carried(database: Database, runs: RunStore, executor: str = "one") -> Run:
    await waiting(database, runs)
    (run,) = await runs.claim([ROOM], executor, most=1)
    return run


def called(run: Run, number: int = 1, text: str = "Found.") -> tuple[Step, Step]:
    """A call as it begins, and as it ends."""
    begun = Step(run.id, number, "call", "look", NOON)
    answer = result_of(text, is_error=False)
    return begun, replace(begun, ended=NOON, outcome="ok", answer=answer)


def ended(run: Run, status: Status = "done") -> Run:
    return replace(run, status=status, ended=NOON, result="All is well.")


async def test_only_who_carries_a_run_makes_its_steps(database: Database, runs: RunStore) -> None:
    run = await carried(database, runs, "one")
    begun, done = called(run)
    assert not await runs.begin_step(begun, "other")
    assert await runs.steps(run.id) == []
    assert await runs.begin_step(begun, "one")
    assert not await runs.end_step(done, "other")
    assert await runs.steps(run.id) == [begun]
    assert await runs.end_step(done, "one")
    assert await runs.steps(run.id) == [done]
    assert (await runs.run(run.id)).calls == 1


async def test_who_was_taken_for_dead_records_nothing_more(
    database: Database, runs: RunStore
) -> None:
    run = await carried(database, runs, "one")
    begun, done = called(run, text="Of one.")
    await runs.begin_step(begun, "one")
    await runs.adopt(run.id, "two")
    assert not await runs.end_step(done, "one")
    assert not await runs.begin_step(begun, "one")
    assert await runs.begin_step(begun, "two")
    _, by_two = called(run, text="Of two.")
    assert await runs.end_step(by_two, "two")
    assert await runs.steps(run.id) == [by_two]
    assert (await runs.run(run.id)).calls == 1


async def test_a_step_that_ended_stays_as_it_is_and_counts_once(
    database: Database, runs: RunStore
) -> None:
    run = await carried(database, runs)
    begun, done = called(run)
    await runs.begin_step(begun, "one")
    await runs.end_step(done, "one")
    await runs.end_step(called(run, text="Something else.")[1], "one")
    assert await runs.steps(run.id) == [done]
    assert (await runs.run(run.id)).calls == 1


async def test_only_the_attempt_that_was_seen_waits_again(
    database: Database, runs: RunStore
) -> None:
    """Two look at what a third has left; one is slow, and the run has begun again by then."""
    seen = await carried(database, runs, "gone")
    await runs.release(seen, "gone")
    assert (await runs.run(seen.id)).status == "waiting"
    (again,) = await runs.claim([ROOM], "two", most=1)
    assert again.attempt == 2
    await runs.release(seen, "gone")
    await runs.release(seen, "two")
    assert (await runs.run(seen.id)).status == "running"
    assert [one.id for one in await runs.carried_by("two")] == [seen.id]
    # A third one adopts it, which is the same attempt still.
    await runs.adopt(again.id, "three")
    await runs.release(again, "two")
    assert (await runs.run(seen.id)).status == "running"
    await runs.release(again, "three")
    assert (await runs.run(seen.id)).status == "waiting"


async def test_who_adopts_a_run_begins_its_time_anew_once(
    database: Database, runs: RunStore, clock: Clock
) -> None:
    run = await carried(database, runs, "gone")
    clock.time += DAY
    await runs.adopt(run.id, "two")
    assert (await runs.run(run.id)).started == NOON + DAY
    clock.time += DAY
    # It is its own by now.
    await runs.adopt(run.id, "two")
    assert (await runs.run(run.id)).started == NOON + DAY
    assert await runs.carried_by("gone") == []


async def test_a_run_ends_once(database: Database, runs: RunStore) -> None:
    run = await carried(database, runs)
    (first,) = await runs.end(ended(run))
    assert (first.status, first.result) == ("done", "All is well.")
    assert await runs.end(ended(run, "cancelled")) == ()
    assert (await runs.run(run.id)).status == "done"
    # What ended is not carried by anybody.
    assert not await runs.begin_step(called(run)[0], "one")
    assert await runs.carried_by("one") == []


async def test_processes_without_a_sign_of_life_are_those_that_left_runs(
    database: Database, runs: RunStore
) -> None:
    one = Executors(database)
    mine = await carried(database, runs, one.id)
    await carried(database, runs, "gone")
    await carried(database, runs, "gone")
    over = await carried(database, runs, "over")
    await runs.end(ended(over))
    await waiting(database, runs)
    await one.beat()
    assert await runs.left_by() == ["gone"]
    await one.forget(one.id)
    assert sorted(await runs.left_by()) == sorted(["gone", one.id])
    await runs.end(ended(mine))
    assert await runs.left_by() == ["gone"]


async def test_what_is_wanted_of_a_run_hears_who_carries_it(
    database: Database, runs: RunStore
) -> None:
    run, other = await carried(database, runs, "one"), await carried(database, runs, "two")
    idle = await waiting(database, runs)
    assert await runs.want("cancel", run_id=run.id) == []
    assert await runs.want("pause", run_id=idle.id) == [idle.id]
    assert await runs.wanted("one") == {run.id: "cancel"}
    assert await runs.wanted("two") == {}
    await runs.want("kill")
    assert await runs.wanted("two") == {other.id: "kill"}
    assert (await runs.run(idle.id)).wanted is None


async def test_a_run_that_goes_on_is_wanted_nothing_of_any_more(
    database: Database, runs: RunStore
) -> None:
    run = await carried(database, runs)
    await runs.want("pause", run_id=run.id)
    await runs.end(replace(run, status="paused"))
    await runs.set_status(run.id, "waiting", of=("paused",))
    (again,) = await runs.claim([ROOM], "one", most=1)
    assert (again.id, again.wanted, again.attempt) == (run.id, None, 2)
    with pytest.raises(Refused, match=r"is running; that can be done to one that is paused"):
        await runs.set_status(run.id, "waiting", of=("paused",))
    with pytest.raises(NotFound):
        await runs.set_status("never", "waiting", of=("paused",))


async def test_all_of_long_ago_is_removed_but_what_runs(
    database: Database, runs: RunStore, clock: Clock
) -> None:
    suggestions, ends = SuggestionStore(database), ("paused", *sorted(ENDED))
    running, *others = [await carried(database, runs) for _ in range(len(ends) + 2)]
    for run in (running, *others):
        await runs.begin_step(called(run)[0], "one")
        await suggestions.open(run.id, "review", occasion=run.id, title="t", reason="r")
    for run, status in zip(others, ends, strict=False):
        await runs.end(replace(ended(run), status=status))
    await runs.release(others[-1], "one")
    statuses = {one.status for one in await runs.listed()}
    assert statuses == {"running", "waiting", "paused", *ENDED}
    clock.time += 10 * DAY
    young = await waiting(database, runs)
    await runs.prune(before=NOON + DAY)
    assert [one.id for one in await runs.listed()] == [young.id, running.id]
    for run in others:
        assert await runs.steps(run.id) == []
    assert len(await runs.steps(running.id)) == 1
    assert [one.run_id for one in await suggestions.listed()] == [running.id]


async def test_an_occasion_has_one_run(database: Database, runs: RunStore) -> None:
    event = (await EventStore(database).store(News("test:review"))).event
    first, second, third = (runs.new("review", event) for _ in range(3))
    await runs.add([("occasion", first), ("occasion", second)])
    await runs.add([("occasion", third), ("other", replace(third, id="other"))])
    assert [one.id for one in await runs.listed()] == ["other", first.id]


async def test_an_unknown_run_suggests_those_that_are_like_it(
    database: Database, runs: RunStore
) -> None:
    run = await waiting(database, runs)
    with pytest.raises(NotFound) as caught:
        await runs.run("20261121-000000-ffffffffff")
    assert list(caught.value.suggestions) == [run.id]
    with pytest.raises(NotFound):
        await runs.run("\ud800\x00")
