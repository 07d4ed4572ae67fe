"""Shares stored events out as runs, and begins of each agent the oldest that may begin."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gateway.agents.agent import Agent
from gateway.agents.event import Event
from gateway.agents.event_store import EventStore, mark_shared_out
from gateway.agents.places import Places
from gateway.agents.run import Run
from gateway.agents.run_store import Room, RunStore
from gateway.caller import AGENT_PREFIX
from gateway.clock import Clock

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
EVENTS_AT_ONCE = 200


class Feeding:
    """`places` are those of this process."""

    def __init__(
        self,
        events: EventStore,
        runs: RunStore,
        agents: Mapping[str, Agent],
        *,
        executor: str,
        places: Places,
        clock: Clock,
    ) -> None:
        self._events = events
        self._runs = runs
        self._agents = agents
        self._executor = executor
        self._places = places
        self._clock = clock
        self._poked = asyncio.Event()
        self._claimed: deque[Run] = deque()

    def poke(self) -> None:
        """Something may begin now."""
        self._poked.set()

    async def feed(self, start: Callable[[str, int], Awaitable[None]]) -> None:
        """Until it is cancelled; `start` begins an attempt of a run."""
        while True:
            self._poked.clear()
            try:
                await self.share_out()
                await self._begin(start)
            except Exception:
                # A database that is away comes back.
                logger.exception("agents could not be given their runs; it is tried again")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._poked.wait()
            except TimeoutError:
                # Another process may have stored what this one can begin.
                continue

    async def share_out(self) -> None:
        """Make a run for each agent that hears an event, in the order of the events."""
        while events := await self._events.to_share_out(EVENTS_AT_ONCE):
            agents = self._agents.values()
            wanted = [one for event in events for one in called_for(event, agents, self._runs)]
            ids = [one.id for one in events]
            await self._runs.add(wanted, beside=partial(mark_shared_out, event_ids=ids))
            if len(events) < EVENTS_AT_ONCE:
                return

    async def _begin(self, start: Callable[[str, int], Awaitable[None]]) -> None:
        """Begin what this process has room for."""
        if not self._claimed and self._places.free > 0 and (rooms := self._rooms()):
            claimed = await self._runs.claim(rooms, self._executor, most=self._places.free)
            self._claimed.extend(claimed)
        while self._claimed:
            # What could not be begun stays the next one.
            run = self._claimed[0]
            self._places.take(run.id)
            await start(run.id, run.attempt)
            self._claimed.popleft()

    def _rooms(self) -> Sequence[Room]:
        moment = self._clock()
        return [
            Room(one.name, one.concurrency)
            for one in self._agents.values()
            if not one.is_quiet(moment)
        ]


def called_for(event: Event, agents: Iterable[Agent], runs: RunStore) -> Iterator[tuple[str, Run]]:
    """The runs that are to answer an event, each with its occasion."""
    news = event.news
    for agent in agents:
        is_asked = news.only == agent.name
        if is_asked or (news.only is None and agent.listens(news.topic, news.data)):
            parent = news.cause if is_asked and news.source.startswith(AGENT_PREFIX) else None
            run = runs.new(agent.name, event, parent=parent)
            yield occasion(event, agent.name), _guarded(agent, event, run)


def occasion(event: Event, agent: str) -> str:
    """Of one of these and one agent there is one run."""
    return f"{event.occasion}:{agent}"


def _guarded(agent: Agent, event: Event, run: Run) -> Run:
    news = event.news
    if agent.name in news.chain:
        because = f"it would answer its own echo: {' → '.join(news.chain)} led to this event"
        return replace(run, status="stopped", guard="echo", because=because, ended=run.created)
    if news.depth > agent.bounds.most_depth:
        because = (
            f"the event is {news.depth} runs of agents deep ({' → '.join(news.chain)}); "
            f"it answers up to {agent.bounds.most_depth}"
        )
        return replace(run, status="stopped", guard="depth", because=because, ended=run.created)
    return run
