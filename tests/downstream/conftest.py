"""What these tests share: a provider that looks often, and the states that it logs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.capabilities import ProviderTool
from gateway.downstream.provider import Provider
from tests.stand_ins.provider import StandInProvider

Connect = Callable[..., Awaitable[Provider]]


@pytest.fixture
async def service() -> AsyncIterator[StandInProvider]:
    async with StandInProvider() as stand_in:
        yield stand_in


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens a provider that is closed at the end of the test."""
    async with AsyncExitStack() as stack:

        async def open_provider(service: StandInProvider, **settings: Any) -> Provider:
            settings.setdefault("backoff", Backoff(first_seconds=0.01, most_seconds=0.05))
            return await stack.enter_async_context(Provider("market", service.address, **settings))

        yield open_provider


def tools_of(provider: Provider) -> tuple[ProviderTool, ...]:
    assert provider.capabilities is not None
    return provider.capabilities.tools


class States(logging.Handler):
    """The states that the provider logged, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        for state in ("up", "down"):
            if f"state={state} " in f"{record.getMessage()} ":
                self._changes.put_nowait(state)

    async def next(self) -> str:
        async with asyncio.timeout(8):
            return await self._changes.get()


@pytest.fixture
def states() -> Iterator[States]:
    logger = logging.getLogger("gateway.downstream")
    handler, level = States(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
