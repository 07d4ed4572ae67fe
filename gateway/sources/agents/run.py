"""Documents about runs of agents: `run:{id}`, and `run:last` for the latest."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime

from gateway.agents.agents import Agents
from gateway.agents.run import Run
from gateway.agents.suggestion import Suggestion
from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.sources.agents.question import AgentQuestion
from gateway.sources.agents.reader import TOPIC, AgentReader
from gateway.sources.agents.spoken import (
    MOST_IN_TITLE,
    run_snippet,
    run_title,
    runs_table,
    section,
    short,
)
from gateway.sources.agents.story import story_text
from gateway.sources.models.rendering import plain
from gateway.sources.models.source import words_at

LAST = "last"
MOST_FOUND = 8
MOST_LISTED = 15
# Of those that are young enough, so many of the latest are looked at for who ran, and when.
_MOST_READ = 500
NONE_YET = (
    'no agent has run yet; ask one with `gateway agents run NAME "question"`, or wait for an '
    "event that one hears"
)


class RunSource:
    """`run:{id}`: the event, each step with time, tokens and cost, and what came of it."""

    pattern = IdPattern("run:{id}", {"id": str.lower})
    # Read anew each time: titles in search say what a question asked, not what was read before.
    fresh_seconds = 0.0
    description = (
        "The whole story of a run of an agent: the event, each step with its time, tokens and "
        "cost, what it found, what it suggests, and why it ended; `run:last` is the latest. Only "
        "where agents are on."
    )
    example = "run:last"
    told_by = "the record of agents"
    phrases = (
        "what did the review agent find today",
        "failed runs this week",
        "runs of the test agent",
        "open suggestions",
        "why did the last run stop",
    )
    is_private = True

    def __init__(self, agents: Agents, reader: AgentReader, *, clock: Clock = now) -> None:
        self._agents = agents
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        """What it offers it always looks up."""
        return RunSource

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        topics = query.values(TOPIC)
        if not {"runs", "suggestions"}.intersection(topics):
            return ()
        question = self._reader.read(query.words)
        if "suggestions" in topics:
            return self._suggested(query, question)
        return self._ran(query, question, is_aside="agents" in topics)

    async def read(self, document_id: DocumentId) -> Document:
        """
        Raises:
            NotFound: there is no such run.
        """
        wanted = document_id.values["id"]
        latest: Sequence[Run] = ()
        if wanted == LAST:
            latest = await self._agents.runs(limit=MOST_LISTED)
            if not latest:
                raise NotFound(NONE_YET)
            wanted = latest[0].id
        try:
            story = await self._agents.story(wanted)
        except NotFound as error:
            raise NotFound(str(error), suggestions=await self._alike(error)) from error
        run = story.run
        away = await self._agents.away(run.agent) if run.status == "waiting" else None
        others = section("The latest runs", runs_table(latest))
        return Document(
            id=document_id,
            title=run_title(run),
            summary=run_snippet(run),
            text="\n\n".join(part for part in (story_text(story, away=away), others) if part),
            as_of=self._clock(),
            source=self.told_by,
            metadata={
                "run_id": run.id,
                "agent": plain(run.agent),
                "status": run.status,
                "event_id": run.event_id,
                "created": rfc3339(run.created),
            },
        )

    async def _alike(self, error: NotFound) -> Sequence[str]:
        if error.suggestions:
            return [self.pattern.format(id=one).text for one in error.suggestions]
        has_any = await self._agents.runs(limit=1)
        return [self.pattern.format(id=LAST).text] if has_any else []

    async def _ran(
        self, query: Query, question: AgentQuestion, *, is_aside: bool
    ) -> Sequence[Entry]:
        phrases = words_at(query, question.places)
        runs = await self._found(question, is_aside=is_aside)
        entries = [
            Entry(
                self.pattern.format(id=run.id),
                run_title(run),
                run_snippet(run),
                phrases=phrases,
                # The latest first; behind the agents, where it is these that are asked for.
                prior=(1.0 if is_aside else 2.0) - place / 100,
            )
            for place, run in enumerate(runs)
        ]
        if question.run_id or is_aside:
            return entries
        return [*entries, self._last_entry(phrases, question, found=bool(runs))]

    async def _found(self, question: AgentQuestion, *, is_aside: bool) -> Sequence[Run]:
        if question.run_id is not None:
            try:
                return [await self._agents.run(question.run_id)]
            except NotFound:
                return []
        statuses = question.statuses or (("running", "waiting") if is_aside else ())
        asked = question.span(self._clock())
        start, end = (asked.start, asked.end) if asked else (None, None)
        wanted = [
            (name, status) for name in question.agents or (None,) for status in statuses or (None,)
        ]
        limit = MOST_FOUND if end is None or end > self._clock() else _MOST_READ
        listed = await asyncio.gather(
            *(
                self._agents.runs(agent=name, status=status, since=start, limit=limit)
                for name, status in wanted
            )
        )
        found = {run.id: run for runs in listed for run in runs if _is_before(run, end)}
        ordered = sorted(found.values(), key=lambda run: (run.created, run.id), reverse=True)
        if question.asks_for_results:
            # What still runs has found nothing yet.
            ordered.sort(key=lambda run: not run.has_ended)
        return ordered[:MOST_FOUND]

    def _last_entry(
        self, phrases: tuple[str, ...], question: AgentQuestion, *, found: bool
    ) -> Entry:
        usual = "the latest run of an agent, and those before it"
        return Entry(
            self.pattern.format(id=LAST),
            f"T{usual[1:]}" if found else f"No {self._spoken(question)}; {usual}",
            self.description,
            phrases=phrases,
            prior=3.0 if question.is_latest_alone else 1.0,
            is_live=found,
        )

    def _spoken(self, question: AgentQuestion) -> str:
        """Such as `failed or stopped run of review this week`."""
        asked = question.span(self._clock())
        of_whom = f" of {plain(' and '.join(question.agents))}" if question.agents else ""
        status = f"{' or '.join(question.statuses)} " if question.statuses else ""
        return f"{status}run{of_whom}{f' {asked.title}' if asked else ''}"

    async def _suggested(self, query: Query, question: AgentQuestion) -> Sequence[Entry]:
        """The runs that suggest something: their pages say why, and how to decide."""
        phrases = words_at(query, question.places)
        by_run: dict[str, list[Suggestion]] = {}
        for one in await self._suggestions(question):
            by_run.setdefault(one.run_id, []).append(one)
        return [
            Entry(
                self.pattern.format(id=run_id),
                _suggestion_title(suggestions),
                _suggestion_snippet(suggestions),
                phrases=phrases,
                prior=2.0 - place / 100,
            )
            for place, (run_id, suggestions) in enumerate(by_run.items())
        ][:MOST_FOUND]

    async def _suggestions(self, question: AgentQuestion) -> Sequence[Suggestion]:
        if question.suggestion_id is not None:
            try:
                return [await self._agents.suggestion(question.suggestion_id)]
            except NotFound:
                return []
        asked = question.span(self._clock())
        listed = await asyncio.gather(
            *(
                self._agents.suggestions(status=status, agent=name, limit=_MOST_READ)
                for name in question.agents or (None,)
                for status in question.decisions or (None,)
            )
        )
        found = [one for several in listed for one in several]
        if asked is not None:
            found = [one for one in found if asked.start <= one.created < asked.end]
        return sorted(found, key=lambda one: one.created, reverse=True)


def _is_before(run: Run, end: datetime | None) -> bool:
    return end is None or run.created < end


def _suggestion_title(suggestions: Sequence[Suggestion]) -> str:
    first = suggestions[0]
    more = f", and {len(suggestions) - 1} more" if len(suggestions) > 1 else ""
    title = short(first.title, MOST_IN_TITLE)
    return f"Suggestion of {plain(first.agent)} ({first.status}): {title}{more}"


def _suggestion_snippet(suggestions: Sequence[Suggestion]) -> str:
    first = suggestions[0]
    return f"{plain(first.id)}, {rfc3339(first.created)}. {short(first.reason, 120)}"
