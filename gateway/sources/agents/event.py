"""Documents about events that agents hear: `event:{id}`, and `event:last` for the latest."""

import json
from collections.abc import Awaitable, Sequence

from gateway.agents.agents import Agents
from gateway.agents.event import Event
from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.sources.agents.question import AgentQuestion, is_about, words_of
from gateway.sources.agents.reader import TOPIC, AgentReader
from gateway.sources.agents.spoken import (
    about,
    event_snippet,
    event_title,
    events_table,
    facts,
    quoted,
    runs_table,
    section,
    short,
)
from gateway.sources.models.rendering import plain
from gateway.sources.models.source import words_at

LAST = "last"
MOST_FOUND = 8
MOST_LISTED = 15
# Of those that a question asks for, so many of the latest are looked at for its other words.
_MOST_READ = 300
_MOST_DATA = 12_000
NONE_YET = (
    "no event has been stored yet; agents hear of commits, files, schedules and webhooks that "
    "agents.yaml names, and of what is sent to POST /v1/events"
)


class EventSource:
    """`event:{id}`: what happened, when, who told of it, and which agents answered it."""

    pattern = IdPattern("event:{id}", {"id": str.lower})
    fresh_seconds = 1.0
    description = (
        "Something that happened and that agents may answer: its topic, what it is about, what it "
        "says, and the runs that answered it; `event:last` is the latest. Only where agents are on."
    )
    example = "event:last"
    told_by = "the record of agents"
    phrases = ("latest events", "events about git commits", "events from github today")
    is_private = True

    def __init__(self, agents: Agents, reader: AgentReader, *, clock: Clock = now) -> None:
        self._agents = agents
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        """What it offers it always looks up."""
        return EventSource

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        if "events" not in query.values(TOPIC):
            return ()
        return self._entries(query, self._reader.read(query.words))

    async def read(self, document_id: DocumentId) -> Document:
        """
        Raises:
            NotFound: there is no such event, or no longer.
        """
        wanted = document_id.values["id"]
        latest = await self._agents.events(limit=MOST_LISTED) if wanted == LAST else ()
        if wanted == LAST and not latest:
            raise NotFound(NONE_YET)
        event = latest[0] if latest else await self._event(wanted)
        runs = await self._agents.runs(event_id=event.id)
        parts = [
            f"**{event_title(event)}**",
            facts(_facts(event)),
            section("What it says", quoted(_data(event), _MOST_DATA) if event.news.data else ""),
            section("Which runs answered it", runs_table(runs) or "No agent runs for it."),
            section("The latest events", events_table(latest)),
        ]
        return Document(
            id=document_id,
            title=event_title(event),
            summary=event_snippet(event),
            text="\n\n".join(part for part in parts if part),
            as_of=self._clock(),
            source=self.told_by,
            metadata={
                "event_id": event.id,
                "topic": event.topic,
                "source": plain(event.news.source),
                "time": rfc3339(event.time),
            },
        )

    async def _event(self, event_id: str) -> Event:
        try:
            return await self._agents.event(event_id)
        except NotFound as error:
            has_any = await self._agents.events(limit=1)
            suggestions = [self.pattern.format(id=LAST).text] if has_any else []
            raise NotFound(str(error), suggestions=suggestions) from error

    async def _entries(self, query: Query, question: AgentQuestion) -> Sequence[Entry]:
        phrases = words_at(query, question.places)
        events = await self._found(question)
        entries = [
            Entry(
                self.pattern.format(id=event.id),
                event_title(event),
                event_snippet(event),
                phrases=phrases,
                prior=2.0 - place / 100,
            )
            for place, event in enumerate(events)
        ]
        if question.event_id or question.sought:
            return entries
        return [*entries, self._last_entry(phrases, is_first=question.is_latest_alone)]

    async def _found(self, question: AgentQuestion) -> Sequence[Event]:
        if question.event_id is not None:
            try:
                return [await self._agents.event(question.event_id)]
            except NotFound:
                return []
        asked = question.span(self._clock())
        is_read_on = bool(question.sought) or asked is not None
        events = await self._agents.events(
            since=asked.start if asked else None, limit=_MOST_READ if is_read_on else MOST_FOUND
        )
        if asked is not None:
            events = [one for one in events if one.time < asked.end]
        return _about(events, question.sought)[:MOST_FOUND]

    def _last_entry(self, phrases: tuple[str, ...], *, is_first: bool) -> Entry:
        return Entry(
            self.pattern.format(id=LAST),
            "The latest event, and those before it",
            self.description,
            phrases=phrases,
            prior=3.0 if is_first else 1.0,
            is_live=True,
        )


def _about(events: Sequence[Event], sought: Sequence[str]) -> Sequence[Event]:
    """Those that hold most of the words, of which they hold at least one."""
    if not sought:
        return events
    held = [sum(is_about(_words(one), word) for word in sought) for one in events]
    most = max(held, default=0)
    return [one for one, count in zip(events, held, strict=True) if count == most > 0]


def _words(event: Event) -> frozenset[str]:
    return words_of(f"{event.topic} {event.news.source} {about(event)} {event.news.by}")


def _facts(event: Event) -> dict[str, str]:
    news = event.news
    return {
        "Event": f"`event:{plain(event.id)}`",
        "Topic": f"`{plain(news.topic)}`",
        "About": short(about(event), 300),
        "Time": rfc3339(event.time),
        "From": plain(news.source),
        "By": plain(news.by),
        "Delivery": plain(news.delivery or ""),
        "Caused by": f"`run:{plain(news.cause)}`" if news.cause else "",
        "Agents that led to it": plain(" → ".join(news.chain)),
    }


def _data(event: Event) -> str:
    return json.dumps(event.news.data, ensure_ascii=False, indent=1)
