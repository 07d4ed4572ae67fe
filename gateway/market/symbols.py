"""Which symbols the exchange lists; a symbol is checked against this list, never a shape."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any, Self

from rapidfuzz import fuzz, process

from gateway.clock import Clock
from gateway.errors import BadAnswer, GatewayError, InvalidRequest, NotFound
from gateway.market.exchange import Exchange

logger = logging.getLogger(__name__)

FRESH = timedelta(hours=1)
RETRY = timedelta(minutes=1)  # after a failed refresh, while the last good list serves on
SUGGESTIONS = 5
SIMILAR = 60  # of 100
USUAL_QUOTES = ("USDT", "USDC", "BTC", "ETH", "BNB", "EUR", "TRY")
EXCHANGE_INFO = "/api/v3/exchangeInfo"
EXCHANGE_INFO_WEIGHT = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol; its own name may be in any script, and assets are never cut out of it."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: Mapping[str, Mapping[str, Any]]

    def rule(self, filter_type: str, field: str) -> Decimal:
        """A filter's number, or 0 (which the exchange reads as no rule) when there is none."""
        try:
            number = Decimal(str(self.filters[filter_type][field]))
        except (KeyError, InvalidOperation):
            return Decimal(0)
        return number if number.is_finite() else Decimal(0)

    @property
    def tick_size(self) -> Decimal:
        return self.rule("PRICE_FILTER", "tickSize")

    @property
    def step_size(self) -> Decimal:
        return self.rule("LOT_SIZE", "stepSize")


@dataclass(frozen=True, slots=True)
class Listings:
    """What the exchange listed at `as_of`."""

    by_symbol: Mapping[str, Listing]
    timezone: str
    server_time: int
    as_of: datetime

    def find(self, text: str) -> Listing:
        """Raises:
        NotFound: no such symbol; it carries up to five that are like it.
        """
        listing = self.by_symbol.get(text.strip().upper())
        if listing is None:
            raise _unknown(text, self.suggestions(text))
        return listing

    def suggestions(self, text: str) -> list[str]:
        """The asset's own pairs first, then what is spelled alike."""
        wanted = "".join(character for character in text.upper()[:40] if character.isalnum())
        pairs = [wanted + quote for quote in USUAL_QUOTES if wanted + quote in self.by_symbol]
        alike = process.extract(
            wanted, list(self.by_symbol), scorer=fuzz.ratio, limit=SUGGESTIONS, score_cutoff=SIMILAR
        )
        found = dict.fromkeys([*self._same(wanted), *pairs, *(name for name, *_ in alike)])
        return list(found)[:SUGGESTIONS]

    def _same(self, wanted: str) -> list[str]:
        """`BTC/USDT` and `btc-usdt` mean BTCUSDT."""
        return [wanted] if wanted in self.by_symbol else []


class Symbols:
    """The listings, read at most once an hour; the last good ones outlive a failing exchange."""

    def __init__(self, exchange: Exchange, *, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._listings: Listings | None = None
        self._next_read: datetime | None = None
        self._reading: asyncio.Task[Listings] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def find(self, text: str) -> Listing:
        """Raises:
        NotFound: no such symbol; it carries up to five that are like it.
        """
        return (await self.listings()).find(text)

    async def unknown(self, text: str) -> NotFound:
        """What to say of a symbol that the exchange refused although it is listed here."""
        listings = await self.listings()
        delisted = listings.find(text)
        alike = listings.suggestions(delisted.base_asset)
        return _unknown(text, [symbol for symbol in alike if symbol != delisted.symbol])

    async def listings(self) -> Listings:
        if self._listings and self._next_read and self._clock() < self._next_read:
            return self._listings
        try:
            return await self._read_once()
        except GatewayError as error:
            if self._listings is None:
                raise
            logger.warning("keeping the last good symbols: %s", type(error).__name__)
            self._next_read = self._clock() + RETRY
            return self._listings

    async def _read_once(self) -> Listings:
        """Whoever asks while a read is under way waits for that one."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="exchange info")
            self._reading.add_done_callback(self._read_ended)
        return await asyncio.shield(self._reading)

    def _read_ended(self, reading: "asyncio.Task[Listings]") -> None:
        self._reading = None
        if not reading.cancelled():
            # Taken here too, since every waiter may be gone.
            reading.exception()

    async def _read(self) -> Listings:
        answer = await self._ask()
        listings = read_listings(answer, as_of=self._clock())
        self._exchange.budget.limit = weight_limit(answer) or self._exchange.budget.limit
        await self._synchronise()
        self._listings = listings
        self._next_read = self._clock() + FRESH
        return self._listings

    async def _ask(self) -> object:
        # Permission sets are two thirds of a real exchange's list, and nothing here reads them.
        try:
            return await self._exchange.read(
                EXCHANGE_INFO, {"showPermissionSets": "false"}, weight=EXCHANGE_INFO_WEIGHT
            )
        except InvalidRequest:
            # Not every exchange that speaks this API knows the parameter.
            return await self._exchange.read(EXCHANGE_INFO, weight=EXCHANGE_INFO_WEIGHT)

    async def _synchronise(self) -> None:
        """Windows of trades end at the exchange's now; without it, ours is the best guess."""
        try:
            await self._exchange.synchronise()
        except GatewayError as error:
            logger.warning("the exchange did not tell its time: %s", type(error).__name__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


def read_listings(answer: object, *, as_of: datetime) -> Listings:
    """Raises:
    BadAnswer: this is no exchangeInfo, or it lists nothing.
    """
    try:
        listings = [_listing(symbol) for symbol in _symbols(answer)]
        by_symbol = {listing.symbol.upper(): listing for listing in listings}
        told: Any = answer
        return Listings(by_symbol, str(told["timezone"]), int(told["serverTime"]), as_of)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadAnswer("the exchange's list of symbols cannot be read; ask again later") from error


def weight_limit(answer: Any) -> int | None:
    """How much request weight the exchange allows in a minute, when it says so readably."""
    try:
        for limit in answer["rateLimits"]:
            if (limit["rateLimitType"], limit["interval"]) == ("REQUEST_WEIGHT", "MINUTE"):
                return max(int(limit["limit"]), 0) or None
    except (KeyError, TypeError, ValueError, OverflowError):
        logger.warning("the exchange did not say readably how much it may be asked")
    return None


def _symbols(answer: Any) -> Sequence[Mapping[str, Any]]:
    symbols: Sequence[Mapping[str, Any]] = answer["symbols"]
    if not symbols:
        raise ValueError("no symbols")
    return symbols


def _listing(symbol: Mapping[str, Any]) -> Listing:
    return Listing(
        symbol=str(symbol["symbol"]),
        status=str(symbol["status"]),
        base_asset=str(symbol["baseAsset"]),
        quote_asset=str(symbol["quoteAsset"]),
        filters={rule["filterType"]: rule for rule in symbol.get("filters", ())},
    )


def _unknown(text: str, suggestions: Sequence[str]) -> NotFound:
    shown = repr(text[:40])
    if not suggestions:
        return NotFound(
            f"the exchange does not list the symbol {shown}; it takes one such as BTCUSDT"
        )
    return NotFound(
        f"the exchange does not list the symbol {shown}; did you mean {', '.join(suggestions)}?",
        suggestions=suggestions,
    )
