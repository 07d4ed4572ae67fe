"""All 21 tools over gRPC, against what the real exchange once answered."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.market.moments import StoppedClock
from tests.market.provider_client import ProviderClient, provider
from tests.stand_ins.http_server import serve
from tests.stand_ins.recorded_exchange import API_KEY, API_SECRET, recorded, recorded_exchange

LABEL = {"source": "127.0.0.1", "as_of": "2021-10-22T23:08:19Z"}


# One provider for all: the recording never changes.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[ProviderClient]:
    """Its clock is years ahead of the recording, and is set by the exchange's time."""
    async with (
        serve(recorded_exchange()) as url,
        provider(
            StoppedClock(),
            exchange="binance",
            exchange_url=url,
            api_key=API_KEY,
            api_secret=API_SECRET,
            trading=True,
        ) as connected,
    ):
        yield connected


async def test_all_21_tools_are_offered(client: ProviderClient) -> None:
    assert len(await client.names()) == 21


async def test_the_ticker_is_handed_on_whole(client: ProviderClient) -> None:
    answer = await client.invoke("binance.get_ticker", symbol="btcusdt")
    assert recorded("ticker_24hr").items() <= answer.items()
    assert {name: answer[name] for name in LABEL}.keys() == LABEL.keys()
    assert answer["source"] == "127.0.0.1"
    assert "simulated" not in answer


@pytest.mark.parametrize(
    ("tool", "arguments", "recording"),
    [
        ("binance.get_recent_trades", {"symbol": "BTCUSDT"}, "trades"),
        ("binance.get_klines", {"symbol": "BTCUSDT", "interval": "1m"}, "klines"),
        ("binance.get_my_trades", {"symbol": "BTCUSDT", "from_id": 28457}, "my_trades"),
        ("binance.get_open_orders", {}, "open_orders"),
        ("binance.get_open_orders", {"symbol": "BTCUSDT"}, "open_orders"),
        ("binance.get_all_orders", {"symbol": "BTCUSDT"}, "all_orders"),
    ],
)
async def test_an_array_is_handed_on_as_it_came(
    client: ProviderClient, tool: str, arguments: dict[str, Any], recording: str
) -> None:
    assert await client.invoke(tool, **arguments) == recorded(recording)


@pytest.mark.parametrize(
    ("tool", "arguments", "recording"),
    [
        ("binance.get_orderbook", {"symbol": "BTCUSDT"}, "depth"),
        ("binance.get_avg_price", {"symbol": "BTCUSDT"}, "avg_price"),
        ("binance.get_account", {}, "account"),
        ("binance.get_order", {"symbol": "BTCUSDT", "order_id": 1}, "order"),
    ],
)
async def test_an_object_is_handed_on_with_its_label(
    client: ProviderClient, tool: str, arguments: dict[str, Any], recording: str
) -> None:
    answer = await client.invoke(tool, **arguments)
    assert recorded(recording).items() <= answer.items()
    assert answer["source"] == LABEL["source"]


async def test_exchange_info_holds_the_recorded_symbols(client: ProviderClient) -> None:
    every = await client.invoke("binance.get_exchange_info")
    one = await client.invoke("binance.get_exchange_info", symbol="ETHUSDT")
    assert [row["symbol"] for row in every["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    assert one["symbols"] == recorded("exchange_info")["symbols"][1:]


async def test_the_best_prices_are_the_recorded_ones(client: ProviderClient) -> None:
    answer = await client.invoke("binance.orderbook_l1", symbol="BTCUSDT")
    assert LABEL.items() <= answer.items()
    assert (answer["best_bid"], answer["best_ask"]) == ("60650", "60650.01")
    assert answer["last_update_id"] == 14527958487


async def test_scaled_levels_divide_back_to_the_recorded_ones(client: ProviderClient) -> None:
    answer = await client.invoke("binance.orderbook_l2", symbol="BTCUSDT", depth_levels=10)
    assert answer["price_scale"] == 100
    assert answer["qty_scale"] == 100000
    assert answer["bids"][1] == [6064808, 6346]


async def test_the_recorded_books_health_is_told(client: ProviderClient) -> None:
    answer = await client.invoke("binance.orderbook_health", symbol="BTCUSDT")
    assert answer["status"] in {"ok", "degraded"}
    assert "lower bounds" in answer["coverage"]


async def test_order_flow_counts_the_recorded_trades(client: ProviderClient) -> None:
    answer = await client.invoke("binance.get_order_flow", symbol="BTCUSDT")
    assert answer["trade_count"] == 10
    assert answer["buy_volume"] == "0.01861"
    assert answer["sell_volume"] == "0.00087"
    assert answer["flow_direction"] == "STRONG_BUY"
    assert answer["coverage"].startswith("the last 2.4 s of 60.0 s")


@pytest.mark.parametrize(
    ("tool", "part"),
    [
        ("binance.get_volume_profile", "histogram"),
        ("binance.get_liquidity_vacuums", "vacuums"),
    ],
)
async def test_profiles_are_made_of_the_recorded_candles(
    client: ProviderClient, tool: str, part: str
) -> None:
    answer = await client.invoke(tool, symbol="BTCUSDT", duration_hours=1)
    assert LABEL.items() <= answer.items()
    assert isinstance(answer[part], list)
    assert answer["sample_size"] == 6


async def test_anomalies_are_sought_in_the_recorded_market(client: ProviderClient) -> None:
    answer = await client.invoke("binance.detect_market_anomalies", symbol="BTCUSDT")
    assert LABEL.items() <= answer.items()
    assert len(answer["checks"]) == 8


async def test_microstructure_is_scored_from_the_recorded_market(client: ProviderClient) -> None:
    answer = await client.invoke("binance.get_microstructure_health", symbol="BTCUSDT")
    assert LABEL.items() <= answer.items()
    assert 0 <= answer["overall_score"] <= 100


async def test_an_order_is_placed_and_one_cancelled(client: ProviderClient) -> None:
    order = {"symbol": "BTCUSDT", "side": "SELL", "order_type": "MARKET", "quantity": "10"}
    preview = await client.invoke("binance.place_order", **order)
    placed = await client.invoke(
        "binance.place_order", **order, confirm_token=preview["confirm_token"]
    )
    seen = await client.invoke("binance.cancel_order", symbol="BTCUSDT", order_id=4)
    cancelled = await client.invoke(
        "binance.cancel_order",
        symbol="BTCUSDT",
        order_id=4,
        confirm_token=seen["confirm_token"],
    )
    assert recorded("order_placed").items() <= placed.items()
    assert recorded("order_cancelled").items() <= cancelled.items()


async def test_a_symbol_that_was_not_recorded_is_not_found(client: ProviderClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await client.invoke("binance.get_ticker", symbol="BTCUSD")
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean BTCUSDT" in str(missing.value.details())
