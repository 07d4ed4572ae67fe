"""All 21 tools over gRPC, against the simulated exchange."""

from typing import Any

import grpc
import pytest

from tests.market.moments import NOON, StoppedClock
from tests.market.provider_client import ProviderClient, provider

KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}
SIMULATED = {"source": "simulated exchange", "simulated": True, "as_of": "2026-11-20T12:00:00Z"}
HOUR_MS = 3_600_000
NOON_MS = int(NOON.timestamp() * 1000)

OBJECTS = [
    "binance.get_ticker",
    "binance.get_orderbook",
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
]
ANALYTIC = OBJECTS[4:]


def symbols_of(answer: Any) -> set[str]:
    return {row["symbol"] for row in answer}


async def test_every_object_says_when_and_where_it_is_from() -> None:
    async with provider(StoppedClock()) as client:
        answers = {tool: await client.invoke(tool, symbol="ethbtc") for tool in OBJECTS}
    for tool, answer in answers.items():
        assert SIMULATED.items() <= answer.items()
        if tool != "binance.get_exchange_info":
            assert answer["symbol"] == "ETHBTC"
        if tool in ANALYTIC:
            assert {"method", "window", "sample_size", "coverage"} <= answer.keys()


async def test_an_order_book_has_as_many_levels_as_asked_for() -> None:
    async with provider(StoppedClock()) as client:
        book = await client.invoke("binance.get_orderbook", symbol="BTCUSDT", limit=20)
        scaled = await client.invoke("binance.orderbook_l2", symbol="BTCUSDT", depth_levels=7)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert len(scaled["bids"]) == len(scaled["asks"]) == 7
    assert scaled["bids"][0][0] / scaled["price_scale"] == float(book["bids"][0][0])


async def test_a_cheap_coin_keeps_every_level() -> None:
    async with provider(StoppedClock()) as client:
        book = await client.invoke("binance.get_orderbook", symbol="PEPEUSDT", limit=5)
        scaled = await client.invoke("binance.orderbook_l2", symbol="PEPEUSDT", depth_levels=5)
    prices = [price / scaled["price_scale"] for price, _ in scaled["bids"]]
    assert prices == [float(price) for price, _ in book["bids"]]


async def test_candles_begin_and_end_where_they_were_asked_to() -> None:
    start, end = NOON_MS - 10 * HOUR_MS, NOON_MS - 5 * HOUR_MS
    async with provider(StoppedClock()) as client:
        candles = await client.invoke(
            "binance.get_klines", symbol="BTCUSDT", interval="1h", start_time=start, end_time=end
        )
        last = await client.invoke("binance.get_klines", symbol="BTCUSDT", interval="1d", limit=3)
    assert [candle[0] for candle in candles] == list(range(start, end + 1, HOUR_MS))
    assert len(last) == 3
    assert all(len(candle) == 12 for candle in last)


async def test_trades_come_as_the_exchange_sends_them() -> None:
    async with provider(StoppedClock()) as client:
        trades = await client.invoke("binance.get_recent_trades", symbol="BTCUSDT", limit=4)
    assert len(trades) == 4
    assert {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker"} <= trades[0].keys()


async def test_exchange_info_is_whole_for_one_symbol_and_short_for_all() -> None:
    async with provider(StoppedClock()) as client:
        one = await client.invoke("binance.get_exchange_info", symbol="SOLUSDC")
        every = await client.invoke("binance.get_exchange_info")
    assert [row["filterType"] for row in one["symbols"][0]["filters"]]
    assert len(every["symbols"]) > 60
    assert {"BTCUSDT", "ETHBTC"} <= symbols_of(every["symbols"])
    assert set(every["symbols"][0]) == {"symbol", "status", "baseAsset", "quoteAsset"}


async def test_the_average_price_is_the_exchanges_own() -> None:
    async with provider(StoppedClock()) as client:
        answer = await client.invoke("binance.get_avg_price", symbol="BTCUSDT")
    assert answer["mins"] == 5
    assert float(answer["price"]) > 0
    assert answer["closeTime"] <= NOON_MS


@pytest.mark.parametrize("seconds", [10, 300])
async def test_order_flow_covers_the_window_asked_for(seconds: int) -> None:
    async with provider(StoppedClock()) as client:
        answer = await client.invoke(
            "binance.get_order_flow", symbol="BTCUSDT", window_duration_secs=seconds
        )
    assert answer["window_duration_secs"] == seconds
    assert answer["coverage"] == f"the whole window of {seconds}.0 s"
    assert answer["trade_count"] > 0


@pytest.mark.parametrize("tick_size", [50, 50.0, "50", "50.00"])
async def test_a_tick_size_is_a_number_or_its_text(tick_size: float | str) -> None:
    async with provider(StoppedClock()) as client:
        answer = await client.invoke(
            "binance.get_volume_profile", symbol="BTCUSDT", duration_hours=2, tick_size=tick_size
        )
    assert float(answer["bin_size"]) == 50
    assert answer["coverage"].startswith("2.00 h of 2 h")


async def test_a_profile_covers_all_its_hours() -> None:
    async with provider(StoppedClock()) as client:
        for hours in (1, 24, 25, 72, 168):
            answer = await client.invoke(
                "binance.get_volume_profile", symbol="BTCUSDT", duration_hours=hours
            )
            assert answer["coverage"].startswith(f"{hours}.00 h of {hours} h")


async def test_an_account_that_never_traded_has_empty_lists() -> None:
    async with provider(**KEYS) as client:
        for tool in ("get_my_trades", "get_open_orders", "get_all_orders"):
            assert await client.invoke(f"binance.{tool}", symbol="BTCUSDT") == []


async def test_an_account_is_labelled_like_everything_else() -> None:
    async with provider(**KEYS) as client:
        account = await client.invoke("binance.get_account")
        everywhere = await client.invoke("binance.get_open_orders")
    assert account["simulated"] is True
    assert account["balances"]
    assert everywhere == []


async def buy(client: ProviderClient, quantity: str) -> Any:
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "order_type": "MARKET",
        "quantity": quantity,
    }
    preview = await client.invoke("binance.place_order", **order)
    return await client.invoke(
        "binance.place_order", **order, confirm_token=preview["confirm_token"]
    )


async def test_own_trades_begin_at_the_id_asked_for() -> None:
    async with provider(**KEYS, trading=True) as client:
        first, second = await buy(client, "0.001"), await buy(client, "0.002")
        trades = await client.invoke("binance.get_my_trades", symbol="BTCUSDT")
        later = await client.invoke(
            "binance.get_my_trades", symbol="BTCUSDT", from_id=trades[-1]["id"]
        )
    assert {trade["orderId"] for trade in trades} == {first["orderId"], second["orderId"]}
    assert later == trades[-1:]


async def test_an_order_is_found_by_either_of_its_ids() -> None:
    async with provider(**KEYS, trading=True) as client:
        order = await buy(client, "0.001")
        by_id = await client.invoke(
            "binance.get_order", symbol="BTCUSDT", order_id=order["orderId"]
        )
        by_name = await client.invoke(
            "binance.get_order",
            symbol="BTCUSDT",
            orig_client_order_id=order["clientOrderId"],
        )
        with pytest.raises(grpc.aio.AioRpcError, match="order_id or orig_client_order_id"):
            await client.invoke("binance.get_order", symbol="BTCUSDT")
    assert by_id["orderId"] == by_name["orderId"] == order["orderId"]
    assert by_id["status"] == "FILLED"
