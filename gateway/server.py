"""Serves the gateway, over HTTP or a pipe, until it ends, and closes everything behind it."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager

import uvicorn
from starlette.types import ASGIApp

from gateway.app.opening import opened
from gateway.app.serving import served
from gateway.app.stdio import serve_starter
from gateway.config.settings import Config
from gateway.errors import ConfigurationError, GatewayError
from gateway.garbage import collect_what_comes_later
from gateway.llm.provider.settings import ProviderSettings

SHUTDOWN_SECONDS = 5
LOG_LEVELS = ("debug", "info", "warning", "error")


MoreProviders = AbstractAsyncContextManager[Sequence[ProviderSettings]]


def run(
    config: Config, *, on_ready: Callable[[], None], more_providers: MoreProviders | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is called once, when the port is open.

    `more_providers` are open for as long as the gateway is.
    """
    _run(_serve(config, on_ready, more_providers or contextlib.nullcontext(())))


def run_stdio(config: Config) -> None:
    """Serve whoever started this program until its input ends, or SIGTERM or SIGINT comes."""
    _run(_serve_stdio(config))


def _run(serving: Coroutine[None, None, None]) -> None:
    with (
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
        contextlib.suppress(asyncio.CancelledError),
    ):
        runner.run(serving)


async def _serve(
    config: Config, on_ready: Callable[[], None], more_providers: MoreProviders
) -> None:
    # Told to stop before there is a server, it stops opening.
    _on_stop(_this_task().cancel)
    with _bound(config.host, config.port) as listener:
        async with (
            more_providers as more,
            opened(config, more_providers=more, carries_out="all") as gateway,
            served(config, gateway) as app,
        ):
            await _serve_app(app, listener, on_ready)


async def _serve_stdio(config: Config) -> None:
    _on_stop(_this_task().cancel)
    async with opened(config) as gateway:
        collect_what_comes_later()
        await serve_starter(config, gateway)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _serve_app(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    settings = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # Nothing here speaks WebSocket, and what would takes its time to import.
        ws="none",
        # nginx on this machine says which scheme and client it serves.
        forwarded_allow_ips="127.0.0.1",
    )
    collect_what_comes_later()
    # uvicorn listens itself while it serves, and raises the signal again when it has stopped;
    # then it must not keep the gateway from being closed.
    _on_stop(lambda: None)
    await _Server(settings, on_ready).serve(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    """The port, taken before anything is opened, but not yet answering.

    Raises:
        GatewayError: it cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Without it small answers wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise GatewayError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error
    return listener


def _on_stop(act: Callable[[], object]) -> None:
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when its port is open."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def configure_logging(level: str) -> None:
    """One line for each record on standard error: time, level, logger, and `key=value`.

    Raises:
        ConfigurationError: there is no such level.
    """
    if level.lower() not in LOG_LEVELS:
        raise ConfigurationError(f"--log-level: {level!r} is none of {', '.join(LOG_LEVELS)}")
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    # These log a line for each request, with its path.
    for name in ("alembic", "httpx", "httpcore", "mcp", "sse_starlette", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
