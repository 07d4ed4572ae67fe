"""Whatever goes wrong with a call, it is in the ledger once, and nothing of it stays reserved."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from gateway.caller import LOCAL
from gateway.errors import InvalidRequest, LimitExceeded, Unavailable
from gateway.llm.completion import Completion
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Image, Message, Text
from gateway.llm.policy import FallbackAction, Policy
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

REQUEST = ChatRequest(
    "openrouter/small", (Message("user", (Text("Say hello."),)),), max_output_tokens=20
)
A_CENT = Limit("spend", "microusd", 10_000, Window.parse("month"))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


async def said(completion: Completion, request: ChatRequest) -> str:
    gathering = Gathering()
    async with completion.answering(LOCAL, request) as answering:
        async for chunk in answering:
            gathering.add(chunk)
    return gathering.answers[0].message.text


async def test_a_caller_that_leaves_while_the_bill_is_asked_for_is_charged_all_the_same(
    database_url: str,
) -> None:
    stand_in = LlmStandIn("openrouter")
    stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
    is_asked, may_answer, usual = asyncio.Event(), asyncio.Event(), stand_in.app

    async def slow_with_bills(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/generation"):
            is_asked.set()
            await may_answer.wait()
        await usual(scope, receive, send)

    stand_in.app = slow_with_bills  # type: ignore[assignment]  # any ASGI app will do
    async with (
        stand_in,
        router(stand_in, database_url=database_url, limits=[A_CENT]) as routed,
    ):
        asking = asyncio.create_task(said(routed.completion, REQUEST))
        await is_asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        may_answer.set()
        await routed.completion.__aexit__()
        (state,) = await routed.ledger.states()
        assert (state.reserved, state.settled) == (0, stand_in.billed_microusd)
        assert stand_in.billed_microusd > 0
        assert (await routed.total()).calls == 1


async def test_closing_waits_for_an_answer_whose_caller_is_still_being_cancelled(
    database_url: str,
) -> None:
    has_begun, is_leaving, may_leave = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def streaming(completion: Completion) -> None:
        async with completion.answering(LOCAL, REQUEST):
            has_begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                is_leaving.set()
                await may_leave.wait()

    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, limits=[A_CENT]) as routed,
    ):
        stand_in.script("small", Answer(tokens=9, hold_after=3))
        task = asyncio.create_task(streaming(routed.completion))
        await has_begun.wait()
        task.cancel()
        await is_leaving.wait()
        closing = asyncio.create_task(routed.completion.__aexit__())
        may_leave.set()
        await closing
        (state,) = await routed.ledger.states()
        assert state.reserved == 0
        assert (await routed.total()).calls == 1


async def test_calls_that_a_quota_refuses_at_the_last_moment_pay_only_where_that_is_configured(
    database_url: str,
) -> None:
    free = Limit("free", "requests", 1, Window.parse("day"), {"tier": "free"})
    policy = Policy(may_pay=True, on_quota_exceeded=(FallbackAction("error", message="No more."),))
    async with (
        LlmStandIn("nanogpt") as stand_in,
        router(stand_in, database_url=database_url, limits=[free], policy=policy) as routed,
    ):
        request = replace(REQUEST, model="auto")
        outcomes = await asyncio.gather(
            *(said(routed.completion, request) for _ in range(5)), return_exceptions=True
        )
        refused = [one for one in outcomes if isinstance(one, LimitExceeded)]
        assert len(refused) == 4
        assert all(str(one).startswith("No more: ") for one in refused)
        assert len(stand_in.requests) == 1
        assert [line.group["tier"] for line in await routed.lines("tier")] == ["free"]


async def test_calls_that_a_quota_refuses_at_the_last_moment_go_on_to_paid_models_within_a_budget(
    database_url: str,
) -> None:
    free = Limit("free", "requests", 1, Window.parse("day"), {"tier": "free"})
    async with (
        LlmStandIn("nanogpt") as stand_in,
        router(
            stand_in, database_url=database_url, limits=[free], policy=Policy(may_pay=True)
        ) as routed,
    ):
        request = replace(REQUEST, model="auto")
        await asyncio.gather(*(said(routed.completion, request) for _ in range(3)))
        lines = {line.group["tier"]: line.calls for line in await routed.lines("tier")}
        assert lines == {"free": 1, "paid": 2}


async def test_a_limit_of_a_task_is_seen_where_the_caller_names_the_task(
    database_url: str,
) -> None:
    coding = Limit("coding", "requests", 0, Window.parse("day"), {"task": "coding"})
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(
            stand_in, database_url=database_url, limits=[coding], policy=Policy(may_pay=True)
        ) as routed,
    ):
        assert not routed.completion.plan(LOCAL, replace(REQUEST, model="auto:coding")).steps
        assert routed.completion.plan(LOCAL, replace(REQUEST, model="auto:quick")).steps


async def test_a_ledger_that_does_not_answer_is_not_asked_for_one_model_after_another(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(may_pay=True)) as routed,
    ):
        await routed.ledger.__aexit__()
        with caplog.at_level(logging.INFO), pytest.raises(Unavailable, match="ledger is closed"):
            await said(routed.completion, replace(REQUEST, model="auto"))
        assert caplog.text.count("failed=unavailable") == 1
        assert stand_in.requests == []


async def test_what_one_provider_cannot_be_asked_is_asked_of_the_next(database_url: str) -> None:
    offer = Offer("small")
    async with (
        LlmStandIn("anthropic", offers=[offer]) as one,
        LlmStandIn("openai", offers=[offer]) as other,
        router(
            one, other, database_url=database_url, policy=Policy(unknown_price="allow")
        ) as routed,
    ):
        # Anthropic gives one answer only.
        request = replace(REQUEST, model="small", choices=2)
        async with routed.completion.answering(LOCAL, request) as answering:
            assert answering.provider == "openai"
        with pytest.raises(InvalidRequest, match="one answer"):
            await said(routed.completion, replace(request, model="anthropic/small", choices=3))
        assert one.requests == []


@pytest.mark.parametrize("field", ["models", "route"])
async def test_a_caller_cannot_have_the_provider_choose_another_model(
    database_url: str, field: str
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            await said(routed.completion, replace(REQUEST, extra={field: ["large"]}))
        assert stand_in.requests == []


async def test_images_are_reserved_at_what_their_model_counts_for_them(database_url: str) -> None:
    offer = Offer("gpt-4o-mini", has_vision=True)
    async with (
        LlmStandIn("openrouter", offers=[offer]) as stand_in,
        router(stand_in, database_url=database_url, limits=[A_CENT]) as routed,
    ):
        stand_in.always("gpt-4o-mini", Answer(tokens=5, input_tokens=48_000))
        image = (Message("user", (Image("https://pictures.example/a.png"),)),)
        with pytest.raises(LimitExceeded):
            await said(
                routed.completion,
                replace(REQUEST, model="openrouter/gpt-4o-mini", messages=image),
            )
        assert stand_in.billed_microusd == 0


async def test_no_more_is_asked_for_than_was_reserved(database_url: str) -> None:
    offer = Offer("small", max_output_tokens=100)
    async with (
        LlmStandIn("openrouter", offers=[offer]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        await said(routed.completion, replace(REQUEST, max_output_tokens=5_000))
        assert stand_in.requests[0].body["max_tokens"] == 100


async def test_what_no_provider_can_be_asked_leaves_no_route_however_often_it_is_tried(
    database_url: str,
) -> None:
    request = replace(REQUEST, model="ollama/small", choices=2)
    async with (
        LlmStandIn("ollama", offers=[Offer("small")]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        for _ in range(3):
            with pytest.raises(InvalidRequest, match="gives one answer") as refused:
                await said(routed.completion, request)
            assert refused.value.route_id is None
        assert await routed.ledger.routes() == []
