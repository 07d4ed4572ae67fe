"""The pairs that the market provider lists, kept up to date while the gateway runs."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from rapidfuzz import fuzz, process

from gateway.downstream.provider import Provider
from gateway.errors import BadAnswer, GatewayError
from gateway.sources.market.coins import coins

logger = logging.getLogger(__name__)

# What a coin is priced in when the question does not say, the first that is listed.
QUOTES = ("USDT", "USDC", "FDUSD", "EUR", "TRY", "BTC", "ETH", "BNB")
REFRESH_SECONDS = 3_600
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A symbol, and the two assets that it trades; never split a symbol by its ending."""

    symbol: str
    base: str
    quote: str


@dataclass(frozen=True, eq=False)
class Universe:
    """All pairs. `is_verified` when a provider listed them, else they are the seed's guess."""

    pairs: Mapping[str, Pair]
    is_verified: bool

    @classmethod
    def of(cls, pairs: Iterable[Pair], *, is_verified: bool) -> "Universe":
        return cls({pair.symbol: pair for pair in pairs}, is_verified)

    @cached_property
    def bases(self) -> Mapping[str, Mapping[str, Pair]]:
        """The pairs of each base asset, by quote asset."""
        bases: dict[str, dict[str, Pair]] = {}
        for pair in self.pairs.values():
            bases.setdefault(pair.base, {})[pair.quote] = pair
        return bases

    def pair(self, base: str, quote: str) -> Pair | None:
        return self.bases.get(base, {}).get(quote)

    def usual_pair(self, base: str) -> Pair | None:
        quoted = self.bases.get(base, {})
        first = next((quoted[quote] for quote in QUOTES if quote in quoted), None)
        return first or next(iter(quoted.values()), None)

    def successor(self, symbol: str) -> tuple[Pair | None, str]:
        """The pair that took the place of an old ticker's, and what to say about it."""
        for old, renamed in coins().renamed.items():
            quote = symbol.removeprefix(old.upper())
            if quote != symbol and (pair := self.pair(renamed.asset, quote)):
                return pair, f" ({renamed.note})"
        return None, ""

    def near(self, symbol: str, *, limit: int = 3) -> list[str]:
        """The usual pair of an asset or a coin's name, else symbols that are spelled alike."""
        base = coins().names.get(symbol.lower(), symbol)
        if pair := self.usual_pair(base):
            return [pair.symbol]
        matches = process.extract(
            symbol.upper()[:40], list(self.pairs), scorer=fuzz.ratio, limit=limit, score_cutoff=70
        )
        return [match[0] for match in matches]


def guessed_universe() -> Universe:
    """What search knows before a provider has listed anything, or when it never does."""
    bases = [asset for asset in coins().assets if asset != "USDT"]
    return Universe.of((Pair(f"{base}USDT", base, "USDT") for base in bases), is_verified=False)


class MarketUniverse:
    """Reads the provider's pairs when it appears, when it changes, and every hour."""

    def __init__(self, provider: Provider, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._provider = provider
        self._retry_seconds = retry_seconds
        self._changed = asyncio.Event()
        self._listed = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None
        self.current = guessed_universe()

    async def __aenter__(self) -> Self:
        self._provider.on_change = self._changed.set
        name = f"universe of {self._provider.name}"
        self._refreshing = asyncio.create_task(self._keep_up(), name=name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._refreshing:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def listed(self, *, within_seconds: float) -> bool:
        """Whether a provider's own list is known, after waiting for it a little."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._listed.wait()
        except TimeoutError:
            return False
        return True

    async def _keep_up(self) -> None:
        while True:
            self._changed.clear()
            wait_seconds = REFRESH_SECONDS if await self._refreshed() else self._retry_seconds
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _refreshed(self) -> bool:
        try:
            return await self.refresh()
        except Exception:
            # Whatever is wrong with one answer, the next one must still be asked for.
            logger.exception("universe of %s was not refreshed", self._provider.name)
            return False

    async def refresh(self) -> bool:
        """Whether it is known what the provider lists, if only that it lists nothing."""
        try:
            answer = await self._provider.invoke("binance.get_exchange_info", {})
            pairs = _trading_pairs(answer)
        except GatewayError as error:
            logger.info("universe refreshed=false reason=%s", error.code)
            return False
        if pairs:
            self.current = Universe.of(pairs, is_verified=True)
        logger.info("universe refreshed=true pairs=%d", len(self.current.pairs))
        self._listed.set()
        return True


def _trading_pairs(answer: Any) -> Sequence[Pair]:
    """The pairs of an exchangeInfo answer; older providers answer without any."""
    try:
        rows = answer.get("symbols", ())
        listed = [row for row in rows if row.get("status", "TRADING") != "BREAK"]
        pairs = [Pair(row["symbol"], row["baseAsset"], row["quoteAsset"]) for row in listed]
    except (AttributeError, KeyError, TypeError) as error:
        raise BadAnswer("the list of symbols is not like the exchange's") from error
    names = [name for pair in pairs for name in (pair.symbol, pair.base, pair.quote)]
    if not all(isinstance(name, str) for name in names):
        raise BadAnswer("the list of symbols holds something else than names")
    return pairs
