"""All agents: what they hear, what they do now, what they did and suggest, and how to stop them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from gateway.agents.agent import Agent
from gateway.agents.carrying import ENDS, Carrying
from gateway.agents.deciding import Deciding
from gateway.agents.delegating import QUESTION
from gateway.agents.event import Event, News, Stored
from gateway.agents.event_store import EventStore
from gateway.agents.feeding import occasion
from gateway.agents.notification import Notification
from gateway.agents.notifications import Notifications
from gateway.agents.pauses import ALL, Paused, Pauses
from gateway.agents.run import ENDED, Run, Status, Story, Wanted
from gateway.agents.run_store import RunStore
from gateway.agents.suggestion import Suggestion, SuggestionStatus
from gateway.agents.suggestion_store import SuggestionStore
from gateway.caller import AGENT_PREFIX, Caller
from gateway.clock import Clock
from gateway.errors import InvalidRequest, NotFound, Refused

MOST_QUESTION_CHARACTERS = 20_000
_CAN_GO_ON: tuple[Status, ...] = ("paused", "failed", "stopped", "cancelled")


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agent is now; what ended counts from the beginning of the day in UTC.

    `spent_today_microusd` is what its day's budget is charged, with what runs now.
    """

    agent: Agent
    paused: Paused | None
    is_quiet: bool
    waiting: int
    running: int
    ended_today: Mapping[Status, int]
    spent_today_microusd: int
    last: Run | None


