"""Opens all that the gateway calls for documents and tools, whatever it speaks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway import caller
from gateway.config.grpc_services import GrpcServiceConfig
from gateway.config.services import ServiceConfig
from gateway.config.settings import Config
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.mcp.server import McpServer
from gateway.downstream.provider import Provider
from gateway.downstream.status import Status
from gateway.market.program import MarketProgram
from gateway.market.settings import WRITE_SECONDS
from gateway.tasks.task import TASK_TOOLS
from gateway.tools.downstream import ServiceTools
from gateway.tools.grpc_methods import MethodTools
from gateway.tools.remote_mcp import RemoteTools
from gateway.tools.tool import Effect, Tool
from gateway.tools.toolbox import ToolSource

BUNDLED_MARKET = "market"
AGENT_TOOLS = (
    "list_agents",
    "get_run",
    "list_suggestions",
    "publish_event",
    "ask_agent",
    "pause_agent",
    "resume_agent",
    "accept_suggestion",
    "dismiss_suggestion",
)
# Of the gateway's own tools: whoever else has one of that name gets another.
OWN_NAMES = (
    "search",
    "fetch",
    "create_chat_completion",
    "get_personalized_models",
    "get_usage_stats",
    "select_optimal_model",
    "route_task",
    "preemptive_route_task",
    "get_cost_estimate",
    "get_free_models",
    "clear_openrouter_tracking",
    "set_model_prompting_strategy",
    "benchmark_task",
    "benchmark_tasks",
    "benchmark_free_models",
    *TASK_TOOLS,
    *AGENT_TOOLS,
)


@dataclass(frozen=True, slots=True)
class Services:
    """Those that are open; none of them has to be there. `market` is the one with coins."""

    market: Provider
    providers: Sequence[Provider]
    grpc: Sequence[GrpcService]
    public_grpc: Sequence[GrpcService]
    remote: Sequence[McpServer]
    tools: Sequence[ToolSource]

    def statuses(self) -> Sequence[Status]:
        return [
            *(one.status for one in self.providers),
            *(one.status for one in self.grpc),
            *(one.status for one in self.remote),
        ]

    def missing(self) -> Sequence[str]:
        """Those whose tools are not known yet."""
        remote = [one.name for one in self.remote if not one.is_known]
        return [*self._missing_providers(), *self.missing_documents(), *remote]

    def missing_in_public(self) -> Sequence[str]:
        """Of those that everybody may know of."""
        return [*self._missing_providers(), *self.missing_public_documents()]

    def missing_documents(self) -> Sequence[str]:
        return [one.name for one in self.grpc if not one.is_known]

    def missing_public_documents(self) -> Sequence[str]:
        return [one.name for one in self.public_grpc if not one.is_known]

    def _missing_providers(self) -> Sequence[str]:
        return [one.name for one in self.providers if one.capabilities is None]

    async def discovered(self, *, within_seconds: float) -> None:
        """Returns when all are known, or the time is over."""
        waiting = (one.discovered(within_seconds=within_seconds) for one in self._found_later)
        listed = (one.discovered(within_seconds=within_seconds) for one in self.providers)
        await asyncio.gather(*waiting, *listed)

    @property
    def _found_later(self) -> Sequence[GrpcService | McpServer]:
        return (*self.grpc, *self.remote)


async def opened_services(config: Config, stack: AsyncExitStack) -> Services:
    """The configured ones; without a provider, the bundled market is one."""
    providers, tools = await _providers(config, stack)
    market_name = config.market_service or providers[0].name
    grpc, public = [], []
    for described in config.grpc_services:
        service = await stack.enter_async_context(_grpc_service(described))
        grpc.append(service)
        methods = MethodTools(service, reserved=_reserved(config, service.name)).tools
        tools.append(_for_readers(methods) if described.is_public else _for_spenders(methods))
        if described.is_public:
            public.append(service)
    remote, remote_tools = await _remote(config, stack)
    return Services(
        market=next(one for one in providers if one.name == market_name),
        providers=providers,
        grpc=grpc,
        public_grpc=public,
        remote=remote,
        tools=[*tools, *(_for_spenders(one.tools) for one in remote_tools)],
    )


async def _providers(
    config: Config, stack: AsyncExitStack
) -> tuple[Sequence[Provider], list[ToolSource]]:
    """The configured services, or the bundled market provider on a free loopback port."""
    if not config.services:
        settings = config.market.settings(host="127.0.0.1", port=0)
        program = await stack.enter_async_context(MarketProgram(settings))
        bundled = Provider(BUNDLED_MARKET, program.address, write_deadline_seconds=WRITE_SECONDS)
        await stack.enter_async_context(bundled)
        reserved = _reserved(config, bundled.name)
        market = ServiceTools(bundled, config.market.exposure, reserved=reserved)
        return [bundled], [market.tools]
    providers = [_provider(service) for service in config.services]
    for provider in providers:
        await stack.enter_async_context(provider)
    named = zip(providers, config.services, strict=True)
    return providers, [
        ServiceTools(one, service.exposure, reserved=_reserved(config, one.name)).tools
        for one, service in named
    ]


def _provider(service: ServiceConfig) -> Provider:
    return Provider(
        service.name,
        service.address,
        tls=service.transport,
        deadline_seconds=service.deadline_seconds,
        write_deadline_seconds=service.write_deadline_seconds,
        max_concurrent=service.max_concurrent,
        queue_seconds=service.queue_seconds,
        probe_seconds=service.probe_seconds,
    )


def _grpc_service(service: GrpcServiceConfig) -> GrpcService:
    return GrpcService(
        service.name,
        service.address,
        source=service.source,
        exposure=service.exposure,
        tls=service.transport,
        metadata=service.metadata,
        deadline_seconds=service.deadline_seconds,
        write_deadline_seconds=service.write_deadline_seconds,
        stream_deadline_seconds=service.stream_deadline_seconds,
        max_concurrent=service.max_concurrent,
        queue_seconds=service.queue_seconds,
        probe_seconds=service.probe_seconds,
        max_messages=service.max_messages,
        max_bytes=service.max_bytes,
    )


async def _remote(
    config: Config, stack: AsyncExitStack
) -> tuple[Sequence[McpServer], Sequence[RemoteTools]]:
    servers: list[McpServer] = []
    tools: list[RemoteTools] = []
    for named in config.remote_servers:
        server = McpServer(named.name, named.way, max_concurrent=named.max_concurrent)
        servers.append(server)
        tools.append(
            RemoteTools(
                server,
                named.exposure,
                reserved=_reserved(config, named.name),
                earlier=tuple(tools),
            )
        )
    await stack.enter_async_context(_all_open(servers))
    return servers, tools


def _reserved(config: Config, service: str) -> frozenset[str]:
    """Names that mean one thing whoever is there: our own, and those that the settings give.

    Those of our task list are the service's, where its tasks take the place of ours.
    """
    given = TASK_TOOLS if service == config.task_server else ()
    return frozenset(OWN_NAMES).difference(given).union(config.remote_tool_names)


@asynccontextmanager
async def _all_open(servers: Sequence[McpServer]) -> AsyncIterator[None]:
    """Closed side by side: each may have a program that takes its time to end."""
    async with AsyncExitStack() as opening:
        for server in servers:
            await opening.enter_async_context(server)
        opening.pop_all()
    try:
        yield
    finally:
        await asyncio.gather(*(server.__aexit__(None, None, None) for server in servers))


def _for_spenders(source: ToolSource) -> ToolSource:
    """Nobody without a key sees them where others than this machine can come."""

    async def tools() -> Sequence[Tool]:
        return await source() if caller.current().may_spend else ()

    return tools


def _for_readers(source: ToolSource) -> ToolSource:
    """Of a public service, what reads is for everybody."""

    all_tools: Sequence[Tool] = ()
    reading: Sequence[Tool] = ()

    async def tools() -> Sequence[Tool]:
        nonlocal all_tools, reading
        if (listed := await source()) is not all_tools:
            # The same object until something changes, as a toolbox expects it.
            all_tools = listed
            reading = [tool for tool in listed if tool.effect is Effect.READ]
        return all_tools if caller.current().may_spend else reading

    return tools
