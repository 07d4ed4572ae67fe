"""The REST client of a Binance-compatible exchange: one connection pool, one budget, one clock."""

import asyncio
import logging
import ssl
from datetime import datetime, timedelta
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

from gateway.clock import Clock
from gateway.errors import BadAnswer
from gateway.market.exchange_answers import (
    LIMIT_STATUSES,
    no_answer,
    pause_seconds,
    read_answer,
)
from gateway.market.exchange_errors import ClockApart
from gateway.market.settings import SEND_SECONDS, MarketSettings
from gateway.market.signing import Parameters, encoded, signed
from gateway.market.simulated.app import simulated_exchange
from gateway.market.weight import WeightBudget

logger = logging.getLogger(__name__)

CONNECTIONS = 20
# The limit protects an exchange that many share; the one in this process serves only us.
EMBEDDED_WEIGHT_PER_MINUTE = 1_000_000


class Exchange:
    """Asks the exchange, and turns whatever goes wrong into the gateway's errors.

    Every call raises a `GatewayError`. A write is sent once; what became of it after a lost
    answer is `OutcomeUnknown`.
    """

    def __init__(self, settings: MarketSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._ahead = timedelta()
        self._client: httpx.AsyncClient | None = None
        self.budget = WeightBudget(clock)

    async def __aenter__(self) -> Self:
        # Both write whole URLs and headers into their logs, signatures and keys included.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = _http_client(self._settings, self._clock)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def now(self) -> datetime:
        """The exchange's own time, as far as it has told it."""
        return self._clock() + self._ahead

    async def synchronise(self) -> None:
        """Ask the exchange for its time."""
        answer = await self.read("/api/v3/time", weight=1)
        try:
            told = datetime.fromtimestamp(answer["serverTime"] / 1000, tz=self._clock().tzinfo)
        except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
            raise BadAnswer("the exchange did not say what time it is") from error
        self._ahead = told - self._clock()

    async def read(self, path: str, parameters: Parameters | None = None, *, weight: int) -> Any:
        """Public market data."""
        return await self._send("GET", path, encoded(parameters or {}), weight=weight)

    async def read_account(
        self, path: str, parameters: Parameters | None = None, *, weight: int
    ) -> Any:
        return await self._send_signed("GET", path, parameters or {}, weight=weight)

    async def write(self, method: str, path: str, parameters: Parameters, *, weight: int) -> Any:
        """Ends within `SEND_SECONDS`, whatever the exchange does.

        Raises:
            OutcomeUnknown: the exchange may or may not have done it.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await self._send_signed(method, path, parameters, weight=weight)
        except TimeoutError as error:
            no_answer(error, is_write=True)

    async def _send_signed(
        self, method: str, path: str, parameters: Parameters, *, weight: int
    ) -> Any:
        key = {"X-MBX-APIKEY": self._settings.api_key or ""}
        try:
            return await self._send(method, path, self._sign(parameters), weight=weight, key=key)
        except ClockApart as error:
            # Refused before anything was done with it, so a write may be sent again as well.
            logger.info("setting the clock after %s", type(error).__name__)
            await self.synchronise()
            return await self._send(method, path, self._sign(parameters), weight=weight, key=key)

    def _sign(self, parameters: Parameters) -> str:
        stamp = int(self.now().timestamp() * 1000)
        return signed({**parameters, "timestamp": stamp}, self._settings.api_secret or "")

    async def _send(
        self, method: str, path: str, query: str, *, weight: int, key: dict[str, str] | None = None
    ) -> Any:
        url = f"{path}?{query}" if query else path
        is_write = method != "GET"
        with self.budget.spend(weight) as permit:
            try:
                answer = await self._request(method, url, key)
            except (httpx.HTTPError, TimeoutError) as error:
                no_answer(error, is_write=is_write)
            self.budget.settle(permit, answer.headers)
        pause = pause_seconds(answer, seconds_to_next_minute=self.budget.seconds_to_next_minute())
        if answer.status_code in LIMIT_STATUSES:
            self.budget.pause(pause)
        return read_answer(answer, is_write=is_write, pause_seconds=pause)

    async def _request(self, method: str, url: str, key: dict[str, str] | None) -> httpx.Response:
        if self._client is None:
            raise RuntimeError("the exchange is not open")
        # The read timeout starts anew with every chunk, so a trickling answer needs an end too.
        settings = self._settings
        deadline = settings.connect_timeout_seconds + 2 * settings.read_timeout_seconds
        async with asyncio.timeout(deadline):
            return await self._client.request(method, url, headers=key)


def _http_client(settings: MarketSettings, clock: Clock) -> httpx.AsyncClient:
    timeout = httpx.Timeout(settings.read_timeout_seconds, connect=settings.connect_timeout_seconds)
    if settings.url is None:
        app = simulated_exchange(
            clock,
            api_key=settings.api_key,
            api_secret=settings.api_secret,
            weight_per_minute=EMBEDDED_WEIGHT_PER_MINUTE,
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://simulated", timeout=timeout
        )
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    return httpx.AsyncClient(
        base_url=settings.url, timeout=timeout, limits=limits, verify=_certificates()
    )


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    # Reading them takes longer than all the rest of an opening.
    return httpx.create_ssl_context()
