"""Which exchange the market provider asks, with which keys, and where it listens."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError

ExchangeName = Literal["simulated", "binance", "testnet"]

# The market-data host needs no key and shares no limit with an account, but it serves no account.
PUBLIC_URL = "https://data-api.binance.vision"
ACCOUNT_URL = "https://api.binance.com"
TESTNET_URL = "https://testnet.binance.vision"


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """`exchange_url` is any other place that speaks Binance's REST API, without `/api/v3`.

    Port 0 picks a free one. Account tools need both keys; trading tools need `trading` as well.
    """

    exchange: ExchangeName = "simulated"
    exchange_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    trading: bool = False
    host: str = "127.0.0.1"
    port: int = 50053
    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.exchange not in ("simulated", "binance", "testnet"):
            raise ConfigurationError(
                f"exchange is {self.exchange!r}; it takes simulated, binance or testnet"
            )
        if self.exchange_url is None:
            return
        address = urlsplit(self.exchange_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigurationError(
                f"exchange_url is {self.exchange_url!r}; it takes a URL such as {PUBLIC_URL}"
            )

    @property
    def has_keys(self) -> bool:
        return bool(self.api_key and self.api_secret)

    @property
    def may_trade(self) -> bool:
        return self.has_keys and self.trading

    @property
    def is_simulated(self) -> bool:
        return self.exchange == "simulated"

    @property
    def url(self) -> str | None:
        """Where the exchange is, without `/api/v3`; None is the simulated one in this process."""
        if self.exchange_url is not None:
            return self.exchange_url.rstrip("/").removesuffix("/v3").removesuffix("/api")
        if self.is_simulated:
            return None
        if self.exchange == "testnet":
            return TESTNET_URL
        return ACCOUNT_URL if self.has_keys else PUBLIC_URL

    @property
    def source(self) -> str:
        """The exchange's name, as every answer states it."""
        if self.is_simulated:
            return "simulated exchange"
        if self.exchange_url is not None:
            return urlsplit(self.exchange_url).hostname or self.exchange_url
        return "Binance" if self.exchange == "binance" else "Binance testnet"
