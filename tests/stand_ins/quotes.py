"""A small real registry of quotes and candles, whose service can be made to fail."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.freshness import Freshness
from gateway.documents.query import Query
from gateway.documents.registry import Registry
from gateway.errors import NotFound

AS_OF = datetime(2026, 11, 21, 12, 3, 4, tzinfo=UTC)
PRICES = {"BTCUSDT": "67,890.12", "ETHUSDT": "3,456.78", "SOLUSDT": "142.30"}
NAMES = {"bitcoin": "BTCUSDT", "btc": "BTCUSDT", "eth": "ETHUSDT", "solana": "SOLUSDT"}

TICKER = """\
**{symbol} last traded at {price} USDT**, +1.24 % against 24 hours ago.

| 24 hours | Value |
|---|---|
| Last price | {price} USDT |
| Change | +831.50 USDT (+1.24 %) |
| High | 68,400.00 USDT |
| Low | 66,712.05 USDT |
| Volume | 18,204.551 BTC |
"""
CANDLES = """\
**{count} candles of 4h, the newest first.** Times are UTC.

| Opened | Open (USDT) | High | Low | Close | Volume | Trades |
|---|---:|---:|---:|---:|---:|---:|
"""
CANDLE = (
    "| 2026-11-{day:02} 04:00 | 67,890.12 | 68,400.00 | 66,712.05 | 67,001.99 "
    "| 18,204.551 | 904,211 |"
)


@dataclass
class Quotes:
    """One kind of document; a test changes `text`, or sets `failure` to have every read fail."""

    pattern: IdPattern = field(
        default_factory=lambda: IdPattern("ticker:{symbol}", {"symbol": str.upper})
    )
    fresh_seconds: float = 0
    revision: object | None = None
    description: str = "Last price, change, range and volume of the last 24 hours."
    text: str = TICKER
    title: str = "{symbol} {price} USDT (+1.24 % in 24 h), 12:03Z"
    is_simulated: bool = False
    failure: Exception | None = None

    def entries(self, query: Query) -> Sequence[Entry]:
        symbols = [NAMES[word.text] for word in query.words if word.text in NAMES]
        return [self._entry(symbol) for symbol in symbols]

    def _entry(self, symbol: str) -> Entry:
        return Entry(
            id=self.pattern.format(symbol=symbol),
            title=f"{symbol} price, 24 h change and volume",
            snippet="Last price, change, range and volume.",
            phrases=("price", "candle", "book", "bitcoin", "buying"),
            is_live=True,
        )

    async def read(self, document_id: DocumentId) -> Document:
        if self.failure:
            raise self.failure
        symbol = document_id.values["symbol"]
        if symbol not in PRICES:
            raise NotFound(
                f"{symbol[:40]!r} is not a listed symbol", suggestions=["ticker:BTCUSDT"]
            )
        price = PRICES[symbol]
        return Document(
            id=document_id,
            title=self.title.format(symbol=symbol, price=price),
            summary=f"Last {price} USDT, +1.24 % in 24 h; range 66,712.05 to 68,400.00 USDT.",
            text=self.text.format(symbol=symbol, price=price),
            as_of=AS_OF,
            source="a small exchange",
            is_simulated=self.is_simulated,
            metadata={"symbol": symbol, "unit": "USDT"},
        )


class Candles:
    """A kind whose documents are long."""

    pattern = IdPattern("klines:{symbol}:{interval}", {"symbol": str.upper})
    fresh_seconds = 0.0
    revision = None
    description = "Candles of one interval."

    def entries(self, _: Query) -> Sequence[Entry]:
        return ()

    async def read(self, document_id: DocumentId) -> Document:
        rows = "\n".join(CANDLE.format(day=1 + number % 28) for number in range(50))
        return Document(
            id=document_id,
            title="BTC/USDT 4h candles: close 67,001.99 USDT",
            summary="50 candles of 4h.",
            text=CANDLES.format(count=50) + rows,
            as_of=AS_OF,
            source="a small exchange",
        )


def registry_of(quotes: Quotes, *, public_url: str) -> Registry:
    return Registry([quotes, Candles()], Freshness(), public_url=public_url)
