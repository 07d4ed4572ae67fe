"""A router whose documents can be searched: embedded catalog, ledger on SQLite, and the market."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gateway.benchmarks.runner import Benchmarks
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.completion import Completion
from gateway.llm.features import features
from gateway.llm.lineup import Lineup
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.route import Route
from gateway.llm.router import choose
from gateway.market.simulated.symbols import SYMBOLS
from gateway.sources.market.coins import coins
from gateway.sources.market.intervals import IntervalLexicon
from gateway.sources.market.kind import market_kinds
from gateway.sources.market.source import MarketSource
from gateway.sources.market.symbols import SymbolLexicon
from gateway.sources.market.tool_reader import ToolReader
from gateway.sources.market.universe import MarketUniverse, Pair, Universe
from gateway.sources.router import RouterSources
from gateway.storage.database import Database
from gateway.tasks.store import Tasks
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window

CONFIGURED = ("nanogpt", "openrouter", "openai", "anthropic")
LIMITS = (
    Limit(
        "nanogpt_free",
        "requests",
        60_000,
        Window.parse("month"),
        {"tier": "free", "provider": "nanogpt"},
    ),
    Limit(
        "openrouter_daily",
        "requests",
        50,
        Window.parse("day"),
        {"tier": "free", "provider": "openrouter"},
    ),
    Limit("monthly", "microusd", 20_000_000, Window.parse("month")),
    Limit("work", "microusd", 5_000_000, Window.parse("day"), {"context": "work"}),
)


class World:
    """The clock can be set; `plan` asks the real router."""

    def __init__(
        self,
        *configured: str,
        overrides: tuple[ModelOverride, ...] = (),
        now: datetime = datetime(2026, 11, 21, 12, 30, tzinfo=UTC),
    ) -> None:
        self.now = now
        self.catalog = Catalog(
            [ConfiguredProvider(name, name) for name in configured], overrides, clock=self.clock
        )

    def clock(self) -> datetime:
        return self.now

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(self.catalog.callable_models or self.catalog.models)

    def plan(self, request: ChatRequest, task: Any) -> Route:
        asked = features(request, task=task)
        return choose(asked, Lineup(self.catalog.callable_models), Policy(may_pay=True))


@dataclass(frozen=True, slots=True)
class Router:
    world: World
    ledger: Ledger
    sources: RouterSources
    registry: Registry

    async def call(self, call: Call, settlement: Settlement) -> None:
        reservation = await self.ledger.reserve(call, Amount(1, 1_000, 500, 1_000))
        await self.ledger.settle(reservation, settlement)


@asynccontextmanager
async def opened_router(
    folder: Path,
    world: World | None = None,
    *,
    public_url: str = "https://gateway.example",
    limits: Sequence[Limit] = LIMITS,
    is_owner: bool = True,
    task_server: str | None = None,
) -> AsyncIterator[Router]:
    """What an owner sees of it, or what somebody else does."""
    world = world or World(*CONFIGURED)
    async with (
        Database(f"sqlite:///{folder / 'ledger.db'}") as database,
        Ledger(database, limits, clock=world.clock) as ledger,
        Evidence(database, clock=world.clock) as evidence,
        Freshness() as freshness,
    ):
        completion = Completion(world.catalog, {}, ledger, Policy(may_pay=True), evidence=evidence)
        router = RouterSources(
            world.catalog,
            ledger,
            Benchmarks(database, completion, world.catalog, ledger, evidence, clock=world.clock),
            Tasks(database, elsewhere=task_server, clock=world.clock),
            plan=world.plan,
            beliefs=completion.beliefs,
            statuses=lambda: {"openrouter": "answering"},
            clock=world.clock,
        )
        market, lexicons = market_sources()
        registry = Registry(
            [*market, *(router.documents if is_owner else router.open_documents)],
            freshness,
            public_url=public_url,
            lexicons=router.lexicons(lexicons, is_owner=is_owner),
        )
        yield Router(world, ledger, router, registry)


def market_sources() -> tuple[list[MarketSource], list[Any]]:
    """Those of the simulated exchange's pairs; nothing stands behind them to be read."""
    pairs = [Pair(one.name, one.base.name, one.quote.name) for one in SYMBOLS.values()]
    current = Universe.of(pairs, is_verified=True)
    universe = cast(MarketUniverse, SimpleNamespace(current=current))
    kinds = market_kinds()
    nowhere: Any = SimpleNamespace()
    sources = [MarketSource(kind, universe, ToolReader(kind, nowhere)) for kind in kinds]
    phrases = [phrase for kind in kinds for phrase in kind.phrases]
    return sources, [SymbolLexicon(universe, coins(), phrases), IntervalLexicon()]
