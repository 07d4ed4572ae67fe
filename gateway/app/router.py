"""Opens the router: its database, ledger, providers, catalog and completions, in this order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.approvals import Approvals
from gateway.benchmarks.runner import Benchmarks
from gateway.caller import LOCAL
from gateway.config.settings import Config
from gateway.conversations import Conversations
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.assembly import LOCAL_KINDS, ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.kept_lists import KeptLists
from gateway.llm.catalog.refresh import ListedProvider, Refresh
from gateway.llm.completion import Completion, Hints
from gateway.llm.messages import ChatRequest
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings
from gateway.llm.quota_watch import QuotaWatch
from gateway.llm.route import Route
from gateway.llm.strength import shipped_heads
from gateway.llm.task import classify
from gateway.routing_tools.free_lists import FreeLists
from gateway.routing_tools.tools import RoutingTools
from gateway.routing_tools.tracking import Tracking
from gateway.sources.router import RouterSources
from gateway.storage.database import Database
from gateway.stored_responses import StoredResponses
from gateway.strategies import Strategies
from gateway.tasks.store import Tasks
from gateway.tool_pins import ToolPins
from gateway.usage.ledger import Ledger
from gateway.usage.metrics import LimitMetrics

LOCAL_LIST_SECONDS = 60.0
# At the first start, so that the first request knows what is free; nobody is waited for longer.
LISTING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Router:
    """All that routes, answers and counts."""

    database: Database
    catalog: Catalog
    providers: Mapping[str, Provider]
    ledger: Ledger
    evidence: Evidence
    completion: Completion
    strategies: Strategies
    routing_tools: RoutingTools
    benchmarks: Benchmarks
    conversations: Conversations
    responses: StoredResponses
    approvals: Approvals
    pins: ToolPins
    tasks: Tasks
    sources: RouterSources
    metrics: CollectorRegistry

    def statuses(self) -> Mapping[str, str]:
        """How each configured provider is now, in a word."""
        return _statuses(self.providers)


@asynccontextmanager
async def opened_router(
    config: Config, *, more_providers: Sequence[ProviderSettings] = ()
) -> AsyncIterator[Router]:
    """Open until the end of the block; no provider has to be there for it to open."""
    async with AsyncExitStack() as stack:
        # Opened in this order, closed in reverse.
        _make_private(config.data_dir)
        database = await stack.enter_async_context(Database(config.database))
        registry = CollectorRegistry()
        ledger = Ledger(
            database,
            config.limits,
            alert_percents=tuple(config.alerts),
            on_alert=[lambda alert: metrics.count(alert)],
            retention_days=config.retention_days,
        )
        metrics = LimitMetrics(registry, ledger.all_standing)
        await stack.enter_async_context(ledger)
        settings = (*config.provider_settings, *more_providers)
        providers = {one.name: Provider(one) for one in settings}
        for provider in providers.values():
            await stack.enter_async_context(provider)
        catalog = Catalog([_configured(one) for one in settings], config.model_overrides)
        kept = KeptLists(config.data_dir / "models")
        refresh = await stack.enter_async_context(_refresh(catalog, providers, kept))
        await stack.enter_async_context(QuotaWatch(providers.values(), ledger))
        evidence = await stack.enter_async_context(Evidence(database))
        strategies = await stack.enter_async_context(Strategies(database))
        completion = Completion(
            catalog,
            providers,
            ledger,
            config.policy,
            evidence=evidence,
            strategies=strategies,
            max_parallel=config.max_parallel_tasks,
        )
        await stack.enter_async_context(completion)
        benchmarks = Benchmarks(
            database, completion, catalog, ledger, evidence, providers=providers
        )
        routing_tools = RoutingTools(
            catalog,
            config.policy,
            ledger,
            strategies,
            plan=completion.planned,
            lineups=completion.lineups,
            providers=providers,
            free_lists=FreeLists(
                catalog, {name: one.kind for name, one in providers.items()}, ask=refresh.once
            ),
            tracking=Tracking(
                catalog,
                providers,
                kept=kept,
                evidence=evidence,
                ask=refresh.once,
                forget_pace=Provider.forget,
            ),
        )
        tasks = Tasks(database, elsewhere=config.task_server)
        # The first request would wait for what is learned to be read.
        classify("")
        shipped_heads()
        await refresh.heard(within_seconds=LISTING_SECONDS)
        completion.lineups.latest()
        yield Router(
            database,
            catalog,
            providers,
            ledger,
            evidence,
            completion,
            strategies,
            routing_tools,
            benchmarks,
            Conversations(database),
            StoredResponses(database),
            Approvals(database),
            ToolPins(database),
            tasks,
            _sources(catalog, ledger, completion, benchmarks, tasks, providers),
            registry,
        )


def _sources(
    catalog: Catalog,
    ledger: Ledger,
    completion: Completion,
    benchmarks: Benchmarks,
    tasks: Tasks,
    providers: Mapping[str, Provider],
) -> RouterSources:
    def plan(request: ChatRequest, task: str) -> Route:
        return completion.plan(LOCAL, request, Hints(task=task))  # type: ignore[arg-type]

    return RouterSources(
        catalog,
        ledger,
        benchmarks,
        tasks,
        plan=plan,
        beliefs=completion.beliefs,
        statuses=partial(_statuses, providers),
    )


def _statuses(providers: Mapping[str, Provider]) -> Mapping[str, str]:
    return {name: provider.status.state for name, provider in providers.items()}


def _refresh(catalog: Catalog, providers: Mapping[str, Provider], kept: KeptLists) -> Refresh:
    listed = [
        ListedProvider(name, provider.listed, interval_seconds=LOCAL_LIST_SECONDS)
        if provider.kind in LOCAL_KINDS
        else ListedProvider(name, provider.listed)
        for name, provider in providers.items()
    ]
    return Refresh(catalog, listed, kept=kept)


def _configured(settings: ProviderSettings) -> ConfiguredProvider:
    # Whatever speaks as OpenAI does elsewhere has neither OpenAI's models nor its prices.
    known_as = "" if settings.kind == "openai_compatible" else None
    return ConfiguredProvider(settings.name, settings.kind, settings.deployments, known_as=known_as)


def _make_private(folder: Path) -> None:
    """Nobody else on this machine may look into it, nor put another one in its place."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
