"""What a process has left is gone on with by one other, and what got stuck begins again."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import yaml
from sqlalchemy import func, select, update

from gateway.agents import executors
from gateway.agents import recovery as module
from gateway.agents.carrying import Carrying
from gateway.agents.durable import Durable
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.executors import Executors
from gateway.agents.recovery import DOUBTED_SECONDS, STRAY_AFTER, WORKFLOWS_KEPT, Recovery
from gateway.agents.run import Run
from gateway.agents.run_store import Room, RunStore
from gateway.app import agents as carried_out
from gateway.app.opening import Gateway, opened
from gateway.clock import now
from gateway.config.settings import load
from gateway.storage.agent_tables import agent_executors
from gateway.storage.database import Database
from gateway.storage.tables import moment, reservations
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger
from tests.acceptance.router_processes import provider, until
from tests.agents.house import House, agent, house, says, wants
from tests.stand_ins.agents_process import kill, nursery
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

SECOND = timedelta(seconds=1)


class Work:
    """A run of one step, which hangs where it `hangs`."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.done: list[str] = []
        self.asked = asyncio.Event()

    async def advance(self, run_id: str, number: int) -> bool:
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        self.done.append(run_id)
        return False

    async def give_up(self, run_id: str, error: BaseException) -> None:
        raise error

    async def rest(self, run_id: str, seconds: float) -> None:
        raise NotImplementedError


class Process:
    """One that carries out what there is to do, and looks when it is told to."""

    def __init__(self, folder: Path, database: Database, work: Work) -> None:
        self.clock_ahead = timedelta(0)
        self.work = work
        self.runs, self.executors = RunStore(database), Executors(database)
        self.events = EventStore(database)
        self.adopted: list[str] = []
        self.left: list[str] = []
        self.is_over = asyncio.Event()
        self.durable = Durable(
            f"sqlite:///{folder}/agents.db",
            self.executors.id,
            work,
            adopted=self._adopted,
            left=self._left,
        )
        # Nobody wants anything of these runs.
        nothing = cast(Carrying, None)
        self.recovery = Recovery(
            self.executors,
            self.runs,
            self.durable,
            nothing,
            Ledger(database),
            retention_days=1,
            clock=self._clock,
        )

    def _clock(self) -> datetime:
        return now() + self.clock_ahead

    async def _adopted(self, run_id: str) -> None:
        await self.runs.adopt(run_id, self.executors.id)
        self.adopted.append(run_id)

    def _left(self, run_id: str) -> None:
        self.left.append(run_id)
        self.is_over.set()

    async def claimed(self, *, executor: str | None = None) -> Run:
        event = (await self.events.store(News("test:a"))).event
        run = self.runs.new("worker", event)
        await self.runs.add([(run.id, run)])
        room = Room("worker", 100)
        (claimed,) = await self.runs.claim([room], executor or self.executors.id, most=1)
        return claimed

    async def status(self, run: Run) -> str:
        return (await self.runs.run(run.id)).status


@asynccontextmanager
async def process(
    folder: Path, database: Database, *, hangs: bool = False
) -> AsyncIterator[Process]:
    one = Process(folder, database, Work(hangs=hangs))
    await one.executors.beat()
    async with one.durable:
        yield one


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as opened:
        yield opened


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


async def test_what_a_process_left_goes_on_elsewhere_also_if_it_was_forgotten_before(
    tmp_path: Path, database: Database
) -> None:
    async with process(tmp_path, database, hangs=True) as gone:
        begun = await gone.claimed()
        await gone.durable.start(begun.id, begun.attempt)
        await happens(gone.work.asked)
        # Its process ends before this one begins.
        never_begun = await gone.claimed()
    async with process(tmp_path, database) as other:
        await other.executors.forget(gone.executors.id)
        assert await other.executors.gone() == []
        await other.recovery.look()
        await happens(other.is_over)
        assert other.work.done == other.adopted == other.left == [begun.id]
        assert [one.id for one in await other.runs.carried_by(other.executors.id)] == [begun.id]
        assert await other.status(never_begun) == "waiting"
        # Looking again changes nothing.
        await other.recovery.look()
        assert await other.status(begun) == "running"
        assert other.work.done == [begun.id]


