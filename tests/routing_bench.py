"""The routing tools over stand-ins of providers, with all that stands behind them, real."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema

from gateway.clock import Clock, now
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.kept_lists import KeptLists
from gateway.llm.catalog.refresh import ListedProvider, Refresh
from gateway.llm.policy import Policy
from gateway.llm.provider.provider import Provider
from gateway.routing_tools.free_lists import FreeLists
from gateway.routing_tools.tools import RoutingTools
from gateway.routing_tools.tracking import Tracking
from gateway.storage.database import Database
from gateway.strategies import Strategies
from gateway.tools.tool import Answer
from gateway.tools.toolbox import Toolbox
from gateway.usage.limit import Limit
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

FREE, PAID = Offer("free-one:free", Decimal(0), Decimal(0)), Offer("paid-one")
SORT = "Sort this list of intervals in Python and write unit tests for it."


@dataclass(frozen=True, slots=True)
class Bench:
    """The tools, and what stands behind them; the clock is set by hand."""

    tools: RoutingTools
    routed: Router
    strategies: Strategies
    evidence: Evidence
    kept: KeptLists
    seconds: list[float]

    async def asked(self, name: str, **arguments: Any) -> Mapping[str, Any]:
        """What the tool answers, which is what it says that it answers."""
        toolbox = Toolbox([self.tools.tools])
        answer: Answer = await toolbox.call(name, arguments)
        schema = (await toolbox.tool(name)).output_schema
        assert schema
        jsonschema.validate(json.loads(json.dumps(answer.content)), schema)
        return answer.content


def forget_pace(provider: Provider) -> None:
    provider._paces.clear()


@asynccontextmanager
async def bench(
    folder: Path,
    *stand_ins: LlmStandIn,
    limits: Sequence[Limit] = (),
    policy: Policy | None = None,
    clock: Clock = now,
) -> AsyncIterator[Bench]:
    url = f"sqlite:///{folder}/gateway.db"
    seconds = [0.0]
    async with AsyncExitStack() as stack:
        routed = await stack.enter_async_context(
            router(*stand_ins, database_url=url, limits=limits, policy=policy)
        )
        database = await stack.enter_async_context(Database(url))
        strategies = await stack.enter_async_context(Strategies(database))
        evidence = await stack.enter_async_context(Evidence(database))
        kept = KeptLists(folder / "models")
        listed = [ListedProvider(name, one.listed) for name, one in routed.providers.items()]
        refresh = Refresh(routed.catalog, listed, kept=kept)
        tools = RoutingTools(
            routed.catalog,
            routed.completion.policy,
            routed.ledger,
            strategies,
            plan=routed.completion.planned,
            lineups=routed.completion.lineups,
            providers=routed.providers,
            free_lists=FreeLists(
                routed.catalog,
                {name: one.kind for name, one in routed.providers.items()},
                ask=refresh.once,
                clock=clock,
                monotonic=lambda: seconds[0],
            ),
            tracking=Tracking(
                routed.catalog,
                routed.providers,
                kept=kept,
                evidence=evidence,
                ask=refresh.once,
                forget_pace=forget_pace,
            ),
        )
        yield Bench(tools, routed, strategies, evidence, kept, seconds)
