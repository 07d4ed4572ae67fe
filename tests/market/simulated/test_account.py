import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from gateway.market.simulated.app import simulated_exchange

KEY, SECRET = "reader-and-trader-key", "a-secret-of-the-tests"
NOTHING = Decimal(0)
UNTOUCHED = (Decimal(25000), NOTHING)


class Trader:
    """A client that signs as Binance asks, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 3, 4, 567000, tzinfo=UTC)
        app = simulated_exchange(lambda: self.moment, api_key=KEY, api_secret=SECRET)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://exchange/api/v3/"
        )

    @property
    def now_ms(self) -> int:
        return int(self.moment.timestamp() * 1000)

    def signed(self, **parameters: Any) -> str:
        query = urlencode({**parameters, "timestamp": parameters.get("timestamp", self.now_ms)})
        return f"{query}&signature={hmac.new(SECRET.encode(), query.encode(), sha256).hexdigest()}"

    async def send(self, method: str, path: str, **parameters: Any) -> httpx.Response:
        url = f"{path}?{self.signed(**parameters)}"
        return await self.client.request(method, url, headers={"X-MBX-APIKEY": KEY})

    async def ask(self, method: str, path: str, **parameters: Any) -> Any:
        response = await self.send(method, path, **parameters)
        assert response.status_code == 200, response.text
        return response.json()

    async def refusal(self, method: str, path: str, **parameters: Any) -> tuple[int, str]:
        response = await self.send(method, path, **parameters)
        assert response.status_code == 400, response.text
        return response.json()["code"], response.json()["msg"]

    async def best(self, symbol: str) -> tuple[Decimal, Decimal]:
        answer = (await self.client.get(f"ticker/bookTicker?symbol={symbol}")).json()
        return Decimal(answer["bidPrice"]), Decimal(answer["askPrice"])

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        account = await self.ask("GET", "account", omitZeroBalances="true")
        return {
            row["asset"]: (Decimal(row["free"]), Decimal(row["locked"]))
            for row in account["balances"]
        }


@pytest.fixture
async def trader() -> AsyncIterator[Trader]:
    trader = Trader()
    async with trader.client:
        yield trader


def limit(side: str, price: Decimal, **more: Any) -> dict[str, Any]:
    order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
    return {**order, "quantity": "0.01", "price": price, **more}


MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


async def test_the_account_shows_its_balances(trader: Trader) -> None:
    account = await trader.ask("GET", "account")
    assert account["canTrade"] is True
    assert account["accountType"] == "SPOT"
    assert {"asset": "BTC", "free": "0.50000000", "locked": "0.00000000"} in account["balances"]


async def test_a_market_order_takes_what_the_book_asks(trader: Trader) -> None:
    before, (_, ask) = await trader.balances(), await trader.best("BTCUSDT")
    order = await trader.ask("POST", "order", **MARKET, newClientOrderId="first")
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.01000000")
    assert (order["clientOrderId"], order["transactTime"]) == ("first", trader.now_ms)
    paid = sum(Decimal(fill["price"]) * Decimal(fill["qty"]) for fill in order["fills"])
    commission = sum(Decimal(fill["commission"]) for fill in order["fills"])
    assert Decimal(order["cummulativeQuoteQty"]) == paid
    assert ask <= paid / Decimal("0.01") < ask * Decimal("1.001")
    assert {fill["commissionAsset"] for fill in order["fills"]} == {"BTC"}
    assert abs(commission - Decimal("0.00001")) < Decimal("1e-7")
    after = await trader.balances()
    assert after["USDT"] == (before["USDT"][0] - paid, NOTHING)
    assert after["BTC"] == (before["BTC"][0] + Decimal("0.01") - commission, NOTHING)


async def test_a_market_order_may_name_the_money_it_spends(trader: Trader) -> None:
    wish = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "500"}
    order = await trader.ask("POST", "order", **wish)
    assert order["status"] == "FILLED"
    assert 499 < Decimal(order["cummulativeQuoteQty"]) <= 500


async def test_a_limit_order_waits_holds_its_money_and_is_filled_when_the_price_comes(
    trader: Trader,
) -> None:
    bid, _ = await trader.best("BTCUSDT")
    price = (bid * Decimal("0.999")).quantize(Decimal("0.01"))
    order = await trader.ask("POST", "order", **limit("BUY", price))
    assert (order["status"], order["fills"]) == ("NEW", [])
    assert (await trader.balances())["USDT"] == (25000 - price / 100, price / 100)
    assert len(await trader.ask("GET", "openOrders", symbol="BTCUSDT")) == 1
    for _ in range(60):
        trader.moment += timedelta(hours=6)
        order = await trader.ask("GET", "order", symbol="BTCUSDT", orderId=order["orderId"])
        if order["status"] != "NEW":
            break
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.01000000")
    assert Decimal(order["cummulativeQuoteQty"]) == price / 100
    assert (await trader.balances())["USDT"] == (25000 - price / 100, NOTHING)
    (trade,) = await trader.ask("GET", "myTrades", symbol="BTCUSDT")
    assert (trade["isMaker"], trade["isBuyer"], Decimal(trade["price"])) == (True, True, price)
    assert await trader.ask("GET", "openOrders") == []
    assert [each["orderId"] for each in await trader.ask("GET", "allOrders", symbol="BTCUSDT")] == [
        order["orderId"]
    ]


async def test_a_limit_above_the_market_trades_at_the_markets_price(trader: Trader) -> None:
    _, ask = await trader.best("BTCUSDT")
    price = (ask * Decimal("1.01")).quantize(Decimal("0.01"))
    order = await trader.ask("POST", "order", **limit("BUY", price))
    assert order["status"] == "FILLED"
    assert Decimal(order["fills"][0]["price"]) == ask
    paid = Decimal(order["cummulativeQuoteQty"])
    assert (await trader.balances())["USDT"] == (25000 - paid, NOTHING)


async def test_an_order_is_cancelled_once_by_either_of_its_ids(trader: Trader) -> None:
    bid, _ = await trader.best("BTCUSDT")
    price = (bid / 2).quantize(Decimal("0.01"))
    for number, key in (("one", "orderId"), ("two", "origClientOrderId")):
        wish = limit("BUY", price, newClientOrderId=number)
        order = await trader.ask("POST", "order", **wish)
        named = {"symbol": "BTCUSDT", key: order["orderId"] if key == "orderId" else number}
        gone = await trader.ask("DELETE", "order", **named)
        assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", number)
        assert gone["clientOrderId"] != number
        assert (await trader.balances())["USDT"] == UNTOUCHED
        assert await trader.refusal("DELETE", "order", **named) == (-2011, "Unknown order sent.")
        assert (await trader.ask("GET", "order", **named))["status"] == "CANCELED"


async def test_the_same_client_order_id_never_trades_twice(trader: Trader) -> None:
    await trader.ask("POST", "order", **MARKET, newClientOrderId="only-once")
    refusal = await trader.refusal("POST", "order", **MARKET, newClientOrderId="only-once")
    assert refusal == (-2010, "Duplicate order sent.")
    assert len(await trader.ask("GET", "allOrders", symbol="BTCUSDT")) == 1


async def test_a_tried_order_is_checked_but_not_placed(trader: Trader) -> None:
    assert await trader.ask("POST", "order/test", **MARKET) == {}
    assert await trader.ask("GET", "allOrders", symbol="BTCUSDT") == []
    code, _ = await trader.refusal("POST", "order/test", **{**MARKET, "quantity": "0.000001"})
    assert code == -1013


async def test_immediate_orders_end_at_once(trader: Trader) -> None:
    bid, ask = await trader.best("BTCUSDT")
    below = bid - 100
    order = await trader.ask("POST", "order", **limit("BUY", below, timeInForce="IOC"))
    assert (order["status"], order["fills"]) == ("EXPIRED", [])
    whole = limit("SELL", bid, timeInForce="FOK", quantity="0.5")
    book = (await trader.client.get("depth?symbol=BTCUSDT&limit=5")).json()
    order = await trader.ask("POST", "order", **whole)
    enough = Decimal(book["bids"][0][1]) >= Decimal("0.5")
    assert order["status"] == ("FILLED" if enough else "EXPIRED")
    part = limit("BUY", ask, timeInForce="IOC", quantity="0.25")
    order = await trader.ask("POST", "order", **part)
    assert Decimal(order["executedQty"]) == min(Decimal(book["asks"][0][1]), Decimal("0.25"))


async def test_a_maker_order_that_would_take_is_refused(trader: Trader) -> None:
    bid, ask = await trader.best("BTCUSDT")
    maker = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT_MAKER", "quantity": "0.01"}
    refusal = await trader.refusal("POST", "order", **maker, price=bid)
    assert refusal == (-2010, "Order would immediately match and take.")
    order = await trader.ask("POST", "order", **maker, price=ask + 10, newOrderRespType="RESULT")
    assert order["status"] == "NEW"


async def test_a_stop_waits_for_its_price_and_then_sells(trader: Trader) -> None:
    bid, _ = await trader.best("BTCUSDT")
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01"}
    refusal = await trader.refusal("POST", "order", **stop, stopPrice=bid + 500)
    assert refusal == (-2010, "Stop price would trigger immediately.")
    low = (bid * Decimal("0.995")).quantize(Decimal("0.01"))
    placed = await trader.ask("POST", "order", **stop, stopPrice=low)
    assert set(placed) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    order = await trader.ask("GET", "order", **named)
    assert (order["status"], order["isWorking"]) == ("NEW", False)
    for _ in range(60):
        trader.moment += timedelta(hours=6)
        order = await trader.ask("GET", "order", **named)
        if order["status"] != "NEW":
            break
    assert (order["status"], order["isWorking"]) == ("FILLED", True)
    (trade,) = await trader.ask("GET", "myTrades", symbol="BTCUSDT", orderId=order["orderId"])
    assert trade["isMaker"] is False


async def test_a_take_profit_limit_waits_for_its_trigger_then_for_its_price(trader: Trader) -> None:
    _, ask = await trader.best("BTCUSDT")
    high = (ask * Decimal("1.005")).quantize(Decimal("0.01"))
    wish = limit("SELL", high + 1, type="TAKE_PROFIT_LIMIT", stopPrice=high)
    placed = await trader.ask("POST", "order", **wish, newOrderRespType="FULL")
    assert (placed["status"], placed["stopPrice"]) == ("NEW", f"{high}000000")
    for _ in range(80):
        trader.moment += timedelta(hours=6)
        named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        order = await trader.ask("GET", "order", **named)
        if order["status"] == "FILLED":
            break
    assert order["status"] == "FILLED"
    assert Decimal(order["cummulativeQuoteQty"]) >= (high + 1) / 100


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"quantity": "1"}, (-2010, "Account has insufficient balance for requested action.")),
        ({"quantity": "0.000001"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0.00001"}, (-1013, "Filter failure: NOTIONAL")),
        ({"quantity": "0"}, (-1013, "Invalid quantity.")),
        ({"price": "80000.001"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"price": "0"}, (-1013, "Invalid price.")),
        ({"price": "1000"}, (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")),
        ({"price": "1.123456789"}, (-1111, "Parameter 'price' has too much precision.")),
        ({"side": "HOLD"}, (-1117, "Invalid side.")),
        ({"type": "TRAILING"}, (-1116, "Invalid orderType.")),
        ({"timeInForce": "NEVER"}, (-1115, "Invalid timeInForce.")),
        ({"type": "MARKET"}, (-1106, "Parameter 'timeInForce' sent when not required.")),
        ({"stopPrice": "70000"}, (-1106, "Parameter 'stopPrice' sent when not required.")),
        ({"newClientOrderId": "no blanks"}, (-1100, "Illegal characters found in parameter")),
        ({"iceberg": "1"}, (-1104, "Not all sent parameters were read; read '8'")),
        ({"symbol": "NOPEUSDT"}, (-1121, "Invalid symbol.")),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(
    trader: Trader, changes: dict[str, Any], refusal: tuple[int, str]
) -> None:
    wish = {**limit("BUY", Decimal("80000.00")), **changes}
    code, message = await trader.refusal("POST", "order", **wish)
    assert code == refusal[0]
    assert message.startswith(refusal[1])
    assert (await trader.balances())["USDT"] == UNTOUCHED
    assert await trader.ask("GET", "openOrders") == []


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("LIMIT", "timeInForce"),
        ("MARKET", "quantity"),
        ("STOP_LOSS", "quantity"),
        ("STOP_LOSS_LIMIT", "timeInForce"),
        ("TAKE_PROFIT", "quantity"),
        ("TAKE_PROFIT_LIMIT", "timeInForce"),
        ("LIMIT_MAKER", "quantity"),
    ],
)
async def test_each_type_says_what_it_lacks(trader: Trader, kind: str, missing: str) -> None:
    bare = {"symbol": "BTCUSDT", "side": "BUY", "type": kind}
    code, message = await trader.refusal("POST", "order", **bare)
    assert code == -1102
    assert message.startswith(f"Mandatory parameter '{missing}' was not sent")


async def test_an_unknown_order_is_not_found(trader: Trader) -> None:
    named = {"symbol": "BTCUSDT", "orderId": 77}
    assert await trader.refusal("GET", "order", **named) == (-2013, "Order does not exist.")
    code, message = await trader.refusal("GET", "order", symbol="BTCUSDT")
    assert code == -1102
    assert "'orderId'" in message


async def test_trades_are_read_from_an_id_on(trader: Trader) -> None:
    for _ in range(5):
        await trader.ask("POST", "order", **MARKET)
    trades = await trader.ask("GET", "myTrades", symbol="BTCUSDT")
    later = await trader.ask("GET", "myTrades", symbol="BTCUSDT", fromId=trades[2]["id"], limit=2)
    assert later == trades[2:4]
    assert await trader.ask("GET", "myTrades", symbol="BTCUSDT", limit=1) == trades[-1:]
    assert await trader.ask("GET", "myTrades", symbol="ETHUSDT") == []


async def test_an_order_may_come_in_the_body(trader: Trader) -> None:
    headers = {"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"}
    body = trader.signed(**MARKET)
    response = await trader.client.post("order", content=body, headers=headers)
    assert response.json()["status"] == "FILLED"


async def test_only_the_right_key_is_let_in(trader: Trader) -> None:
    for key, code in ((None, -2014), ("not a key!", -2014), ("another-key", -2015)):
        headers = {"X-MBX-APIKEY": key} if key else {}
        response = await trader.client.get(f"account?{trader.signed()}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, code)
        assert SECRET not in response.text


async def test_an_exchange_without_keys_has_no_account() -> None:
    transport = httpx.ASGITransport(simulated_exchange())
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange/api/v3/") as client:
        response = await client.get("account?timestamp=1", headers={"X-MBX-APIKEY": KEY})
        assert (response.status_code, response.json()["code"]) == (401, -2015)


async def test_a_request_from_another_time_is_refused(trader: Trader) -> None:
    for timestamp in (trader.now_ms - 5001, trader.now_ms + 1000):
        code, _ = await trader.refusal("GET", "account", timestamp=timestamp)
        assert code == -1021
    await trader.ask("GET", "account", timestamp=trader.now_ms - 5001, recvWindow=6000)
    await trader.ask("GET", "account", timestamp=trader.now_ms * 1000)  # microseconds
    code, _ = await trader.refusal("GET", "account", recvWindow=60001)
    assert code == -1131


async def test_a_changed_request_does_not_fit_its_signature(trader: Trader) -> None:
    headers = {"X-MBX-APIKEY": KEY}
    signed = trader.signed(symbol="BTCUSDT", limit=5)
    changed = await trader.client.get(
        f"myTrades?{signed.replace('limit=5', 'limit=6')}", headers=headers
    )
    assert (changed.status_code, changed.json()["code"]) == (400, -1022)
    bare = await trader.client.get(f"account?timestamp={trader.now_ms}", headers=headers)
    assert bare.json()["code"] == -1102
    timeless = await trader.client.get("account?signature=00", headers=headers)
    assert timeless.json()["code"] == -1102
