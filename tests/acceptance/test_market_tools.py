"""All 21 tools over MCP, through gateway and gRPC, on a simulated and a recorded exchange."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.stand_ins.gateway_process import GatewayProcess, running_gateway
from tests.stand_ins.http_server import serve
from tests.stand_ins.mcp_clients import Call, over_http, refused, said
from tests.stand_ins.recorded_exchange import API_KEY, API_SECRET, recorded_exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

BTC = {"symbol": "BTCUSDT"}
READING: dict[str, dict[str, Any]] = {
    "binance_get_ticker": BTC,
    "binance_get_orderbook": BTC | {"limit": 5},
    "binance_get_recent_trades": BTC | {"limit": 5},
    "binance_get_klines": BTC | {"interval": "1m", "limit": 5},
    "binance_get_exchange_info": BTC,
    "binance_get_avg_price": BTC,
    "binance_orderbook_l1": BTC,
    "binance_orderbook_l2": BTC | {"depth_levels": 5},
    "binance_orderbook_health": BTC,
    "binance_get_order_flow": BTC | {"window_duration_secs": 60},
    "binance_get_volume_profile": BTC | {"duration_hours": 1},
    "binance_detect_market_anomalies": BTC,
    "binance_get_microstructure_health": BTC,
    "binance_get_liquidity_vacuums": BTC | {"duration_hours": 1},
    "binance_get_account": {},
    "binance_get_my_trades": BTC,
    "binance_get_open_orders": {},
    "binance_get_all_orders": BTC,
}
ORDER = BTC | {"side": "BUY", "order_type": "LIMIT", "quantity": "0.001", "price": "20000"}
TRADING = {"binance_place_order", "binance_cancel_order"}
LISTED = {*READING, "binance_get_order", *TRADING}
KEYS = {"BINANCE_API_KEY": API_KEY, "BINANCE_API_SECRET": API_SECRET}


def settings_file(folder: Path, **market: object) -> str:
    file = folder / "gateway.yaml"
    file.write_text(json.dumps({"market": market | {"trading": True}}), "utf-8")
    return str(file)


@pytest.fixture(scope="module")
def trading_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    file = settings_file(tmp_path_factory.mktemp("settings"))
    with running_gateway("--config", file, env=KEYS) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded_gateway(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("settings")
    async with serve(recorded_exchange()) as url:
        file = settings_file(folder, exchange="binance", exchange_url=url)
        with running_gateway("--config", file, env=KEYS) as process:
            yield process


async def traded(call: Call, order: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The preview of an order, and the order that its token then places."""
    preview = said(await call("binance_place_order", order))
    confirmed = {**order, "confirm_token": preview["confirm_token"]}
    return preview, said(await call("binance_place_order", confirmed))


async def test_all_21_answer_against_the_simulated_exchange(
    trading_gateway: GatewayProcess,
) -> None:
    async with over_http("2026-07-28")(trading_gateway.base_url) as call:
        for tool, arguments in READING.items():
            answer = said(await call(tool, arguments))
            assert answer["simulated"] is True, tool
            assert answer["source"] == "simulated exchange", tool
        book = said(await call("binance_get_orderbook", BTC))
        price = f"{float(book['bids'][0][0]) * 0.9:.2f}"
        preview, order = await traded(call, {**ORDER, "price": price})
        assert preview["preview"] is True
        assert order["status"] == "NEW"
        named = BTC | {"order_id": order["orderId"]}
        assert said(await call("binance_get_order", named))["status"] == "NEW"
        cancel = said(await call("binance_cancel_order", named))
        done = said(
            await call("binance_cancel_order", {**named, "confirm_token": cancel["confirm_token"]})
        )
        assert done["status"] == "CANCELED"


async def test_all_21_answer_against_recorded_answers_of_binance(
    recorded_gateway: GatewayProcess,
) -> None:
    async with over_http("2026-07-28")(recorded_gateway.base_url) as call:
        for tool, arguments in READING.items():
            answer = said(await call(tool, arguments))
            assert "simulated" not in answer, tool
        assert said(await call("binance_get_order", BTC | {"order_id": 1}))["orderId"] == 1
        _, order = await traded(call, ORDER)
        assert order["orderId"]
        cancel = said(await call("binance_cancel_order", BTC | {"order_id": 1}))
        token = {"confirm_token": cancel["confirm_token"]}
        assert said(await call("binance_cancel_order", BTC | {"order_id": 1} | token))["orderId"]


async def test_what_trades_is_marked_and_cannot_be_confirmed_twice(
    trading_gateway: GatewayProcess,
) -> None:
    async with httpx.AsyncClient() as client:
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        answer = await client.post(f"{trading_gateway.base_url}/mcp", json=request)
    tools = {tool["name"]: tool["annotations"] for tool in answer.json()["result"]["tools"]}
    assert {name for name in tools if name.startswith("binance_")} == LISTED
    for name in LISTED:
        hints = tools[name]
        assert hints["destructiveHint"] is (name in TRADING)
    for name in LISTED:
        assert tools[name]["readOnlyHint"] is (name not in TRADING)
    async with over_http("2025-11-25")(trading_gateway.base_url) as call:
        preview, order = await traded(call, ORDER)
        again = await call(
            "binance_place_order", {**ORDER, "confirm_token": preview["confirm_token"]}
        )
        if again.is_error:
            assert "confirm_token" in refused(again)
        else:
            assert said(again)["orderId"] == order["orderId"]
        other = {**ORDER, "quantity": "0.002", "confirm_token": preview["confirm_token"]}
        assert "confirm_token" in refused(await call("binance_place_order", other))
        mine = said(await call("binance_get_all_orders", BTC))["result"]
        assert len([one for one in mine if one["price"].startswith("20000")]) == 1


async def test_without_keys_only_public_tools_are_listed(gateway: GatewayProcess) -> None:
    async with over_http("2025-11-25")(gateway.base_url) as call:
        for tool in ("binance_get_account", "binance_place_order"):
            assert "no tool is named" in refused(await call(tool, {}))


async def test_documents_of_the_real_exchange_are_not_called_simulated(
    recorded_gateway: GatewayProcess,
) -> None:
    async with over_http("2026-07-28")(recorded_gateway.base_url) as call:
        found = said(await call("search", {"query": "bitcoin price"}))
        assert found["results"][0]["id"] == "ticker:BTCUSDT"
        document = said(await call("fetch", {"id": "ticker:BTCUSDT"}))
    assert document["metadata"]["simulated"] == "false"
    assert "imulated" not in document["title"] + document["text"]
