"""The one account: balances, and orders that meet the simulated book.

What the account trades does not move the market: public answers stay a pure
function of the clock.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from gateway.market.simulated.assets import ASSETS
from gateway.market.simulated.book import Level, book_at
from gateway.market.simulated.orders import Order, Wish
from gateway.market.simulated.symbols import MAX_OPEN_ORDERS, Symbol
from gateway.market.simulated.tape import last_trade, span
from gateway.market.simulated.wire import UNIT, Refusal, decimal_text

COMMISSION_PER_MILLE = 1
_BOOK_LEVELS = 1000
_FIRST_BALANCES = {
    "USDT": 25_000,
    "USDC": 5_000,
    "EUR": 5_000,
    "TRY": 100_000,
    "BTC": 0.5,
    "ETH": 5,
    "BNB": 10,
    "SOL": 50,
}


@dataclass(frozen=True, slots=True)
class Fill:
    """One part of an order that traded; the commission is paid in what was received."""

    id: int
    order_id: int
    symbol: Symbol
    price: int
    quantity: int
    commission: int
    commission_asset: str
    time_ms: int
    is_buy: bool
    is_maker: bool


class Account:
    """Money and orders, in memory; they begin anew with every start."""

    def __init__(self) -> None:
        self.free = {name: int(amount * UNIT) for name, amount in _FIRST_BALANCES.items()}
        self.locked: dict[str, int] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.updated_ms = 0
        self._client_ids: dict[str, int] = {}

    def check(self, wish: Wish, *, now_ms: int) -> None:
        """Refuse -2010 what this account cannot do now, -1013 above the number of orders."""
        if wish.client_id in self._client_ids:
            raise _rejected("Duplicate order sent.")
        waiting = (o for o in self.orders.values() if o.is_open and o.wish.symbol is wish.symbol)
        if sum(1 for _ in waiting) >= MAX_OPEN_ORDERS:
            raise Refusal(-1013, "Filter failure: MAX_NUM_ORDERS")
        if wish.stop_price and _is_triggered(wish, last_trade(wish.symbol, now_ms).price):
            raise _rejected("Stop price would trigger immediately.")
        if wish.kind == "LIMIT_MAKER" and _offers(wish, now_ms):
            raise _rejected("Order would immediately match and take.")
        wish = _sized(wish, now_ms)
        if self.free.get(wish.pays_with, 0) < _needed(wish, now_ms):
            raise _rejected("Account has insufficient balance for requested action.")

    def place(self, wish: Wish, *, now_ms: int) -> tuple[Order, list[Fill]]:
        """Take an order: what the book offers is traded at once, the rest waits if it may."""
        self.check(wish, now_ms=now_ms)
        wish = _sized(wish, now_ms)
        order_id = len(self.orders) + 1
        order = Order(
            wish=wish,
            id=order_id,
            client_id=wish.client_id or _made_up_id(f"order {order_id}"),
            time_ms=now_ms,
            seen_ms=now_ms,
            update_ms=now_ms,
            working=not wish.stop_price,
        )
        self.orders[order.id] = order
        self._client_ids[order.client_id] = order.id
        self._move(order, _needed(wish, now_ms))
        first_fill = len(self.fills)
        if order.working:
            self._meet_book(order, now_ms)
        return order, self.fills[first_fill:]

    def cancel(self, order: Order, *, now_ms: int) -> str:
        """Take an open order back; gives an id for the cancelling."""
        if not order.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        self._end(order, "CANCELED", now_ms)
        return _made_up_id(f"cancel {order.id}")

    def find(self, symbol: Symbol, order_id: int | None, client_id: str | None) -> Order | None:
        if order_id is None:
            order_id = self._client_ids.get(client_id or "")
        order = self.orders.get(order_id or 0)
        if order is None or order.wish.symbol is not symbol:
            return None
        return None if client_id not in (None, order.client_id) else order

    def catch_up(self, now_ms: int) -> None:
        """Let the waiting orders meet what has traded since they last looked."""
        for order in self.orders.values():
            if order.is_open and order.seen_ms < now_ms:
                self._meet_past(order, now_ms)
                order.seen_ms = now_ms

    def _meet_past(self, order: Order, now_ms: int) -> None:
        wish = order.wish
        past = span(wish.symbol, order.seen_ms + 1, now_ms + 1)
        if not past.trades:
            return
        if not order.working:
            if _is_triggered(wish, past.high) or _is_triggered(wish, past.low):
                order.working = True
                self._meet_book(order, now_ms)
        elif past.low <= wish.price if wish.is_buy else past.high >= wish.price:
            self._trade(order, wish.price, order.rest, now_ms=now_ms, is_maker=True)

    def _meet_book(self, order: Order, now_ms: int) -> None:
        wish = order.wish
        offers = _offers(wish, now_ms)
        if wish.time_in_force == "FOK" and sum(size for _, size in offers) < wish.quantity:
            offers = []
        for price, size in offers:
            part = self._affordable(order, price, size)
            if part:
                self._trade(order, price, part, now_ms=now_ms, is_maker=False)
            if part < size:
                break
        waits = wish.price and wish.time_in_force == "GTC"
        if order.is_open and not waits:
            self._end(order, "EXPIRED", now_ms)

    def _affordable(self, order: Order, price: int, size: int) -> int:
        """A triggered stop may cost more than was held for it; it then takes what the rest buys."""
        if not order.wish.is_buy:
            return size
        symbol = order.wish.symbol
        money = order.locked + self.free.get(symbol.quote.name, 0)
        return min(size, money * UNIT // (price * symbol.tick * symbol.step))

    def _trade(
        self, order: Order, price: int, quantity: int, *, now_ms: int, is_maker: bool
    ) -> None:
        wish, symbol = order.wish, order.wish.symbol
        base, quote = quantity * symbol.step, symbol.quote_units(price * quantity)
        paid, received = (quote, base) if wish.is_buy else (base, quote)
        commission = received * COMMISSION_PER_MILLE // 1000
        order.executed += quantity
        order.executed_quote += quote
        self._pay(order, paid)
        self.free[wish.receives] = self.free.get(wish.receives, 0) + received - commission
        self.fills.append(
            Fill(
                id=len(self.fills) + 1,
                order_id=order.id,
                symbol=symbol,
                price=price,
                quantity=quantity,
                commission=commission,
                commission_asset=wish.receives,
                time_ms=now_ms,
                is_buy=wish.is_buy,
                is_maker=is_maker,
            )
        )
        order.status, order.update_ms = "PARTIALLY_FILLED", now_ms
        self.updated_ms = now_ms
        if not order.rest:
            self._end(order, "FILLED", now_ms)

    def _pay(self, order: Order, amount: int) -> None:
        """From what the order holds, then from what is free; a limit gives back what it saved."""
        wish = order.wish
        if amount > order.locked:
            self._move(order, amount - order.locked)
        order.locked -= amount
        self.locked[wish.pays_with] -= amount
        if wish.is_buy and wish.price:
            self._move(order, wish.symbol.quote_units(wish.price * order.rest) - order.locked)

    def _move(self, order: Order, amount: int) -> None:
        """From the free balance to what the order holds; back when negative."""
        asset = order.wish.pays_with
        order.locked += amount
        self.free[asset] = self.free.get(asset, 0) - amount
        self.locked[asset] = self.locked.get(asset, 0) + amount

    def _end(self, order: Order, status: str, now_ms: int) -> None:
        self._move(order, -order.locked)
        order.status, order.update_ms = status, now_ms
        self.updated_ms = now_ms


def _offers(wish: Wish, now_ms: int) -> list[Level]:
    """What the book's other side has for an order, at its limit or better, as far as it wants."""
    book = book_at(wish.symbol, now_ms, levels=_BOOK_LEVELS)
    offers, wanted = [], wish.quantity
    for price, size in book.asks if wish.is_buy else book.bids:
        beyond = price > wish.price if wish.is_buy else price < wish.price
        if not wanted or (wish.price and beyond):
            break
        offers.append((price, min(size, wanted)))
        wanted -= min(size, wanted)
    return offers


