"""A request becomes one answer, one honest fallback at most, and one line for each call."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    LimitExceeded,
    NotFound,
    PaymentRequired,
    PermissionDenied,
    RateLimited,
    Refused,
    Unauthenticated,
)
from gateway.llm.completion import Completion, Hints
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import Policy
from gateway.llm.provider.settings import Timeouts
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Refusal, rate_limited
from tests.stand_ins.llm.server import LlmStandIn


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


def asked(model: str, text: str = "Say hello.", most: int | None = None) -> ChatRequest:
    return ChatRequest(model, (Message("user", (Text(text),)),), max_output_tokens=most)


async def said(completion: Completion, request: ChatRequest, caller: Caller = LOCAL) -> str:
    gathering = Gathering()
    async with completion.answering(caller, request) as answering:
        async for chunk in answering:
            gathering.add(chunk)
    return gathering.answers[0].message.text


def budget(dollars: float, **where: str) -> Limit:
    window = Window.parse("month")
    return Limit("spend", "microusd", round(dollars * 1_000_000), window, where)  # type: ignore[arg-type]


async def test_an_answer_is_streamed_and_its_cost_is_what_the_provider_billed(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        async with routed.completion.answering(LOCAL, asked("openrouter/small")) as answering:
            pieces = [chunk.text async for chunk in answering if chunk.text]
        await stand_in.rests()
        assert "".join(pieces) == "This is what the stand-in answers."
        assert len(pieces) > 1
        assert answering.cost_microusd == stand_in.billed_microusd > 0
        total = await routed.total()
        assert (total.calls, total.requests, total.failed) == (1, 1, 0)
        assert total.charged_microusd == stand_in.billed_microusd
        route = await routed.ledger.route(answering.route_id)
        assert route is not None
        assert route["answered_by"] == "openrouter/small"


async def test_a_provider_that_is_down_is_followed_by_the_same_model_elsewhere(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter") as first,
        LlmStandIn(
            "nanogpt", offers=[Offer("small", output=first.offers["small"].output * 2)]
        ) as second,
        router(first, second, database_url=database_url) as routed,
    ):
        first.script("small", Refusal(503))
        async with routed.completion.answering(LOCAL, asked("small")) as answering:
            async for _ in answering:
                pass
        assert answering.provider == "nanogpt"
        assert answering.attempts == 2
        lines = await routed.lines("provider", "outcome")
        assert {(line.group["provider"], line.group["outcome"]) for line in lines} == {
            ("openrouter", "unavailable"),
            ("nanogpt", "ok"),
        }
        assert (await routed.total()).requests == 1
        await second.rests()
        assert (await routed.total()).charged_microusd == second.billed_microusd


async def test_a_model_that_was_named_is_never_replaced_by_another(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        stand_in.script("small", rate_limited("30"))
        with pytest.raises(RateLimited, match="Rate limit"):
            await said(routed.completion, asked("openrouter/small"))
        assert [request.model for request in stand_in.requests] == ["small"]


async def test_an_error_after_the_first_piece_is_told_and_not_mended(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
        heard: list[str] = []

        async def listen() -> None:
            async with routed.completion.answering(LOCAL, asked("openrouter/small")) as answering:
                async for chunk in answering:
                    heard.append(chunk.text)  # noqa: PERF401 - it breaks off in the middle

        with pytest.raises(BadAnswer):
            await listen()
        assert "".join(heard) == "word0 word1 word2 "
        await stand_in.rests()
        assert len(stand_in.requests) == 1
        total = await routed.total()
        assert total.failed == 1
        assert total.charged_microusd == stand_in.billed_microusd > 0


async def test_a_caller_that_leaves_ends_the_call_and_is_charged_to_the_microdollar(
    database_url: str,
) -> None:
    async with LlmStandIn("openrouter") as stand_in:
        stand_in.script("small", Answer(tokens=500, hold_after=3))
        async with router(stand_in, database_url=database_url) as routed:
            async with routed.completion.answering(LOCAL, asked("openrouter/small")) as answering:
                async for chunk in answering:
                    if "word2" in chunk.text:
                        break
            await stand_in.rests()
            # Closing waits for what is still being settled.
            await routed.completion.__aexit__()
            total = await routed.total()
            assert stand_in.bills[0].tokens.output < 10
            assert total.charged_microusd == stand_in.billed_microusd > 0
            assert [line.group["outcome"] for line in await routed.lines("outcome")] == [
                "cancelled"
            ]


async def test_a_cancelled_wait_for_the_first_piece_is_settled(database_url: str) -> None:
    never = asyncio.Event()
    async with LlmStandIn("openrouter") as stand_in:
        stand_in.script("small", Answer(before_headers=never))
        async with router(stand_in, database_url=database_url, limits=[budget(1)]) as routed:
            waiting = asyncio.create_task(
                said(routed.completion, asked("openrouter/small", most=10))
            )
            await stand_in.has_received(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await routed.completion.__aexit__()
            assert (await routed.ledger.states())[0].reserved == 0
            assert (await routed.total()).calls == 1
        never.set()


async def test_hundreds_of_calls_at_once_never_spend_more_than_the_budget(
    database_url: str,
) -> None:
    offer = Offer("small")
    async with LlmStandIn("openrouter", offers=[offer]) as stand_in:
        stand_in.always("small", Answer(tokens=100, input_tokens=4))
        # Each call may need about 255 microdollars, and uses 202.
        async with router(stand_in, database_url=database_url, limits=[budget(0.0202)]) as routed:
            request = asked("openrouter/small", most=100)
            outcomes = await asyncio.gather(
                *(said(routed.completion, request) for _ in range(300)), return_exceptions=True
            )
            answered = [one for one in outcomes if isinstance(one, str)]
            refused = [one for one in outcomes if isinstance(one, LimitExceeded)]
            assert len(answered) + len(refused) == 300
            await stand_in.rests()
            assert 50 <= len(answered) <= 100
            assert stand_in.billed_microusd <= 20_200
            assert (await routed.total()).charged_microusd == stand_in.billed_microusd


async def test_a_refusal_says_which_limit_when_it_resets_and_what_the_call_would_cost(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, limits=[budget(0.000_001)]) as routed,
    ):
        with pytest.raises(LimitExceeded) as caught:
            await said(routed.completion, asked("openrouter/small"))
        message = str(caught.value)
        assert "'spend'" in message
        assert "resets at" in message or "more than all of it" in message
        assert "$0.00" in message
        assert stand_in.requests == []


async def test_a_budget_with_little_left_bounds_an_answer_that_the_caller_did_not(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(
            stand_in,
            database_url=database_url,
            limits=[budget(0.01)],
            policy=Policy(max_output_tokens=1_000),
        ) as routed,
    ):
        await said(routed.completion, asked("openrouter/small"))
        assert stand_in.requests[0].body["max_tokens"] == 1_000


async def test_automatic_routes_never_pay_unless_somebody_agreed_to_it(database_url: str) -> None:
    async with LlmStandIn("openrouter") as stand_in:
        async with router(stand_in, database_url=database_url) as routed:
            with pytest.raises(PaymentRequired, match=r"paid|budget"):
                await said(routed.completion, asked("auto"))
        async with router(
            stand_in, database_url=database_url, policy=Policy(may_pay=True)
        ) as routed:
            assert await said(routed.completion, asked("auto"))


async def test_what_a_subscription_includes_is_free_and_goes_to_the_base_that_cannot_bill(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("nanogpt") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        async with routed.completion.answering(LOCAL, asked("auto")) as answering:
            async for _ in answering:
                pass
        assert answering.model.name == "included"
        assert answering.tier == "free"
        assert answering.cost_microusd == 0
        assert answering.list_microusd
        assert stand_in.requests[0].path.startswith("/api/subscription/v1")
        assert stand_in.billed_microusd == 0


async def test_a_caller_uses_the_models_of_its_key_only(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        some = Caller("some", models=("openrouter/large",))
        assert await said(routed.completion, asked("openrouter/large"), some)
        with pytest.raises(PermissionDenied):
            await said(routed.completion, asked("openrouter/small"), some)
        with pytest.raises(Unauthenticated):
            await said(routed.completion, asked("openrouter/large"), ANONYMOUS)


async def test_a_caller_is_offered_no_model_that_its_key_may_not_use(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as one,
        LlmStandIn("nanogpt", offers=[Offer("tiny", input=Decimal("0.01"))]) as cheaper,
        router(one, cheaper, database_url=database_url) as routed,
    ):
        some = Caller("some", models=("openrouter/*",))
        with pytest.raises(PaymentRequired, match="openrouter/") as caught:
            await said(routed.completion, asked("auto"), some)
        assert "nanogpt" not in str(caught.value)


async def test_an_unknown_model_is_not_found_with_suggestions(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        with pytest.raises(NotFound, match="smal") as caught:
            await said(routed.completion, asked("openrouter/smal"))
        assert "openrouter/small" in caught.value.suggestions


async def test_without_a_provider_it_says_in_one_sentence_what_to_set(database_url: str) -> None:
    async with router(database_url=database_url) as routed:
        with pytest.raises(Refused, match="NANOGPT_API_KEY"):
            routed.completion.plan(LOCAL, asked("auto"))


async def test_a_hint_of_the_caller_wins_over_the_guess(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(may_pay=True)) as routed,
    ):
        hints = Hints(task="creative", complexity=0.9, context="work", priority="quality")
        route = routed.completion.plan(LOCAL, asked("auto"), hints)
        assert (route.features.task, route.features.complexity) == ("creative", 0.9)
        assert (route.features.context, route.features.priority) == ("work", "quality")


async def test_what_was_measured_of_a_model_decides_where_speed_is_asked_for(
    database_url: str,
) -> None:
    policy = Policy(may_pay=True)
    offers = [Offer("one"), Offer("two")]
    async with (
        LlmStandIn("openrouter", offers=offers) as stand_in,
        router(stand_in, database_url=database_url, policy=policy) as routed,
    ):
        provider = routed.providers["openrouter"]
        models = {model.name: model for model in routed.catalog.callable_models}
        for _ in range(5):
            provider.record_first(models["one"], 9.0)
            provider.record_first(models["two"], 0.1)
        route = routed.completion.plan(LOCAL, asked("auto:fast"))
        assert route.steps[0].model.name == "two"
        for _ in range(31):
            provider.record_first(models["one"], 0.1)
            provider.record_first(models["two"], 9.0)
        fresh = Completion(routed.catalog, routed.providers, routed.ledger, policy)
        assert fresh.plan(LOCAL, asked("auto:fast")).steps[0].model.name == "one"


async def test_a_provider_that_stays_silent_is_given_up(database_url: str) -> None:
    never = asyncio.Event()
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(
            stand_in,
            database_url=database_url,
            timeouts=Timeouts(first_token_seconds=0.2),
        ) as routed,
    ):
        stand_in.script("small", Answer(before_headers=never))
        async with asyncio.timeout(5):
            with pytest.raises(DeadlineExceeded):
                await said(routed.completion, asked("openrouter/small"))
        never.set()


async def test_embeddings_are_passed_through_and_counted(database_url: str) -> None:
    async with (
        LlmStandIn("openai") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        made = await routed.completion.embeddings(
            LOCAL, {"model": "openai/text-embedding-3-small", "input": ["one", "two"]}
        )
        assert len(made.body["data"]) == 2
        assert (await routed.lines("request_type"))[0].group == {"request_type": "embedding"}
