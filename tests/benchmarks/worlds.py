"""Benchmarks over stand-ins of providers: all that is asked, counted and kept is real."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.benchmarks.case import Case, Exact, Unchecked
from gateway.benchmarks.lease import LEASE_SECONDS
from gateway.benchmarks.record import Settings
from gateway.benchmarks.runner import Benchmarks
from gateway.evidence.evidence import Evidence
from gateway.llm.policy import Policy
from gateway.storage.database import Database
from gateway.usage.limit import Limit
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

GOOD = Offer("good:free", Decimal(0), Decimal(0))
BAD = Offer("bad:free", Decimal(0), Decimal(0))
# Its prices are those of the catalog's list, in US dollars for a million tokens.
PAID = Offer("paid-one", Decimal(1), Decimal(100))

SUM = Case("sum", "quick", "What is 2 + 2?", None, Exact(("4",)), 20, 0.1, 2)
CAPITAL = Case("capital", "quick", "The capital of Norway?", None, Exact(("Oslo",)), 20, None, 2)
OPEN = Case("open", "creative", "A line about rain.", "Be brief.", Unchecked(), 50, 0.3, 10)


@dataclass(frozen=True, slots=True)
class World:
    benchmarks: Benchmarks
    router: Router
    evidence: Evidence
    database: Database


@asynccontextmanager
async def world(
    folder: Path,
    *stand_ins: LlmStandIn,
    limits: Sequence[Limit] = (),
    policy: Policy | None = None,
    patience_seconds: float = 0,
    lease_seconds: float = LEASE_SECONDS,
) -> AsyncIterator[World]:
    url = f"sqlite:///{folder}/gateway.db"
    async with (
        router(*stand_ins, database_url=url, limits=limits, policy=policy) as routed,
        Database(url) as database,
        Evidence(database) as evidence,
    ):
        benchmarks = Benchmarks(
            database,
            routed.completion,
            routed.catalog,
            routed.ledger,
            evidence,
            providers=routed.providers,
            patience_seconds=patience_seconds,
            lease_seconds=lease_seconds,
        )
        yield World(benchmarks, routed, evidence, database)


def settings(*models: str, cases: Sequence[Case] = (SUM, CAPITAL), **more: Any) -> Settings:
    return Settings(tuple(cases), models, **more)
