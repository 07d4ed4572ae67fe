"""The gateway's doors and pages as one ASGI app."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app.opening import Gateway, View
from gateway.app.router import Router
from gateway.app.task_urls import task_urls
from gateway.caller import Caller
from gateway.config.settings import Config
from gateway.documents.registry import Registry
from gateway.garbage import collect_what_comes_later
from gateway.llm.sessions import Sessions
from gateway.tools.guidance import instructions
from gateway.version import VERSION

if TYPE_CHECKING:
    from gateway.endpoints.mcp_resources import McpResources

NAME = "Gateway"
RESEARCH = "/research"


@asynccontextmanager
async def served(config: Config, gateway: Gateway) -> AsyncIterator[ASGIApp]:
    """Answers until the end of the block."""
    # The doors take longer to import than all else, and the command line does without.
    from gateway.endpoints.authentication import Authentication
    from gateway.endpoints.health import health_routes
    from gateway.endpoints.origin import OriginGuard
    from gateway.endpoints.request_log import RequestLog
    from gateway.endpoints.webhooks_in import SignedWebhooks

    async with AsyncExitStack() as stack:
        owners = await _reading_doors(config, gateway.owners, gateway.router, stack)
        others = await _reading_doors(config, gateway.others, gateway.router, stack)
        asking = Starlette(
            routes=[*_asking_doors(config, gateway), Mount("/", app=_ByCaller(owners, others))],
            exception_handlers={HTTPException: _refusal},
        )
        answering = _ByPath(_openai_doors(config, gateway), asking)
        authenticated = Authentication(
            answering, keys=config.callers, keyless=config.caller_without_key
        )
        # Who signs needs no key; whoever says that it signs is let in by nothing else.
        signed = SignedWebhooks(authenticated, gateway.agents, config.agents.webhooks_in)
        guarded = OriginGuard(signed, allowed_hosts=config.hosts, allowed_origins=config.origins)
        # Health is asked by address, from inside: it answers whatever the Host says.
        health = health_routes(gateway.services.statuses, version=VERSION)
        yield RequestLog(Starlette(routes=[*health, Mount("/", app=guarded)]))


async def _reading_doors(
    config: Config, view: View, router: Router, stack: AsyncExitStack
) -> ASGIApp:
    """MCP and the pages, over what some callers see."""
    from gateway.endpoints.late_door import LateDoor
    from gateway.endpoints.mcp_paths import NAMES, mcp_paths
    from gateway.endpoints.pages import page_routes

    door = await stack.enter_async_context(LateDoor(partial(_mcp_doors, view, router)))
    prefixes = ("", RESEARCH)
    paths = [path for prefix in prefixes for name in NAMES for path in mcp_paths(prefix, name)]
    pages = page_routes(view.registry, public_url=config.url, connector_name=NAME)
    return Starlette(
        routes=[*(Route(path, door) for path in paths), *pages],
        exception_handlers={HTTPException: _refusal},
    )


@asynccontextmanager
async def _mcp_doors(view: View, router: Router) -> AsyncIterator[ASGIApp]:
    """Who only routes models never needs FastMCP: 1.5 s of a core, and 40 MB."""
    # In a thread, all else is answered meanwhile.
    await asyncio.to_thread(import_module, "gateway.endpoints.mcp")
    from gateway.endpoints.mcp import McpDoor

    open_door = partial(
        McpDoor,
        name=NAME,
        instructions=instructions(view.registry.sources, added=view.registry.added),
        version=VERSION,
    )
    resources = mcp_resources(view, router)
    async with (
        open_door(view.toolbox, resources=resources) as door,
        open_door(view.reading, prefix=RESEARCH) as research,
    ):
        collect_what_comes_later()
        yield Starlette(routes=[*door.routes(), *research.routes()])


def _openai_doors(config: Config, gateway: Gateway) -> ASGIApp:
    """What OpenAI's clients, and Anthropic's, speak, errors included."""
    from gateway.endpoints.agents import agent_routes
    from gateway.endpoints.anthropic_messages import messages_routes
    from gateway.endpoints.benchmarks import benchmark_routes
    from gateway.endpoints.chat import chat_routes
    from gateway.endpoints.embeddings import embedding_routes
    from gateway.endpoints.events import event_routes
    from gateway.endpoints.feedback import feedback_routes
    from gateway.endpoints.models import model_routes
    from gateway.endpoints.notifications import notification_routes
    from gateway.endpoints.openai_problems import no_such_path
    from gateway.endpoints.responses import responses_routes
    from gateway.endpoints.routing import routing_routes
    from gateway.endpoints.suggestions import suggestion_routes
    from gateway.endpoints.tasks import task_routes
    from gateway.endpoints.usage import usage_routes

    router = gateway.router
    sessions = Sessions(router.conversations, router.completion)
    routes = [
        *chat_routes(gateway.loop, sessions),
        *responses_routes(gateway.loop, router.responses),
        *messages_routes(gateway.loop),
        *embedding_routes(router.completion),
        *feedback_routes(router.ledger, router.evidence),
        # Before the models, which take whatever is below their path for an ID.
        *routing_routes(lambda who: gateway.view(who).toolbox, router.strategies, router.catalog),
        *model_routes(router.catalog),
        *benchmark_routes(router.benchmarks),
        *task_routes(router.tasks, url=task_urls(config.url), on_created=gateway.on_task_created),
        *event_routes(gateway.agents, is_on=not config.agents.is_empty),
        *agent_routes(gateway.agents),
        *suggestion_routes(gateway.agents),
        *notification_routes(gateway.agents),
        *usage_routes(router.ledger, router.catalog),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: no_such_path})


def mcp_resources(view: View, router: Router) -> "McpResources":
    """What MCP clients may read beside the documents, of what some callers see."""
    from gateway.endpoints.gateway_resources import GatewayResources
    from gateway.endpoints.mcp_resources import McpResources

    resources = GatewayResources(
        view.registry,
        view.toolbox,
        catalog=router.catalog,
        ledger=router.ledger,
        strategies=router.strategies,
        statuses=router.statuses,
    )
    return McpResources(resources.resources())


def _asking_doors(config: Config, gateway: Gateway) -> Sequence[BaseRoute]:
    from gateway.endpoints.ask import ask_routes
    from gateway.endpoints.benchmark_pages import benchmark_page_routes
    from gateway.endpoints.context import context_routes
    from gateway.endpoints.metrics import metrics_routes

    def registry_of(caller: Caller) -> Registry:
        return gateway.view(caller).registry

    router = gateway.router
    return [
        *ask_routes(router.completion, router.conversations, registry_of),
        *context_routes(router.conversations),
        *metrics_routes(router.metrics),
        *benchmark_page_routes(router.benchmarks, public_url=config.url, connector_name=NAME),
    ]


class _ByPath:
    """What is under OpenAI's path is answered by one app, all else by another."""

    def __init__(self, openai: ASGIApp, others: ASGIApp) -> None:
        from gateway.endpoints.authentication import is_openai_path

        self._is_openai_path = is_openai_path
        self._openai = openai
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_openai = self._is_openai_path(scope.get("path", ""))
        await (self._openai if is_openai else self._others)(scope, receive, send)


class _ByCaller:
    """Owners are answered by one app, all others by another, which knows less."""

    def __init__(self, owners: ASGIApp, others: ASGIApp) -> None:
        self._owners = owners
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state: Mapping[str, object] = scope.get("state", {})
        is_owner = getattr(state.get("caller"), "is_owner", False)
        await (self._owners if is_owner else self._others)(scope, receive, send)


async def _refusal(request: Request, error: Exception) -> Response:
    """No such path or method, as JSON: a client that probes must never meet a page."""
    assert isinstance(error, HTTPException)
    detail = f"{request.method} {request.url.path[:100]}: {error.detail}"
    return JSONResponse({"error": detail}, error.status_code, headers=error.headers)
