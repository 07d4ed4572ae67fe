"""One call of one model for a benchmark: paid for by its run, measured, and told how it ended."""

import asyncio
import glob
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.benchmarks.purse import OverBudget, Purse
from gateway.benchmarks.record import ANSWERED, EMPTY
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import GatewayError, LimitExceeded, RateLimited, Unavailable
from gateway.llm.answering import Answering
from gateway.llm.completion import Completion, Hints
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Usage

MOST_TRIES = 3
LEAST_WAIT_SECONDS = 1.0
MOST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a call; `outcome` is `ok`, `empty`, or an error's code, told in `detail`."""

    outcome: str
    text: str = ""
    detail: str = ""
    is_cut: bool = False
    total_ms: float | None = None
    first_token_ms: float | None = None
    usage: Usage = field(default_factory=Usage)
    cost_microusd: int | None = None
    route_id: str = ""


class Asking:
    """Calls of one caller within one purse.

    A model that says when to come back is asked again, if that is soon: a benchmark is not there
    to find out how many requests a minute a provider takes.
    """

    def __init__(
        self,
        completion: Completion,
        who: Caller,
        purse: Purse,
        *,
        patience_seconds: float,
        clock: Clock = now,
    ) -> None:
        self._completion = completion
        self._who = who
        self._purse = purse
        self._patience_seconds = patience_seconds
        self._clock = clock

    @asynccontextmanager
    async def asked(
        self,
        request: ChatRequest,
        hints: Hints,
        *,
        later_microusd: int | None = 0,
        within_microusd: int | None = None,
    ) -> AsyncIterator[Said]:
        """What was said; until the block is left, `later_microusd` more are held for what follows.

        Such a following call is itself asked `within_microusd`, which are held already.

        Raises:
            OverBudget: the run's budget might not pay for it all; nothing was called.
        """
        left_seconds = self._patience_seconds
        for tries_left in range(MOST_TRIES - 1, -1, -1):
            async with AsyncExitStack() as holds:
                purse = _Held(within_microusd) if within_microusd is not None else self._purse
                money = _Money(purse, holds, later_microusd)
                said, error = await self._ask_once(request, hints, money)
                wait_seconds = _wait_seconds(error)
                if wait_seconds is None or wait_seconds > left_seconds or not tries_left:
                    if not later_microusd:
                        await holds.aclose()
                    yield said
                    return
            left_seconds -= wait_seconds
            await asyncio.sleep(wait_seconds)

    def worst_microusd(self, request: ChatRequest, hints: Hints) -> int | None:
        """What a call may cost at most; None is not known, and 0 also what cannot be called."""
        steps = self._completion.plan(self._only(request), request, hints).steps
        return steps[0].worst_microusd if steps else 0

    async def _ask_once(
        self, request: ChatRequest, hints: Hints, money: "_Money"
    ) -> tuple[Said, GatewayError | None]:
        only = self._only(request)
        try:
            route = self._completion.plan(only, request, hints)
            if (refusal := route.error(self._clock())) is not None:
                return _failed(refusal), refusal
            worst = route.steps[0].worst_microusd
            await money.hold(worst)
            # Of a subscription that ends just now, the price of the paid twin is not held.
            bound = replace(hints, pays=False) if worst == 0 else hints
            return await self._answered(only, request, bound)
        except OverBudget:
            raise
        except GatewayError as error:
            return _failed(error), error

    def _only(self, request: ChatRequest) -> Caller:
        """No other model may answer in its place."""
        return replace(self._who, models=(glob.escape(request.model),))

    async def _answered(
        self, only: Caller, request: ChatRequest, hints: Hints
    ) -> tuple[Said, GatewayError | None]:
        gathering, began = Gathering(), time.perf_counter()
        answering: Answering | None = None
        first = began
        try:
            async with self._completion.answering(only, request, hints) as answering:
                first = time.perf_counter()
                async for chunk in answering:
                    gathering.add(chunk)
        except GatewayError as error:
            return _failed(error, answering), error
        total = time.perf_counter()
        answer = gathering.answers[0] if gathering.answers else None
        text = answer.message.text if answer else ""
        is_cut = answer is not None and answer.finish_reason == "length"
        return (
            Said(
                ANSWERED if text.strip() else EMPTY,
                text,
                is_cut=is_cut,
                total_ms=(total - began) * 1000,
                first_token_ms=(first - began) * 1000,
                usage=answering.usage or Usage(),
                cost_microusd=answering.cost_microusd,
                route_id=answering.route_id,
            ),
            None,
        )


class _Held:
    """Money that a call before this one had held for it too."""

    def __init__(self, microusd: int) -> None:
        self._microusd = microusd

    @asynccontextmanager
    async def holding(self, worst_microusd: int | None) -> AsyncIterator[None]:
        if worst_microusd is None or worst_microusd > self._microusd:
            raise OverBudget("it may cost more than was held for it")
        yield


@dataclass(frozen=True, slots=True)
class _Money:
    """Where a call takes its own worst case from, and what is held beside it until `holds` ends."""

    purse: Purse | _Held
    holds: AsyncExitStack
    later_microusd: int | None

    async def hold(self, worst_microusd: int | None) -> None:
        unknown = worst_microusd is None or self.later_microusd is None
        total = None if unknown else (worst_microusd or 0) + (self.later_microusd or 0)
        await self.holds.enter_async_context(self.purse.holding(total))


def _failed(error: GatewayError, answering: Answering | None = None) -> Said:
    """What broke in the middle may have cost something."""
    said = Said(error.code, detail=str(error)[:MOST_DETAIL])
    if answering is None:
        return said
    return replace(
        said,
        usage=answering.usage or Usage(),
        cost_microusd=answering.cost_microusd,
        route_id=answering.route_id,
    )


def _wait_seconds(error: GatewayError | None) -> float | None:
    """How long to wait before asking again; None where that would not help."""
    if isinstance(error, LimitExceeded) or not isinstance(error, RateLimited | Unavailable):
        return None
    return max(error.retry_after_seconds, LEAST_WAIT_SECONDS)
