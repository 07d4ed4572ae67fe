import grpc
import pytest

from gateway.errors import Unavailable
from tests.sources.market.conftest import Market
from tests.sources.market.test_tool_reader import TICKER
from tests.stand_ins.provider import answers, fails


async def test_a_report_joins_its_parts_and_names_those_that_failed(market: Market) -> None:
    market.service.offer("binance.get_ticker", answers(TICKER))
    crossed = fails(grpc.StatusCode.FAILED_PRECONDITION, "the book of BTCUSDT is crossed")
    market.service.offer("binance.orderbook_l1", crossed)
    document = await market.registry.fetch("report:BTCUSDT")
    assert document.title.startswith("BTC/USDT report: 67,000.1 USDT (-0.18 % in 24 h)")
    assert "## ticker:BTCUSDT" in document.text
    assert "This part failed: the book of BTCUSDT is crossed" in document.text
    assert document.metadata["failed_parts"].startswith("orderbook_l1:BTCUSDT")


async def test_a_report_without_any_part_is_an_error(market: Market) -> None:
    with pytest.raises(Unavailable, match="no part of the report"):
        await market.registry.fetch("report:BTCUSDT")


async def test_a_part_that_was_read_lately_is_not_read_again(market: Market) -> None:
    market.service.offer("binance.get_ticker", answers(TICKER))
    await market.registry.fetch("ticker:BTCUSDT")
    await market.registry.fetch("report:BTCUSDT")
    calls = [call.name for call in market.service.calls]
    assert calls.count("binance.get_ticker") == 1