async def test_what_one_on_another_machine_holds_is_soon_lost_unless_it_vouches_for_it(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "GONE_AFTER", timedelta(0))
    far = Executors(database)
    elsewhere = update(agent_executors).where(agent_executors.c.id == far.id).values(host="far")
    async with Ledger(database, owner=far.id) as theirs, process(tmp_path, database) as one:
        await far.beat()
        await database.write(lambda connection: connection.execute(elsewhere))
        await theirs.reserve(Call("run", "agent:worker", "a", "a/small", "paid"), Amount())
        before = await lease_until(database)
        for _ in range(2):
            await one.recovery.look()
        doubted = await lease_until(database)
        assert now() < doubted <= now() + timedelta(seconds=DOUBTED_SECONDS) < before
        await theirs.renew()
        assert await lease_until(database) >= before


async def lease_until(database: Database) -> datetime:
    query = select(reservations.c.lease_until)
    return moment(await database.read(lambda connection: connection.scalars(query).one()))


async def test_what_never_began_waits_again_but_not_if_another_process_has_it(
    tmp_path: Path, database: Database
) -> None:
    async with process(tmp_path, database) as one:
        living, dead = Executors(database), "0" * 32
        await living.beat()
        left, others = await one.claimed(executor=dead), await one.claimed(executor=living.id)
        await one.recovery.look()
        assert await one.status(left) == "waiting"
        assert await one.status(others) == "running"


async def test_what_the_workflow_left_begins_again_once_it_is_not_young_any_more(
    tmp_path: Path, database: Database
) -> None:
    async with process(tmp_path, database) as one:
        stuck = await one.claimed()
        await one.durable.start(stuck.id, stuck.attempt)
        await happens(one.is_over)
        one.left.clear()
        for ahead, status, left in (
            (STRAY_AFTER - 5 * SECOND, "running", []),
            (STRAY_AFTER + SECOND, "waiting", [stuck.id]),
        ):
            one.clock_ahead = ahead
            await one.recovery.look()
            assert (await one.status(stuck), one.left) == (status, left)


async def test_what_goes_on_is_left_alone_however_old_it_is(
    tmp_path: Path, database: Database
) -> None:
    async with process(tmp_path, database, hangs=True) as one:
        run = await one.claimed()
        await one.durable.start(run.id, run.attempt)
        await happens(one.work.asked)
        one.clock_ahead = timedelta(hours=5)
        await one.recovery.look()
        assert await one.status(run) == "running"
        assert one.left == []


async def test_what_is_over_is_forgotten_by_and_by_and_what_goes_on_never(
    tmp_path: Path, database: Database
) -> None:
    async with process(tmp_path, database, hangs=True) as gone:
        runs = [await gone.claimed() for _ in range(2)]
        await gone.durable.start(runs[0].id, 1)
        await happens(gone.work.asked)
        gone.work.hangs = False
        await gone.durable.start(runs[1].id, 1)
        await happens(gone.is_over)

        async def is_recorded() -> bool:
            return not await gone.durable.goes_on(runs[1].id, 1)

        await until(is_recorded)
        await gone.runs.end(replace(runs[1], status="done", ended=now()))
        await gone.recovery.prune()
        assert kept(tmp_path) == {f"{one.id}.1" for one in runs}
        gone.clock_ahead = WORKFLOWS_KEPT + SECOND
        await gone.recovery.prune()
        assert kept(tmp_path) == {f"{runs[0].id}.1"}
        assert len(await gone.runs.listed()) == 2
        gone.clock_ahead = timedelta(days=2)
        await gone.recovery.prune()
        assert [one.id for one in await gone.runs.listed()] == [runs[0].id]
        assert kept(tmp_path) == {f"{runs[0].id}.1"}


