from typing import Any

import pytest

from gateway.errors import InvalidRequest, Refused
from gateway.market.order import read_order_request
from gateway.market.symbols import Listing

FILTERS = {
    "PRICE_FILTER": {"minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    "LOT_SIZE": {"minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
    "MARKET_LOT_SIZE": {"minQty": "0.00", "maxQty": "100.0", "stepSize": "0.00"},
    "NOTIONAL": {"minNotional": "5.00"},
}
BITCOIN = Listing("BTCUSDT", "TRADING", "BTC", "USDT", FILTERS)
LIMIT = {"side": "SELL", "order_type": "LIMIT", "quantity": "0.50", "price": "60000.10"}


def order(**changes: Any) -> Any:
    given = {name: value for name, value in {**LIMIT, **changes}.items() if value is not None}
    return read_order_request(BITCOIN, given)


def test_amounts_are_written_plainly() -> None:
    assert (order().quantity, order().price) == ("0.5", "60000.1")


def test_what_is_sent_is_what_was_asked_for() -> None:
    sent = order(
        order_type="STOP_LOSS_LIMIT", stop_price="61000", time_in_force="FOK", client_order_id="a"
    ).parameters()
    assert {name: value for name, value in sent.items() if value is not None} == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_LOSS_LIMIT",
        "timeInForce": "FOK",
        "quantity": "0.5",
        "price": "60000.1",
        "stopPrice": "61000",
        "newClientOrderId": "a",
        "newOrderRespType": "FULL",
    }


@pytest.mark.parametrize("order_type", ["LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"])
def test_a_limit_lasts_until_cancelled_unless_told(order_type: str) -> None:
    stop_price = None if order_type == "LIMIT" else "61000"
    assert order(order_type=order_type, stop_price=stop_price).time_in_force == "GTC"


def test_a_post_only_order_has_no_time_in_force() -> None:
    assert order(order_type="LIMIT_MAKER").time_in_force is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": "1" * 29}, f"quantity is {'1' * 29}; it takes at most 28 digits"),
        ({"price": "0." + "1" * 28 + "2"}, "it takes at most 28 digits"),
        ({"price": None}, "a LIMIT order needs price"),
        ({"order_type": "MARKET"}, "a MARKET order takes no price (it is '60000.1')"),
        ({"order_type": "STOP_LOSS", "price": None}, "needs stop_price"),
        ({"order_type": "TAKE_PROFIT_LIMIT"}, "needs stop_price"),
        ({"stop_price": "61000"}, "takes no stop_price"),
        ({"order_type": "LIMIT_MAKER", "time_in_force": "GTC"}, "takes no time_in_force"),
        ({"quantity": "0"}, "quantity is 0; BTCUSDT takes 0.00001 to 9000"),
        ({"quantity": "9001"}, "quantity is 9001; BTCUSDT takes 0.00001 to 9000"),
        ({"quantity": "0.123456"}, "takes steps of 0.00001, such as 0.12345"),
        ({"price": "60000.123"}, "takes steps of 0.01, such as 60000.12"),
        ({"price": "2000000"}, "price is 2000000; BTCUSDT takes 0.01 to 1000000"),
        ({"quantity": "0.00005"}, "worth 3.000005 USDT; BTCUSDT takes 5 or more"),
        (
            {"order_type": "MARKET", "price": None, "quantity": "101"},
            "quantity is 101; BTCUSDT takes 0 to 100",
        ),
    ],
)
def test_an_order_that_breaks_a_rule_is_told_which(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        order(**changes)
    assert message in str(wrong.value)


@pytest.mark.parametrize("most", ["0", "NaN", "Infinity", "many"])
def test_an_amount_is_checked_to_its_last_digit_without_a_readable_maximum(most: str) -> None:
    rules = {**FILTERS, "LOT_SIZE": {**FILTERS["LOT_SIZE"], "maxQty": most}}
    endless = Listing("BTCUSDT", "TRADING", "BTC", "USDT", rules)
    whole = {**LIMIT, "quantity": "1234567890123456789012345678"}
    assert read_order_request(endless, whole).quantity == whole["quantity"]
    with pytest.raises(InvalidRequest, match=r"takes steps of 0\.00001"):
        read_order_request(endless, {**LIMIT, "quantity": "1234567890123456789012.345678"})


def test_a_symbol_that_is_halted_takes_no_orders() -> None:
    halted = Listing("BTCUSDT", "HALT", "BTC", "USDT", FILTERS)
    with pytest.raises(Refused, match="its status is HALT"):
        read_order_request(halted, LIMIT)
