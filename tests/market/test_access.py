from typing import Any

import grpc
import pytest

from tests.market.provider_client import provider

PUBLIC = {
    "binance.get_ticker",
    "binance.get_orderbook",
    "binance.get_recent_trades",
    "binance.get_klines",
    "binance.get_exchange_info",
    "binance.get_avg_price",
    "binance.orderbook_l1",
    "binance.orderbook_l2",
    "binance.orderbook_health",
    "binance.get_order_flow",
    "binance.get_volume_profile",
    "binance.detect_market_anomalies",
    "binance.get_microstructure_health",
    "binance.get_liquidity_vacuums",
}
ACCOUNT = {
    "binance.get_account",
    "binance.get_my_trades",
    "binance.get_order",
    "binance.get_open_orders",
    "binance.get_all_orders",
}
TRADE = {"binance.place_order", "binance.cancel_order"}
KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ({}, PUBLIC),
        ({"trading": True}, PUBLIC),
        (KEYS, PUBLIC | ACCOUNT),
        ({**KEYS, "trading": True}, PUBLIC | ACCOUNT | TRADE),
    ],
)
async def test_tools_are_offered_by_what_is_configured(
    settings: dict[str, Any], offered: set[str]
) -> None:
    async with provider(**settings) as client:
        names = await client.names()
    assert len(names) == len(offered)
    assert set(names) == offered


@pytest.mark.parametrize(
    ("settings", "tool", "reason"),
    [
        ({}, "binance.get_account", "no API key and secret"),
        ({"trading": True}, "binance.place_order", "no API key and secret"),
        (KEYS, "binance.place_order", "trading is not allowed"),
        (KEYS, "binance.cancel_order", "trading is not allowed"),
    ],
)
async def test_a_tool_that_is_switched_off_cannot_be_called(
    settings: dict[str, Any], tool: str, reason: str
) -> None:
    async with provider(**settings) as client:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.invoke(tool, symbol="BTCUSDT")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason in str(refused.value.details())


async def test_every_tool_says_what_it_may_change() -> None:
    async with provider(**KEYS, trading=True) as client:
        capabilities = await client.capabilities()
    tags = {tool.name: set(tool.tags) for tool in capabilities.tools}
    assert {name for name in tags if "destructive" in tags[name]} == TRADE
    assert {name for name in tags if "read-only" in tags[name]} == PUBLIC | ACCOUNT
    assert {name for name in tags if "account" in tags[name]} == ACCOUNT
    assert {tool.name for tool in capabilities.tools if tool.auth_required} == ACCOUNT | TRADE
    assert all(tool.rate_limit_group == "binance" for tool in capabilities.tools)
    assert all(tool.stability == "stable" for tool in capabilities.tools)


async def test_what_is_simulated_says_so_everywhere() -> None:
    async with provider() as client:
        simulated = await client.capabilities()
    async with provider(exchange="binance", exchange_url="http://127.0.0.1:9") as client:
        real = await client.capabilities()
    assert simulated.provider_version == f"{real.provider_version}+simulated"
    assert all("simulated" in tool.tags for tool in simulated.tools)
    assert all(tool.description.startswith("Simulated exchange. ") for tool in simulated.tools)
    assert not any("simulated" in f"{tool.tags} {tool.description}".lower() for tool in real.tools)


async def test_pages_and_prompts_of_the_account_need_keys() -> None:
    async with provider() as client:
        public = await client.capabilities()
        with pytest.raises(grpc.aio.AioRpcError) as page:
            await client.read("binance://account/balances")
        with pytest.raises(grpc.aio.AioRpcError) as prompt:
            await client.prompt("portfolio-risk")
    async with provider(**KEYS) as client:
        private = await client.capabilities()
    assert page.value.code() is prompt.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert [prompt.name for prompt in public.prompts] == ["trading-analysis"]
    assert [prompt.name for prompt in private.prompts] == ["trading-analysis", "portfolio-risk"]
    assert "account" not in public.resources[0].description
    assert "binance://account/balances" in private.resources[0].description
