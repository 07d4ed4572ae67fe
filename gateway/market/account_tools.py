"""The tools that read the account behind the keys; they are only there when keys are."""

from typing import Any

from gateway.errors import InvalidRequest
from gateway.market.market_tool import (
    ORDER_ID,
    SYMBOL,
    TRADE_LIMIT,
    Access,
    Arguments,
    MarketTool,
    input_schema,
)
from gateway.market.venue import Json, Venue, as_array, as_object

ACCOUNT = "/api/v3/account"
MY_TRADES = "/api/v3/myTrades"
ORDER = "/api/v3/order"
OPEN_ORDERS = "/api/v3/openOrders"
ALL_ORDERS = "/api/v3/allOrders"

CLIENT_ORDER_ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": 36,
    "pattern": "^[a-zA-Z0-9_-]{1,36}$",
    "description": "1 to 36 letters, digits, - or _",
}


async def account(venue: Venue, arguments: Arguments) -> Json:
    answer = await venue.exchange.read_account(ACCOUNT, weight=20)
    return venue.labelled(as_object(answer, ACCOUNT))


async def my_trades(venue: Venue, arguments: Arguments) -> list[Any]:
    listing = await venue.symbols.find(arguments["symbol"])
    parameters = {
        "symbol": listing.symbol,
        "limit": arguments["limit"],
        "fromId": arguments.get("from_id"),
    }
    answer = await venue.exchange.read_account(MY_TRADES, parameters, weight=20)
    return as_array(answer, MY_TRADES)


async def order(venue: Venue, arguments: Arguments) -> Json:
    listing = await venue.symbols.find(arguments["symbol"])
    return venue.labelled(
        await read_order(venue, listing.symbol, **which_order("binance.get_order", arguments))
    )


async def open_orders(venue: Venue, arguments: Arguments) -> list[Any]:
    if "symbol" not in arguments:
        answer = await venue.exchange.read_account(OPEN_ORDERS, weight=80)
        return as_array(answer, OPEN_ORDERS)
    listing = await venue.symbols.find(arguments["symbol"])
    answer = await venue.exchange.read_account(OPEN_ORDERS, {"symbol": listing.symbol}, weight=6)
    return as_array(answer, OPEN_ORDERS)


async def all_orders(venue: Venue, arguments: Arguments) -> list[Any]:
    listing = await venue.symbols.find(arguments["symbol"])
    parameters = {"symbol": listing.symbol, "limit": arguments["limit"]}
    answer = await venue.exchange.read_account(ALL_ORDERS, parameters, weight=20)
    return as_array(answer, ALL_ORDERS)


async def read_order(venue: Venue, symbol: str, **which: str | int | None) -> Json:
    """One order by `orderId` or `origClientOrderId`.

    Raises:
        NotFound: the exchange knows no such order.
    """
    answer = await venue.exchange.read_account(ORDER, {"symbol": symbol, **which}, weight=4)
    return as_object(answer, ORDER)


def which_order(tool: str, arguments: Arguments) -> dict[str, str | int | None]:
    """The exchange's words for the order that is meant.

    Raises:
        InvalidRequest: neither of the two IDs is given.
    """
    order_id, client_order_id = arguments.get("order_id"), arguments.get("orig_client_order_id")
    if order_id is None and client_order_id is None:
        raise InvalidRequest(f"{tool} needs order_id or orig_client_order_id")
    return {"orderId": order_id, "origClientOrderId": client_order_id}


ACCOUNT_TOOLS = (
    MarketTool(
        "binance.get_account",
        Access.ACCOUNT,
        "Balances, commissions and permissions of the account.",
        input_schema(),
        account,
    ),
    MarketTool(
        "binance.get_my_trades",
        Access.ACCOUNT,
        "The account's own trades of a symbol, oldest first.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            limit=TRADE_LIMIT,
            from_id={"type": "integer", "minimum": 0, "description": "First trade ID"},
        ),
        my_trades,
    ),
    MarketTool(
        "binance.get_order",
        Access.ACCOUNT,
        "One order of the account, by order_id or orig_client_order_id.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            order_id=ORDER_ID,
            orig_client_order_id=CLIENT_ORDER_ID,
        ),
        order,
    ),
    MarketTool(
        "binance.get_open_orders",
        Access.ACCOUNT,
        "The account's open orders, of one symbol or of all.",
        input_schema(symbol=SYMBOL),
        open_orders,
    ),
    MarketTool(
        "binance.get_all_orders",
        Access.ACCOUNT,
        "The account's orders of a symbol: open, filled and cancelled.",
        input_schema(required=("symbol",), symbol=SYMBOL, limit=TRADE_LIMIT),
        all_orders,
    ),
)
