"""What a completion may cost, by whose words it is asked, and that to plan changes nothing."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.caller import LOCAL, Caller
from gateway.errors import PaymentRequired, PermissionDenied
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.completion import Completion, Hints
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import FallbackAction, Policy
from gateway.storage.database import Database
from gateway.strategies import PromptingStrategy, Strategies
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

WORDY = Offer("wordy", Decimal(1), Decimal(10), max_output_tokens=64_000)
OF_INPUT = Offer("of-input", Decimal(100), Decimal(1))
FREE = Offer("gift:free", Decimal(0), Decimal(0))
MANNERS = PromptingStrategy(system_prompt="word " * 3_900)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


def at_most(microusd: int) -> Policy:
    cap = FallbackAction("use_paid", max_cost_microusd=microusd)
    return Policy(may_pay=True, on_quota_exceeded=(cap,))


def asked(model: str = "auto", most: int | None = None) -> ChatRequest:
    return ChatRequest(model, (Message("user", (Text("Say hello."),)),), max_output_tokens=most)


async def answered_by(
    completion: Completion, request: ChatRequest, hints: Hints | None = None
) -> str:
    async with completion.answering(LOCAL, request, hints or Hints()) as answering:
        async for _ in answering:
            pass
    return answering.model.id


@asynccontextmanager
async def with_strategies(
    routed: Router, url: str, policy: Policy
) -> AsyncIterator[tuple[Completion, Strategies]]:
    async with Database(url) as database, Strategies(database) as strategies:
        completion = Completion(
            routed.catalog, routed.providers, routed.ledger, policy, strategies=strategies
        )
        async with completion:
            yield completion, strategies


async def test_an_answer_without_a_bound_stays_within_max_cost(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter", offers=[WORDY]) as stand_in,
        router(stand_in, database_url=database_url, policy=at_most(50_000)) as routed,
    ):
        stand_in.always("wordy", Answer(tokens=30_000))
        await answered_by(routed.completion, asked())
        await stand_in.rests()
        assert 0 < stand_in.billed_microusd <= 50_000
        # Who names a model is bound by nothing but the limits.
        await answered_by(routed.completion, asked("openrouter/wordy"))
        await stand_in.rests()
        assert stand_in.billed_microusd > 300_000


async def test_what_a_prompting_strategy_adds_counts_for_max_cost_and_for_the_plan(
    database_url: str,
) -> None:
    policy = at_most(10_000)
    async with (
        LlmStandIn("openrouter", offers=[OF_INPUT]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
        with_strategies(routed, database_url, policy) as (completion, strategies),
    ):
        request, plain = asked(most=10), Hints(is_worded=False)
        before = completion.plan(LOCAL, request).steps[0]
        await strategies.set(LOCAL.name, "openrouter/of-input", MANNERS)
        with pytest.raises(PaymentRequired, match="max_cost"):
            await answered_by(completion, request)
        assert stand_in.requests == []
        # Nobody's wording, or nobody else's: it costs what it did.
        assert completion.plan(LOCAL, request, plain).steps[0] == before
        assert completion.plan(Caller("bob"), request).steps[0] == before
        named = completion.plan(LOCAL, replace(request, model="of-input")).steps[0]
        assert named.expected_microusd is not None
        assert named.worst_microusd is not None
        assert 300_000 < named.expected_microusd < named.worst_microusd < 3_000_000


async def test_a_call_is_not_worded_where_its_caller_says_so(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
        with_strategies(routed, database_url, Policy()) as (completion, strategies),
    ):
        await strategies.set(LOCAL.name, "openrouter/gift:free", MANNERS)
        await answered_by(completion, asked(), Hints(is_worded=False))
        await answered_by(completion, asked())
        roles = [[one["role"] for one in got.body["messages"]] for got in stand_in.requests]
        assert roles == [["user"], ["system", "user"]]


@pytest.mark.parametrize("wanted", ["auto", "auto:best", "openrouter/wordy"])
async def test_what_may_cost_nothing_is_answered_for_nothing_or_not_at_all(
    database_url: str, wanted: str
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[WORDY]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(may_pay=True)) as routed,
    ):
        assert await answered_by(routed.completion, asked(wanted)) == "openrouter/wordy"
        with pytest.raises(PaymentRequired, match="this call may cost nothing"):
            await answered_by(routed.completion, asked(wanted), Hints(pays=False))
        assert len(stand_in.requests) == 1


async def test_to_plan_takes_no_turn_and_explores_nothing(database_url: str) -> None:
    offers = [replace(FREE, name=f"gift-{number}:free") for number in range(3)]
    policy = Policy(strategy="round_robin", explore_share=1.0)
    async with (
        LlmStandIn("openrouter", offers=offers) as stand_in,
        router(stand_in, database_url=database_url, policy=policy) as routed,
    ):
        answered = []
        for _ in offers:
            plans = {routed.completion.plan(LOCAL, asked()).steps[0].model.id for _ in range(5)}
            answered.append(await answered_by(routed.completion, asked()))
            assert plans == {answered[-1]}
        assert len(set(answered)) == len(offers)


async def test_a_key_is_refused_what_it_may_not_use(database_url: str) -> None:
    bob = Caller("bob", models=("openrouter/none",))
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        for model in ("auto", "openrouter/gift:free"):
            with pytest.raises(PermissionDenied):
                async with routed.completion.answering(bob, asked(model)):
                    pass


async def test_a_model_that_was_just_listed_can_be_named_and_no_request_waits_for_the_others(
    database_url: str,
) -> None:
    loop, is_free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        lineups = routed.completion.lineups
        before = lineups.now()
        stand_in.offers["new:free"] = replace(FREE, name="new:free")
        lists = await routed.providers["openrouter"].listed()
        busy = loop.run_in_executor(None, is_free.wait)
        today = datetime.now(UTC).date()
        routed.catalog.learn("openrouter", [DatedListing(one, today) for one in lists])
        assert routed.completion.plan(LOCAL, asked()).considered == len(before)
        assert lineups.now() is before
        named = routed.completion.plan(LOCAL, asked("new:free"))
        assert named.steps[0].model.id == "openrouter/new:free"
        is_free.set()
        await busy
        await loop.run_in_executor(None, lambda: None)
        assert len(lineups.now()) == len(before) + 1


async def test_where_nothing_would_do_what_was_just_listed_is_looked_at_before_refusing(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[WORDY]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        assert not routed.completion.plan(LOCAL, asked()).steps
        stand_in.offers["new:free"] = replace(FREE, name="new:free")
        lists = await routed.providers["openrouter"].listed()
        today = datetime.now(UTC).date()
        routed.catalog.learn("openrouter", [DatedListing(one, today) for one in lists])
        [step] = routed.completion.plan(LOCAL, asked()).steps
        assert step.model.id == "openrouter/new:free"
