"""Money: hundreds of calls, two processes, clients that leave, and `kill -9`."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
import pytest_asyncio

from gateway.clock import now
from tests.acceptance.router_processes import HELLO, RunningRouter, ledger_of, running_router, until
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.postgres import postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL = "openrouter/small"
OFFER = Offer("small", input=Decimal("0.5"), output=Decimal(10))
TOKENS = 20
# A call costs 202 micro-dollars: 4 tokens at 0.5 and 20 at 10. The budget is that of 100 calls.
BUDGET_MICROUSD = 20_200
BUDGET = {"name": "all-of-it", "budget_usd": BUDGET_MICROUSD / 1_000_000, "window": "month"}
LEAVE: Any = [{"role": "user", "content": "I will leave."}]
Outcome = Literal["answered", "refused", "left", "failed"]


def reply(body: Mapping[str, Any]) -> Answer:
    """Whoever says that it will leave gets three pieces, and then no more until it has left."""
    is_leaving = body["messages"] == LEAVE
    return Answer(tokens=TOKENS, input_tokens=4, hold_after=3 if is_leaving else None)


@pytest_asyncio.fixture(loop_scope="module")
async def stand_in() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("openrouter", offers=[OFFER]) as opened:
        opened.always("small", reply)
        yield opened


async def outcome(client: openai.AsyncOpenAI, number: int, *, leaves: bool = False) -> Outcome:
    """Of one call: plain and streamed take turns."""
    asked: Any = {"model": SMALL, "messages": LEAVE if leaves else HELLO, "max_tokens": TOKENS}
    try:
        if not leaves and number % 2:
            await client.chat.completions.create(**asked)
            return "answered"
        async with await client.chat.completions.create(**asked, stream=True) as stream:
            async for chunk in stream:
                if leaves and "word1" in (chunk.choices[0].delta.content or ""):
                    return "left"
    except openai.RateLimitError as error:
        return "refused" if error.code == "limit_exceeded" else "failed"
    return "answered"


async def at_once(
    routers: Sequence[RunningRouter], calls: int, *, every_leaving: int = 0
) -> list[Outcome]:
    """The routers take turns, and one call in so many leaves."""
    async with AsyncExitStack() as stack:
        # A client looks through all of its connections for each call: 500 would take it long.
        clients = [
            await stack.enter_async_context(routers[number % len(routers)].openai())
            for number in range(20)
        ]
        return await asyncio.gather(
            *(
                outcome(
                    clients[number % 20],
                    number // 20,
                    leaves=every_leaving > 0 and number // 20 % every_leaving == 0,
                )
                for number in range(calls)
            )
        )


async def rest(stand_in: LlmStandIn, router: RunningRouter) -> None:
    """Nothing is under way any more, and every call that was sent has its line."""
    await stand_in.rests()
    await router.settles(len(stand_in.requests))

    async def nothing_is_reserved() -> bool:
        reserved: float = (await router.limit("all-of-it"))["reserved"]
        return reserved == 0

    await until(nothing_is_reserved)


async def test_of_500_calls_at_once_no_more_are_made_than_the_budget_pays(
    tmp_path: Path, stand_in: LlmStandIn
) -> None:
    async with (
        running_router(tmp_path, stand_in, settings={"limits": [BUDGET]}) as router,
        router.openai() as client,
    ):
        outcomes = await at_once([router], 500)
        await rest(stand_in, router)
        assert outcomes.count("answered") == len(stand_in.requests)
        assert outcomes.count("answered") + outcomes.count("refused") == 500
        assert 50 <= outcomes.count("answered") <= 100
        assert stand_in.billed_microusd <= BUDGET_MICROUSD
        assert await router.charged_microusd() == stand_in.billed_microusd
        # What the first calls did not need is there for others, up to the last that fits.
        while await outcome(client, 1) == "answered":
            pass
        await rest(stand_in, router)
        assert 98 <= len(stand_in.requests) <= 100
        assert await router.charged_microusd() == stand_in.billed_microusd <= BUDGET_MICROUSD
        assert (await router.limit("all-of-it"))["settled"] == stand_in.billed_microusd


async def test_two_processes_and_clients_that_leave_keep_the_budget_to_the_microdollar(
    tmp_path: Path, stand_in: LlmStandIn
) -> None:
    env = {"GATEWAY_DATABASE_URL": postgres().new_database()}
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    settings = {"limits": [BUDGET]}
    async with (
        running_router(folders[0], stand_in, settings=settings, env=env) as one,
        running_router(folders[1], stand_in, settings=settings, env=env) as other,
    ):
        outcomes = await at_once([one, other], 500, every_leaving=5)
        await rest(stand_in, one)
        assert outcomes.count("left") >= 5
        assert outcomes.count("left") == sum(one.has_left for one in stand_in.requests)
        assert 500 - outcomes.count("refused") == len(stand_in.requests)
        assert stand_in.billed_microusd <= BUDGET_MICROUSD
        for router in (one, other):
            assert await router.charged_microusd() == stand_in.billed_microusd
        # PostgreSQL keeps no NUL, and is not asked for one.
        assert (await one.usage("day&caller=%00"))["lines"] == []
        lines = (await one.usage("outcome"))["lines"]
        assert {line["outcome"]: line["calls"] for line in lines} == {
            "ok": outcomes.count("answered"),
            "cancelled": outcomes.count("left"),
        }


async def dies_in_the_middle(
    router: RunningRouter, client: openai.AsyncOpenAI, stand_in: LlmStandIn
) -> int:
    """As many streams as the budget allows have begun; then the process hears no more of them."""
    asked: Any = {"model": SMALL, "messages": LEAVE, "max_tokens": TOKENS, "stream": True}
    begun = []
    with suppress(openai.RateLimitError):
        while True:
            begun.append(await client.chat.completions.create(**asked))
    for stream in begun:
        await anext(aiter(stream))
    router.process.signal(signal.SIGKILL)
    for stream in begun:
        with pytest.raises(openai.APIConnectionError):
            async for _ in stream:
                pass
    await stand_in.rests()
    return len(begun)


async def test_what_a_killed_process_was_spending_stays_charged(
    tmp_path: Path, stand_in: LlmStandIn
) -> None:
    budget = {**BUDGET, "budget_usd": 0.002}
    settings = {"limits": [budget]}
    async with (
        running_router(tmp_path, stand_in, settings=settings) as router,
        router.openai() as client,
    ):
        begun = await dies_in_the_middle(router, client, stand_in)
    assert begun >= 5
    billed = stand_in.billed_microusd
    async with (
        running_router(tmp_path, stand_in, settings=settings) as router,
        router.openai() as client,
    ):
        state = await router.limit("all-of-it")
        held = state["reserved"]
        assert (state["settled"], state["used"]) == (0, held)
        assert 0 < billed < held <= 2_000
        assert await outcome(client, 0) == "refused"
        # As any process does that shares the database, a quarter of an hour later.
        async with ledger_of(tmp_path, lambda: now() + timedelta(minutes=16)) as ledger:
            await ledger.sweep()
        state = await router.limit("all-of-it")
        assert (state["settled"], state["reserved"]) == (held, 0)
        lines = (await router.usage("outcome"))["lines"]
        assert [(line["outcome"], line["calls"], line["failed"]) for line in lines] == [
            ("lost", begun, begun)
        ]
        assert await router.charged_microusd() == held
        assert await outcome(client, 0) == "refused"
        assert stand_in.billed_microusd == billed
