"""What is recorded of runs and their steps, as it is read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from gateway.agents.run import Run, Status, Step, Wanted
from gateway.agents.run_rows import RUN_COLUMNS, STEP_COLUMNS, run_of, step_of
from gateway.agents.storable import storable
from gateway.clock import Clock, now
from gateway.errors import NotFound
from gateway.storage.agent_tables import agent_executors
from gateway.storage.agent_tables import agent_runs as runs
from gateway.storage.agent_tables import agent_steps as steps
from gateway.storage.database import Database
from gateway.storage.tables import microseconds

_MOST_SUGGESTED = 3


class RunReading:
    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def run(self, run_id: str) -> Run:
        """Raises:
        NotFound: there is none; with those that are alike.
        """
        run_id = storable(run_id)
        found = await self._read(select(*RUN_COLUMNS).where(runs.c.id == run_id))
        if found:
            return found[0]
        alike = select(*RUN_COLUMNS).where(runs.c.id.startswith(run_id[:8], autoescape=True))
        near = await self._read(alike.order_by(runs.c.position.desc()).limit(_MOST_SUGGESTED))
        raise NotFound(
            f"no run is named {run_id[:60]!r}; `gateway agents logs` lists the latest",
            what="run",
            suggestions=[one.id for one in near],
        )

    async def opened(self, run_id: str) -> tuple[Run, Sequence[Step]]:
        """A run and its steps, of one moment.

        Raises:
            NotFound: there is none.
        """

        def work(connection: Connection) -> tuple[Run, Sequence[Step]] | None:
            row = connection.execute(select(*RUN_COLUMNS).where(runs.c.id == run_id)).first()
            if row is None:
                return None
            return run_of(row), [step_of(one) for one in connection.execute(_steps(run_id))]

        found = await self._database.read(work)
        return found or (await self.run(run_id), ())

    async def listed(
        self,
        *,
        agent: str | None = None,
        status: Status | None = None,
        since: datetime | None = None,
        event_id: str | None = None,
        team: str | None = None,
        parent: str | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        """The latest first."""
        wanted = {
            "agent": agent and storable(agent),
            "status": status,
            "event_id": event_id,
            "team": team,
            "parent": parent,
        }
        query = select(*RUN_COLUMNS).where(
            *(runs.c[name] == value for name, value in wanted.items() if value is not None)
        )
        if since is not None:
            query = query.where(runs.c.created >= microseconds(since))
        return await self._read(query.order_by(runs.c.position.desc()).limit(limit))

    async def results(self, agent: str, *, before: Run, limit: int) -> Sequence[Run]:
        """The last runs of an agent that ended well, the latest first."""
        query = select(*RUN_COLUMNS).where(
            runs.c.agent == agent,
            runs.c.status == "done",
            runs.c.created < microseconds(before.created),
        )
        return await self._read(query.order_by(runs.c.position.desc()).limit(limit))

    async def counts(self, *, since: datetime) -> Mapping[str, Mapping[Status, int]]:
        """How many runs each agent has: those that wait or run, and those that ended `since`."""
        query = (
            select(runs.c.agent, runs.c.status, func.count())
            .where(
                or_(
                    runs.c.status.in_(("waiting", "running", "paused")),
                    runs.c.ended >= microseconds(since),
                )
            )
            .group_by(runs.c.agent, runs.c.status)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        counted: dict[str, dict[Status, int]] = {}
        for agent, status, count in rows:
            counted.setdefault(agent, {})[status] = count
        return counted

    async def steps(self, run_id: str) -> Sequence[Step]:
        query = _steps(run_id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [step_of(row) for row in rows]

    async def wanted(self, executor: str) -> Mapping[str, Wanted]:
        """What is wanted of the runs that a process carries out."""
        query = select(runs.c.id, runs.c.wanted).where(
            runs.c.executor == executor, runs.c.status == "running", runs.c.wanted.is_not(None)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return dict(map(tuple, rows))

    async def carried_by(self, executor: str) -> Sequence[Run]:
        return await self._read(
            select(*RUN_COLUMNS).where(runs.c.executor == executor, runs.c.status == "running")
        )

    async def left_by(self) -> Sequence[str]:
        """The processes whose runs nobody carries: they are not among those that live."""
        living = select(agent_executors.c.id)
        query = select(runs.c.executor).where(
            runs.c.status == "running", runs.c.executor.not_in(living)
        )
        return await self._database.read(
            lambda connection: list(connection.scalars(query.distinct()))
        )

    async def _read(self, query: Select[Any]) -> Sequence[Run]:
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [run_of(row) for row in rows]


def _steps(run_id: str) -> Select[Any]:
    return select(*STEP_COLUMNS).where(steps.c.run_id == run_id).order_by(steps.c.number)
