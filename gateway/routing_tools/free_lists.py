"""The lists that tell which models are free: asked for anew when one wants, but not at will."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from gateway.clock import Clock, now, rfc3339
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.tool_answers import record

KINDS = frozenset({"openrouter", "nanogpt"})
# However many callers ask, a provider is asked for its lists once in this time.
ASKED_SECONDS = 60.0
# A list of another day is asked for without being told to, once in this time.
STALE_SECONDS = 600.0

Outcome = Literal["kept", "refreshed", "failed", "too_soon"]
LIST_SCHEMA = record(
    {
        "provider": {"type": "string"},
        "outcome": {
            "type": "string",
            "enum": ["kept", "refreshed", "failed", "too_soon"],
            "description": (
                "kept: nobody asked for another. failed: it did not come, and the last one holds. "
                "too_soon: it was asked for a moment ago."
            ),
        },
        "asked_at": {"type": ["string", "null"]},
        "retry_after_seconds": {"type": ["integer", "null"]},
        "as_of": {"type": ["string", "null"]},
    }
)


@dataclass(frozen=True, slots=True)
class ListState:
    """`asked_at` is when this gateway was last told to ask for it here; `as_of` its day."""

    provider: str
    outcome: Outcome
    asked_at: datetime | None
    as_of: date | None
    retry_after_seconds: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "outcome": self.outcome,
            "asked_at": None if self.asked_at is None else rfc3339(self.asked_at),
            "retry_after_seconds": self.retry_after_seconds,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    at: datetime
    since: float


class FreeLists:
    """Those of the providers that have free models.

    `ask` asks one provider now, and tells whether the catalog has learned what it said.
    """

    def __init__(
        self,
        catalog: Catalog,
        kinds: Mapping[str, str],
        *,
        ask: Callable[[str], Awaitable[bool]],
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._ask = ask
        self._clock = clock
        self._monotonic = monotonic
        self._names = [name for name, kind in kinds.items() if kind in KINDS]
        self._asked: dict[str, _Asked] = {}

    async def states(self, *, refresh: bool) -> Sequence[ListState]:
        """Asks first for what is wanted or stale, all providers side by side."""
        return await asyncio.gather(*(self._state(one, refresh=refresh) for one in self._names))

    async def _state(self, provider: str, *, refresh: bool) -> ListState:
        before = self._asked.get(provider)
        is_stale = self._as_of(provider) != self._clock().date()
        since = math.inf if before is None else self._monotonic() - before.since
        if refresh and since < ASKED_SECONDS:
            seconds = math.ceil(ASKED_SECONDS - since)
            return self._told(provider, "too_soon", retry_after_seconds=seconds)
        if refresh or (is_stale and since >= STALE_SECONDS):
            return await self._refreshed(provider)
        return self._told(provider, "kept")

    async def _refreshed(self, provider: str) -> ListState:
        # Counted before the wait: a second call must already see this one.
        self._asked[provider] = _Asked(self._clock(), self._monotonic())
        came = await self._ask(provider)
        return self._told(provider, "refreshed" if came else "failed")

    def _told(
        self, provider: str, outcome: Outcome, *, retry_after_seconds: int | None = None
    ) -> ListState:
        asked = self._asked.get(provider)
        return ListState(
            provider,
            outcome,
            asked.at if asked else None,
            self._as_of(provider),
            retry_after_seconds,
        )

    def _as_of(self, provider: str) -> date | None:
        models = self._catalog.callable_models
        days = (one.as_of for one in models if one.provider == provider)
        return max((day for day in days if day), default=None)
