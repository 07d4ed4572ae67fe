"""Opens the agents for one command: what is recorded of them, or all that they need to run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.caller import LOCAL

if TYPE_CHECKING:
    from gateway.agents.agents import Agents
    from gateway.config.settings import Config

    Work = Callable[[Agents], Awaitable["Result"]]

# As shells have it: 128 and the number of the signal.
INTERRUPTED = 130
Result = TypeVar("Result")


def load_settings(config: Path | None) -> "Config":
    from gateway.config.settings import load

    return load(config)


def ended(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of what a person may interrupt."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return INTERRUPTED


def worked(settings: "Config", work: "Work[Result]") -> Result:
    """What the work with what is recorded of agents comes to."""

    async def done() -> Result:
        async with _recorded(settings) as agents:
            return await work(agents)

    return asyncio.run(done())


async def with_agents(
    config: Path | None,
    work: "Work[Result]",
    *,
    carries_out: bool = False,
    is_whole: bool = False,
    is_demo: bool = False,
) -> Result:
    """What the work comes to; `is_whole` with all tools, `carries_out` runs begin here, too."""
    settings = load_settings(config)
    opening = (
        _whole(settings, carries_out=carries_out, is_demo=is_demo)
        if is_whole or carries_out
        else _recorded(settings)
    )
    async with opening as agents:
        return await work(agents)


@asynccontextmanager
async def _recorded(settings: "Config") -> AsyncIterator["Agents"]:
    """No service is started, and no run begins here."""
    from gateway import caller
    from gateway.app.agents import built_agents
    from gateway.app.router import opened_router
    from gateway.tools.toolbox import Toolbox

    caller.begin(LOCAL)
    async with opened_router(settings) as router:
        built = built_agents(settings.agents, router, lambda _: Toolbox([]))
        async with built.notifications:
            yield built.agents


@asynccontextmanager
async def _whole(
    settings: "Config", *, carries_out: bool, is_demo: bool
) -> AsyncIterator["Agents"]:
    from gateway import caller
    from gateway.app.demo import demo_providers
    from gateway.app.opening import opened

    caller.begin(LOCAL)
    async with AsyncExitStack() as stack:
        more = await stack.enter_async_context(demo_providers()) if is_demo else ()
        opening = opened(
            settings, more_providers=more, carries_out="runs" if carries_out else "nothing"
        )
        yield (await stack.enter_async_context(opening)).agents
