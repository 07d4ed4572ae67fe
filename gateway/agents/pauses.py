"""Which agents a person has paused; `*` is all of them, the kill switch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from gateway.agents.agent import Agent
from gateway.clock import Clock, now
from gateway.storage.agent_tables import paused_agents as paused
from gateway.storage.database import Database
from gateway.storage.tables import microseconds, moment

ALL = "*"


@dataclass(frozen=True, slots=True)
class Paused:
    since: datetime
    by: str


class Pauses:
    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def paused(self) -> Mapping[str, Paused]:
        query = select(paused.c.agent, paused.c.since, paused.c.said_by)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {agent: Paused(moment(since), by) for agent, since, by in rows}

    async def away(self, agent: Agent) -> str | None:
        """Why an agent begins nothing now, if so."""
        paused = await self.paused()
        if ALL in paused:
            return f"all agents are paused by {paused[ALL].by}"
        if agent.name in paused:
            return f"{agent.name} is paused by {paused[agent.name].by}"
        return f"{agent.name} has its quiet hours" if agent.is_quiet(self._clock()) else None

    async def pause(self, agent: str, *, by: str) -> bool:
        """False if it was paused before."""
        row = {"agent": agent, "since": microseconds(self._clock()), "said_by": by}

        def work(connection: Connection) -> bool:
            if connection.execute(select(paused.c.since).where(paused.c.agent == agent)).first():
                return False
            connection.execute(insert(paused), row)
            return True

        return await self._database.write(work)

    async def resume(self, agent: str) -> bool:
        """False if it was not paused."""

        def work(connection: Connection) -> bool:
            return bool(connection.execute(delete(paused).where(paused.c.agent == agent)).rowcount)

        return await self._database.write(work)
