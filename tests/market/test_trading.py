import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from gateway.clock import now
from gateway.market.simulated.app import simulated_exchange
from tests.market.interposed import Interposed
from tests.market.moments import StoppedClock
from tests.market.provider_client import ProviderClient, provider
from tests.stand_ins.http_server import serve

KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "order_type": "MARKET", "quantity": "0.001"}
LIMIT = {**MARKET, "order_type": "LIMIT", "price": "50000.00", "quantity": "0.00100"}
POST, GET, DELETE = (f"{method} /api/v3/order" for method in ("POST", "GET", "DELETE"))


@asynccontextmanager
async def trading(
    clock: Any = now, *, read_timeout_seconds: float = 0.3
) -> AsyncIterator[tuple[ProviderClient, Interposed]]:
    """A provider that may trade, and whoever stands between it and the exchange."""
    between = Interposed(simulated_exchange(clock, **KEYS))
    async with (
        serve(between) as url,
        provider(
            clock,
            exchange="binance",
            exchange_url=url,
            trading=True,
            read_timeout_seconds=read_timeout_seconds,
            **KEYS,
        ) as client,
    ):
        yield client, between


async def previewed(client: ProviderClient, **order: Any) -> Any:
    return await client.invoke("binance.place_order", **order)


async def confirmed(client: ProviderClient, preview: Any, **order: Any) -> Any:
    return await client.invoke(
        "binance.place_order", **order, confirm_token=preview["confirm_token"]
    )


async def placed(client: ProviderClient, **order: Any) -> Any:
    return await confirmed(client, await previewed(client, **order), **order)


def refusal(error: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> str:
    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    return str(error.value.details())


async def test_a_preview_shows_the_exact_order_and_trades_nothing() -> None:
    clock = StoppedClock()
    async with trading(clock) as (client, between):
        preview = await previewed(client, **{**LIMIT, "symbol": "btcusdt"})
        assert await client.invoke("binance.get_all_orders", symbol="BTCUSDT") == []
    name = preview["order"].pop("client_order_id")
    assert name.startswith("gw-")
    assert preview["preview"] is True
    assert preview["order"] == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "order_type": "LIMIT",
        "quantity": "0.001",
        "price": "50000",
        "time_in_force": "GTC",
    }
    assert preview["expires_at"] == "2026-11-20T12:02:00Z"
    assert "BUY 0.001 BTC as LIMIT at 50000 USDT (worth 50) GTC on BTCUSDT" in preview["summary"]
    assert POST not in between.requests


async def test_a_confirmed_order_is_the_previewed_one() -> None:
    async with trading() as (client, _):
        preview = await previewed(client, **LIMIT, time_in_force="IOC")
        order = await confirmed(client, preview, **LIMIT, time_in_force="IOC")
    assert order["clientOrderId"] == preview["order"]["client_order_id"]
    assert (order["type"], order["timeInForce"], order["price"]) == (
        "LIMIT",
        "IOC",
        "50000.00000000",
    )


async def test_a_preview_can_be_confirmed_by_repeating_its_own_order() -> None:
    async with trading() as (client, _):
        preview = await previewed(client, **MARKET)
        order = await confirmed(client, preview, **preview["order"])
    assert order["status"] == "FILLED"


async def test_a_repeat_answers_with_the_order_and_trades_once() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        first = await confirmed(client, preview, **MARKET)
        second = await confirmed(client, preview, **MARKET)
    assert second["repeated"] is True
    assert second["orderId"] == first["orderId"]
    assert between.requests.count(POST) == 1


async def test_two_confirmations_at_the_same_time_trade_once() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        await asyncio.gather(
            *(confirmed(client, preview, **MARKET) for _ in range(5)), return_exceptions=True
        )
    assert between.requests.count(POST) == 1


@pytest.mark.parametrize(
    "changed",
    [{"quantity": "0.002"}, {"side": "SELL"}, {"symbol": "ETHUSDT"}, {"client_order_id": "mine"}],
)
async def test_a_token_is_bound_to_its_order(changed: dict[str, str]) -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **{**MARKET, **changed})
    assert f"this confirm token is for {next(iter(changed))}" in refusal(error)
    assert POST not in between.requests


async def test_a_token_expires() -> None:
    clock = StoppedClock()
    async with trading(clock) as (client, between):
        preview = await previewed(client, **MARKET)
        clock.pass_seconds(120)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **MARKET)
    assert "expired at 2026-11-20T12:02:00Z" in refusal(error)
    assert POST not in between.requests


