"""An order: what may be asked for, by type, and what becomes of it."""

import re
from dataclasses import dataclass, field
from typing import Any

from gateway.market.simulated.candles import LISTING_MS, MINUTE_MS
from gateway.market.simulated.parameters import Parameters, missing
from gateway.market.simulated.symbols import (
    ORDER_TYPES,
    PERCENT_PRICE_FACTOR,
    Symbol,
    max_price,
    max_quantity,
)
from gateway.market.simulated.tape import span
from gateway.market.simulated.wire import Refusal, decimal_text

# Beside symbol, side and type: what a type must have. MARKET may have quoteOrderQty instead.
_REQUIRED = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "MARKET": ("quantity",),
    "STOP_LOSS": ("quantity", "stopPrice"),
    "STOP_LOSS_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "TAKE_PROFIT": ("quantity", "stopPrice"),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "LIMIT_MAKER": ("quantity", "price"),
}
_CONDITIONAL = ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice")
_CLIENT_ID_RANGE = r"^[a-zA-Z0-9-_]{1,36}$"
OPEN = ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class Wish:
    """An order as it was sent: prices in ticks, quantity in steps, money in 10^-8 of its asset."""

    symbol: Symbol
    is_buy: bool
    kind: str
    time_in_force: str
    quantity: int
    quote_quantity: int
    price: int
    stop_price: int
    client_id: str | None
    response: str

    @property
    def pays_with(self) -> str:
        return (self.symbol.quote if self.is_buy else self.symbol.base).name

    @property
    def receives(self) -> str:
        return (self.symbol.base if self.is_buy else self.symbol.quote).name


@dataclass(slots=True)
class Order:
    """A wish on its way; `seen_ms` is the moment up to which it has met the market."""

    wish: Wish
    id: int
    client_id: str
    time_ms: int
    seen_ms: int
    update_ms: int
    working: bool
    status: str = "NEW"
    executed: int = 0
    executed_quote: int = 0
    locked: int = field(default=0)

    @property
    def rest(self) -> int:
        return self.wish.quantity - self.executed

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


def wish_from(parameters: Parameters, *, now_ms: int) -> Wish:
    """Read an order.

    Raises:
        Refusal: for what is missing, superfluous or malformed, and -1013 for a filter.
    """
    symbol = parameters.symbol()
    side = parameters.required("side")
    parameters.choice("side", ("BUY", "SELL"), code=-1117, message="Invalid side.")
    kind = parameters.required("type")
    parameters.choice("type", ORDER_TYPES, code=-1116, message="Invalid orderType.")
    _check_presence(parameters, kind)
    time_in_force = parameters.choice(
        "timeInForce", ("GTC", "IOC", "FOK"), code=-1115, message="Invalid timeInForce."
    )
    kinds_of_response = ("ACK", "RESULT", "FULL")
    response = parameters.choice(
        "newOrderRespType",
        kinds_of_response,
        code=-1130,
        message="Data sent for parameter 'newOrderRespType' is not valid.",
    )
    quote = parameters.decimal("quoteOrderQty")
    if quote == 0:
        raise Refusal(-1013, "Invalid quantity.")
    wish = Wish(
        symbol=symbol,
        is_buy=side == "BUY",
        kind=kind,
        time_in_force=time_in_force or "GTC",
        quantity=_steps(parameters, symbol),
        quote_quantity=quote or 0,
        price=_ticks(parameters, "price", symbol),
        stop_price=_ticks(parameters, "stopPrice", symbol),
        client_id=_client_id(parameters, "newClientOrderId"),
        response=response or ("FULL" if kind in ("MARKET", "LIMIT") else "ACK"),
    )
    _check_value(wish, now_ms)
    return wish


def _check_presence(parameters: Parameters, kind: str) -> None:
    required = _REQUIRED[kind]
    if kind == "MARKET" and parameters.has("quoteOrderQty"):
        required = ("quoteOrderQty",)
    for name in required:
        parameters.required(name)
    for name in _CONDITIONAL:
        if name not in required and parameters.has(name):
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")


