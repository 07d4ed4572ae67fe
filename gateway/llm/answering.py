"""One attempt of one model at a request: reserved before it, streamed, and settled after it."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from gateway.errors import GatewayError, LimitExceeded
from gateway.llm.accounting import FREE_OF_CHARGE, Meter, allowances, cost, worst_amount
from gateway.llm.messages import ChatRequest, Chunk, Usage
from gateway.llm.model import Model, Tier
from gateway.llm.observing import Observer
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.stream import ProviderStream
from gateway.usage.call import Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import dollars
from gateway.usage.reservation import Reservation

logger = logging.getLogger(__name__)

CANCELLED = "cancelled"


class Answering:
    """An answer that has begun; iterate over its chunks once.

    When the iteration ends, by itself or by an error, the ledger has its line and `usage` and
    `cost_microusd` (what was charged; None is unknown) are final. `attempts` counts the requests
    that were sent to providers until this answer began. `warnings` say
    what it lacks of what was asked. Where `waits_for_ledger` is made false,
    the end does not wait for its line to be written: what was reserved stays held until it is.
    """

    def __init__(
        self,
        model: Model,
        provider: Provider,
        call: Call,
        *,
        ledger: Ledger,
        observer: Observer,
        route: Mapping[str, Any],
        attempts: int,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.model = model
        self.cost_microusd: int | None = None
        self.list_microusd: int | None = None
        self.usage: Usage | None = None
        self.quota_remaining: int | None = None
        self.waits_for_ledger = True
        self.warnings = warnings
        self._provider = provider
        self._call = call
        self._ledger = ledger
        self._observer = observer
        self._route = route
        self._earlier_attempts = attempts
        self._meter = Meter(input_tokens=0)
        self._stream: ProviderStream | None = None
        self._reservation: Reservation | None = None
        self._written: asyncio.Future[Any] | None = None
        self._ready: deque[Chunk] = deque()
        self._is_begun = False
        self._began_at = time.perf_counter()

    @property
    def route_id(self) -> str:
        return self._call.route_id or ""

    @property
    def provider(self) -> str:
        return self.model.provider

    @property
    def attempts(self) -> int:
        return self._earlier_attempts + (self._stream.attempts if self._stream else 0)

    @property
    def tier(self) -> Tier:
        return self.model.tier

    @property
    def is_settled(self) -> bool:
        """Whether nothing is held for it: it was settled, or never reserved."""
        return self._reservation is None

    @property
    def was_reserved(self) -> bool:
        """Whether the ledger let it begin."""
        return self._stream is not None

    @property
    def was_sent(self) -> bool:
        """Whether a provider got it."""
        return self._stream is not None and self._stream.was_sent

    async def begin(
        self,
        request: ChatRequest,
        *,
        input_tokens: int,
        most_input_tokens: int,
        default_tokens: int,
        most_microusd: int | None = None,
    ) -> None:
        """Reserve, and wait for the first piece of the answer; it may cost `most_microusd`.

        Raises:
            GatewayError: nothing came, and what that cost is settled.
        """
        bounded = await self._reserve(
            request, most_input_tokens, default_tokens, most_microusd=most_microusd
        )
        self._meter = Meter(input_tokens=input_tokens)
        self._stream = self._provider.stream(bounded, self.model)
        async for chunk in self:
            self._ready.append(chunk)
            if chunk.says_something:
                break
        self._is_begun = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._is_begun and self._ready:
            return self._ready.popleft()
        assert self._stream is not None
        try:
            chunk = await anext(self._stream)
        except StopAsyncIteration:
            await self.settle("ok")
            raise
        except GatewayError as error:
            await self.settle(error.code)
            raise
        self._meter.count(chunk)
        return chunk

    async def settle(self, outcome: str) -> None:
        """Close the stream and write the ledger's line, once; a cancelled try can be repeated."""
        if self.is_settled:
            return
        if self._stream is not None:
            await self._stream.__aexit__(None, None, None)
        used = await self._used(outcome) if self.was_sent else None
        # Not earlier: whoever is cancelled until here leaves it to be settled by others.
        reservation, self._reservation = self._reservation, None
        if reservation is None:
            return
        if used is None:
            await self._ledger.release(reservation)
            return
        settlement = self._settlement(outcome, used)
        self._log(settlement)
        self._observer.ended(self._call, outcome)
        self._written = self._ledger.settling(reservation, settlement)
        if self.waits_for_ledger:
            await self.written()

    async def written(self) -> None:
        """Wait until what was reserved is no longer held, of an answer that was settled."""
        if self._written is not None:
            await asyncio.shield(self._written)

    def seen_beside(self, text: str) -> None:
        """It answers this text, on an automatic route."""
        self._observer.answering(self._call.caller, text, self._call)

    def broke_calls(self, count: int) -> None:
        """So many of its calls of tools had arguments that no tool takes."""
        for _ in range(count):
            self._observer.broke_a_call(self._call)

    async def _reserve(
        self,
        request: ChatRequest,
        most_input_tokens: int,
        default_tokens: int,
        *,
        most_microusd: int | None,
    ) -> ChatRequest:
        refusal: LimitExceeded | None = None
        for bounded, output_tokens in allowances(
            request, self.model, default_tokens=default_tokens
        ):
            worst = worst_amount(
                self.model, input_tokens=most_input_tokens, output_tokens=output_tokens
            )
            if most_microusd is not None and (
                worst.microusd is None or worst.microusd > most_microusd
            ):
                refusal = refusal or _too_dear(self.model, worst.microusd, most_microusd)
                continue
            try:
                self._reservation = await self._ledger.reserve(self._call, worst)
            except LimitExceeded as error:
                refusal = error
                continue
            self.quota_remaining = self._quota_remaining()
            return bounded
        assert refusal is not None
        raise refusal

    def _quota_remaining(self) -> int | None:
        """Of the quotas that bind this call; those that count requests come first."""
        quotas = [one for one in self._ledger.standing(self._call) if not one.limit.is_budget]
        requests = [one.remaining for one in quotas if one.limit.unit == "requests"]
        return min(requests or [one.remaining for one in quotas], default=None)

    async def _used(self, outcome: str) -> tuple[Usage, bool]:
        """What was used, and whether that is only a guess."""
        assert self._stream is not None
        if self._meter.is_counted:
            return self._meter.usage, False
        generation_id = self._stream.generation_id
        if outcome != "ok" and generation_id and self._stream.may_be_billed:
            billed = await self._billed(generation_id)
            if billed is not None:
                return billed, False
        return self._meter.usage, True

    async def _billed(self, generation_id: str) -> Usage | None:
        try:
            return await self._provider.billed(generation_id)
        except Exception:
            # Whatever a provider says there, the call must still get its line.
            logger.exception("a provider did not say what it billed: %s", self.model.id)
            return None

    def _settlement(self, outcome: str, used: tuple[Usage, bool]) -> Settlement:
        assert self._stream is not None
        usage, is_estimated = used
        costs = cost(usage, self.model, is_estimated=is_estimated)
        is_charged = outcome == "ok" or self._stream.may_be_billed
        if not is_charged:
            usage, costs = Usage(), FREE_OF_CHARGE
        self.usage, self.list_microusd = usage, costs.listed_microusd
        self.cost_microusd = costs.billed_microusd
        first = self._stream.first_chunk_seconds
        return Settlement(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            billed_microusd=costs.billed_microusd,
            list_microusd=costs.listed_microusd,
            cost_source=costs.source,
            first_token_ms=None if first is None else first * 1000,
            total_ms=(time.perf_counter() - self._began_at) * 1000,
            tool_calls=len(self._meter.tool_calls),
            outcome=outcome,
            attempts=self.attempts,
            requests=int(is_charged),
            route=self._story(outcome),
        )

    def _log(self, settled: Settlement) -> None:
        logger.info(
            "route_id=%s caller=%s model=%s tier=%s task=%s outcome=%s input_tokens=%d "
            "output_tokens=%d microusd=%s milliseconds=%.1f attempts=%d request_id=%s",
            self.route_id,
            self._call.caller,
            self.model.id,
            self.tier,
            self._call.task,
            settled.outcome,
            settled.input_tokens,
            settled.output_tokens,
            "unknown" if settled.billed_microusd is None else settled.billed_microusd,
            settled.total_ms,
            settled.attempts,
            self._call.request_id,
        )

    def _story(self, outcome: str) -> Mapping[str, Any]:
        return {
            **self._route,
            "answered_by": self.model.id if outcome == "ok" else None,
            "tried_last": self.model.id,
            "tier": self.tier,
            "attempts": self.attempts,
            "outcome": outcome,
            "cost_microusd": self.cost_microusd,
        }


def _too_dear(model: Model, worst: int | None, most: int) -> LimitExceeded:
    at_most = "an unknown sum" if worst is None else dollars(worst)
    message = f"{model.id} may cost {at_most}, more than max_cost {dollars(most)}"
    return LimitExceeded(message, limit="max_cost", retry_after_seconds=0)


async def settled_when_left(answering: Answering, owned: set[asyncio.Task[None]]) -> None:
    """Settle an answer that was left early, even if whoever left was cancelled.

    A provider may be asked what it billed, which takes seconds: `owned` keeps the task.
    """
    if answering.is_settled:
        return
    task = asyncio.create_task(_settle(answering), name="settle an answer that was left")
    owned.add(task)
    task.add_done_callback(owned.discard)


async def _settle(answering: Answering) -> None:
    try:
        await answering.settle(CANCELLED)
    except Exception:
        # Nobody waits for it; its worst case stays charged.
        logger.exception("a call that was left could not be settled: %s", answering.route_id)
