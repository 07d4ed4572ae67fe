"""The one place that builds: settings become sources, tools, doors and pages, opened in order."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from gateway.config import Config
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.downstream.provider import Provider
from gateway.downstream.status import Status
from gateway.market.program import MarketProgram
from gateway.market.settings import WRITE_SECONDS
from gateway.sources.market.sources import MarketSources
from gateway.sources.market.universe import MarketUniverse
from gateway.tools.downstream import ServiceTools
from gateway.tools.guidance import instructions
from gateway.tools.reading import ReadingTools
from gateway.tools.toolbox import Toolbox
from gateway.version import VERSION

NAME = "Gateway"
# At start, so that the first search knows the pairs; a provider that is absent is not waited for.
LISTING_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that is open, whoever asks it: a door, a page or the command line."""

    registry: Registry
    reading: Toolbox
    toolbox: Toolbox
    statuses: Callable[[], Sequence[Status]]


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Gateway]:
    """The gateway, until the end of the block; no service has to be there for it to open."""
    async with AsyncExitStack() as stack:
        # Opened in this order, closed in reverse.
        services = await _services(config, stack)
        market = next(one for one in services if one.provider.name == _market_service(config))
        universe = await stack.enter_async_context(MarketUniverse(market.provider))
        freshness = await stack.enter_async_context(Freshness())
        sources = MarketSources(market.provider, universe, freshness)
        registry = Registry(
            sources.documents,
            freshness,
            public_url=config.url,
            lexicons=sources.lexicons,
            settings=config.search.settings,
        )
        providers = [service.provider for service in services]
        reading = ReadingTools(registry, has_snippets=config.search.snippets)
        await universe.listed(within_seconds=LISTING_SECONDS)
        yield Gateway(
            registry,
            reading=Toolbox([reading.tools]),
            toolbox=Toolbox(
                [reading.tools, *(service.tools.tools for service in services)],
                missing=lambda: [one.name for one in providers if one.capabilities is None],
            ),
            statuses=lambda: [provider.status for provider in providers],
        )


@asynccontextmanager
async def served(config: Config, gateway: Gateway) -> AsyncIterator[ASGIApp]:
    """The gateway's doors and pages as one ASGI app, until the end of the block."""
    # FastMCP takes longer to import than all else, and the command line does without.
    from gateway.endpoints.health import health_routes
    from gateway.endpoints.mcp import McpDoor
    from gateway.endpoints.origin import OriginGuard
    from gateway.endpoints.pages import page_routes
    from gateway.endpoints.request_log import RequestLog

    as_all = partial(
        McpDoor,
        name=NAME,
        instructions=instructions(gateway.registry.sources),
        version=VERSION,
        deadline_seconds=config.tool_deadline_seconds,
    )
    async with (
        as_all(gateway.toolbox) as door,
        as_all(gateway.reading, prefix="/research") as research,
    ):
        pages = page_routes(gateway.registry, public_url=config.url, connector_name=NAME)
        answering = Starlette(
            routes=[*door.routes(), *research.routes(), *pages],
            exception_handlers={HTTPException: _refusal},
        )
        guarded = OriginGuard(
            answering, allowed_hosts=config.hosts, allowed_origins=config.allowed_origins
        )
        # Health is asked by address, from inside: it answers whatever the Host says.
        health = health_routes(gateway.statuses, version=VERSION)
        yield RequestLog(Starlette(routes=[*health, Mount("/", app=guarded)]))


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


async def _refusal(request: Request, error: Exception) -> Response:
    """No such path or method, as JSON: a client that probes must never meet a page."""
    assert isinstance(error, HTTPException)
    detail = f"{request.method} {request.url.path[:100]}: {error.detail}"
    return JSONResponse({"error": detail}, error.status_code, headers=error.headers)
