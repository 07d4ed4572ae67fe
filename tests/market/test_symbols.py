import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.responses import JSONResponse

from gateway.clock import now
from gateway.errors import BadAnswer, NotFound, Unavailable
from gateway.market.exchange import EMBEDDED_WEIGHT_PER_MINUTE, Exchange
from gateway.market.settings import MarketSettings
from gateway.market.simulated.app import simulated_exchange
from gateway.market.symbols import Listings, Symbols, read_listings, weight_limit
from tests.market.interposed import Interposed
from tests.market.moments import NOON, StoppedClock
from tests.stand_ins.http_server import serve

INFO = "GET /api/v3/exchangeInfo"


def listings(*pairs: str) -> Listings:
    symbols = [
        {
            "symbol": pair.replace("/", ""),
            "status": "TRADING",
            "baseAsset": pair.split("/")[0],
            "quoteAsset": pair.split("/")[1],
            "filters": [],
        }
        for pair in pairs
    ]
    answer = {"timezone": "UTC", "serverTime": 1, "symbols": symbols}
    return read_listings(answer, as_of=NOON)


LISTED = listings(
    "BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDC", "1INCH/USDT", "1000CHEEMS/USDT", "币安人生/USDT"
)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("btcusdt", "BTCUSDT"),
        (" EthBtc ", "ETHBTC"),
        ("1inchusdt", "1INCHUSDT"),
        ("1000CHEEMSUSDT", "1000CHEEMSUSDT"),
        ("币安人生usdt", "币安人生USDT"),
    ],
)
def test_a_symbol_is_what_the_exchange_lists_whatever_its_shape(text: str, symbol: str) -> None:
    assert LISTED.find(text).symbol == symbol


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("BTC", "BTCUSDT"),
        ("btc/usdt", "BTCUSDT"),
        ("BTC-USDT", "BTCUSDT"),
        ("BTCUSD", "BTCUSDT"),
        ("ETH", "ETHUSDT"),
        ("SOLUSDT", "SOLUSDC"),
    ],
)
def test_an_unknown_symbol_suggests_the_ones_that_may_be_meant(text: str, first: str) -> None:
    with pytest.raises(NotFound) as missing:
        LISTED.find(text)
    assert missing.value.suggestions[0] == first
    assert first in str(missing.value)
    assert len(missing.value.suggestions) <= 5


@pytest.mark.parametrize("text", ["", "'; DROP TABLE", "😀", "x" * 40])
def test_what_is_like_no_symbol_suggests_none(text: str) -> None:
    with pytest.raises(NotFound, match="it takes one such as BTCUSDT") as missing:
        LISTED.find(text)
    assert missing.value.suggestions == ()


@pytest.mark.parametrize("answer", [[], {}, {"symbols": []}, {"symbols": [{}]}, None, "x"])
def test_a_list_that_cannot_be_read_is_a_bad_answer(answer: object) -> None:
    with pytest.raises(BadAnswer):
        read_listings(answer, as_of=NOON)


@pytest.mark.parametrize(
    "limit",
    [
        None,
        "x",
        ["x"],
        [{}],
        [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE"}],
        [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "limit": "many"}],
        [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "limit": float("inf")}],
        [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "limit": 0}],
        [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "limit": -5}],
    ],
)
def test_a_limit_that_cannot_be_read_is_none(limit: object) -> None:
    assert weight_limit({"rateLimits": limit}) is None


def test_a_time_that_no_clock_shows_is_a_bad_answer() -> None:
    symbol = {"symbol": "A", "status": "TRADING", "baseAsset": "A", "quoteAsset": "B"}
    with pytest.raises(BadAnswer):
        read_listings(
            {"timezone": "UTC", "serverTime": float("inf"), "symbols": [symbol]}, as_of=NOON
        )


