"""The signed answers of the exchange: the account, its orders and its trades."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from gateway.market.simulated.account import (
    COMMISSION_PER_MILLE,
    Account,
    Fill,
    account_json,
    fill_json,
    trade_json,
)
from gateway.market.simulated.candles import DAY_MS
from gateway.market.simulated.orders import (
    Order,
    cancelled_json,
    order_id_from,
    order_json,
    placed_json,
    wish_from,
)
from gateway.market.simulated.parameters import Parameters, listed
from gateway.market.simulated.public import Json
from gateway.market.simulated.wire import UNIT, Refusal, decimal_text

SignedAnswer = Callable[[Account, Parameters, int], Json]
Kept = TypeVar("Kept", Order, Fill)


def account(account: Account, parameters: Parameters, _: int) -> Json:
    return account_json(account, omit_zero=_is_on(parameters, "omitZeroBalances"))


def place(account: Account, parameters: Parameters, now_ms: int) -> Json:
    wish = wish_from(parameters, now_ms=now_ms)
    parameters.refuse_unread()  # before anything is traded
    order, fills = account.place(wish, now_ms=now_ms)
    return placed_json(order, [fill_json(fill) for fill in fills])


def try_out(account: Account, parameters: Parameters, now_ms: int) -> Json:
    """`order/test`: all checks of an order, but no order."""
    wants_rates = _is_on(parameters, "computeCommissionRates")
    account.check(wish_from(parameters, now_ms=now_ms), now_ms=now_ms)
    if not wants_rates:
        return {}
    rate = decimal_text(UNIT * COMMISSION_PER_MILLE // 1000)
    return {"standardCommissionForOrder": {"maker": rate, "taker": rate}}


def cancel(account: Account, parameters: Parameters, now_ms: int) -> Json:
    symbol = parameters.symbol()
    new_id = parameters.text("newClientOrderId")
    order = account.find(symbol, *order_id_from(parameters))
    parameters.refuse_unread()
    if order is None:
        raise Refusal(-2011, "Unknown order sent.")
    made_up_id = account.cancel(order, now_ms=now_ms)
    return cancelled_json(order, cancel_id=new_id or made_up_id)


def order(account: Account, parameters: Parameters, _: int) -> Json:
    symbol = parameters.symbol()
    found = account.find(symbol, *order_id_from(parameters))
    if found is None:
        raise Refusal(-2013, "Order does not exist.")
    return order_json(found)


def open_orders(account: Account, parameters: Parameters, _: int) -> Json:
    name = parameters.text("symbol")
    symbol = None if name is None else listed(name)
    return [
        order_json(order)
        for order in account.orders.values()
        if order.is_open and symbol in (None, order.wish.symbol)
    ]


def all_orders(account: Account, parameters: Parameters, _: int) -> Json:
    symbol = parameters.symbol()
    orders = [order for order in account.orders.values() if order.wish.symbol is symbol]
    return [order_json(order) for order in _page(orders, parameters, first="orderId")]


def my_trades(account: Account, parameters: Parameters, _: int) -> Json:
    symbol = parameters.symbol()
    order_id = parameters.integer("orderId")
    fills = [
        fill
        for fill in account.fills
        if fill.symbol is symbol and order_id in (None, fill.order_id)
    ]
    return [trade_json(fill) for fill in _page(fills, parameters, first="fromId")]


def _page(kept: Iterable[Kept], parameters: Parameters, *, first: str) -> list[Kept]:
    """From an id or a start on the oldest ones, else the newest; in order either way."""
    first_id = parameters.integer(first)
    start_ms, end_ms = parameters.integer("startTime"), parameters.integer("endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > DAY_MS:
        raise Refusal(-1127, "More than 24 hours between startTime and endTime.")
    found = [
        one
        for one in kept
        if (first_id is None or one.id >= first_id)
        and (start_ms is None or one.time_ms >= start_ms)
        and (end_ms is None or one.time_ms <= end_ms)
    ]
    count = parameters.limit(500, most=1000)
    return found[-count:] if first_id is None and start_ms is None else found[:count]


def _is_on(parameters: Parameters, name: str) -> bool:
    value = parameters.choice(
        name,
        ("true", "false"),
        code=-1130,
        message=f"Data sent for parameter '{name}' is not valid.",
    )
    return value == "true"