async def test_a_made_up_token_is_refused() -> None:
    async with trading() as (client, between):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, {"confirm_token": "guess"}, **MARKET)
    assert "not known here" in refusal(error)
    assert POST not in between.requests


async def test_a_token_of_one_tool_is_worth_nothing_to_the_other() -> None:
    async with trading() as (client, between):
        order = await placed(client, **LIMIT)
        preview = await previewed(client, **MARKET)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.invoke(
                "binance.cancel_order",
                symbol="BTCUSDT",
                order_id=order["orderId"],
                confirm_token=preview["confirm_token"],
            )
    assert "not known here" in refusal(error)
    assert DELETE not in between.requests


async def test_a_client_order_id_of_ones_own_trades_once() -> None:
    mine = {**MARKET, "client_order_id": "mine-1"}
    async with trading() as (client, between):
        first, second = await previewed(client, **mine), await previewed(client, **mine)
        order = await confirmed(client, first, **mine)
        again = await confirmed(client, second, **mine)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await previewed(client, **mine)
    assert order["clientOrderId"] == "mine-1"
    assert again["orderId"] == order["orderId"]
    assert "already has the client_order_id 'mine-1'" in refusal(error)
    assert between.requests.count(POST) == 1


async def test_an_order_whose_answer_is_lost_is_looked_up() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        between.lose_answer(POST)
        order = await confirmed(client, preview, **MARKET)
    assert order["looked_up"] is True
    assert order["status"] == "FILLED"
    assert between.requests.count(POST) == 1


async def test_an_order_that_nobody_knows_of_has_an_unknown_outcome() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        between.hang(POST)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **MARKET)
        assert error.value.code() is grpc.StatusCode.UNKNOWN
        assert "outcome unknown" in str(error.value.details())
        assert preview["order"]["client_order_id"] in str(error.value.details())
        between.restore(POST)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **MARKET)
    assert "confirmed before" in refusal(error)
    assert between.requests.count(POST) == 1


async def test_an_outcome_that_cannot_be_looked_up_stays_unknown() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        for request in (POST, GET):
            between.replace(request, PlainTextResponse("no", status_code=502))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **MARKET)
    assert error.value.code() is grpc.StatusCode.UNKNOWN
    assert between.requests.count(POST) == 1


async def test_a_repeat_answers_with_the_recorded_outcome_and_asks_nobody() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **LIMIT)
        first = await confirmed(client, preview, **LIMIT)
        second = await confirmed(client, preview, **LIMIT)
    assert second == {**first, "repeated": True}
    assert GET not in between.requests


async def test_an_order_outlives_the_call_that_confirmed_it() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        between.lose_answer(POST)
        call = asyncio.create_task(confirmed(client, preview, **MARKET))
        await between.wait_for(POST)
        call.cancel()
        # Nobody asks again, and it is looked up all the same.
        await between.wait_for(GET)
        order = await confirmed(client, preview, **MARKET)
    assert order["status"] == "FILLED"
    assert (order["looked_up"], order["repeated"]) == (True, True)
    assert (between.requests.count(POST), between.requests.count(GET)) == (1, 1)


async def test_an_order_outlives_a_stop_of_the_provider() -> None:
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        between.lose_answer(POST)
        call = asyncio.create_task(confirmed(client, preview, **MARKET))
        await between.wait_for(POST)
        call.cancel()
    assert between.requests.count(GET) == 1


async def test_a_cancellation_outlives_the_call_that_confirmed_it() -> None:
    async with trading() as (client, between):
        order = await placed(client, **LIMIT)
        which = {"symbol": "BTCUSDT", "order_id": order["orderId"]}
        preview = await client.invoke("binance.cancel_order", **which)
        which["confirm_token"] = preview["confirm_token"]
        between.lose_answer(DELETE)
        call = asyncio.create_task(client.invoke("binance.cancel_order", **which))
        await between.wait_for(DELETE)
        call.cancel()
        answer = await client.invoke("binance.cancel_order", **which)
    assert answer["status"] == "CANCELED"
    assert (answer["looked_up"], answer["repeated"]) == (True, True)
    assert between.requests.count(DELETE) == 1


async def test_an_order_that_surely_did_not_happen_may_be_previewed_again() -> None:
    mine = {**MARKET, "client_order_id": "mine-1"}
    async with trading() as (client, between):
        preview = await previewed(client, **mine)
        between.refuse(POST, 400, -2010)
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await confirmed(client, preview, **mine)
        assert "did not happen; call without confirm_token" in refusal(error)
        assert between.requests.count(POST) == 1
        between.restore(POST)
        assert (await placed(client, **mine))["clientOrderId"] == "mine-1"


