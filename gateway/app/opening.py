"""Opens everything that answers, whoever asks: services, the router, documents and tools."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from gateway.agent_tools import AgentTools
from gateway.agents.agents import Agents
from gateway.app.agents import (
    BuiltAgents,
    CarriesOut,
    built_agents,
    carried_out,
    is_to_carry_out,
)
from gateway.app.pin_watch import PinWatch
from gateway.app.router import Router, opened_router
from gateway.app.services import Services, opened_services
from gateway.app.task_urls import task_urls
from gateway.benchmark_tools import BenchmarkTools
from gateway.caller import Caller
from gateway.config.settings import Config
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.provider.settings import ProviderSettings
from gateway.model_tools import ModelTools
from gateway.sources.agents.sources import AgentSources
from gateway.sources.grpc.sources import GrpcSources, SomeSources
from gateway.sources.market.sources import MarketSources
from gateway.sources.market.universe import MarketUniverse
from gateway.task_tools import TaskTools
from gateway.tasks.store import OnCreated
from gateway.tools.reading import ReadingTools
from gateway.tools.toolbox import Toolbox, ToolSource

# At start, so that the first search knows the pairs; a provider that is absent is not waited for.
LISTING_SECONDS = 1.5
# A program that is started takes longer to be there than a service that runs.
FOUND_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class View:
    """What some callers see: the documents, and the tools over them.

    `reading` has exactly `search` and `fetch`; `toolbox` has all.
    """

    registry: Registry
    reading: Toolbox
    toolbox: Toolbox


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that is open, whoever asks it: a door, a page or the command line.

    `owners` see everything; `others` nothing that tells of spending or of the set-up. `loop` are
    answers of models that may use their caller's tools.
    """

    owners: View
    others: View
    router: Router
    loop: ToolLoop
    services: Services
    agents: Agents
    on_task_created: OnCreated | None

    def view(self, who: Caller) -> View:
        return self.owners if who.is_owner else self.others


@asynccontextmanager
async def opened(
    config: Config,
    *,
    more_providers: Sequence[ProviderSettings] = (),
    carries_out: CarriesOut = "nothing",
) -> AsyncIterator[Gateway]:
    """The gateway, until the end of the block; no service has to be there for it to open.

    Runs of agents begin and go on here only if it carries out `all` that agents do, or `runs` and
    no other process does; what was asked of agents is stored either way.
    """
    async with AsyncExitStack() as stack:
        # Opened in this order, closed in reverse.
        router = await stack.enter_async_context(
            opened_router(config, more_providers=more_providers)
        )
        services = await opened_services(config, stack)
        universe = await stack.enter_async_context(MarketUniverse(services.market))
        freshness = await stack.enter_async_context(Freshness())
        market = MarketSources(services.market, universe, freshness)
        grpc = await stack.enter_async_context(GrpcSources(services.grpc, freshness))
        public = grpc.only(services.public_grpc)
        watch = await stack.enter_async_context(PinWatch(router.pins))
        built = built_agents(config.agents, router, lambda who: view(who).toolbox)
        await stack.enter_async_context(built.notifications)
        views = _Views(config, router, market, freshness, services, watch, built)
        owners, others = views.view(grpc, is_owner=True), views.view(public, is_owner=False)

        def view(who: Caller) -> View:
            return owners if who.is_owner else others

        await asyncio.gather(
            universe.listed(within_seconds=LISTING_SECONDS),
            _found(services, grpc, within_seconds=FOUND_SECONDS),
        )
        if not config.agents.is_empty and await is_to_carry_out(built, carries_out):
            is_watching = carries_out == "all"
            carrying = carried_out(built, config, router, is_watching=is_watching)
            await stack.enter_async_context(carrying)
        yield Gateway(
            owners=owners,
            others=others,
            router=router,
            loop=ToolLoop(
                router.completion,
                lambda who: view(who).toolbox,
                router.approvals,
                config.loop_settings,
            ),
            services=services,
            agents=built.agents,
            on_task_created=views.on_task_created,
        )


async def _found(services: Services, documents: GrpcSources, *, within_seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            await services.discovered(within_seconds=within_seconds)
            await documents.listed(within_seconds=within_seconds)


@dataclass(frozen=True, slots=True)
class _Views:
    config: Config
    router: Router
    market: MarketSources
    freshness: Freshness
    services: Services
    pins: PinWatch
    agents: BuiltAgents

    @property
    def on_task_created(self) -> OnCreated | None:
        """Where no agent is on, nobody hears of it."""
        return None if self.config.agents.is_empty else self.agents.news.created

    def view(self, grpc: GrpcSources | SomeSources, *, is_owner: bool) -> View:
        router, services = self.router.sources, self.services
        documents = router.documents if is_owner else router.open_documents
        lexicons = router.lexicons(self.market.lexicons, is_owner=is_owner)
        if not self.config.agents.is_empty:
            agents = AgentSources(self.agents.agents, self.router.ledger, router.reader)
            documents = (*documents, *agents.documents) if is_owner else documents
            lexicons = agents.lexicons(lexicons, is_owner=is_owner)
        registry = Registry(
            (*self.market.documents, *documents),
            self.freshness,
            public_url=self.config.url,
            lexicons=grpc.lexicons(lexicons),
            settings=self.config.search.settings,
            later=grpc.current,
            missing=services.missing_documents if is_owner else services.missing_public_documents,
        )
        reading = ReadingTools(registry, has_snippets=self.config.search.snippets)
        models = ModelTools(self.router.catalog, self.router.completion, self.router.ledger)
        benchmarks = BenchmarkTools(self.router.benchmarks, self.router.completion)
        url = task_urls(self.config.url)
        tasks = TaskTools(self.router.tasks, url=url, on_created=self.on_task_created)
        all_tools = [
            reading.tools,
            *services.tools,
            models.tools,
            self.router.routing_tools.tools,
            benchmarks.tools,
            tasks.tools,
        ]
        if is_owner and not self.config.agents.is_empty:
            all_tools.append(AgentTools(self.agents.agents).tools)
        missing = services.missing if is_owner else services.missing_in_public
        return View(
            registry, self._toolbox([reading.tools], missing), self._toolbox(all_tools, missing)
        )

    def _toolbox(
        self, sources: Sequence[ToolSource], missing: Callable[[], Sequence[str]]
    ) -> Toolbox:
        return Toolbox(
            sources,
            missing=missing,
            deadline_seconds=self.config.tool_deadline_seconds,
            on_call=self.router.ledger.note,
            on_change=self.pins.look,
        )