def _client_id(parameters: Parameters, name: str) -> str | None:
    value = parameters.text(name)
    if value is not None and not re.fullmatch(r"[a-zA-Z0-9_-]{1,36}", value, re.ASCII):
        raise Refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '{_CLIENT_ID_RANGE}'.",
        )
    return value


def _ticks(parameters: Parameters, name: str, symbol: Symbol) -> int:
    units = parameters.decimal(name)
    if units is None:
        return 0
    if units == 0:
        raise Refusal(-1013, "Invalid price." if name == "price" else "Invalid stopPrice.")
    ticks, beside = divmod(units, symbol.tick)
    if beside or ticks < 1 or ticks > max_price(symbol):
        raise _filtered("PRICE_FILTER")
    return ticks


def _steps(parameters: Parameters, symbol: Symbol) -> int:
    units = parameters.decimal("quantity")
    if units is None:
        return 0
    if units == 0:
        raise Refusal(-1013, "Invalid quantity.")
    steps, beside = divmod(units, symbol.step)
    if beside or steps < 1 or steps > max_quantity(symbol):
        raise _filtered("LOT_SIZE")
    return steps


def _check_value(wish: Wish, now_ms: int) -> None:
    """Against the mean price of five minutes: not absurdly far, and not too small a sum."""
    symbol = wish.symbol
    recent = span(symbol, max(LISTING_MS, now_ms - 5 * MINUTE_MS), now_ms + 1)
    mean = recent.quote_volume // recent.volume
    if (
        wish.price
        and not mean <= wish.price * PERCENT_PRICE_FACTOR <= mean * PERCENT_PRICE_FACTOR**2
    ):
        raise _filtered("PERCENT_PRICE_BY_SIDE")
    price = wish.price or wish.stop_price or mean
    value = wish.quote_quantity or symbol.quote_units(price * wish.quantity)
    if value < symbol.min_notional:
        raise _filtered("NOTIONAL")


def _filtered(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


def order_id_from(parameters: Parameters) -> tuple[int | None, str | None]:
    """What names an order: Binance's id, or the client's own."""
    order_id = parameters.integer("orderId")
    client_id = parameters.text("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    return order_id, client_id


def order_json(order: Order) -> dict[str, Any]:
    """As `GET order` shows it."""
    return {
        **_identity(order),
        "clientOrderId": order.client_id,
        **_state(order),
        "icebergQty": "0.00000000",
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": order.working,
        "workingTime": order.time_ms if order.working else -1,
        "origQuoteOrderQty": decimal_text(order.wish.quote_quantity),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def placed_json(order: Order, fills: list[dict[str, Any]]) -> dict[str, Any]:
    """As `POST order` answers: ACK, RESULT or FULL."""
    answer = {
        **_identity(order),
        "clientOrderId": order.client_id,
        "transactTime": order.time_ms,
    }
    if order.wish.response == "ACK":
        return answer
    answer |= {
        **_state(order),
        "workingTime": order.time_ms if order.working else -1,
        "origQuoteOrderQty": decimal_text(order.wish.quote_quantity),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    if order.wish.response == "FULL":
        answer["fills"] = fills
    return answer


def cancelled_json(order: Order, *, cancel_id: str) -> dict[str, Any]:
    """As `DELETE order` answers; `clientOrderId` names the cancelling, not the order."""
    return {
        **_identity(order),
        "origClientOrderId": order.client_id,
        "clientOrderId": cancel_id,
        "transactTime": order.update_ms,
        **_state(order),
        "origQuoteOrderQty": decimal_text(order.wish.quote_quantity),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def _identity(order: Order) -> dict[str, Any]:
    return {"symbol": order.wish.symbol.name, "orderId": order.id, "orderListId": -1}


def _state(order: Order) -> dict[str, Any]:
    wish = order.wish
    return {
        "price": wish.symbol.price_text(wish.price),
        "origQty": wish.symbol.quantity_text(wish.quantity),
        "executedQty": wish.symbol.quantity_text(order.executed),
        "cummulativeQuoteQty": decimal_text(order.executed_quote),
        "status": order.status,
        "timeInForce": wish.time_in_force,
        "type": wish.kind,
        "side": "BUY" if wish.is_buy else "SELL",
        "stopPrice": wish.symbol.price_text(wish.stop_price),
    }
