"""A few days of four agents: what happened, what they made of it, what they suggest and spent."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.agents.agent import Agent, Bounds
from gateway.agents.agents import Agents
from gateway.agents.asking import Asking
from gateway.agents.calling import Calling, Hands
from gateway.agents.carrying import Carrying
from gateway.agents.deciding import Deciding
from gateway.agents.delegating import Delegating
from gateway.agents.endings import Endings
from gateway.agents.event import Event, News
from gateway.agents.event_store import EventStore
from gateway.agents.hands import ActingHands
from gateway.agents.notifications import Notifications
from gateway.agents.patience import Patience
from gateway.agents.pauses import Pauses
from gateway.agents.places import Places
from gateway.agents.run import Run, Step
from gateway.agents.run_store import Room, RunStore
from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import SuggestionStore
from gateway.agents.topic import Hearing
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.evidence.evidence import Evidence
from gateway.llm.completion import Completion
from gateway.llm.policy import Policy
from gateway.sources.agents.sources import AgentSources
from gateway.storage.database import Database
from gateway.tools.toolbox import Toolbox
from gateway.usage.call import Call, Settlement
from gateway.usage.returns import Returns
from tests.sources.router_world import CONFIGURED, Router, World, market_sources, opened_router

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
AGENTS = (
    Agent(
        "review",
        "review",
        "Look at every change.\nOpen a task for what is dangerous.",
        description="Looks at changes for mistakes and secrets.",
        model="auto:coding",
        hears=(Hearing("git:commit"), Hearing("code:change")),
        tools=("create_task", "search"),
        delegates_to=("test",),
    ),
    Agent("test", "test", "Say which tests are missing.", hears=(Hearing("code:change"),)),
    Agent("documentation", "documentation", "Say what is not documented.", is_dry_run=True),
    Agent(
        "spend-watch",
        "own",
        "Say what stands out.",
        description="Looks at the spending every evening.",
        hears=(Hearing("schedule:evening"),),
        bounds=Bounds(day_microusd=100_000),
    ),
)


@dataclass(slots=True)
class AgentsWorld:
    """`by_name` are runs, events and suggestions by what the tests call them."""

    router: Router
    agents: Agents
    registry: Registry
    events: EventStore
    runs: RunStore
    suggestions: SuggestionStore
    by_name: dict[str, Any] = field(default_factory=dict)

    async def happens(self, name: str, news: News) -> Event:
        event = (await self.events.store(news)).event
        self.by_name[name] = event
        return event

    async def begins(self, name: str, agent: str, event: Event) -> Run:
        """It waits until it `runs`."""
        run = self.runs.new(agent, event)
        await self.runs.add([(f"{event.id}:{agent}:{name}", run)])
        self.by_name[name] = run
        return run

    async def ran(
        self, name: str, agent: str, event: Event, steps: Sequence[Step] = (), **ended: Any
    ) -> Run:
        """It took five seconds; without a status it still runs."""
        await self.begins(name, agent, event)
        (run,) = await self.runs.claim([Room(agent, 99)], "a-process", most=99)
        for number, step in enumerate(steps, start=1):
            own = replace(step, run_id=run.id, number=number, began=self.now)
            await self.runs.begin_step(own, "a-process")
            self.router.world.now += timedelta(seconds=1)
            await self.runs.end_step(replace(own, ended=self.now), "a-process")
        if ended:
            self.router.world.now += timedelta(seconds=5)
            await self.runs.end(replace(run, ended=self.now, **ended))
        self.by_name[name] = await self.runs.run(run.id)
        return run

    async def suggests(self, name: str, run: Run, title: str, **said: Any) -> Suggestion:
        made = await self.suggestions.open(
            run.id, run.agent, occasion=f"{run.id}:{name}", title=title, **said
        )
        self.by_name[name] = made
        return made

    async def pays(self, agent: str, microusd: int) -> None:
        call = Call("r", f"agent:{agent}", "openai", "openai/gpt-6-sol", "paid")
        settled = Settlement(100, 20, billed_microusd=microusd, cost_source="provider")
        await self.router.call(call, settled)

    async def found(self, question: str) -> list[str]:
        """IDs, with the names of the tests in them: `run:key`, `event:commit`."""
        answer = await self.registry.search(question)
        return [self.named(one.id) for one in answer.results]

    def named(self, document_id: str) -> str:
        kind, _, rest = document_id.partition(":")
        names = {one.id: name for name, one in self.by_name.items()}
        return f"{kind}:{names.get(rest, rest)}"

    @property
    def now(self) -> datetime:
        return self.router.world.now


@asynccontextmanager
async def opened_agents(
    folder: Path, *, agents: Sequence[Agent] = AGENTS, is_owner: bool = True
) -> AsyncIterator[AgentsWorld]:
    world = World(*CONFIGURED, now=NOW)
    async with (
        opened_router(folder, world, is_owner=is_owner) as router,
        Database(f"sqlite:///{folder / 'ledger.db'}") as database,
        Evidence(database, clock=world.clock) as evidence,
        Notifications(database, clock=world.clock) as notifications,
        Freshness() as freshness,
    ):
        events = EventStore(database, clock=world.clock)
        runs = RunStore(database, clock=world.clock)
        suggestions = SuggestionStore(database, clock=world.clock)
        pauses = Pauses(database, clock=world.clock)
        completion = Completion(
            world.catalog, {}, router.ledger, Policy(may_pay=True), evidence=evidence
        )
        by_name = {one.name: one for one in agents}
        known = Agents(
            agents,
            events=events,
            runs=runs,
            suggestions=suggestions,
            notifications=notifications,
            pauses=pauses,
            deciding=Deciding(suggestions, notifications, lambda _: Toolbox([])),
            spent=lambda: {"agent-review-day": 12_000},
            poke=lambda: None,
            carrying=_carrying(
                completion, events, runs, suggestions, notifications, pauses, by_name, world
            ),
            clock=world.clock,
        )
        sources = AgentSources(known, router.ledger, router.sources.reader, clock=world.clock)
        market, lexicons = market_sources()
        ours = [*router.sources.documents, *sources.documents] if is_owner else []
        registry = Registry(
            [*market, *ours],
            freshness,
            public_url="https://gateway.example",
            lexicons=sources.lexicons(
                router.sources.lexicons(lexicons, is_owner=is_owner), is_owner=is_owner
            ),
        )
        yield AgentsWorld(router, known, registry, events, runs, suggestions)


def _carrying(
    completion: Completion,
    events: EventStore,
    runs: RunStore,
    suggestions: SuggestionStore,
    notifications: Notifications,
    pauses: Pauses,
    agents: Mapping[str, Agent],
    world: World,
) -> Carrying:
    places = Places(4)
    hands = ActingHands(events, suggestions, notifications, poke=lambda: None)
    endings = Endings(runs, events, notifications, poke=lambda: None)
    delegating = Delegating(
        events,
        runs,
        pauses,
        endings,
        agents=agents,
        places=places,
        poke=lambda: None,
        clock=world.clock,
    )
    return Carrying(
        runs,
        agents,
        "this process",
        Asking(completion, world.catalog.get, world.clock),
        Calling(
            lambda _: Toolbox([]),
            Hands(hands.propose, delegating.ask, hands.publish),
            world.clock,
        ),
        Patience(Returns(), places, world.clock),
        event=events.event,
        end=endings.end,
        clock=world.clock,
    )


def asked(text: str, *calls: tuple[str, str], cost_microusd: int | None = 4_000) -> Step:
    """A step in which a model said this, and wanted these calls."""
    wanted = [
        {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": text} | ({"tool_calls": wanted} if wanted else {})
    return Step(
        "",
        0,
        "ask",
        "model",
        NOW,
        outcome="ok",
        answer={"message": message, "finish": "stop"},
        model="openai/gpt-6-sol",
        route_id="r1",
        input_tokens=1_200,
        output_tokens=80,
        cost_microusd=cost_microusd,
    )


def called(name: str, arguments: str, answer: str, *, outcome: str = "ok") -> Step:
    said = {"text": answer, "is_error": outcome not in ("ok", "proposed")}
    wanted = {"id": "c0", "name": name, "arguments": arguments}
    return Step("", 0, "call", name, NOW, outcome=outcome, asked=wanted, answer=said)


@asynccontextmanager
async def some_days(folder: Path, **options: Any) -> AsyncIterator[AgentsWorld]:
    """Ten days ago a run failed; yesterday another, and today there is a key in the code."""
    async with opened_agents(folder, **options) as here:
        world = here.router.world
        world.now = NOW - timedelta(days=10)
        old = await here.happens(
            "old-push", News("github:push", {"ref": "main"}, "github", subject="pushed to main")
        )
        await here.ran("old-failure", "test", old, status="failed", because="no model answered")
        world.now = NOW - timedelta(days=1)
        evening = await here.happens("evening", News("schedule:evening", source="schedule"))
        await here.ran(
            "overspent",
            "spend-watch",
            evening,
            status="stopped",
            guard="day budget",
            because="agent-spend-watch-day has no room for it",
        )
        await here.pays("spend-watch", 90_000)
        world.now = NOW - timedelta(hours=3)
        commit = await here.happens(
            "commit",
            News(
                "git:commit",
                {"commit": "abc1234", "message": "Add payments"},
                "git",
                subject="shop abc1234: Add payments",
            ),
        )
        key = await here.ran(
            "key",
            "review",
            commit,
            [
                asked("There is a key.", ("create_task", '{"title": "Remove the key"}')),
                called("create_task", '{"title": "Remove the key"}', "task_1a2b3c4d"),
                asked("A key is hard-coded in payments.py; a task is open."),
            ],
            status="done",
            because="it answered",
            result="A key is hard-coded in payments.py; a task is open.",
        )
        await here.suggests(
            "rotate",
            key,
            "Rotate the payment key",
            reason="It is in the history now.",
            evidence=["payments.py:12"],
            tool="create_task",
            arguments={"title": "Rotate the key"},
        )
        await here.pays("review", 8_000)
        world.now = NOW - timedelta(hours=2)
        tests = await here.ran(
            "tests", "test", commit, status="done", result="Two functions have no test."
        )
        await here.suggests("cover", tests, "Test the refund", reason="Nothing holds it.")
        await here.suggestions.dismiss(here.by_name["cover"].id, "olga", "later")
        world.now = NOW - timedelta(hours=1)
        question = await here.happens(
            "question",
            News("question:asked", {"question": "Is the refund safe?"}, by="olga", only="agent:"),
        )
        await here.ran(
            "loop",
            "documentation",
            question,
            [asked("", ("search", "{}"), cost_microusd=None), called("search", "{}", "nothing")],
            status="stopped",
            guard="loop",
            because="it wanted to call search with exactly the same arguments once more",
        )
        world.now = NOW - timedelta(minutes=1)
        await here.ran("now", "review", question)
        await here.begins("next", "review", commit)
        world.now = NOW
        yield here
