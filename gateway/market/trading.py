"""The two tools that trade: a call previews, and a second one with its token does it, once."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self, TypeAlias

from cachetools import LRUCache

from gateway.clock import Clock, rfc3339
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    Refused,
)
from gateway.market.account_tools import CLIENT_ORDER_ID, ORDER, read_order, which_order
from gateway.market.confirmation import MOST_REMEMBERED, Confirmation, Confirmations
from gateway.market.exchange_errors import AnswerLost, outcome_unknown
from gateway.market.market_tool import (
    ORDER_ID,
    SYMBOL,
    Access,
    Arguments,
    MarketTool,
    input_schema,
)
from gateway.market.order import ORDER_TYPES, Order, read_order_request
from gateway.market.settings import CHECK_SECONDS, LOOK_UP_SECONDS
from gateway.market.symbols import Listing
from gateway.market.venue import Json, Venue, as_object
from gateway.market.writes import Write, Writes, failed_safely

_MOST_TOLD = 80  # of the exchange's own words
OPEN_STATUSES = ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")

# The exchange's words for which order is meant.
Which: TypeAlias = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Which order would be cancelled, as the caller named it."""

    symbol: str
    order_id: int | None
    orig_client_order_id: str | None

    def arguments(self) -> dict[str, str | int]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class TradingDesk:
    """Holds what was previewed and what was begun, so that nothing is traded unseen or twice.

    A confirmed act goes on when its caller hangs up. Whoever repeats it gets its outcome.
    """

    def __init__(self, clock: Clock) -> None:
        self._orders: Confirmations[Order] = Confirmations(clock)
        self._cancellations: Confirmations[Cancellation] = Confirmations(clock)
        # The exchange takes the client order ID of a filled order again, so we must not.
        self._by_client_order_id: LRUCache[tuple[str, str | None], Write] = LRUCache(
            MOST_REMEMBERED
        )
        self._writes = Writes()

    async def __aenter__(self) -> Self:
        await self._writes.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._writes.__aexit__(kind, error, traceback)

    async def place_order(self, venue: Venue, arguments: Arguments) -> Json:
        listing = await _listing(venue, arguments["symbol"])
        order = read_order_request(listing, arguments)
        if "confirm_token" in arguments:
            return await self._place_confirmed(venue, order, arguments["confirm_token"])
        if order.client_order_id is None:
            order = order.named(f"gw-{secrets.token_hex(12)}")
        else:
            await _check_unused(venue, order)
        summary = f"{order.summary(listing)}; nothing is traded until it is confirmed"
        return _preview(venue, self._orders.issue(order), order.arguments(), summary=summary)

    async def cancel_order(self, venue: Venue, arguments: Arguments) -> Json:
        listing = await _listing(venue, arguments["symbol"])
        which = which_order("binance.cancel_order", arguments)
        act = Cancellation(
            listing.symbol, arguments.get("order_id"), arguments.get("orig_client_order_id")
        )
        if "confirm_token" in arguments:
            return await self._cancel_confirmed(venue, act, arguments["confirm_token"])
        state = await _look(venue, listing.symbol, which)
        if state.get("status") not in OPEN_STATUSES:
            raise Refused(f"{_described(state)} and cannot be cancelled")
        summary = f"cancel the order: {_described(state)}; nothing happens until it is confirmed"
        preview = _preview(venue, self._cancellations.issue(act), act.arguments(), summary=summary)
        return {**preview, "state": state}

    async def _place_confirmed(self, venue: Venue, draft: Order, token: str) -> Json:
        confirmation = self._orders.find(token)
        order = confirmation.act
        _check_same(draft.arguments(), order.arguments(), optional="client_order_id")
        which = {"origClientOrderId": order.client_order_id}
        identity = (order.symbol, order.client_order_id)
        if confirmation.write is None:
            other = self._by_client_order_id.get(identity)
            confirmation.write = None if other is None or failed_safely(other) else other
        if confirmation.write is not None:
            return await _repeated(venue, confirmation.write, order.symbol, which=which)
        # Before the first await: a second call must already see it.
        write = self._writes.begin("place order", _placed(venue, order, which))
        confirmation.write = self._by_client_order_id[identity] = write
        return await asyncio.shield(write)

    async def _cancel_confirmed(self, venue: Venue, act: Cancellation, token: str) -> Json:
        confirmation = self._cancellations.find(token)
        _check_same(act.arguments(), confirmation.act.arguments())
        which = {"orderId": act.order_id, "origClientOrderId": act.orig_client_order_id}
        if confirmation.write is not None:
            return await _repeated(venue, confirmation.write, act.symbol, which=which)
        write = self._writes.begin("cancel order", _cancelled(venue, act.symbol, which))
        confirmation.write = write
        return await asyncio.shield(write)


def trading_tools(desk: TradingDesk) -> tuple[MarketTool, ...]:
    return (
        MarketTool(
            "binance.place_order",
            Access.TRADE,
            "Place an order with real effect. Without confirm_token it only previews the exact "
            "order and gives a token; call again with the same arguments and that token to trade.",
            _PLACE_SCHEMA,
            desk.place_order,
        ),
        MarketTool(
            "binance.cancel_order",
            Access.TRADE,
            "Cancel an open order. Without confirm_token it only shows the order and gives a "
            "token; call again with the same arguments and that token to cancel.",
            _CANCEL_SCHEMA,
            desk.cancel_order,
        ),
    )


async def _listing(venue: Venue, symbol: str) -> Listing:
    """Raises:
    DeadlineExceeded: the list of symbols is read anew, and that takes long.
    """
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await venue.symbols.find(symbol)
    except TimeoutError as error:
        raise DeadlineExceeded(
            "the exchange's list of symbols did not come in time, and nothing was sent; ask again"
        ) from error


