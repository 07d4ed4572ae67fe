"""Documents about agents: `agent:{name}`, and `agent:all` for how all of them are."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta

from gateway.agents.agent import Agent, agent_of_caller
from gateway.agents.agents import Agents, Standing
from gateway.agents.as_json import state_of
from gateway.agents.run import Run
from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.sources.agents.question import AgentQuestion
from gateway.sources.agents.reader import TOPIC, AgentReader
from gateway.sources.agents.spoken import (
    counted,
    facts,
    quoted,
    run_title,
    runs_table,
    section,
    suggestions_table,
)
from gateway.sources.models.rendering import plain, table
from gateway.sources.models.source import words_at
from gateway.sources.money import usd
from gateway.usage.ledger import Ledger
from gateway.usage.span import Span

ALL = "all"
MOST_RUNS = 10
MOST_SUGGESTIONS = 10
_MOST_INSTRUCTIONS = 8_000
_DAY = timedelta(days=1)
NO_SUGGESTION = "No suggestion waits for a decision."


class AgentSource:
    """`agent:{name}`: what it hears and may do, how it is, what it did last and what it spent."""

    pattern = IdPattern("agent:{name}", {"name": str.lower})
    # Read anew each time: titles in search say what a question asked, not what was read before.
    fresh_seconds = 0.0
    description = (
        "An agent: what it hears and may do, whether it is paused, what it does now and did last, "
        "what it spent of its budget, and what it suggests; `agent:all` is all that are on. Only "
        "where agents are on."
    )
    example = "agent:all"
    told_by = "the record of agents"
    phrases = (
        "which agents are on",
        "what is the review agent doing",
        "what did agents spend today",
    )
    is_private = True

    def __init__(
        self, agents: Agents, ledger: Ledger, reader: AgentReader, *, clock: Clock = now
    ) -> None:
        self._agents = agents
        self._ledger = ledger
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        """What it offers it always looks up."""
        return AgentSource

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        topics = query.values(TOPIC)
        if not topics:
            return ()
        question = self._reader.read(query.words)
        phrases = words_at(query, question.places)
        if "agent spending" in topics:
            return self._spenders(question, phrases)
        if "agents" in topics:
            return self._listed(question, phrases)
        if question.run_id or question.event_id or question.suggestion_id or "events" in topics:
            return ()
        return self._beside(question, phrases, is_live="suggestions" in topics)

    async def read(self, document_id: DocumentId) -> Document:
        """
        Raises:
            NotFound: no agent that is on has this name.
        """
        name = document_id.values["name"]
        if name == ALL:
            return await self._all(document_id)
        try:
            standing = await self._agents.standing(name)
        except NotFound as error:
            near = error.suggestions or (ALL,)
            suggestions = [self.pattern.format(name=one).text for one in near]
            raise NotFound(str(error), suggestions=suggestions) from error
        return await self._one(document_id, standing)

    def _beside(
        self, question: AgentQuestion, phrases: tuple[str, ...], *, is_live: bool
    ) -> Sequence[Entry]:
        """Behind runs and suggestions; how many of these wait, a live title tells."""
        known = {one.name for one in self._agents.known()}
        names = [name for name in question.agents if name in known] or [ALL]
        return [self._entry(name, phrases, prior=0.5, is_live=is_live) for name in names]

    async def _listed(self, question: AgentQuestion, phrases: tuple[str, ...]) -> Sequence[Entry]:
        standings = {one.agent.name: one for one in await self._agents.standings()}
        named = [name for name in question.agents if name in standings]
        entries = [
            self._entry(
                name,
                phrases,
                title=_title(standings[name]),
                prior=(2.0 if named else 1.5) - at / 100,
            )
            for at, name in enumerate(named or standings)
        ]
        every = self._entry(ALL, phrases, prior=0.5 if named else 2.0, is_live=not named)
        return [*entries, every]

    async def _spenders(self, question: AgentQuestion, phrases: tuple[str, ...]) -> Sequence[Entry]:
        """Each with what it spent in its title, the one that spent most first."""
        asked = question.span(self._clock()) or self._today()
        spent = await self._spent(asked)
        known = {one.name: one for one in self._agents.known()}
        # Those that are off by now may have spent before.
        names = [name for name in question.agents if name in known] or [*known, *spent]
        order = sorted(dict.fromkeys(names), key=lambda name: -(spent.get(name, 0) or 0))
        entries = [
            self._entry(
                name, phrases, title=_spending(known[name], spent, asked), prior=2 - at / 100
            )
            for at, name in enumerate(one for one in order if one in known)
        ]
        if question.agents:
            return entries
        title = f"Agents spent {usd(_sum(spent))} {asked.title} together"
        return [self._entry(ALL, phrases, title=title, prior=3.0), *entries]

    def _entry(
        self,
        name: str,
        phrases: tuple[str, ...],
        *,
        prior: float,
        title: str | None = None,
        is_live: bool = False,
    ) -> Entry:
        usual = "All agents that are on" if name == ALL else f"The {name} agent"
        return Entry(
            self.pattern.format(name=name),
            title or usual,
            self._snippet(name),
            phrases=phrases,
            prior=prior,
            is_live=is_live,
        )

    def _snippet(self, name: str) -> str:
        described = next((one for one in self._agents.known() if one.name == name), None)
        return plain(described.description) if described else self.description

    async def _all(self, document_id: DocumentId) -> Document:
        standings = await self._agents.standings()
        runs = await self._agents.runs(limit=MOST_RUNS)
        open_ones = await self._agents.suggestions(status="open", limit=MOST_SUGGESTIONS)
        title = _title_of_all(standings, len(open_ones))
        text = [
            f"**{title}**",
            _standings_table(standings) or "None is on; agents.yaml switches them on.",
            section("What they suggest", suggestions_table(open_ones) or NO_SUGGESTION),
            section("The latest runs", runs_table(runs)),
        ]
        return Document(
            id=document_id,
            title=title,
            summary="; ".join(_title(one) for one in standings) or "None is on.",
            text="\n\n".join(part for part in text if part),
            as_of=self._clock(),
            source=self.told_by,
            metadata={"agents": ", ".join(one.agent.name for one in standings)},
        )

    async def _one(self, document_id: DocumentId, standing: Standing) -> Document:
        agent = standing.agent
        runs = await self._agents.runs(agent=agent.name, limit=MOST_RUNS)
        open_ones = await self._agents.suggestions(
            status="open", agent=agent.name, limit=MOST_SUGGESTIONS
        )
        text = [
            f"**{_title(standing)}**",
            facts(_facts(standing)),
            section("What it suggests", suggestions_table(open_ones)),
            section("Its latest runs", runs_table(runs)),
            section("What it spent", await self._spending(agent)),
            section("Its instructions", quoted(agent.instructions, _MOST_INSTRUCTIONS)),
        ]
        return Document(
            id=document_id,
            title=_title(standing),
            summary=_last(standing.last) or plain(agent.description) or "It has not run yet.",
            text="\n\n".join(part for part in text if part),
            as_of=self._clock(),
            source=self.told_by,
            metadata={"agent": agent.name, "state": state_of(standing), "kind": agent.kind},
        )

    async def _spending(self, agent: Agent) -> str:
        today = self._today()
        spans = (
            today,
            Span(today.start - _DAY, today.start, "yesterday"),
            Span(today.start - 6 * _DAY, today.end, "in the last 7 days"),
            Span(today.start - 29 * _DAY, today.end, "in the last 30 days"),
        )
        rows = [(one.title, usd((await self._spent(one)).get(agent.name, 0))) for one in spans]
        return table(("When", "Spent"), rows)

    async def _spent(self, asked: Span) -> Mapping[str, int | None]:
        """What the ledger charged each agent; None is unknown."""
        lines = await self._ledger.report(asked.start, asked.end, group_by=("caller",))
        named = [(agent_of_caller(str(one.group["caller"])), one) for one in lines]
        return {name: one.charged_microusd for name, one in named if name is not None}

    def _today(self) -> Span:
        midnight = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        return Span(midnight, midnight + _DAY, "today")


def _title(standing: Standing) -> str:
    agent, bounds = standing.agent, standing.agent.bounds
    now_ = [f"{standing.running} running"] if standing.running else []
    now_ += [f"{standing.waiting} waiting"] if standing.waiting else []
    ended = sum(standing.ended_today.values())
    said = [
        f"The {agent.name} agent is {_state(standing)}",
        *now_,
        f"{counted(ended, 'run')} ended today",
        f"{usd(standing.spent_today_microusd)} of {usd(bounds.day_microusd)} spent",
    ]
    return ", ".join(said)


def _state(standing: Standing) -> str:
    if standing.paused:
        return f"paused by {plain(standing.paused.by)}"
    state = state_of(standing)
    return "in its quiet hours" if state == "quiet" else state


def _title_of_all(standings: Sequence[Standing], open_ones: int) -> str:
    names = ", ".join(one.agent.name for one in standings)
    paused = sum(one.paused is not None for one in standings)
    running = sum(one.running for one in standings)
    is_or_are = "agent is" if len(standings) == 1 else "agents are"
    said = [f"{len(standings) or 'No'} {is_or_are} on{f': {names}' if names else ''}"[:120]]
    said += [f"{paused} paused"] if paused else []
    said += [f"{counted(running, 'run')} under way"] if running else []
    if open_ones:
        at_least = f"{open_ones} or more" if open_ones == MOST_SUGGESTIONS else str(open_ones)
        noun = "suggestion waits" if open_ones == 1 else "suggestions wait"
        said.append(f"{at_least} {noun} for a decision")
    return "; ".join(said)


def _standings_table(standings: Sequence[Standing]) -> str:
    rows = [
        (
            f"`agent:{one.agent.name}`",
            _state(one),
            plain(one.agent.model),
            f"{one.running} / {one.waiting}",
            _ended(one),
            f"{usd(one.spent_today_microusd)} of {usd(one.agent.bounds.day_microusd)}",
            _last(one.last),
        )
        for one in standings
    ]
    head = ("Document", "State", "Model", "Runs / wait", "Ended today", "Spent today", "Last run")
    return table(head, rows) if rows else ""


def _ended(standing: Standing) -> str:
    return ", ".join(f"{count} {status}" for status, count in standing.ended_today.items()) or "0"


def _last(run: Run | None) -> str:
    return "" if run is None else f"{rfc3339(run.created)}: {run_title(run)}"


def _facts(standing: Standing) -> dict[str, str]:
    agent, bounds = standing.agent, standing.agent.bounds
    paused = standing.paused
    return {
        "Agent": f"`agent:{agent.name}`",
        "Kind": agent.kind,
        "What for": plain(agent.description),
        "State": f"{_state(standing)}{f' since {rfc3339(paused.since)}' if paused else ''}",
        "Now": f"{counted(standing.running, 'run')} under way, {standing.waiting} waiting",
        "Ended today": _ended(standing),
        "Model": f"`{plain(agent.model)}`",
        "Hears": ", ".join(f"`{plain(one.pattern)}`" for one in agent.hears) or "questions only",
        "Tools": ", ".join(f"`{plain(one)}`" for one in agent.tools) or "none",
        "Only proposes": _proposes(agent),
        "May ask": ", ".join(f"`agent:{one}`" for one in agent.delegates_to),
        "Budget of a run": usd(bounds.run_microusd),
        "Budget of a day": usd(bounds.day_microusd),
        "At most, in a run": f"{bounds.most_rounds} answers of its model, {bounds.most_calls} tool "
        f"calls, {bounds.seconds:g} s",
        "Runs at once": str(agent.concurrency),
        "Remembers": counted(agent.remembers, "earlier run") if agent.remembers else "",
    }


def _proposes(agent: Agent) -> str:
    if agent.is_dry_run:
        return "all that writes: it is a dry run"
    return ", ".join(f"`{plain(one)}`" for one in agent.proposes)


def _spending(agent: Agent, spent: Mapping[str, int | None], asked: Span) -> str:
    amount = usd(spent.get(agent.name, 0))
    budget = usd(agent.bounds.day_microusd)
    return f"The {agent.name} agent spent {amount} {asked.title}; it may spend {budget} a day"


def _sum(spent: Mapping[str, int | None]) -> int | None:
    known = [one for one in spent.values() if one is not None]
    return sum(known) if len(known) == len(spent) else None
