"""A run that has ended is told of, once, whenever the process dies."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Connection, select, text

from gateway.agents.agent import Agent
from gateway.agents.endings import Endings
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.feeding import Feeding
from gateway.agents.notifications import Notifications
from gateway.agents.places import Places
from gateway.agents.run import ENDED, Run, Status
from gateway.agents.run_store import Room, RunStore
from gateway.agents.topic import Hearing
from gateway.app.opening import Gateway, opened
from gateway.clock import now
from gateway.config.settings import load
from gateway.storage.agent_tables import agent_runs, events, notifications
from gateway.storage.database import Database
from tests.acceptance.router_processes import provider, until
from tests.agents.house import agent
from tests.stand_ins.agents_process import kill, nursery
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

WORKER = Agent("worker", "own", "Work.")
HEARER = Agent("hearer", "own", "Hear.", hears=(Hearing("agent:finished"),))


def nothing() -> None:
    return None


class Process:
    """One that carries runs out; `poke` is what it does as soon as an ending is written."""

    def __init__(
        self, database: Database, told: Notifications, *, poke: Callable[[], None] = nothing
    ) -> None:
        self.database, self.notifications = database, told
        self.events, self.runs = EventStore(database), RunStore(database)
        self.endings = Endings(self.runs, self.events, told, poke=poke)
        self.feeding = Feeding(
            self.events,
            self.runs,
            {one.name: one for one in (WORKER, HEARER)},
            executor="one",
            places=Places(4),
            clock=now,
        )

    async def carries(self, **more: str) -> Run:
        event = (await self.events.store(News("test:a", chain=("first",)))).event
        run = self.runs.new("worker", event, **more)
        await self.runs.add([(run.id, run)])
        (claimed,) = await self.runs.claim([Room("worker", 9)], "one", most=1)
        return claimed

    async def waits(self, **more: str) -> Run:
        event = (await self.events.store(News("question:asked", only="worker"))).event
        run = self.runs.new("worker", event, **more)
        await self.runs.add([(run.id, run)])
        return run

    async def told(self) -> list[tuple[str, str]]:
        """Of each event and each notification its kind, and the run that it tells of."""
        finished = reversed(await self.events.latest(pattern="agent:finished"))
        told = await self.notifications.since()
        return [
            *((str(one.news.data["status"]), str(one.news.cause)) for one in finished),
            *((one.kind, str(one.data["run_id"])) for one in told),
        ]


@asynccontextmanager
async def process(url: str, *, poke: Callable[[], None] = nothing) -> AsyncIterator[Process]:
    async with Database(url) as database, Notifications(database) as told:
        yield Process(database, told, poke=poke)


def ended(run: Run, status: Status = "done") -> Run:
    return replace(run, status=status, ended=now(), result="All is well.", because="it answered")


def dies() -> None:
    raise OSError("the process dies")


async def test_a_process_that_dies_once_the_end_is_written_has_told_of_it(
    database_url: str,
) -> None:
    async with process(database_url, poke=dies) as dying:
        run = await dying.carries()
        with pytest.raises(OSError, match="dies"):
            await dying.endings.end(ended(run))
    async with process(database_url) as later:
        # Whoever goes on with the run finds that it has ended.
        assert not await later.endings.end(ended(run))
        assert await later.told() == [("done", run.id), ("run.done", run.id)]
        for _ in range(2):
            await later.feeding.share_out()
        (hearing,) = await later.runs.listed(agent="hearer")
        heard = await later.events.event(hearing.event_id)
        assert heard.news.chain == ("first", "worker")
        assert heard.news.data["result"] == "All is well."


@pytest.mark.parametrize("table", ["events", "notifications"])
async def test_an_end_that_cannot_be_told_of_is_not_written_and_is_told_of_later(
    database_url: str, table: str
) -> None:
    async with process(database_url) as one:
        run = await one.carries()
        before = await one.runs.run(run.id)
        await one.database.write(lambda connection: rename(connection, table, "away"))
        with pytest.raises(Exception, match=table):
            await one.endings.end(ended(run))
        await one.database.write(lambda connection: rename(connection, "away", table))
        assert await one.runs.run(run.id) == before
        assert await one.told() == []
        assert await one.endings.end(ended(run))
        assert await one.told() == [("done", run.id), ("run.done", run.id)]


def rename(connection: Connection, table: str, name: str) -> None:
    connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


async def test_a_run_that_went_on_and_ended_again_is_told_of_again(database_url: str) -> None:
    async with process(database_url) as one:
        run = await one.carries()
        for _ in range(2):
            assert await one.endings.end(ended(run, "cancelled"))
            # It ends again before anybody began it.
            await one.runs.set_status(run.id, "waiting", of=("cancelled",))
        assert len(await one.told()) == 4


async def test_a_run_that_is_paused_has_not_ended(database_url: str) -> None:
    async with process(database_url) as one:
        run = await one.carries()
        question = await one.waits(parent=run.id)
        assert await one.endings.end(replace(run, status="paused"))
        assert await one.told() == []
        assert (await one.runs.run(question.id)).status == "waiting"


async def test_what_a_run_asked_and_nobody_began_ends_with_it_and_is_told_of(
    database_url: str,
) -> None:
    async with process(database_url) as one:
        run = await one.carries()
        begun = await one.carries(parent=run.id)
        waiting = await one.waits(parent=run.id)
        of_waiting, of_begun = await one.waits(parent=waiting.id), await one.waits(parent=begun.id)
        assert await one.endings.end(ended(run, "stopped"))
        assert await one.told() == [
            ("stopped", run.id),
            ("cancelled", waiting.id),
            ("cancelled", of_waiting.id),
            ("run.stopped", run.id),
            ("run.cancelled", waiting.id),
            ("run.cancelled", of_waiting.id),
        ]
        statuses = {each.id: each.status for each in await one.runs.listed()}
        assert (statuses[begun.id], statuses[of_begun.id]) == ("running", "waiting")
        cancelled = await one.runs.run(waiting.id)
        assert cancelled.because == f"the run that asked it, {run.id}, is stopped"
        assert cancelled.ended is not None


RUNS = 6
OWN = {"agent": "keeper"}
AGENTS = (
    agent("keeper", concurrency=2),
    agent("hearer", hears=[{"topic": "agent:finished", "where": OWN}], concurrency=2),
)


async def test_processes_that_are_killed_as_runs_end_have_told_of_each_once(
    tmp_path: Path, database_url: str
) -> None:
    env = {"MCP_DATABASE_DIR": str(tmp_path / "kept"), "GATEWAY_DATABASE_URL": database_url}
    file = tmp_path / "gateway.yaml"
    async with LlmStandIn("openrouter") as model:
        model.always("small", Answer("Done."))
        settings = {"providers": [provider(model)], "agents_file": "agents.yaml"}
        file.write_text(yaml.safe_dump(settings), "utf-8")
        (tmp_path / "agents.yaml").write_text(yaml.safe_dump({"agents": [*AGENTS]}), "utf-8")
        async with (
            opened(load(file, environment=env)) as gateway,
            nursery(file, env=env, log=tmp_path / "log") as born,
        ):
            for _ in range(RUNS):
                await gateway.agents.publish(News("test:keeper"))
            for least in (1, 2 * RUNS):
                living = await born.open()
                await until(partial(has_told_of, gateway, least))
                kill(living)
            runs = await gateway.agents.runs()
            assert Counter((one.agent, one.status) for one in runs) == {
                ("keeper", "done"): RUNS,
                ("hearer", "done"): RUNS,
            }


async def has_told_of(gateway: Gateway, least: int) -> bool:
    """At each moment exactly those that have ended are told of, once."""

    def work(connection: Connection) -> tuple[list[str], list[str], list[str]]:
        data = connection.scalars(select(notifications.c.data)).all()
        finished = select(events.c.cause).where(events.c.topic == "agent:finished")
        is_over = agent_runs.c.status.in_(ENDED)
        return (
            sorted(connection.scalars(select(agent_runs.c.id).where(is_over))),
            sorted(map(str, connection.scalars(finished))),
            sorted(json.loads(one)["run_id"] for one in data),
        )

    over, heard, told = await gateway.router.database.read(work)
    assert over == heard == told
    return len(over) >= least