def kept(folder: Path) -> set[str]:
    """The workflows that DBOS keeps."""
    with closing(sqlite3.connect(folder / "agents.db")) as connection:
        return {one for (one,) in connection.execute("SELECT workflow_uuid FROM workflow_status")}


async def test_a_run_that_dbos_could_not_go_on_with_begins_again_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STRAY_AFTER", SECOND)
    monkeypatch.setattr(carried_out, "BEAT_SECONDS", 0.1)
    create = wants("create_task", '{"title": "Rotate the key"}')
    agents = [agent("worker", tools=["create_task"])]
    answers = {"worker": says(create, Answer("Done."))}
    async with house(tmp_path, agents, places=1, says=answers) as at:
        with broken(tmp_path):
            told = await at.told("test:worker")
            await until(lambda: has_failed(at))
        story = await at.story(told)
        assert story.run.result == "Done."
        assert story.run.attempt > 1
        assert [one.name for one in story.steps] == ["model", "create_task", "model"]
        # What was recorded is not asked again; and the one place is free for the next.
        assert len(at.model.requests) == 2
        assert (await at.heard("test:worker")).run.status == "done"


@contextmanager
def broken(folder: Path) -> Iterator[None]:
    """Nothing that is done is recorded by DBOS, as if the disk were full."""
    full = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    with closing(sqlite3.connect(durable_file(folder))) as connection:
        connection.execute(f"CREATE TRIGGER full BEFORE INSERT ON operation_outputs {full}")
        yield
        connection.execute("DROP TRIGGER full")


def durable_file(folder: Path) -> Path:
    return next(folder.rglob(carried_out.DURABLE_FILE))


async def has_failed(at: House) -> bool:
    file = durable_file(Path(at.config.data_dir))
    with closing(sqlite3.connect(file)) as connection:
        statuses = connection.execute("SELECT status FROM workflow_status").fetchall()
    return ("ERROR",) in statuses


async def test_two_processes_that_recover_at_once_carry_each_run_once(tmp_path: Path) -> None:
    hangs, count = asyncio.Event(), 4
    async with LlmStandIn("openrouter") as model:
        model.always("small", Answer("Done.", before_headers=hangs))
        keeper = agent("keeper", concurrency=count)
        files = {
            "gateway.yaml": {"providers": [provider(model)], "agents_file": "agents.yaml"},
            "agents.yaml": {"agents": [keeper]},
        }
        for name, content in files.items():
            (tmp_path / name).write_text(yaml.safe_dump(content), "utf-8")
        env = {"MCP_DATABASE_DIR": str(tmp_path / "kept")}
        file, log = tmp_path / "gateway.yaml", tmp_path / "log"
        async with (
            opened(load(file, environment=env)) as gateway,
            nursery(file, env=env, log=log) as born,
        ):
            first = await born.open()
            for _ in range(count):
                await gateway.agents.publish(News("test:keeper"))
            await model.has_received(count)
            await born.open()
            await born.open()
            await until(lambda: live(gateway, 3))
            kill(first)
            await model.has_received(2 * count)
            hangs.set()
            await until(lambda: have_ended(gateway, count))
            runs = await gateway.agents.runs()
            assert Counter((one.status, one.attempt) for one in runs) == {("done", 1): count}
            assert len(model.requests) == 2 * count


async def live(gateway: Gateway, count: int) -> bool:
    query = select(func.count()).select_from(agent_executors)
    database = gateway.router.database
    return await database.read(lambda connection: connection.scalar(query)) == count


async def have_ended(gateway: Gateway, count: int) -> bool:
    runs: Sequence[Run] = await gateway.agents.runs()
    return len(runs) == count and all(one.has_ended for one in runs)