async def test_an_unknown_outcome_names_its_order_first_and_the_exchanges_words_last() -> None:
    long = JSONResponse({"code": -1007, "msg": "Timeout. " + "x" * 1000}, status_code=504)
    async with trading() as (client, between):
        preview = await previewed(client, **MARKET)
        between.replace(POST, long)
        between.refuse(GET, 503, -1008)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **MARKET)
    name = preview["order"]["client_order_id"]
    details = str(error.value.details())
    assert details.startswith(f"client order id '{name}' on BTCUSDT: outcome unknown, look")
    assert details.index("one look failed") < details.index("Timeout. xxx")
    assert len(details) < 300


async def test_a_cancellation_that_cannot_be_looked_up_has_an_unknown_outcome() -> None:
    async with trading() as (client, between):
        order = await placed(client, **LIMIT)
        which = {"symbol": "BTCUSDT", "order_id": order["orderId"]}
        preview = await client.invoke("binance.cancel_order", **which)
        for request in (DELETE, GET):
            between.replace(request, PlainTextResponse("no", status_code=502))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.invoke(
                "binance.cancel_order", **which, confirm_token=preview["confirm_token"]
            )
    assert error.value.code() is grpc.StatusCode.UNKNOWN
    named = f"order id {order['orderId']} on BTCUSDT: outcome unknown"
    assert str(error.value.details()).startswith(named)


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.market.trading.LOOK_UP_SECONDS", 0.1)
    async with trading(read_timeout_seconds=60) as (client, between):
        preview = await previewed(client, **MARKET)
        between.replace(POST, PlainTextResponse("no", status_code=502))
        between.hang(GET)
        async with asyncio.timeout(5):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await confirmed(client, preview, **MARKET)
    assert "one look failed" in str(error.value.details())


async def test_an_order_does_not_wait_long_for_the_list_of_symbols(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.market.trading.CHECK_SECONDS", 0.1)
    async with trading(read_timeout_seconds=60) as (client, between):
        between.hang("GET /api/v3/exchangeInfo")
        async with asyncio.timeout(5):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await previewed(client, **MARKET)
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "nothing was sent; ask again" in str(error.value.details())


async def test_an_order_that_costs_too_much_is_refused_by_the_exchange() -> None:
    async with trading() as (client, _):
        preview = await previewed(client, **{**MARKET, "quantity": "50"})
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await confirmed(client, preview, **{**MARKET, "quantity": "50"})
    assert "(-2010)" in refusal(error)


async def test_an_open_order_is_shown_and_then_cancelled_once() -> None:
    async with trading() as (client, between):
        order = await placed(client, **LIMIT)
        which = {"symbol": "BTCUSDT", "orig_client_order_id": order["clientOrderId"]}
        preview = await client.invoke("binance.cancel_order", **which)
        assert preview["state"]["status"] == "NEW"
        assert DELETE not in between.requests
        which["confirm_token"] = preview["confirm_token"]
        cancelled = await client.invoke("binance.cancel_order", **which)
        again = await client.invoke("binance.cancel_order", **which)
    assert cancelled["status"] == "CANCELED"
    assert again["repeated"] is True
    assert again["status"] == "CANCELED"
    assert between.requests.count(DELETE) == 1


async def test_a_filled_order_cannot_be_cancelled() -> None:
    async with trading() as (client, _):
        order = await placed(client, **MARKET)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.invoke("binance.cancel_order", symbol="BTCUSDT", order_id=order["orderId"])
    assert "is FILLED and cannot be cancelled" in refusal(error)


async def test_a_cancellation_whose_answer_is_lost_is_looked_up() -> None:
    async with trading() as (client, between):
        order = await placed(client, **LIMIT)
        which = {"symbol": "BTCUSDT", "order_id": order["orderId"]}
        preview = await client.invoke("binance.cancel_order", **which)
        between.lose_answer(DELETE)
        answer = await client.invoke(
            "binance.cancel_order", **which, confirm_token=preview["confirm_token"]
        )
    assert answer["looked_up"] is True
    assert answer["status"] == "CANCELED"


async def test_an_order_that_is_not_there_cannot_be_cancelled() -> None:
    async with trading() as (client, _):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.invoke("binance.cancel_order", symbol="BTCUSDT", order_id=999999999)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
