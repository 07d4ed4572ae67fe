"""Which exchange the market provider asks, with which keys, and where it listens."""

import re
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError
from gateway.loopback import is_this_machine

ExchangeName = Literal["simulated", "binance", "testnet"]
EXCHANGES: tuple[ExchangeName, ...] = get_args(ExchangeName)
SIMULATED_SOURCE = "simulated exchange"

# The market-data host needs no key and shares no limit with an account, but it serves no account.
PUBLIC_URL = "https://data-api.binance.vision"
ACCOUNT_URL = "https://api.binance.com"
TESTNET_URL = "https://testnet.binance.vision"

HOST = "127.0.0.1"
PORT = 50053
MOST_SHOWN = 40  # a key is longer

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# The parts of a confirmed write, each of which is given up after so long.
CHECK_SECONDS = 6.0  # the symbol and its rules, before anything is sent
SEND_SECONDS = CONNECT_SECONDS + READ_SECONDS + 1  # the write itself
LOOK_UP_SECONDS = 7.0  # one look at what became of it, when its answer was lost
# The longest that a call which trades may take; whoever waits less may not hear the outcome.
WRITE_SECONDS = CHECK_SECONDS + SEND_SECONDS + LOOK_UP_SECONDS + 1


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """`exchange_url` is any other place that speaks Binance's REST API, without `/api/v3`.

    Port 0 picks a free one. Account tools need both keys; trading tools need `trading` as well.
    The provider has neither a login nor TLS, so with keys it listens on this machine only, unless
    `account_for_everybody`; and nobody else may ever trade.
    """

    exchange: ExchangeName = "simulated"
    exchange_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    trading: bool = False
    host: str = HOST
    port: int = PORT
    connect_timeout_seconds: float = CONNECT_SECONDS
    read_timeout_seconds: float = READ_SECONDS
    account_for_everybody: bool = False

    def __post_init__(self) -> None:
        if self.exchange not in EXCHANGES:
            allowed = f"{', '.join(EXCHANGES[:-1])} or {EXCHANGES[-1]}"
            raise ConfigurationError(f"exchange is {self.exchange!r}; it takes {allowed}")
        if self.exchange_url is not None and not is_web_url(self.exchange_url):
            raise ConfigurationError(
                f"exchange_url is {shown_url(self.exchange_url)}; "
                f"it takes a URL such as {PUBLIC_URL}"
            )
        self._check_keys()
        self._check_host()

    def _check_keys(self) -> None:
        if bool(self.api_key) == bool(self.api_secret):
            return
        given, missing = "api_key", "api_secret"
        if self.api_secret:
            given, missing = missing, given
        variable = f"BINANCE_{missing.upper()}"
        raise ConfigurationError(
            f"{missing} ({variable}) is missing: it only goes together with {given}"
        )

    def _check_host(self) -> None:
        if is_this_machine(self.host) or not self.has_keys:
            return
        if self.trading:
            raise ConfigurationError(
                f"host is {self.host!r} and trading is on: everybody could trade, because there "
                f"is no login and no TLS; listen on {HOST}, or switch trading off"
            )
        if not self.account_for_everybody:
            raise ConfigurationError(
                f"host is {self.host!r} and there are keys: everybody could read the account, "
                f"because there is no login and no TLS; listen on {HOST}, remove the keys, or set "
                "account_for_everybody if that is meant"
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
            return SIMULATED_SOURCE
        if self.exchange_url is not None:
            return urlsplit(self.exchange_url).hostname or self.exchange_url
        return "Binance" if self.exchange == "binance" else "Binance testnet"


def is_web_url(text: str) -> bool:
    """Whether paths can be put behind it: `http` or `https`, a host, no login, `?` or `#`."""
    if re.search(r"[\s\\?#@]", text) or not text.isprintable():
        return False
    try:
        parts = urlsplit(text)
        is_port_right = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_port_right


def shown_url(text: str) -> str:
    """A URL that was refused, but not one in which a password or a key may stand."""
    if re.search(r"[@?]", text) or len(text) > MOST_SHOWN:
        return "too long, or has a login or a query"
    return repr(text)
