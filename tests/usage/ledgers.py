"""Ledgers for tests: a clock that stands still, and a call that is the same each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.storage.database import Database
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window

CALL = Call("request-1", "alice", "nanogpt", "nanogpt/glm", "free", task="coding", context="work")


class StoppedClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@asynccontextmanager
async def open_ledger(url: str, *limits: Limit, **options: Any) -> AsyncIterator[Ledger]:
    async with Database(url) as database, Ledger(database, limits, **options) as ledger:
        yield ledger


def budget(most: int, *, window: str = "month", name: str = "money", **options: Any) -> Limit:
    return Limit(name, "microusd", most, Window.parse(window), **options)


def quota(most: int, *, window: str = "day", name: str = "requests", **options: Any) -> Limit:
    return Limit(name, "requests", most, Window.parse(window), **options)


def call(**changes: Any) -> Call:
    return replace(CALL, **changes)


def costing(microusd: int | None) -> Amount:
    return Amount(1, 1000, 600, microusd)
