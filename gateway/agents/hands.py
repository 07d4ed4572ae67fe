"""What agents do beside calling tools: propose something to people, and tell others of news."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.agents.calling import Acting
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.notifications import Notifications
from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import SuggestionStore
from gateway.agents.topic import RESERVED, checked_topic
from gateway.caller import AGENT_PREFIX
from gateway.errors import InvalidRequest

# A person who accepts one of these would decide about something that is not shown.
UNPROPOSED = (
    "accept_suggestion",
    "dismiss_suggestion",
    "pause_agent",
    "resume_agent",
    "ask_agent",
)
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Arguments = Mapping[str, Any]


class ActingHands:
    """Each of them does what it does once for each key."""

    def __init__(
        self,
        events: EventStore,
        suggestions: SuggestionStore,
        notifications: Notifications,
        *,
        poke: Callable[[], None],
    ) -> None:
        self._events = events
        self._suggestions = suggestions
        self._notifications = notifications
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


def _check_tool(name: str | None) -> None:
    if name is not None and (name in UNPROPOSED or not _TOOL_NAME.fullmatch(name)):
        raise InvalidRequest(
            f"tool: {name[:60]!r} cannot be proposed; name a tool that does the work"
        )