async def test_a_list_with_a_limit_that_cannot_be_read_serves_all_the_same() -> None:
    between = Interposed(simulated_exchange(now))
    listed = {
        "timezone": "UTC",
        "serverTime": 1,
        "rateLimits": ["six thousand"],
        "symbols": [
            {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
        ],
    }
    between.replace(INFO, JSONResponse(listed))
    async with serve(between) as url:
        settings = MarketSettings(exchange="binance", exchange_url=url)
        async with (
            Exchange(settings, clock=now) as exchange,
            Symbols(exchange, clock=now) as known,
        ):
            assert (await known.find("btcusdt")).base_asset == "BTC"
            assert exchange.budget.limit == 6_000


@asynccontextmanager
async def symbols(clock: StoppedClock) -> AsyncIterator[tuple[Symbols, Interposed]]:
    between = Interposed(simulated_exchange(clock))
    async with serve(between) as url:
        settings = MarketSettings(exchange="binance", exchange_url=url, read_timeout_seconds=0.3)
        async with (
            Exchange(settings, clock=clock) as exchange,
            Symbols(exchange, clock=clock) as opened,
        ):
            yield opened, between


async def test_the_list_is_read_once_for_all_who_wait_and_once_an_hour() -> None:
    clock = StoppedClock()
    async with symbols(clock) as (known, between):
        await asyncio.gather(*(known.find("BTCUSDT") for _ in range(10)))
        reads = between.requests.count(INFO)
        clock.pass_seconds(3599)
        await known.find("BTCUSDT")
        assert between.requests.count(INFO) == reads
        clock.pass_seconds(1)
        await known.find("BTCUSDT")
        assert between.requests.count(INFO) == 2 * reads


async def test_the_last_good_list_outlives_a_failing_exchange() -> None:
    clock = StoppedClock()
    async with symbols(clock) as (known, between):
        before = await known.listings()
        between.refuse(INFO, 503, -1008)
        clock.pass_seconds(3600)
        assert await known.listings() is before
        failed = between.requests.count(INFO)
        clock.pass_seconds(59)
        assert await known.listings() is before
        assert between.requests.count(INFO) == failed
        between.restore(INFO)
        clock.pass_seconds(1)
        assert await known.listings() is not before


async def test_a_list_that_hangs_is_given_up_and_the_last_good_one_kept() -> None:
    clock = StoppedClock()
    async with symbols(clock) as (known, between):
        before = await known.listings()
        between.hang(INFO)
        clock.pass_seconds(3600)
        assert await known.listings() is before


async def test_without_any_list_the_failure_is_told() -> None:
    async with symbols(StoppedClock()) as (known, between):
        between.refuse(INFO, 503, -1008)
        with pytest.raises(Unavailable):
            await known.find("BTCUSDT")
        between.restore(INFO)
        assert (await known.find("BTCUSDT")).base_asset == "BTC"


async def test_one_who_gives_up_waiting_does_not_stop_the_others() -> None:
    async with symbols(StoppedClock()) as (known, _):
        impatient = asyncio.create_task(known.find("BTCUSDT"))
        patient = asyncio.create_task(known.find("ETHBTC"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).symbol == "ETHBTC"


async def test_the_clock_is_set_with_the_list() -> None:
    clock = StoppedClock()
    between = Interposed(simulated_exchange(clock))
    ahead = int(NOON.timestamp() * 1000) + 2500
    between.replace("GET /api/v3/time", JSONResponse({"serverTime": ahead}))
    async with serve(between) as url:
        settings = MarketSettings(exchange="binance", exchange_url=url)
        async with (
            Exchange(settings, clock=clock) as exchange,
            Symbols(exchange, clock=clock) as known,
        ):
            await known.listings()
            assert (exchange.now() - NOON).total_seconds() == 2.5


async def test_the_budget_is_what_the_exchange_says() -> None:
    async with Exchange(MarketSettings(), clock=now) as exchange:
        async with Symbols(exchange, clock=now) as symbols:
            assert exchange.budget.limit == 6_000
            await symbols.listings()
        assert exchange.budget.limit == EMBEDDED_WEIGHT_PER_MINUTE
