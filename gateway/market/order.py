"""What would be traded, in full: checked against the symbol's rules before anything is sent."""

from dataclasses import asdict, dataclass, replace
from decimal import Decimal, localcontext
from typing import Self

from gateway.errors import InvalidRequest, Refused
from gateway.market.analytics.decimal_text import plain
from gateway.market.market_tool import Arguments
from gateway.market.signing import Parameters
from gateway.market.symbols import Listing

# What each type needs, and so also all that it takes.
_NEEDS = {
    "LIMIT": {"price", "time_in_force"},
    "MARKET": set(),
    "STOP_LOSS": {"stop_price"},
    "STOP_LOSS_LIMIT": {"price", "stop_price", "time_in_force"},
    "TAKE_PROFIT": {"stop_price"},
    "TAKE_PROFIT_LIMIT": {"price", "stop_price", "time_in_force"},
    "LIMIT_MAKER": {"price"},
}
ORDER_TYPES = tuple(_NEEDS)
_USUAL_TIME_IN_FORCE = "GTC"

MOST_DIGITS = 28  # what decimal arithmetic keeps
# A remainder needs all digits between the largest amount and the smallest step.
_EXACT_DIGITS = 4 * MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Order:
    """The exact order; amounts are plain decimal text. Without `client_order_id` it is a draft."""

    symbol: str
    side: str
    order_type: str
    quantity: str
    price: str | None = None
    stop_price: str | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None

    def named(self, client_order_id: str) -> Self:
        return replace(self, client_order_id=client_order_id)

    def arguments(self) -> dict[str, str]:
        """As the tool takes them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def parameters(self) -> Parameters:
        """As the exchange takes them."""
        return {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.order_type,
            "timeInForce": self.time_in_force,
            "quantity": self.quantity,
            "price": self.price,
            "stopPrice": self.stop_price,
            "newClientOrderId": self.client_order_id,
            "newOrderRespType": "FULL",
        }

    def summary(self, listing: Listing) -> str:
        parts = [f"{self.side} {self.quantity} {listing.base_asset} as {self.order_type}"]
        if self.price:
            worth = plain(Decimal(self.price) * Decimal(self.quantity))
            parts.append(f"at {self.price} {listing.quote_asset} (worth {worth})")
        if self.stop_price:
            parts.append(f"once {self.stop_price} {listing.quote_asset} trades")
        if self.time_in_force:
            parts.append(self.time_in_force)
        return f"{' '.join(parts)} on {self.symbol}"


def read_order_request(listing: Listing, arguments: Arguments) -> Order:
    """The exact order that the arguments ask for.

    Raises:
        InvalidRequest: a price is missing or too much, or an amount breaks a rule of the symbol.
        Refused: the symbol is not trading now.
    """
    if listing.status != "TRADING":
        raise Refused(f"{listing.symbol} is not trading now: its status is {listing.status}")
    order = Order(
        symbol=listing.symbol,
        side=arguments["side"],
        order_type=arguments["order_type"],
        quantity=_amount("quantity", arguments["quantity"]),
        price=_amount("price", arguments["price"]) if "price" in arguments else None,
        stop_price=(
            _amount("stop_price", arguments["stop_price"]) if "stop_price" in arguments else None
        ),
        time_in_force=arguments.get("time_in_force"),
        client_order_id=arguments.get("client_order_id"),
    )
    order = _with_usual_time_in_force(order)
    _check_shape(order)
    with localcontext() as exact:
        exact.prec = _EXACT_DIGITS
        _check_rules(order, listing)
    return order


def _amount(name: str, text: str) -> str:
    amount = Decimal(text)
    if len(amount.as_tuple().digits) > MOST_DIGITS:
        raise InvalidRequest(f"{name} is {text}; it takes at most {MOST_DIGITS} digits")
    return plain(amount)


def _with_usual_time_in_force(order: Order) -> Order:
    if order.time_in_force or "time_in_force" not in _NEEDS[order.order_type]:
        return order
    return replace(order, time_in_force=_USUAL_TIME_IN_FORCE)


def _check_shape(order: Order) -> None:
    needed = _NEEDS[order.order_type]
    for name in ("price", "stop_price", "time_in_force"):
        value = getattr(order, name)
        if value is None and name in needed:
            raise InvalidRequest(f"a {order.order_type} order needs {name}")
        if value is not None and name not in needed:
            raise InvalidRequest(
                f"a {order.order_type} order takes no {name} (it is {value!r}); leave it out"
            )


def _check_rules(order: Order, listing: Listing) -> None:
    quantity = Decimal(order.quantity)
    _check_amount("quantity", quantity, listing, ("LOT_SIZE", "minQty", "maxQty", "stepSize"))
    if order.order_type == "MARKET":
        market = ("MARKET_LOT_SIZE", "minQty", "maxQty", "stepSize")
        _check_amount("quantity", quantity, listing, market)
    for name, text in (("price", order.price), ("stop_price", order.stop_price)):
        if text is not None:
            price = ("PRICE_FILTER", "minPrice", "maxPrice", "tickSize")
            _check_amount(name, Decimal(text), listing, price)
    if order.price is not None:
        _check_worth(Decimal(order.price) * quantity, listing)


def _check_amount(
    name: str, value: Decimal, listing: Listing, rule: tuple[str, str, str, str]
) -> None:
    filter_type, *fields = rule
    lowest, highest, step = (listing.rule(filter_type, field) for field in fields)
    if value <= 0 or value < lowest or (highest and value > highest):
        upper = f" to {plain(highest)}" if highest else " or more"
        raise InvalidRequest(
            f"{name} is {plain(value)}; {listing.symbol} takes {plain(lowest)}{upper}"
        )
    if step and value % step:
        raise InvalidRequest(
            f"{name} is {plain(value)}; {listing.symbol} takes steps of {plain(step)}, "
            f"such as {plain(value - value % step)}"
        )


def _check_worth(worth: Decimal, listing: Listing) -> None:
    least = max(
        listing.rule("NOTIONAL", "minNotional"), listing.rule("MIN_NOTIONAL", "minNotional")
    )
    if worth < least:
        raise InvalidRequest(
            f"the order is worth {plain(worth)} {listing.quote_asset}; "
            f"{listing.symbol} takes {plain(least)} or more"
        )