async def _look(venue: Venue, symbol: str, which: Which) -> Json:
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            return await read_order(venue, symbol, **which)
    except TimeoutError as error:
        raise DeadlineExceeded("the exchange did not tell the order in time; ask again") from error


async def _check_unused(venue: Venue, order: Order) -> None:
    """Raises:
    Refused: the account already has an order with that client order ID.
    """
    try:
        state = await _look(venue, order.symbol, {"origClientOrderId": order.client_order_id})
    except NotFound:
        return
    raise Refused(
        f"{_described(state)} and already has the client_order_id {order.client_order_id!r}; "
        "choose another, or leave it out"
    )


async def _placed(venue: Venue, order: Order, which: Which) -> Json:
    try:
        answer = await venue.exchange.write("POST", ORDER, order.parameters(), weight=1)
        return venue.labelled(as_object(answer, ORDER))
    except (AnswerLost, BadAnswer) as error:
        state = await _found_out(venue, order.symbol, which=which, lost=error)
    return {**venue.labelled(state), "looked_up": True}


async def _cancelled(venue: Venue, symbol: str, which: Which) -> Json:
    try:
        answer = await venue.exchange.write("DELETE", ORDER, {"symbol": symbol, **which}, weight=1)
        return venue.labelled(as_object(answer, ORDER))
    except (AnswerLost, BadAnswer) as error:
        state = await _found_out(venue, symbol, which=which, lost=error)
        if state.get("status") in OPEN_STATUSES:
            why = f"it is still {state.get('status')}; {_why(error)}"
            raise OutcomeUnknown(_unknown(symbol, which, why)) from error
    return {**venue.labelled(state), "looked_up": True}


async def _found_out(venue: Venue, symbol: str, *, which: Which, lost: GatewayError) -> Json:
    """One look for an order whose answer was lost; sending it again could trade twice."""
    try:
        return await _look(venue, symbol, which)
    except GatewayError as error:
        told = "did not find it" if isinstance(error, NotFound) else "failed"
        why = f"one look {told}; {_why(lost)}"
        raise OutcomeUnknown(_unknown(symbol, which, why)) from error


def _unknown(symbol: str, which: Which, why: str) -> str:
    """Says first which order it is: what comes last may be cut off on the way to a person."""
    known = "client order id" if which["origClientOrderId"] is not None else "order id"
    value = which["origClientOrderId"] or which["orderId"]
    return f"{known} {value!r} on {symbol}: {outcome_unknown(why)}"


def _why(lost: GatewayError) -> str:
    text = lost.why if isinstance(lost, AnswerLost) else str(lost)
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}…"


async def _repeated(venue: Venue, write: Write, symbol: str, *, which: Which) -> Json:
    """What became of an act that was already confirmed; it is not done a second time."""
    if not write.done():
        return {**await asyncio.shield(write), "repeated": True}
    if failed_safely(write):
        raise Refused(
            "this was confirmed before and did not happen; call without confirm_token for a new "
            f"preview. It ended so: {write.exception()}"
        )
    if not write.cancelled() and write.exception() is None:
        return {**write.result(), "repeated": True}
    try:
        state = await _look(venue, symbol, which)
    except NotFound as error:
        raise Refused(
            "this was confirmed before, and the exchange knows no such order: it was refused, or "
            "is not visible yet; look it up, or call without confirm_token for a new preview"
        ) from error
    return {**venue.labelled(state), "repeated": True}


def _check_same(
    asked: Mapping[str, str | int], previewed: Mapping[str, str | int], *, optional: str = ""
) -> None:
    for name in dict.fromkeys([*asked, *previewed]):
        if name == optional and name not in asked:
            continue
        if asked.get(name) != previewed.get(name):
            raise Refused(
                f"this confirm token is for {name} {previewed.get(name)!r}, not "
                f"{asked.get(name)!r}; repeat the previewed arguments, or call without "
                "confirm_token for a new preview"
            )


def _preview(
    venue: Venue,
    confirmation: Confirmation[Order] | Confirmation[Cancellation],
    order: Mapping[str, str | int],
    *,
    summary: str,
) -> Json:
    return venue.labelled(
        {
            "preview": True,
            "order": dict(order),
            "confirm_token": confirmation.token,
            "expires_at": rfc3339(confirmation.expires_at),
            "summary": summary,
        }
    )


def _described(state: Json) -> str:
    return (
        f"order {state.get('orderId')} ({state.get('side')} {state.get('origQty')} "
        f"{state.get('symbol')}) is {state.get('status')}"
    )


_AMOUNT = {
    "type": "string",
    "minLength": 1,
    "maxLength": 30,
    "pattern": r"^[0-9]+(\.[0-9]+)?$",
    "description": "a decimal such as 0.5",
}
_CONFIRM_TOKEN = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "description": "What the preview gave; without it nothing happens but a preview",
}
_PLACE_SCHEMA = input_schema(
    required=("symbol", "side", "order_type", "quantity"),
    symbol=SYMBOL,
    side={"type": "string", "enum": ["BUY", "SELL"]},
    order_type={"type": "string", "enum": list(ORDER_TYPES)},
    quantity=_AMOUNT,
    price=_AMOUNT,
    time_in_force={"type": "string", "enum": ["GTC", "IOC", "FOK"]},
    stop_price=_AMOUNT,
    client_order_id=CLIENT_ORDER_ID,
    confirm_token=_CONFIRM_TOKEN,
)
_CANCEL_SCHEMA = input_schema(
    required=("symbol",),
    symbol=SYMBOL,
    order_id=ORDER_ID,
    orig_client_order_id=CLIENT_ORDER_ID,
    confirm_token=_CONFIRM_TOKEN,
)
