"""Opens everything that answers, whoever asks: services, the router, documents and tools."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.app.pin_watch import PinWatch
from gateway.app.router import Router, opened_router
from gateway.caller import Caller
from gateway.config.settings import Config
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.downstream.provider import Provider
from gateway.downstream.status import Status
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.provider.settings import ProviderSettings
from gateway.market.program import MarketProgram
from gateway.market.settings import WRITE_SECONDS
from gateway.model_tools import ModelTools
from gateway.sources.market.sources import MarketSources
from gateway.sources.market.universe import MarketUniverse
from gateway.tools.downstream import ServiceTools
from gateway.tools.reading import ReadingTools
from gateway.tools.toolbox import Toolbox, ToolSource

# At start, so that the first search knows the pairs; a provider that is absent is not waited for.
LISTING_SECONDS = 1.5


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
    statuses: Callable[[], Sequence[Status]]

    def view(self, who: Caller) -> View:
        return self.owners if who.is_owner else self.others


@asynccontextmanager
async def opened(
    config: Config, *, more_providers: Sequence[ProviderSettings] = ()
) -> AsyncIterator[Gateway]:
    """The gateway, until the end of the block; no service has to be there for it to open."""
    async with AsyncExitStack() as stack:
        # Opened in this order, closed in reverse.
        router = await stack.enter_async_context(
            opened_router(config, more_providers=more_providers)
        )
        services = await _services(config, stack)
        market = next(one for one in services if one.provider.name == _market_service(config))
        universe = await stack.enter_async_context(MarketUniverse(market.provider))
        freshness = await stack.enter_async_context(Freshness())
        sources = MarketSources(market.provider, universe, freshness)
        watch = await stack.enter_async_context(PinWatch(router.pins))
        views = _Views(config, router, sources, freshness, services, watch)
        owners, others = views.owners(), views.others()
        await universe.listed(within_seconds=LISTING_SECONDS)
        yield Gateway(
            owners=owners,
            others=others,
            router=router,
            loop=ToolLoop(
                router.completion,
                lambda who: (owners if who.is_owner else others).toolbox,
                config.loop_settings,
            ),
            statuses=lambda: [service.provider.status for service in services],
        )


@dataclass(frozen=True, slots=True)
class _Views:
    config: Config
    router: Router
    market: MarketSources
    freshness: Freshness
    services: "Sequence[_Service]"
    pins: PinWatch

    def owners(self) -> View:
        return self._view(is_owner=True)

    def others(self) -> View:
        return self._view(is_owner=False)

    def _view(self, *, is_owner: bool) -> View:
        router = self.router.sources
        documents = router.documents if is_owner else router.open_documents
        registry = Registry(
            (*self.market.documents, *documents),
            self.freshness,
            public_url=self.config.url,
            lexicons=router.lexicons(self.market.lexicons, is_owner=is_owner),
            settings=self.config.search.settings,
        )
        reading = ReadingTools(registry, has_snippets=self.config.search.snippets)
        models = ModelTools(self.router.catalog, self.router.completion, self.router.ledger)
        services = [service.tools.tools for service in self.services]
        all_tools = [reading.tools, *services, models.tools]
        return View(registry, self._toolbox([reading.tools]), self._toolbox(all_tools))

    def _toolbox(self, sources: Sequence[ToolSource]) -> Toolbox:
        return Toolbox(
            sources,
            missing=self._missing,
            deadline_seconds=self.config.tool_deadline_seconds,
            on_call=self.router.ledger.note,
            on_change=self.pins.look,
        )

    def _missing(self) -> Sequence[str]:
        providers = [service.provider for service in self.services]
        return [one.name for one in providers if one.capabilities is None]


@dataclass(frozen=True, slots=True)
class _Service:
    provider: Provider
    tools: ServiceTools


async def _services(config: Config, stack: AsyncExitStack) -> Sequence[_Service]:
    """The configured services, or the bundled market provider on a free loopback port."""
    if not config.services:
        settings = config.market.settings(host="127.0.0.1", port=0)
        program = await stack.enter_async_context(MarketProgram(settings))
        provider = Provider("market", program.address, write_deadline_seconds=WRITE_SECONDS)
        await stack.enter_async_context(provider)
        return [_Service(provider, ServiceTools(provider, config.market.exposure))]
    services = []
    for service in config.services:
        provider = Provider(
            service.name,
            service.address,
            tls=service.transport,
            deadline_seconds=service.deadline_seconds,
            write_deadline_seconds=service.write_deadline_seconds,
            max_concurrent=service.max_concurrent,
            queue_seconds=service.queue_seconds,
            probe_seconds=service.probe_seconds,
        )
        await stack.enter_async_context(provider)
        services.append(_Service(provider, ServiceTools(provider, service.exposure)))
    return services


def _market_service(config: Config) -> str:
    if not config.services:
        return "market"
    return config.market_service or config.services[0].name
