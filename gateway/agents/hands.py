"""What agents do beside calling tools: propose, ask another agent and wait for it, tell of news."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from gateway.agents.calling import Acting
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.feeding import occasion
from gateway.agents.notifications import Notifications
from gateway.agents.places import Places
from gateway.agents.run import Run
from gateway.agents.run_store import RunStore
from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import SuggestionStore
from gateway.agents.topic import RESERVED, checked_topic
from gateway.caller import AGENT_PREFIX
from gateway.errors import DeadlineExceeded, InvalidRequest, ToolFailed

QUESTION = "question:asked"
# A person who accepts one of these would decide about something that is not shown.
UNPROPOSED = (
    "accept_suggestion",
    "dismiss_suggestion",
    "pause_agent",
    "resume_agent",
    "ask_agent",
)
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOOK_SECONDS = 0.5

Arguments = Mapping[str, Any]


class ActingHands:
    """Each of them does what it does once for each key."""

    def __init__(
        self,
        events: EventStore,
        runs: RunStore,
        suggestions: SuggestionStore,
        notifications: Notifications,
        *,
        agents: Collection[str],
        places: Places,
        poke: Callable[[], None],
    ) -> None:
        self._events = events
        self._runs = runs
        self._suggestions = suggestions
        self._notifications = notifications
        self._agents = agents
        self._places = places
        self._poke = poke

    async def propose(self, acting: Acting, arguments: Arguments) -> Suggestion:
        run = acting.run
        _check_tool(arguments.get("tool"))
        suggestion = await self._suggestions.open(
            run.id,
            run.agent,
            occasion=acting.key,
            title=arguments["title"],
            reason=arguments["reason"],
            evidence=arguments.get("evidence", ()),
            tool=arguments.get("tool"),
            arguments=arguments.get("arguments", {}),
        )
        said = {"suggestion_id": suggestion.id, "run_id": run.id, "agent": run.agent}
        await self._notifications.tell("suggestion.opened", suggestion.title, said)
        return suggestion

    async def delegate(self, acting: Acting, name: str, question: str) -> str:
        """The answer of another agent.

        Raises:
            InvalidRequest: it led to this run itself, and would wait for its own answer.
            ToolFailed: it came to no answer; says why.
            DeadlineExceeded: it came to none within the time that a run has.
        """
        if name not in self._agents:
            raise InvalidRequest(f"the agent {name} is not on; do without it")
        chain = (*acting.event.news.chain, acting.agent.name)
        if name in chain:
            raise InvalidRequest(f"{name} waits for this answer itself ({' → '.join(chain)})")
        news = News(
            QUESTION,
            {"question": question},
            AGENT_PREFIX + acting.agent.name,
            delivery=acting.key,
            chain=chain,
            cause=acting.run.id,
            by=AGENT_PREFIX + acting.agent.name,
            only=name,
        )
        stored = await self._events.store(news)
        seconds = acting.agent.bounds.seconds
        try:
            async with asyncio.timeout(seconds):
                run = await self._answered(occasion(stored.event, name))
        except TimeoutError as error:
            raise DeadlineExceeded(f"{name} gave no answer within {seconds:g} s") from error
        if run.status != "done":
            raise ToolFailed(f"{name} came to no answer: {run.status}, {run.because} ({run.id})")
        return run.result or "it said nothing"

    async def publish(self, acting: Acting, arguments: Arguments) -> str:
        topic = checked_topic(arguments["topic"])
        if topic.partition(":")[0] in RESERVED:
            raise InvalidRequest(
                f"topic: {topic} is for the gateway to tell of; choose one that begins with none "
                f"of {', '.join(RESERVED)}"
            )
        stored = await self._events.store(
            News(
                topic,
                arguments.get("data", {}),
                AGENT_PREFIX + acting.agent.name,
                subject=arguments.get("subject", ""),
                delivery=acting.key,
                chain=(*acting.event.news.chain, acting.agent.name),
                cause=acting.run.id,
                by=AGENT_PREFIX + acting.agent.name,
            )
        )
        self._poke()
        return f"stored as {stored.event.id}"

    async def _answered(self, which: str) -> Run:
        with self._places.lent():
            self._poke()
            while True:
                run = await self._runs.of_occasion(which)
                if run is not None and run.has_ended:
                    return run
                await asyncio.sleep(_LOOK_SECONDS)


def _check_tool(name: str | None) -> None:
    if name is not None and (name in UNPROPOSED or not _TOOL_NAME.fullmatch(name)):
        raise InvalidRequest(
            f"tool: {name[:60]!r} cannot be proposed; name a tool that does the work"
        )