class Agents:
    """Whoever asks may see and stop all of them: who that is, the doors know."""

    def __init__(
        self,
        agents: Sequence[Agent],
        *,
        events: EventStore,
        runs: RunStore,
        suggestions: SuggestionStore,
        notifications: Notifications,
        pauses: Pauses,
        deciding: Deciding,
        spent: Callable[[], Mapping[str, int]],
        poke: Callable[[], None],
        carrying: Carrying,
        clock: Clock,
    ) -> None:
        self._agents = {one.name: one for one in agents}
        self._events = events
        self._runs = runs
        self._suggestions = suggestions
        self._notifications = notifications
        self._pauses = pauses
        self._deciding = deciding
        self._spent = spent
        self._poke = poke
        self._carrying = carrying
        self._clock = clock

    # Events

    async def publish(self, news: News) -> Stored:
        """Stored once it returns; what hears it runs by and by.

        Raises:
            InvalidRequest: the topic is none, or the data are too large.
        """
        stored = await self._events.store(news)
        self._poke()
        return stored

    async def publish_all(self, newses: Sequence[News]) -> Sequence[Stored]:
        """In their order, all or none."""
        stored = await self._events.store_all(newses)
        self._poke()
        return stored

    async def event(self, event_id: str) -> Event:
        return await self._events.event(event_id)

    async def events(
        self, *, pattern: str | None = None, since: datetime | None = None, limit: int = 50
    ) -> Sequence[Event]:
        return await self._events.latest(pattern=pattern, since=since, limit=limit)

    # Agents

    def known(self) -> Sequence[Agent]:
        return tuple(self._agents.values())

    def agent(self, name: str) -> Agent:
        """Raises:
        NotFound: none has that name; says which there are.
        """
        if name in self._agents:
            return self._agents[name]
        near = get_close_matches(name, self._agents, n=3)
        there_are = ", ".join(self._agents) or "none, until agents.yaml switches one on"
        raise NotFound(
            f"no agent is named {name[:60]!r}; there are: {there_are}",
            what="agent",
            suggestions=near,
        )

    async def standings(self) -> Sequence[Standing]:
        paused = await self._pauses.paused()
        today = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        counts = await self._runs.counts(since=today)
        return [await self._standing(one, paused, counts.get(one.name, {})) for one in self.known()]

    async def standing(self, name: str) -> Standing:
        agent = self.agent(name)
        return next(one for one in await self.standings() if one.agent is agent)

    async def away(self, name: str) -> str | None:
        """Why an agent that is on begins nothing now, if so."""
        return await self._pauses.away(self._agents[name]) if name in self._agents else None

    async def pause(self, name: str, *, by: str) -> None:
        """What runs of one agent goes on to its end; `*` stops all agents, and what runs too."""
        if name != ALL:
            self.agent(name)
        if await self._pauses.pause(name, by=by):
            await self._notifications.tell("agent.paused", _whom(name), {"agent": name, "by": by})
        if name == ALL:
            await self._want("kill")

    async def stop(self, name: str, *, by: str) -> None:
        """Pause an agent, and end what runs of it too: the kill switch for one."""
        await self.pause(name, by=by)
        if name != ALL:
            running = await self._runs.listed(agent=name, status="running")
            await self._runs.want("kill", agent=name)
            self._carrying.stop([one.id for one in running])

    async def resume(self, name: str, *, by: str = "") -> None:
        """Begin again with what waits."""
        if name != ALL:
            self.agent(name)
        if await self._pauses.resume(name):
            await self._notifications.tell("agent.resumed", _whom(name), {"agent": name, "by": by})
        self._poke()

    # Runs

    async def ask(self, name: str, question: str, *, by: str) -> Run:
        """A run in which one agent answers a question."""
        return (await self.ask_team([name], question, by=by))[0]

    async def ask_team(self, names: Sequence[str], question: str, *, by: str) -> Sequence[Run]:
        """A run of each, one after the other; each reads what those before it answered.

        Raises:
            NotFound: there is no such agent.
            InvalidRequest: nobody is asked, somebody twice, or nothing.
        """
        agents = [self.agent(name) for name in names]
        if not agents or len(set(names)) < len(names):
            raise InvalidRequest("agents: name one or more, each of them once")
        if not 0 < len(question.strip()) <= MOST_QUESTION_CHARACTERS:
            raise InvalidRequest(f"question: takes 1 to {MOST_QUESTION_CHARACTERS:,} characters")
        # Nobody hears it but those who are asked, whose runs are made here.
        nobody = News(QUESTION, {"question": question}, by=by, only=AGENT_PREFIX)
        event = (await self._events.store(nobody)).event
        runs: list[Run] = []
        for agent in agents:
            team = event.id if len(agents) > 1 else None
            after = runs[-1].id if runs else None
            runs.append(self._runs.new(agent.name, event, team=team, after=after))
        await self._runs.add([(occasion(event, one.agent), one) for one in runs])
        self._poke()
        return runs

    async def runs(
        self,
        *,
        agent: str | None = None,
        status: Status | None = None,
        since: datetime | None = None,
        event_id: str | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        """The latest first."""
        return await self._runs.listed(
            agent=agent, status=status, since=since, event_id=event_id, limit=limit
        )

    async def run(self, run_id: str) -> Run:
        return await self._runs.run(run_id)

    async def story(self, run_id: str) -> Story:
        run = await self._runs.run(run_id)
        return Story(
            run,
            await self._events.event(run.event_id),
            await self._runs.steps(run.id),
            await self._suggestions.listed(run_id=run.id),
        )

    async def cancel_run(self, run_id: str) -> None:
        """And those that it asked other agents for.

        Raises:
            Refused: it has ended.
        """
        await self._stop(run_id, "cancel")
        for child in await self._runs.listed(parent=run_id):
            # It may end by itself just now.
            with suppress(Refused):
                await self.cancel_run(child.id)

    async def pause_run(self, run_id: str) -> None:
        """Raises:
        Refused: it has ended.
        """
        await self._stop(run_id, "pause")

    async def resume_run(self, run_id: str) -> None:
        """Go on at the first step without a result, whatever ended it.

        Raises:
            Refused: it waits, runs, or has answered.
        """
        await self._runs.set_status(run_id, "waiting", of=_CAN_GO_ON)
        self._poke()

    async def replay(self, run_id: str, *, from_step: int = 1) -> Run:
        """A new run that repeats a run's steps before this one from the record, and goes on anew.

        Raises:
            InvalidRequest: the run has no such step.
        """
        before = await self._runs.run(run_id)
        steps = await self._runs.steps(run_id)
        if not 1 <= from_step <= len(steps) + 1:
            raise InvalidRequest(
                f"from_step: {from_step}; run {run_id} has steps 1 to {len(steps)}"
            )
        event = await self._events.event(before.event_id)
        copied = [one for one in steps[: from_step - 1] if one.ended is not None]
        run = self._runs.new(before.agent, event, replay_of=before.id, team=before.team)
        counted = replace(
            run,
            rounds=sum(one.kind == "ask" for one in copied),
            calls=sum(one.kind == "call" for one in copied),
        )
        await self._runs.copy(counted, copied)
        self._poke()
        return counted

    # Suggestions

    async def suggestions(
        self,
        *,
        status: SuggestionStatus | None = None,
        agent: str | None = None,
        run_id: str | None = None,
        limit: int = 50,
    ) -> Sequence[Suggestion]:
        return await self._suggestions.listed(
            status=status, agent=agent, run_id=run_id, limit=limit
        )

    async def suggestion(self, suggestion_id: str) -> Suggestion:
        return await self._suggestions.suggestion(suggestion_id)

    async def accept(self, suggestion_id: str, who: Caller, *, note: str = "") -> Suggestion:
        """Make the call that is suggested, as this person."""
        return await self._deciding.accept(suggestion_id, who, note=note)

    async def dismiss(self, suggestion_id: str, who: Caller, *, note: str = "") -> Suggestion:
        return await self._deciding.dismiss(suggestion_id, who, note=note)

    # What people are told

    async def notifications(self, *, after: int = 0, limit: int = 100) -> Sequence[Notification]:
        return await self._notifications.since(after, limit)

    async def told_so_far(self) -> int:
        """The position of the latest notification; 0 where there is none."""
        return await self._notifications.position()

    def told(self, *, after: int | None = None) -> AsyncGenerator[Notification]:
        """As they come, from the one behind `after`, or from now on."""
        return self._notifications.told(after=after)

    async def _standing(
        self, agent: Agent, paused: Mapping[str, Paused], counts: Mapping[Status, int]
    ) -> Standing:
        last = await self._runs.listed(agent=agent.name, limit=1)
        return Standing(
            agent,
            paused=paused.get(ALL) or paused.get(agent.name),
            is_quiet=agent.is_quiet(self._clock()),
            waiting=counts.get("waiting", 0),
            running=counts.get("running", 0),
            ended_today={status: count for status, count in counts.items() if status in ENDED},
            spent_today_microusd=self._spent().get(agent.day_limit.name, 0),
            last=last[0] if last else None,
        )

    async def _stop(self, run_id: str, wanted: Wanted) -> None:
        run = await self._runs.run(run_id)
        if run.has_ended:
            raise Refused(f"run {run.id} has ended: it is {run.status}")
        await self._want(wanted, run_id=run.id)

    async def _want(self, wanted: Wanted, *, run_id: str | None = None) -> None:
        for idle in await self._runs.want(wanted, run_id=run_id):
            if wanted == "pause":
                await self._runs.set_status(idle, "paused", of=("waiting", "paused"))
            elif wanted == "cancel":
                await self._carrying.end(await self._runs.run(idle), ENDS[wanted])
        # Those of other processes hear of it within a second.
        self._carrying.stop(None if run_id is None else [run_id])


def _whom(name: str) -> str:
    return "all agents" if name == ALL else name
