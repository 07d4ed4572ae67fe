"""One agent's question to another: asked together with its run, waited for, or taken back."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from gateway.agents.agent import Agent
from gateway.agents.calling import Acting
from gateway.agents.endings import Endings
from gateway.agents.event import News
from gateway.agents.event_store import EventStore, mark_shared_out
from gateway.agents.feeding import called_for
from gateway.agents.pauses import Pauses
from gateway.agents.places import Places
from gateway.agents.run import Run
from gateway.agents.run_store import RunStore
from gateway.caller import AGENT_PREFIX
from gateway.clock import Clock
from gateway.errors import DeadlineExceeded, InvalidRequest, Refused, ToolFailed

QUESTION = "question:asked"
LOOK_SECONDS = 0.5


class Delegating:
    """A question under the same key is asked once, and nobody answers one that nobody waits for."""

    def __init__(
        self,
        events: EventStore,
        runs: RunStore,
        pauses: Pauses,
        endings: Endings,
        *,
        agents: Mapping[str, Agent],
        places: Places,
        poke: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._events = events
        self._runs = runs
        self._pauses = pauses
        self._endings = endings
        self._agents = agents
        self._places = places
        self._poke = poke
        self._clock = clock

    async def ask(self, acting: Acting, name: str, question: str) -> str:
        """The answer of another agent.

        Raises:
            InvalidRequest: it is not on, or led to this run itself, and would wait for its own
                answer.
            Refused: it begins nothing now, or the run that asks is to end.
            ToolFailed: it came to no answer; says why.
            DeadlineExceeded: it came to none within the time that a run has.
        """
        agent, news = self._agent(name), _news(acting, name, question)
        run = await self._asked(acting.run, agent, news)
        seconds = acting.agent.bounds.seconds
        try:
            async with asyncio.timeout(seconds):
                run = await self._answered(run, agent)
        except TimeoutError as error:
            await self._take_back(run, "nobody waits for its answer any more")
            raise DeadlineExceeded(f"{name} gave no answer within {seconds:g} s") from error
        if run.status != "done":
            raise ToolFailed(f"{name} came to no answer: {run.status}, {run.because} ({run.id})")
        return run.result or "it said nothing"

    def _agent(self, name: str) -> Agent:
        if name not in self._agents:
            raise InvalidRequest(f"the agent {name} is not on; do without it")
        return self._agents[name]

    async def _asked(self, asker: Run, agent: Agent, news: News) -> Run:
        """The run that answers, stored together with its question."""
        away = await self._pauses.away(agent)

        def question(connection: Connection) -> tuple[str, Run]:
            stored = self._events.add(connection, news)
            if stored.is_new and away is not None:
                raise _not_now(away)
            # Here are all that it calls for.
            mark_shared_out(connection, [stored.event.id])
            (called,) = called_for(stored.event, [agent], self._runs)
            return called

        if (run := await self._runs.ask(asker, question)) is None:
            raise Refused(f"{agent.name} was not asked: this run is to end")
        return run

    async def _answered(self, run: Run, agent: Agent) -> Run:
        with self._places.lent():
            self._poke()
            while not run.has_ended:
                if run.status == "waiting" and (away := await self._pauses.away(agent)) is not None:
                    because = f"{away}, and the run that asked it goes on without"
                    if await self._take_back(run, because):
                        raise _not_now(away)
                await asyncio.sleep(LOOK_SECONDS)
                run = await self._runs.run(run.id)
        return run

    async def _take_back(self, run: Run, because: str) -> bool:
        """False if it has begun: then it goes on to its end."""
        ended = replace(run, status="cancelled", ended=self._clock(), because=because)
        return await self._endings.end(ended, of=("waiting",))


def _news(acting: Acting, name: str, question: str) -> News:
    asker = AGENT_PREFIX + acting.agent.name
    chain = (*acting.event.news.chain, acting.agent.name)
    if name in chain:
        raise InvalidRequest(f"{name} waits for this answer itself ({' → '.join(chain)})")
    return News(
        QUESTION,
        {"question": question},
        asker,
        delivery=acting.key,
        chain=chain,
        cause=acting.run.id,
        by=asker,
        only=name,
    )


def _not_now(away: str) -> Refused:
    return Refused(f"{away}; ask again later, or go on without it")
