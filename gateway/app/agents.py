"""Builds the agents, and carries their runs out while the gateway is open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from typing import Any, Literal

from gateway.agents.agents import Agents
from gateway.agents.asking import Asking
from gateway.agents.calling import Calling, Hands
from gateway.agents.carrying import Carrying
from gateway.agents.deciding import Deciding
from gateway.agents.delegating import Delegating
from gateway.agents.durable import Durable
from gateway.agents.endings import Endings
from gateway.agents.event_store import EventStore
from gateway.agents.executors import BEAT_SECONDS, Executors
from gateway.agents.feeding import Feeding
from gateway.agents.hands import ActingHands
from gateway.agents.notifications import Notifications
from gateway.agents.own_news import OwnNews
from gateway.agents.patience import Patience
from gateway.agents.pauses import Pauses
from gateway.agents.places import Places
from gateway.agents.recovery import Recovery
from gateway.agents.run_store import RunStore
from gateway.agents.suggestion_store import SuggestionStore
from gateway.app.router import Router
from gateway.caller import Caller
from gateway.clock import now
from gateway.config.agents_file import AgentsConfig
from gateway.config.settings import Config
from gateway.storage.engines import database_url
from gateway.tools.toolbox import Toolbox

HEED_SECONDS = 1.0
PRUNE_SECONDS = 600.0
DURABLE_FILE = "agents.db"

CarriesOut = Literal["nothing", "runs", "all"]


@dataclass(frozen=True, slots=True)
class BuiltAgents:
    """The agents as others see them, and what carries their runs out."""

    agents: Agents
    news: OwnNews
    notifications: Notifications
    feeding: Feeding
    carrying: Carrying
    runs: RunStore
    places: Places
    executors: Executors


def built_agents(
    config: AgentsConfig, router: Router, toolbox_of: Callable[[Caller], Toolbox]
) -> BuiltAgents:
    """`toolbox_of` is not asked before the first run begins."""
    database = router.database
    by_name = {one.name: one for one in config.agents}
    events = EventStore(database, retention_days=config.retention_days)
    runs, suggestions, pauses = RunStore(database), SuggestionStore(database), Pauses(database)
    notifications = Notifications(database)
    places, executors = (
        Places(config.runs_at_once),
        Executors(database, executor=router.ledger.owner),
    )
    feeding = Feeding(events, runs, by_name, executor=executors.id, places=places, clock=now)
    endings = Endings(runs, events, notifications, poke=feeding.poke)
    hands = ActingHands(events, suggestions, notifications, poke=feeding.poke)
    delegating = Delegating(
        events,
        runs,
        pauses,
        endings,
        agents=by_name,
        places=places,
        poke=feeding.poke,
        clock=now,
    )
    carrying = Carrying(
        runs,
        by_name,
        executors.id,
        Asking(router.completion, router.catalog.get, now),
        Calling(toolbox_of, Hands(hands.propose, delegating.ask, hands.publish), now),
        Patience(router.ledger.returns, places, now),
        event=events.event,
        end=endings.end,
        clock=now,
    )
    agents = Agents(
        config.agents,
        events=events,
        runs=runs,
        suggestions=suggestions,
        notifications=notifications,
        pauses=pauses,
        deciding=Deciding(suggestions, notifications, toolbox_of),
        spent=_spent(router),
        poke=feeding.poke,
        carrying=carrying,
        clock=now,
    )
    news = OwnNews(events, runs, notifications, statuses=router.statuses, poke=feeding.poke)
    return BuiltAgents(agents, news, notifications, feeding, carrying, runs, places, executors)


async def is_to_carry_out(built: BuiltAgents, what: CarriesOut) -> bool:
    """Whether a process that is to carry this out has something to do."""
    return what == "all" or (what == "runs" and not await built.executors.others_live())


@asynccontextmanager
async def carried_out(
    built: BuiltAgents, config: Config, router: Router, *, is_watching: bool
) -> AsyncIterator[None]:
    """Runs begin and go on here until the end of the block; `is_watching` also for what happens."""
    # They bring large libraries along, which a gateway without agents does without.
    from gateway.app.agent_watchers import watching

    async def adopted(run_id: str) -> None:
        built.places.take(run_id)
        await built.runs.adopt(run_id, built.executors.id)

    def left(run_id: str) -> None:
        built.places.leave(run_id)
        built.feeding.poke()

    async with AsyncExitStack() as stack:
        await built.executors.beat()
        # Last of all: what is under way then is for whoever lives.
        stack.push_async_callback(built.executors.leave)
        durable = Durable(
            _durable_url(config), built.executors.id, built.carrying, adopted=adopted, left=left
        )
        await stack.enter_async_context(durable)
        recovery = Recovery(
            built.executors,
            built.runs,
            durable,
            built.carrying,
            router.ledger,
            retention_days=config.agents.retention_days,
        )
        await stack.enter_async_context(_repeating(recovery.look, seconds=BEAT_SECONDS))
        await stack.enter_async_context(_repeating(recovery.heed, seconds=HEED_SECONDS))
        await stack.enter_async_context(_repeating(recovery.prune, seconds=PRUNE_SECONDS))
        await stack.enter_async_context(_task(built.feeding.feed(durable.start)))
        if is_watching:
            await stack.enter_async_context(built.news)
            router.ledger.tell_of_alerts(built.news.alert)
            watchers = watching(config.agents, built.agents, built.notifications, router.database)
            await stack.enter_async_context(watchers)
        yield


def _durable_url(config: Config) -> str:
    """A file of its own, or the same PostgreSQL."""
    url = database_url(config.database)
    if url.get_backend_name() == "postgresql":
        return url.render_as_string(hide_password=False)
    return f"sqlite:///{config.data_dir / DURABLE_FILE}"


def _spent(router: Router) -> Callable[[], Mapping[str, int]]:
    """By the names of limits, what they were charged, with what runs now."""

    def spent() -> Mapping[str, int]:
        return {one.limit.name: one.used for one in router.ledger.all_standing()}

    return spent


def _repeating(
    work: Callable[[], Awaitable[None]], *, seconds: float
) -> AbstractAsyncContextManager[None]:
    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return _task(repeat())


@asynccontextmanager
async def _task(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Until the end of the block."""
    task = asyncio.create_task(work, name="agents")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
