"""The market provider as a program: one exchange behind one gRPC server."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Self

import uvicorn

from gateway.clock import Clock, now
from gateway.errors import ConfigurationError
from gateway.market.exchange import Exchange
from gateway.market.server import MarketServer
from gateway.market.settings import MarketSettings
from gateway.market.simulated.app import simulated_exchange
from gateway.market.symbols import Symbols
from gateway.market.tools import Tools
from gateway.market.trading import TradingDesk
from gateway.market.venue import Venue

logger = logging.getLogger(__name__)


class MarketProgram:
    """Opens the exchange's client, then the server; it asks the exchange nothing until asked."""

    def __init__(self, settings: MarketSettings, *, clock: Clock = now) -> None:
        self._settings = settings
        self._exchange = Exchange(settings, clock=clock)
        self._symbols = Symbols(self._exchange, clock=clock)
        self._desk = TradingDesk(clock)
        venue = Venue(settings, self._exchange, self._symbols, clock=clock)
        self._server = MarketServer(
            venue, Tools(venue, self._desk), host=settings.host, port=settings.port
        )
        self._open = AsyncExitStack()

    @property
    def address(self) -> str:
        """Where it listens, such as `127.0.0.1:50053`; the real port once it is open."""
        return self._server.address

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            # Opened in this order, closed in reverse.
            await opening.enter_async_context(self._exchange)
            await opening.enter_async_context(self._symbols)
            await opening.enter_async_context(self._desk)
            await opening.enter_async_context(self._server)
            self._open = opening.pop_all()
        logger.info("serving %s at %s", self._settings.source, self.address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()


async def run(settings: MarketSettings) -> None:
    """Serve until SIGTERM, SIGINT or a cancellation."""
    stop = asyncio.Event()
    with _stopping(stop):
        async with MarketProgram(settings):
            await stop.wait()


@contextmanager
def _stopping(stop: asyncio.Event) -> Iterator[None]:
    if sys.platform == "win32":
        # Its loops take no handlers; there Ctrl+C cancels the program.
        yield
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve_simulated_exchange(host: str, port: int) -> None:
    """Serve the simulated exchange's own HTTP until cancelled, for whatever else speaks it.

    Raises:
        ConfigurationError: the port is taken.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: is another program on that port?"
        ) from error
    config = uvicorn.Config(simulated_exchange(), log_config=None, access_log=False)
    server = _SignalFreeServer(config)
    serving = asyncio.create_task(server.serve([listener]), name="simulated exchange")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _SignalFreeServer(uvicorn.Server):
    """Leaves SIGTERM and SIGINT to the program around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
