from typing import Any

import grpc
import pytest

from tests.market.moments import StoppedClock
from tests.market.provider_client import provider

KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}


async def test_a_market_is_a_page_that_says_it_is_simulated() -> None:
    async with provider(StoppedClock()) as client:
        page = await client.read("binance://market/ethbtc")
    assert page.startswith("# ETHBTC (simulated)\n")
    assert "As of 2026-11-20T12:00:00Z, source: simulated exchange." in page
    assert "- Last price: " in page
    assert page.count("\n| ") == 6


@pytest.mark.parametrize(
    ("uri", "title"),
    [
        ("binance://account/balances", "# Balances (simulated)"),
        ("binance://account/trades/BTCUSDT", "# Own trades of BTCUSDT (simulated)"),
        ("binance://orders/open", "# Open orders (simulated)"),
    ],
)
async def test_an_account_has_pages_too(uri: str, title: str) -> None:
    async with provider(**KEYS, trading=True) as client:
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001"}
        for kind in ({"order_type": "MARKET"}, {"order_type": "LIMIT", "price": "50000"}):
            preview = await client.invoke("binance.place_order", **order, **kind)
            token = preview["confirm_token"]
            await client.invoke("binance.place_order", **order, **kind, confirm_token=token)
        page = await client.read(uri)
    assert page.startswith(title)
    assert "\n|---|" in page


@pytest.mark.parametrize(
    "uri", ["", "binance://", "binance://market/", "http://market/BTCUSDT", "binance://x/y"]
)
async def test_a_uri_that_is_none_is_answered_with_those_there_are(uri: str) -> None:
    async with provider() as client:
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await client.read(uri)
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert "binance://market/{symbol}" in str(missing.value.details())


async def test_a_page_of_an_unknown_symbol_suggests_others() -> None:
    async with provider() as client:
        with pytest.raises(grpc.aio.AioRpcError, match="did you mean BTCUSDT"):
            await client.read("binance://market/BTCUSD")


async def test_a_prompt_is_one_user_message_with_live_facts() -> None:
    async with provider(StoppedClock()) as client:
        messages = await client.prompt("trading-analysis", symbol="BTCUSDT", timeframe="4h")
    assert [message.role for message in messages] == ["user"]
    assert "the 4h timeframe" in messages[0].content
    assert "# BTCUSDT (simulated)" in messages[0].content


async def test_a_portfolio_prompt_holds_the_balances() -> None:
    async with provider(**KEYS) as client:
        (message,) = await client.prompt("portfolio-risk")
    assert "a medium risk tolerance" in message.content
    assert "# Balances (simulated)" in message.content


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("trading-analyst", {}, grpc.StatusCode.NOT_FOUND),
        ("trading-analysis", {}, grpc.StatusCode.INVALID_ARGUMENT),
        (
            "trading-analysis",
            {"symbol": "BTCUSDT", "timeframe": "2y"},
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        ("trading-analysis", {"symbol": "NOPEUSDT"}, grpc.StatusCode.NOT_FOUND),
    ],
)
async def test_a_prompt_that_cannot_be_written_says_why(
    name: str, arguments: dict[str, Any], status: grpc.StatusCode
) -> None:
    async with provider() as client:
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await client.prompt(name, **arguments)
    assert wrong.value.code() is status
