"""A gateway's registry over one stand-in provider, which a test can make misbehave."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry, SearchSettings
from gateway.downstream.backoff import Backoff
from gateway.downstream.provider import Provider
from gateway.sources.market.sources import MarketSources
from gateway.sources.market.universe import MarketUniverse
from tests.stand_ins.provider import StandInProvider, answers

PAIRS = (("BTC", "USDT"), ("ETH", "USDT"), ("ETH", "BTC"), ("POL", "USDT"))


def exchange_info() -> dict[str, object]:
    return {
        "symbols": [
            {"symbol": base + quote, "baseAsset": base, "quoteAsset": quote, "status": "TRADING"}
            for base, quote in PAIRS
        ]
    }


@dataclass(frozen=True, slots=True)
class Market:
    service: StandInProvider
    provider: Provider
    universe: MarketUniverse
    registry: Registry


@asynccontextmanager
async def market_over(
    service: StandInProvider,
    *,
    deadline_seconds: float = 2,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Market]:
    provider = Provider(
        "market",
        service.address,
        deadline_seconds=deadline_seconds,
        backoff=Backoff(first_seconds=0.01, most_seconds=0.05),
    )
    async with (
        provider,
        MarketUniverse(provider, retry_seconds=0.02) as universe,
        Freshness(monotonic=monotonic) as freshness,
    ):
        sources = MarketSources(provider, universe, freshness)
        registry = Registry(
            sources.documents,
            freshness,
            public_url="http://127.0.0.1:3001",
            lexicons=sources.lexicons,
            settings=SearchSettings(live_wait_seconds=0.2),
        )
        yield Market(service, provider, universe, registry)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    service = StandInProvider()
    service.offer("binance.get_exchange_info", answers(exchange_info()))
    async with service, market_over(service) as opened:
        assert await opened.universe.listed(within_seconds=5)
        yield opened
