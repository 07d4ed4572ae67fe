import asyncio
from typing import Any

import grpc
import pytest

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    Refused,
    Unavailable,
)
from tests.sources.market.conftest import Market, exchange_info, market_over
from tests.stand_ins.provider import (
    StandInProvider,
    answers,
    answers_raw,
    fails,
    in_turn,
    says_error,
    waits,
)

TICKER = {
    "symbol": "BTCUSDT",
    "priceChange": "-120.50000000",
    "priceChangePercent": "-0.179",
    "weightedAvgPrice": "67010.12345678",
    "lastPrice": "67000.10000000",
    "bidPrice": "67000.00000000",
    "askPrice": "67000.10000000",
    "openPrice": "67120.60000000",
    "highPrice": "68000.00000000",
    "lowPrice": "66000.00000000",
    "volume": "12345.67800000",
    "quoteVolume": "827283746.12345678",
    "closeTime": 1_795_176_184_000,
    "count": 987_654,
}
BOOK = {"lastUpdateId": 7, "bids": [["99.5", "2"]], "asks": [["100.5", "1"]]}


def arguments_of(market: Market, tool: str) -> Any:
    """Of the last call of a tool; a service whose tools change is asked for its pairs again."""
    return [call.arguments for call in market.service.calls if call.name == tool][-1]


async def test_the_answer_of_a_tool_becomes_a_document(market: Market) -> None:
    market.service.offer("binance.get_ticker", answers(TICKER))
    document = await market.registry.fetch("ticker:btcusdt")
    assert document.title == ("BTC/USDT 67,000.1 USDT (-0.18 % in 24 h) · as of 12:03:04 UTC")
    assert "| Trades | 987,654 |" in document.text
    assert (document.source, document.is_simulated) == ("market", False)
    assert arguments_of(market, "binance.get_ticker") == {"symbol": "BTCUSDT"}


async def test_the_arguments_of_a_kind_reach_the_tool(market: Market) -> None:
    rows = [
        [1_795_262_400_000, "1", "2", "0.5", "1.5", "10", 1_795_265_999_999, "15", 3, "5", "7", "0"]
    ]
    market.service.offer("binance.get_klines", answers(rows))
    document = await market.registry.fetch("klines:BTCUSDT:1M")
    assert arguments_of(market, "binance.get_klines") == {
        "symbol": "BTCUSDT",
        "interval": "1M",
        "limit": 50,
    }
    assert "| 2026-11-21 12:00 | 1 | 2 | 0.5 | 1.5 | 10 | 3 |" in document.text


async def test_a_tag_or_a_field_of_the_answer_marks_a_document_as_simulated(market: Market) -> None:
    market.service.offer("binance.get_ticker", answers(TICKER | {"simulated": True}))
    document = await market.registry.fetch("ticker:BTCUSDT")
    assert document.is_simulated
    assert document.title.endswith("· simulated")
    assert document.source == "simulated exchange"


async def test_an_older_provider_whose_answers_fit_no_template_is_shown_as_it_answers(
    market: Market,
) -> None:
    market.service.offer("binance.orderbook_l1", answers({"symbol": "BTCUSDT", "spread_bps": 0.1}))
    document = await market.registry.fetch("orderbook_l1:BTCUSDT")
    assert "| spread_bps | 0.1 |" in document.text


