"""Asks every configured provider for its model lists from time to time, beside the requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.cancellation import ended
from gateway.clock import Clock, now
from gateway.errors import GatewayError
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.kept_lists import KeptLists
from gateway.llm.listing import Listing

logger = logging.getLogger(__name__)

HOUR_SECONDS = 3_600
DEADLINE_SECONDS = 60
FIRST_RETRY_SECONDS = 15

Ask = Callable[[], Awaitable[Sequence[Listing]]]


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """Who has lists: `ask` gives them as they are; what somebody has at home changes sooner."""

    name: str
    ask: Ask
    interval_seconds: float = HOUR_SECONDS


class Refresh:
    """Teaches a catalog what providers list; first what they listed when they last did.

    A provider that does not answer, or answers nonsense, keeps what it had. A list that did not
    come while others of the same provider did is taken from the last copy.
    """

    def __init__(
        self,
        catalog: Catalog,
        providers: Sequence[ListedProvider],
        *,
        kept: KeptLists,
        clock: Clock = now,
    ) -> None:
        self._catalog = catalog
        self._providers: Mapping[str, ListedProvider] = {one.name: one for one in providers}
        self._kept = kept
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._unheard = {name: asyncio.Event() for name in self._providers}

    async def __aenter__(self) -> Self:
        for name in self._providers:
            await asyncio.to_thread(self._remember, name)
        self._tasks = [
            asyncio.create_task(self._keep_asking(one), name=f"models of {one.name}")
            for one in self._providers.values()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await ended(*self._tasks)

    async def heard(self, *, within_seconds: float) -> None:
        """Wait until every provider was asked once, or has a last copy; but no longer than that."""
        waits = (event.wait() for event in self._unheard.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await asyncio.gather(*waits)

    async def once(self, provider: str) -> bool:
        """Ask one provider now; whether the catalog now knows what it lists."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                lists = await self._providers[provider].ask()
            if lists:
                await asyncio.to_thread(self._learn, provider, lists)
        except (GatewayError, TimeoutError) as error:
            code = error.code if isinstance(error, GatewayError) else "deadline_exceeded"
            logger.warning("model lists did not come: provider=%s code=%s", provider, code)
            return False
        except Exception:
            # One provider's surprise must not stop the lists from ever coming again.
            logger.exception("model lists could not be read: provider=%s", provider)
            return False
        return True

    async def _keep_asking(self, provider: ListedProvider) -> None:
        failures = 0
        while True:
            failures = 0 if await self.once(provider.name) else failures + 1
            self._unheard[provider.name].set()
            await asyncio.sleep(pause_seconds(provider.interval_seconds, failures))

    def _remember(self, provider: str) -> None:
        try:
            if kept := self._kept.read(provider):
                self._catalog.learn(provider, kept)
                self._unheard[provider].set()
        except Exception:
            # It only saves time: the lists are asked for anyway.
            logger.exception("kept model lists could not be used: provider=%s", provider)

    def _learn(self, provider: str, lists: Sequence[Listing]) -> None:
        today = self._clock().date()
        came = {listing.kind for listing in lists}
        missed = [one for one in self._kept.read(provider) if one.listing.kind not in came]
        dated = [*(DatedListing(listing, today) for listing in lists), *missed]
        self._catalog.learn(provider, dated)
        self._kept.write(provider, dated)


def pause_seconds(interval_seconds: float, failures: int) -> float:
    """Soon after a first failure, and twice as long after each further one."""
    if failures == 0:
        return interval_seconds
    return min(interval_seconds, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 10))
