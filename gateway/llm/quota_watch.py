"""Asks providers what they count of their quotas, so that ours and theirs are one."""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Self

from gateway.cancellation import ended
from gateway.errors import GatewayError
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.quota import ReportedQuota
from gateway.usage.call import Unit
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window

logger = logging.getLogger(__name__)

POLL_SECONDS = 120.0
DEADLINE_SECONDS = 20.0
# Images are not called here, and money is the provider's own business.
_COUNTED: Mapping[str, Unit] = {"requests": "requests", "input_tokens": "input_tokens"}
_SPANS = ("day", "week", "month")


class QuotaWatch:
    """One task for each provider that can say something; one that does not answer keeps its last.

    A quota that the configuration does not know becomes a limit of its own: of the free tier of
    its provider, in the provider's own window.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        ledger: Ledger,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._providers = [one for one in providers if one.kind == "nanogpt"]
        self._ledger = ledger
        self._poll_seconds = poll_seconds
        self._tasks: list[asyncio.Task[None]] = []
        self._own_names: set[str] = set()

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._keep_asking(one), name=f"quotas of {one.name}")
            for one in self._providers
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(*self._tasks)

    async def once(self, provider: Provider) -> bool:
        """Ask now; whether it answered."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                reported = await provider.quotas()
            for quota in reported:
                await self._take(provider, quota)
        except (GatewayError, TimeoutError) as error:
            logger.warning("quotas did not come: provider=%s error=%s", provider.name, type(error))
            return False
        return True

    async def _keep_asking(self, provider: Provider) -> None:
        while True:
            try:
                await self.once(provider)
            except Exception:
                # One surprise must not end the watch.
                logger.exception("quotas could not be taken: provider=%s", provider.name)
            await asyncio.sleep(self._poll_seconds)

    async def _take(self, provider: Provider, quota: ReportedQuota) -> None:
        unit = _COUNTED.get(quota.unit)
        if unit is None or quota.window not in _SPANS or quota.most is None:
            return
        own = _own(provider.name, quota, unit)
        limits = self._ledger.limits
        if own.name not in self._own_names and own.name in {one.name for one in limits}:
            # The configuration has this name for a limit that must not be replaced.
            own = replace(own, name=f"{own.name}_reported")
        stated = [one for one in limits if _counts_alike(one, own)]
        if not stated:
            self._own_names.add(own.name)
            await self._ledger.add(own)
        for limit in stated or [own]:
            used = quota.used if quota.is_active else max(limit.most, quota.used or 0)
            if used is not None:
                await self._ledger.observe(
                    limit.name, used, at=quota.as_of, resets_at=quota.resets_at
                )


def _own(provider: str, quota: ReportedQuota, unit: Unit) -> Limit:
    return Limit(
        name=f"{provider}_{_snake(quota.name)}",
        unit=unit,
        most=quota.most or 0,
        window=Window.parse(quota.window),
        where={"provider": provider, "tier": "free"},
    )


def _counts_alike(limit: Limit, own: Limit) -> bool:
    """Whether the configuration has a limit of its own that counts what the provider counts."""
    is_alike = (limit.unit, limit.window, limit.where) == (own.unit, own.window, own.where)
    return is_alike and not limit.per and limit.name != own.name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