async def test_the_lists_that_an_older_provider_answers_are_read_too(market: Market) -> None:
    anomaly = {
        "anomaly_type": {"type": "QuoteStuffing"},
        "severity": "High",
        "confidence_score": 0.9,
        "recommended_action": "wait",
    }
    market.service.offer("binance.detect_market_anomalies", answers([anomaly]))
    market.service.offer("binance.get_liquidity_vacuums", answers([]))
    anomalies = await market.registry.fetch("anomalies:BTCUSDT")
    vacuums = await market.registry.fetch("liquidity_vacuums:BTCUSDT")
    assert anomalies.title.startswith("BTC/USDT anomalies: 1 found")
    assert "| quote stuffing | High | 0.90 | wait |" in anomalies.text
    assert vacuums.title.startswith("BTC/USDT liquidity vacuums: none in 24 h")


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (fails(grpc.StatusCode.FAILED_PRECONDITION, "the book is crossed"), Refused, "crossed"),
        (fails(grpc.StatusCode.NOT_FOUND, "no such symbol"), NotFound, "no such symbol"),
        (fails(grpc.StatusCode.INTERNAL, "HTTP error: 400 Bad Request"), BadAnswer, "400"),
        (says_error("symbol is wrong"), InvalidRequest, "symbol is wrong"),
        (answers_raw(b"{garbage"), BadAnswer, "binance.get_orderbook"),
        (answers_raw(b"null"), BadAnswer, "not an object or array"),
        (answers({}), BadAnswer, "another shape"),
        (answers([]), BadAnswer, "another shape"),
        (answers("text"), BadAnswer, "not an object or array"),
    ],
)
async def test_a_failing_service_is_an_error_never_a_document(
    market: Market, behaviour: Any, error: type[Exception], said: str
) -> None:
    market.service.offer("binance.get_orderbook", behaviour)
    with pytest.raises(error, match=said):
        await market.registry.fetch("orderbook:BTCUSDT")


async def test_a_service_that_hangs_is_given_up() -> None:
    never = asyncio.Event()
    service = StandInProvider()
    service.offer("binance.get_exchange_info", answers(exchange_info()))
    service.offer("binance.get_ticker", waits(never, answers(TICKER)))
    async with asyncio.timeout(10), service, market_over(service, deadline_seconds=0.3) as market:
        await market.universe.listed(within_seconds=5)
        with pytest.raises(DeadlineExceeded):
            await market.registry.fetch("ticker:BTCUSDT")
        found = await market.registry.search("bitcoin price")
        assert found.results[0].id == "ticker:BTCUSDT"
        never.set()


async def test_a_service_that_died_says_when_to_come_back_and_comes_back(market: Market) -> None:
    market.service.offer("binance.get_ticker", answers(TICKER))
    await market.service.stop()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="market is unavailable") as caught:
            await market.registry.fetch("ticker:BTCUSDT")
        assert caught.value.retry_after_seconds > 0
        assert (await market.registry.search("bitcoin price")).results
        await market.service.start()
        while True:
            try:
                assert (await market.registry.fetch("ticker:BTCUSDT")).id.text == "ticker:BTCUSDT"
                break
            except Unavailable:
                await asyncio.sleep(0.01)


async def test_while_it_fails_the_last_copy_is_shown_as_stale() -> None:
    service = StandInProvider()
    service.offer("binance.get_exchange_info", answers(exchange_info()))
    once = in_turn(answers(TICKER), fails(grpc.StatusCode.INTERNAL, "broken"))
    service.offer("binance.get_ticker", once)
    now = 0.0
    async with service, market_over(service, monotonic=lambda: now) as market:
        await market.universe.listed(within_seconds=5)
        assert not (await market.registry.fetch("ticker:BTCUSDT")).is_stale
        now = 30.0
        assert (await market.registry.fetch("ticker:BTCUSDT")).is_stale


async def test_text_from_elsewhere_is_inert(market: Market) -> None:
    nasty = "ok | [click](https://evil.example) <script>alert(1)</script> \u202e`x` \x1b[31m"
    answer = {"status": nasty, "reason": nasty, "last_update_age_ms": 5}
    market.service.offer("binance.orderbook_health", answers(answer))
    document = await market.registry.fetch("orderbook_health:BTCUSDT")
    shown = document.title + document.summary + document.text
    assert "<script" not in shown
    assert "](" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


async def test_an_unknown_symbol_never_reaches_the_service(market: Market) -> None:
    with pytest.raises(NotFound, match="NOSUCHUSDT"):
        await market.registry.fetch("ticker:NOSUCHUSDT")
    with pytest.raises(NotFound) as caught:
        await market.registry.fetch("ticker:MATICUSDT")
    assert "MATIC is now POL" in str(caught.value)
    assert caught.value.suggestions == ("ticker:POLUSDT",)
    with pytest.raises(InvalidRequest, match="'7x' is no interval; use one of 1m, 3m"):
        await market.registry.fetch("klines:BTCUSDT:7x")
    assert {call.name for call in market.service.calls} == {"binance.get_exchange_info"}
