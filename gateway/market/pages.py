"""Short markdown about a market or an account, for resources and prompts."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from gateway.clock import rfc3339
from gateway.errors import BadAnswer
from gateway.market.account_tools import ACCOUNT, MY_TRADES, OPEN_ORDERS
from gateway.market.analytics.decimal_text import plain, short
from gateway.market.analytics.readings import Book
from gateway.market.signing import Parameters
from gateway.market.venue import Json, Venue, as_array, as_object

TOP_LEVELS = 5
RECENT_TRADES = 10


async def market_page(venue: Venue, symbol: str) -> str:
    listing = await venue.symbols.find(symbol)
    ticker, snapshot = await asyncio.gather(
        venue.object("/api/v3/ticker/24hr", {"symbol": listing.symbol}, weight=2),
        venue.snapshot(listing, TOP_LEVELS),
    )
    return _page(venue, listing.symbol, [*_ticker_lines(ticker), "", *_book_lines(snapshot.book)])


async def balances_page(venue: Venue, _: str) -> str:
    account = as_object(await venue.exchange.read_account(ACCOUNT, weight=20), ACCOUNT)
    held = [row for row in account.get("balances", []) if _is_held(row)]
    flags = [name for name in ("canTrade", "canWithdraw", "canDeposit") if account.get(name)]
    rows = [(row["asset"], row["free"], row["locked"]) for row in held]
    return _page(
        venue,
        "Balances",
        [*_table(("asset", "free", "locked"), rows), "", f"May: {', '.join(flags) or 'nothing'}"],
    )


async def own_trades_page(venue: Venue, symbol: str) -> str:
    listing = await venue.symbols.find(symbol)
    parameters: Parameters = {"symbol": listing.symbol, "limit": RECENT_TRADES}
    answer = await venue.exchange.read_account(MY_TRADES, parameters, weight=20)
    rows = [
        ("buy" if trade["isBuyer"] else "sell", trade["price"], trade["qty"], trade["commission"])
        for trade in as_array(answer, MY_TRADES)
    ]
    table = _table(("side", "price", "quantity", "commission"), rows)
    return _page(venue, f"Own trades of {listing.symbol}", table)


async def open_orders_page(venue: Venue, _: str) -> str:
    answer = await venue.exchange.read_account(OPEN_ORDERS, weight=80)
    fields = ("symbol", "side", "type", "price", "origQty", "executedQty", "status")
    rows = [tuple(order[field] for field in fields) for order in as_array(answer, OPEN_ORDERS)]
    return _page(venue, "Open orders", _table(fields, rows))


def _page(venue: Venue, title: str, lines: Sequence[str]) -> str:
    label = " (simulated)" if venue.settings.is_simulated else ""
    provenance = f"As of {rfc3339(venue.now())}, source: {venue.settings.source}."
    return "\n".join([f"# {title}{label}", "", provenance, "", *lines, ""])


def _ticker_lines(ticker: Json) -> list[str]:
    try:
        return [
            f"- Last price: {_number(ticker['lastPrice'])}",
            f"- 24 h change: {_number(ticker['priceChange'])} "
            f"({_number(ticker['priceChangePercent'])} %)",
            f"- 24 h high and low: {_number(ticker['highPrice'])} and "
            f"{_number(ticker['lowPrice'])}",
            f"- 24 h volume: {_number(ticker['volume'])}, worth {_number(ticker['quoteVolume'])}",
        ]
    except (KeyError, ArithmeticError) as error:
        raise BadAnswer("the exchange's 24-hour statistics cannot be read") from error


def _book_lines(book: Book) -> list[str]:
    spread = f"- Spread: {plain(book.spread)} ({plain(round(book.spread_bps, 2))} bps)"
    rows = [
        (plain(bid.price), plain(bid.quantity), plain(ask.price), plain(ask.quantity))
        for bid, ask in zip(book.bids, book.asks, strict=False)
    ]
    return [spread, "", *_table(("bid", "quantity", "ask", "quantity"), rows)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return ["None."]
    ruler = "|".join("---" for _ in columns)
    return [f"| {' | '.join(columns)} |", f"|{ruler}|", *(f"| {_cells(row)} |" for row in rows)]


def _cells(row: Sequence[object]) -> str:
    return " | ".join(str(cell) for cell in row)


def _is_held(row: Any) -> bool:
    return Decimal(row["free"]) + Decimal(row["locked"]) > 0


def _number(text: str) -> str:
    return plain(short(Decimal(text)))
