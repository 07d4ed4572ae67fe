import asyncio
import contextlib

from gateway.errors import BadAnswer
from tests.sources.market.conftest import Market, exchange_info, market_over
from tests.stand_ins.provider import StandInProvider, answers


async def test_search_knows_the_usual_coins_before_any_service_is_there() -> None:
    service = StandInProvider()
    async with market_over(service) as market:
        assert not market.universe.current.is_verified
        found = await market.registry.search("bitcoin price")
        assert found.results[0].id == "ticker:BTCUSDT"


async def test_the_pairs_are_read_once_the_service_appears() -> None:
    service = StandInProvider()
    service.offer("binance.get_exchange_info", answers(exchange_info()))
    async with asyncio.timeout(10), market_over(service) as market:
        assert not await market.universe.listed(within_seconds=0.05)
        await service.start()
        try:
            assert await market.universe.listed(within_seconds=5)
            assert set(market.universe.current.pairs) == {"BTCUSDT", "ETHUSDT", "ETHBTC", "POLUSDT"}
        finally:
            await service.stop()


async def test_a_service_that_lists_no_pairs_leaves_the_usual_ones() -> None:
    service = StandInProvider()
    service.offer("binance.get_exchange_info", answers({"timezone": "UTC", "note": "not yet"}))
    async with asyncio.timeout(10), service, market_over(service) as market:
        assert await market.universe.listed(within_seconds=5)
        assert not market.universe.current.is_verified
        assert "DOGEUSDT" in market.universe.current.pairs


async def test_a_list_that_makes_no_sense_is_not_taken(market: Market) -> None:
    before = market.universe.current
    row = {"symbol": ["x"], "baseAsset": "B", "quoteAsset": None}
    for rows in ([{"sym": 1}], [row], ["BTCUSDT"], [None], 7, {"a": 1}):
        market.service.offer("binance.get_exchange_info", answers({"symbols": rows}))
        with contextlib.suppress(BadAnswer):
            assert not await market.universe.refresh()
        assert market.universe.current is before


async def test_a_pair_is_split_by_what_is_listed_never_by_its_ending(market: Market) -> None:
    universe = market.universe.current
    assert (universe.pairs["ETHBTC"].base, universe.pairs["ETHBTC"].quote) == ("ETH", "BTC")
    assert universe.usual_pair("ETH") == universe.pairs["ETHUSDT"]
    assert universe.usual_pair("DOGE") is None
    assert universe.near("ETHBTCC")[0] == "ETHBTC"
    assert universe.near("ETH") == universe.near("ethereum") == ["ETHUSDT"]
    assert universe.near("NOSUCHCOIN") == []
