"""How far back trades are read, against an exchange that counts its answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.market.exchange import Exchange
from gateway.market.settings import MarketSettings
from gateway.market.symbols import Listing, Symbols
from gateway.market.venue import FIRST_PAGE, MOST_PAGES, PAGE, Tape, Venue
from tests.market.moments import NOON, StoppedClock
from tests.stand_ins.http_server import serve

NOON_MS = int(NOON.timestamp() * 1000)
BITCOIN = Listing("BTCUSDT", "TRADING", "BTC", "USDT", {})


def exchange_with(trades: int, *, milliseconds_apart: int, last_id: int | None = None) -> Starlette:
    """One whose last trade happened at noon; IDs begin at 0 unless told otherwise."""
    last = trades - 1 if last_id is None else last_id

    async def answer(request: Request) -> JSONResponse:
        limit = int(request.query_params["limit"])
        first = int(request.query_params.get("fromId", last - limit + 1))
        ids = range(max(first, last - trades + 1), last + 1)[:limit]
        return JSONResponse(
            [
                {
                    "a": id_,
                    "p": "1.0",
                    "q": "1.0",
                    "T": NOON_MS - (last - id_) * milliseconds_apart,
                    "m": False,
                }
                for id_ in ids
            ]
        )

    return Starlette(routes=[Route("/api/v3/aggTrades", answer)])


@asynccontextmanager
async def tape(app: Starlette, *, seconds: int) -> AsyncIterator[tuple[Tape, int]]:
    """What was read of the last seconds, and how much weight that took."""
    clock = StoppedClock()
    async with serve(app) as url:
        settings = MarketSettings("binance", url)
        async with Exchange(settings, clock=clock) as exchange:
            venue = Venue(settings, exchange, Symbols(exchange, clock=clock), clock=clock)
            read = await venue.tape(BITCOIN, since=NOON - timedelta(seconds=seconds))
            yield read, exchange.budget.used


async def test_a_quiet_market_takes_one_page() -> None:
    app = exchange_with(50_000, milliseconds_apart=1000)
    async with tape(app, seconds=150) as (read, weight):
        assert read.is_complete
        assert len(read.trades) == FIRST_PAGE
        assert weight == 4


async def test_a_busy_market_is_read_back_to_the_windows_start() -> None:
    app = exchange_with(50_000, milliseconds_apart=20)
    async with tape(app, seconds=60) as (read, _):
        assert read.is_complete
        assert read.trades[0].time < NOON - timedelta(seconds=60)
        ids = [trade.id for trade in read.trades]
        assert ids == list(range(ids[0], 50_000))


async def test_a_market_too_busy_to_read_whole_keeps_its_newest_trades_and_says_so() -> None:
    app = exchange_with(500_000, milliseconds_apart=1)
    async with tape(app, seconds=300) as (read, weight):
        assert not read.is_complete
        assert read.trades[-1].id == 499_999
        assert len(read.trades) == FIRST_PAGE + (MOST_PAGES - 1) * PAGE
        assert weight == MOST_PAGES * 4


@pytest.mark.parametrize("trades", [1, 30, 1500])
async def test_a_new_symbol_is_read_from_its_first_trade(trades: int) -> None:
    app = exchange_with(trades, milliseconds_apart=1)
    async with tape(app, seconds=300) as (read, _):
        assert read.is_complete
        assert len(read.trades) == trades


async def test_trades_that_the_exchange_no_longer_gives_are_missed_and_not_denied() -> None:
    app = exchange_with(10, milliseconds_apart=1, last_id=900_000)
    async with tape(app, seconds=60) as (read, _):
        assert not read.is_complete
        assert len(read.trades) == 10


async def test_a_symbol_that_never_traded_has_an_empty_and_complete_tape() -> None:
    async with tape(exchange_with(0, milliseconds_apart=1), seconds=60) as (read, _):
        assert read == Tape([], is_complete=True)