def _sized(wish: Wish, now_ms: int) -> Wish:
    """An order for a sum of money as one for the quantity that the sum trades now."""
    if not wish.quote_quantity:
        return wish
    symbol = wish.symbol
    book = book_at(symbol, now_ms, levels=_BOOK_LEVELS)
    quantity, money = 0, wish.quote_quantity
    for price, size in book.asks if wish.is_buy else book.bids:
        part = min(size, money * UNIT // (price * symbol.tick * symbol.step))
        quantity, money = quantity + part, money - symbol.quote_units(price * part)
        if part < size:
            break
    if not quantity:
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    return replace(wish, quantity=quantity)


def _needed(wish: Wish, now_ms: int) -> int:
    """How much of what it pays with an order holds while it is open."""
    if not wish.is_buy:
        return wish.quantity * wish.symbol.step
    price = wish.price or wish.stop_price
    if price:
        return wish.symbol.quote_units(price * wish.quantity)
    return sum(wish.symbol.quote_units(at * size) for at, size in _offers(wish, now_ms))


def _is_triggered(wish: Wish, price: int) -> bool:
    """A stop loss waits for the price to go against its side, a take profit for the other way."""
    waits_for_rise = wish.is_buy is wish.kind.startswith("STOP_LOSS")
    return price >= wish.stop_price if waits_for_rise else price <= wish.stop_price


def _rejected(message: str) -> Refusal:
    return Refusal(-2010, message)


def _made_up_id(key: str) -> str:
    """Like the ids that Binance makes up: 22 letters and digits, here from the order's number."""
    return blake2b(key.encode(), digest_size=11).hexdigest()


def fill_json(fill: Fill) -> dict[str, Any]:
    """As an order's `fills` show it."""
    return {
        "price": fill.symbol.price_text(fill.price),
        "qty": fill.symbol.quantity_text(fill.quantity),
        "commission": decimal_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.id,
    }


def trade_json(fill: Fill) -> dict[str, Any]:
    """As `myTrades` shows it."""
    return {
        "symbol": fill.symbol.name,
        "id": fill.id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": fill.symbol.price_text(fill.price),
        "qty": fill.symbol.quantity_text(fill.quantity),
        "quoteQty": fill.symbol.quote_text(fill.price * fill.quantity),
        "commission": decimal_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": fill.is_buy,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def account_json(account: Account, *, omit_zero: bool) -> dict[str, Any]:
    """As `GET account` shows it."""
    rate = decimal_text(UNIT * COMMISSION_PER_MILLE // 1000)
    return {
        "makerCommission": 10 * COMMISSION_PER_MILLE,
        "takerCommission": 10 * COMMISSION_PER_MILLE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": rate,
            "taker": rate,
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.updated_ms,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": name,
                "free": decimal_text(account.free.get(name, 0)),
                "locked": decimal_text(account.locked.get(name, 0)),
            }
            for name in ASSETS
            if not omit_zero or account.free.get(name, 0) or account.locked.get(name, 0)
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }
