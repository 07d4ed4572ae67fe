"""When no answer comes: each strategy with real providers, its attempts, and what it never does."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.caller import LOCAL
from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    GatewayError,
    LimitExceeded,
    PaymentRequired,
    Unavailable,
)
from gateway.llm.answering import Answering
from gateway.llm.completion import NO_HINTS, Hints
from gateway.llm.messages import (
    ChatRequest,
    Message,
    Text,
    ToolChoice,
    ToolDefinition,
)
from gateway.llm.policy import WHOLE_ANSWERS, FallbackAction, Policy
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Refusal, broken, context_too_long, no_balance
from tests.stand_ins.llm.server import LlmStandIn

PAYS = Policy(may_pay=True)
ALL = (*WHOLE_ANSWERS, "degraded")
TOOL = ToolDefinition("look", "Looks.", {"type": "object"})


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


# Included, and by its list price no better than the free models before it.
THREE = Offer("three", Decimal(0), Decimal(0), is_included=True)


def free(name: str, **facts: Any) -> Offer:
    """A model without a price; at OpenRouter its name says that it has none."""
    return Offer(name, input=Decimal(0), output=Decimal(0), **facts)


def asked(text: str = "Say hello.", model: str = "auto", **more: Any) -> ChatRequest:
    return ChatRequest(model, (Message("user", (Text(text),)),), max_output_tokens=20, **more)


def too_long(holds: int, needed: int) -> Refusal:
    message = (
        f"This model's maximum context length is {holds} tokens. However, your messages resulted "
        f"in {needed} tokens."
    )
    return Refusal(400, message, "invalid_request_error", "context_length_exceeded")


def budget(microusd: int) -> Limit:
    return Limit("spend", "microusd", microusd, Window.parse("month"), {"tier": "paid"})


async def answered(routed: Router, request: ChatRequest, hints: Hints = NO_HINTS) -> Answering:
    async with routed.completion.answering(LOCAL, request, hints) as answering:
        async for _ in answering:
            pass
    return answering


async def story(routed: Router, answering: Answering) -> Mapping[str, Any]:
    await routed.written()
    route = await routed.ledger.route(answering.route_id)
    assert route is not None
    return route


async def test_after_a_context_error_only_a_larger_model_is_asked(database_url: str) -> None:
    small, middle = (
        free("small:free", context_tokens=16_000),
        free("middle:free", context_tokens=24_000),
    )
    large = Offer("large", context_tokens=200_000)
    async with (
        LlmStandIn("openrouter", offers=[small, middle, large]) as stand_in,
        router(stand_in, database_url=database_url, policy=PAYS) as routed,
    ):
        for name, holds in (("small:free", 16_000), ("middle:free", 24_000)):
            stand_in.always(name, too_long(holds, 31_000))
        answering = await answered(routed, asked("x" * 1_000))
        assert answering.model.name == "large"
        # The size that the first one told left the middle one out.
        assert len(stand_in.requests) == 2
        route = await story(routed, answering)
        (first,) = route["tried"]
        assert (first["strategy"], first["outcome"]) == (None, "context_length_exceeded")
        assert route["trying"]["strategy"] == "larger_context"
        assert "31,000 tokens of context are needed" in route["trying"]["why"]
        assert route["input_tokens"] >= 30_000


async def test_the_size_that_was_learned_is_reserved(database_url: str) -> None:
    small, large = free("small:free", context_tokens=16_000), Offer("large", context_tokens=200_000)
    # 31,000 tokens at $0.5 for a million are 15,500 micro-dollars; the text alone is no 1,000.
    async with (
        LlmStandIn("openrouter", offers=[small, large]) as stand_in,
        router(stand_in, database_url=database_url, policy=PAYS, limits=[budget(10_000)]) as routed,
    ):
        stand_in.always("small:free", too_long(16_000, 31_000))
        with pytest.raises(ContextTooLong, match="resulted in 31000"):
            await answered(routed, asked("x" * 1_000))
        assert [one.model for one in stand_in.requests] == ["small:free"]


async def test_without_larger_context_the_next_model_follows_a_context_error(
    database_url: str,
) -> None:
    offers = [free("one:free", context_tokens=16_000), free("two:free", context_tokens=16_000)]
    policy = Policy(fallback=("next_model",))
    async with (
        LlmStandIn("openrouter", offers=offers) as stand_in,
        router(stand_in, database_url=database_url, policy=policy) as routed,
    ):
        stand_in.script("*", context_too_long())
        answering = await answered(routed, asked())
        assert len(stand_in.requests) == 2
        assert (await story(routed, answering))["trying"]["strategy"] == "next_model"


async def test_when_no_balance_is_left_a_model_that_can_be_paid_answers(database_url: str) -> None:
    policy = Policy(may_pay=True, priority="quality", fallback=("cheaper",))
    async with (
        LlmStandIn("openrouter", offers=[Offer("gpt-6", output=Decimal(1))]) as first,
        LlmStandIn("nanogpt", offers=[Offer("small", output=Decimal(9))]) as second,
        router(first, second, database_url=database_url, policy=policy) as routed,
    ):
        first.always("*", no_balance())
        second.always("*", Answer())
        answering = await answered(routed, asked(model="auto:cheap"))
        assert answering.provider == "nanogpt"
        route = await story(routed, answering)
        assert [one["outcome"] for one in route["tried"]] == ["payment_required"]
        assert route["trying"]["strategy"] == "cheaper"


async def test_what_a_budget_has_no_room_for_is_answered_by_what_fits_in_the_rest(
    database_url: str,
) -> None:
    dear = Offer("dear", input=Decimal(40), output=Decimal(400))
    cheap = Offer("cheap", input=Decimal("0.1"), output=Decimal("0.2"))
    policy = Policy(may_pay=True, paid_models=("openrouter/dear", "openrouter/cheap"))
    async with (
        LlmStandIn("openrouter", offers=[dear, cheap]) as stand_in,
        router(stand_in, database_url=database_url, policy=policy, limits=[budget(1_000)]) as it,
    ):
        outcomes = await asyncio.gather(
            *(answered(it, asked(model="auto:best")) for _ in range(40)), return_exceptions=True
        )
        assert all(isinstance(one, Answering | LimitExceeded) for one in outcomes)
        assert {one.model.name for one in outcomes if isinstance(one, Answering)} == {"cheap"}
        await stand_in.rests()
        assert 0 < stand_in.billed_microusd <= 1_000


async def test_a_reservation_that_is_refused_is_told_though_it_was_never_sent(
    database_url: str,
) -> None:
    quota = Limit("free", "requests", 1, Window.parse("day"), {"tier": "free"})
    async with (
        LlmStandIn("openrouter", offers=[free("included:free"), Offer("paid")]) as stand_in,
        router(stand_in, database_url=database_url, policy=PAYS, limits=[quota]) as routed,
    ):
        both = await asyncio.gather(*(answered(routed, asked()) for _ in range(2)))
        routes = [await story(routed, one) for one in both]
        told = [one for route in routes for one in route["tried"]]
        assert [(one["outcome"], one["was_sent"]) for one in told] == [("limit_exceeded", False)]
        assert told[0]["cost_microusd"] == told[0]["spent_microusd"] == 0
        assert {one.model.name for one in both} == {"included:free", "paid"}


async def test_where_nobody_answers_the_route_tells_of_all_that_was_tried(
    database_url: str,
) -> None:
    away = LlmStandIn("nanogpt", offers=[THREE])
    policy = Policy(free_models=("openrouter/one:free", "nanogpt/three"))
    async with (
        away,
        LlmStandIn("openrouter", offers=[free("one:free")]) as here,
        router(here, away, database_url=database_url, policy=policy) as routed,
    ):
        here.script("one:free", Refusal(503))
        await away.__aexit__()
        with pytest.raises(Unavailable) as refused:
            await answered(routed, asked())
        route_id = refused.value.route_id
        assert route_id is not None
        route = await routed.ledger.route(route_id)
        assert route is not None
        assert [(one["model"], one["was_sent"]) for one in route["tried"]] == [
            ("openrouter/one:free", True),
            ("nanogpt/three", False),
        ]
        assert (route["answered_by"], route["outcome"]) == (None, "unavailable")
        assert "cannot be reached" in route["tried"][1]["error"]


async def test_models_of_this_machine_answer_when_the_network_is_gone(database_url: str) -> None:
    policy = Policy(free_models=("openrouter/one:free", "openrouter/two:free", "nanogpt/three"))
    away = LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")])
    away_too = LlmStandIn("nanogpt", offers=[THREE])
    async with (
        away,
        away_too,
        LlmStandIn("ollama", offers=[free("qwen3")]) as at_home,
        router(away, away_too, at_home, database_url=database_url, policy=policy) as routed,
    ):
        await away.__aexit__()
        await away_too.__aexit__()
        answering = await answered(routed, asked())
        assert answering.model.id == "ollama/qwen3"
        route = await story(routed, answering)
        assert [one["provider"] for one in route["tried"]] == ["openrouter", "nanogpt"]
        assert route["trying"]["strategy"] == "local"
        assert "nanogpt and openrouter cannot be reached" in route["trying"]["why"]
        # The next one does not wait for connections that fail.
        again = await story(routed, await answered(routed, asked()))
        assert again["tried"] == []
        assert again["trying"]["strategy"] == "local"


async def test_one_provider_that_is_down_is_no_lost_network(database_url: str) -> None:
    away = LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")])
    policy = Policy(free_models=("openrouter/one:free", "openrouter/two:free", "nanogpt/three"))
    async with (
        away,
        LlmStandIn("nanogpt", offers=[THREE]) as other,
        LlmStandIn("ollama", offers=[free("qwen3")]) as at_home,
        router(away, other, at_home, database_url=database_url, policy=policy) as routed,
    ):
        await away.__aexit__()
        answering = await answered(routed, asked())
        assert answering.provider == "nanogpt"
        # The other model of the provider without a connection was not asked in between.
        assert len((await story(routed, answering))["tried"]) == 1
        assert at_home.requests == []


async def test_a_model_that_was_named_is_not_replaced_by_one_of_this_machine(
    database_url: str,
) -> None:
    away = LlmStandIn("openrouter", offers=[free("one:free")])
    async with (
        away,
        LlmStandIn("ollama", offers=[free("qwen3")]) as at_home,
        router(away, at_home, database_url=database_url) as routed,
    ):
        await away.__aexit__()
        with pytest.raises(Unavailable, match="cannot be reached"):
            await answered(routed, asked(model="openrouter/one:free"))
        assert at_home.requests == []


async def test_without_local_the_error_of_the_network_is_told(database_url: str) -> None:
    away = LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")])
    policy = Policy(
        free_models=("openrouter/one:free", "openrouter/two:free"), fallback=("next_model",)
    )
    async with (
        away,
        LlmStandIn("ollama", offers=[free("qwen3")]) as at_home,
        router(away, at_home, database_url=database_url, policy=policy) as routed,
    ):
        await away.__aexit__()
        with pytest.raises(Unavailable, match=r"cannot be reached.*; fallback: next_model once"):
            await answered(routed, asked())
        assert at_home.requests == []


async def test_with_no_strategy_the_first_error_is_the_answer(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(fallback=())) as routed,
    ):
        stand_in.script("*", broken(503))
        with pytest.raises(Unavailable) as caught:
            await answered(routed, asked())
        assert "fallback" not in str(caught.value)
        assert len(stand_in.requests) == 1


async def test_strategies_are_tried_in_the_order_of_the_list(database_url: str) -> None:
    async def strategy_after(policy: Policy, database_url: str) -> str:
        async with (
            LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")]) as stand_in,
            LlmStandIn("nanogpt", offers=[THREE]) as other,
            router(stand_in, other, database_url=database_url, policy=policy) as routed,
        ):
            for one in (stand_in, other):
                one.script("*", no_balance())
            # The second provider refuses too, if it comes first or next.
            one_answer = await asyncio.gather(answered(routed, asked()), return_exceptions=True)
            assert isinstance(one_answer[0], GatewayError)
            return str(one_answer[0])

    policy = Policy(fallback=("next_model", "cheaper"))
    assert "fallback: next_model" in await strategy_after(policy, f"{database_url}1")
    policy = Policy(fallback=("cheaper", "next_model"))
    assert "fallback: cheaper once" in await strategy_after(policy, f"{database_url}2")


async def test_tools_that_no_model_takes_are_left_out_with_a_warning(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("ollama", offers=[free("plain", has_tools=False)]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(fallback=ALL)) as routed,
    ):
        request = asked(tools=(TOOL,), tool_choice=ToolChoice("auto"))
        answering = await answered(routed, request)
        assert answering.warnings == ("the model was not offered the tools",)
        (received,) = stand_in.requests
        assert "tools" not in received.body
        route = await story(routed, answering)
        assert route["trying"]["strategy"] == "degraded"
        assert route["warnings"] == list(answering.warnings)


async def test_a_tool_that_must_be_called_is_never_left_out(database_url: str) -> None:
    async with (
        LlmStandIn("ollama", offers=[free("plain", has_tools=False)]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(fallback=ALL)) as routed,
    ):
        request = asked(tools=(TOOL,), tool_choice=ToolChoice("required"))
        with pytest.raises(GatewayError, match="takes tools"):
            await answered(routed, request)
        assert stand_in.requests == []


async def test_the_oldest_messages_of_a_conversation_that_is_too_long_are_left_out(
    database_url: str,
) -> None:
    long = "All of this was said before. " * 1_500
    turns = [
        Message(role, (Text(f"{number} {long}"),))
        for number in range(4)
        for role in ("user", "assistant")
    ]
    messages = (
        Message("system", (Text("Be brief."),)),
        *turns,
        Message("user", (Text("And now?"),)),
    )
    async with (
        LlmStandIn("openrouter", offers=[free("one:free", context_tokens=32_000)]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(fallback=ALL)) as routed,
    ):
        answering = await answered(routed, replace(asked(), messages=messages))
        (received,) = stand_in.requests
        sent = received.body["messages"]
        assert sent[0] == {"role": "system", "content": "Be brief."}
        assert sent[-1]["content"] == "And now?"
        assert sent[1]["role"] == "user"
        assert 2 < len(sent) < len(messages)
        (warning,) = answering.warnings
        left_out = len(messages) - len(sent)
        assert warning.startswith(f"the oldest {left_out} of {len(messages)} messages")


async def test_an_answer_is_shortened_to_what_the_budget_has_room_for(database_url: str) -> None:
    offer = Offer("one", input=Decimal("0.1"), output=Decimal(2))
    policy = Policy(may_pay=True, fallback=ALL)
    async with (
        LlmStandIn("openrouter", offers=[offer]) as stand_in,
        router(stand_in, database_url=database_url, policy=policy, limits=[budget(2_500)]) as it,
    ):
        answering = await answered(it, replace(asked(), max_output_tokens=8_000))
        assert stand_in.requests[0].body["max_tokens"] == 1_000
        (warning,) = answering.warnings
        assert "bounded to 1,000 tokens" in warning
        await stand_in.rests()
        assert stand_in.billed_microusd <= 2_500


@pytest.mark.parametrize(
    ("policy", "hints", "model", "is_degraded"),
    [
        (Policy(), NO_HINTS, "auto", False),
        (Policy(), Hints(degrades=True), "auto", True),
        (Policy(fallback=ALL), NO_HINTS, "auto", True),
        (Policy(fallback=ALL), Hints(degrades=False), "auto", False),
        (Policy(fallback=ALL), Hints(context="work"), "auto", False),
        (Policy(fallback=ALL, degrades_work=True), Hints(context="work"), "auto", True),
        (Policy(fallback=ALL), NO_HINTS, "ollama/plain", False),
        (Policy(fallback=ALL, degrades_named=True), NO_HINTS, "ollama/plain", True),
    ],
)
async def test_less_than_was_asked_is_answered_only_where_that_is_allowed(
    database_url: str, policy: Policy, hints: Hints, model: str, is_degraded: bool
) -> None:
    async with (
        LlmStandIn("ollama", offers=[free("plain", has_tools=False)]) as stand_in,
        router(stand_in, database_url=database_url, policy=policy) as routed,
    ):
        request = asked(model=model, tools=(TOOL,))
        if not is_degraded:
            with pytest.raises(GatewayError):
                await answered(routed, request, hints)
            return
        assert (await answered(routed, request, hints)).warnings
        assert len(stand_in.requests) == 1


async def test_an_error_action_ends_what_follows_a_used_up_quota(database_url: str) -> None:
    quota = Limit("free", "requests", 1, Window.parse("day"), {"provider": "openrouter"})
    policy = Policy(
        free_models=("openrouter/one:free",),
        on_quota_exceeded=(FallbackAction("error", message="No."),),
    )
    async with (
        LlmStandIn("openrouter", offers=[free("one:free")]) as away,
        LlmStandIn("ollama", offers=[free("qwen3")]) as at_home,
        router(away, at_home, database_url=database_url, policy=policy, limits=[quota]) as routed,
    ):
        await answered(routed, asked())
        with pytest.raises(LimitExceeded, match=r"^No: "):
            await answered(routed, asked())
        assert at_home.requests == []


async def test_what_broke_after_its_first_piece_is_not_continued_by_another_model(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[free("one:free"), free("two:free")]) as stand_in,
        router(stand_in, database_url=database_url, policy=Policy(fallback=ALL)) as routed,
    ):
        stand_in.always("*", Answer(tokens=9, ends="eof", ends_after=3))
        with pytest.raises(BadAnswer):
            await answered(routed, asked())
        assert len(stand_in.requests) == 1


async def test_every_attempt_is_told_with_its_cost_and_time(database_url: str) -> None:
    offers = [Offer("one"), Offer("two")]
    async with (
        LlmStandIn("openrouter", offers=offers) as stand_in,
        LlmStandIn("nanogpt", offers=[Offer("three", output=Decimal(9))]) as other,
        router(stand_in, other, database_url=database_url, policy=PAYS) as routed,
    ):
        # Billed, although nothing came.
        stand_in.script("*", Answer(tokens=3, ends="eof", ends_after=0), broken(503))
        answering = await answered(routed, asked())
        route = await story(routed, answering)
        first, second = route["tried"]
        assert (first["outcome"], second["outcome"]) == ("bad_answer", "unavailable")
        assert first["cost_microusd"] == first["spent_microusd"] > 0
        assert second["cost_microusd"] == 0
        assert second["spent_microusd"] == route["trying"]["spent_microusd"]
        assert all(one["milliseconds"] > 0 and one["was_sent"] for one in (first, second))
        assert [one["strategy"] for one in route["tried"]] == [None, "next_model"]
        assert route["trying"]["why"].endswith("gave none: unavailable")


async def test_no_more_is_tried_than_the_strategies_allow(database_url: str) -> None:
    offers = [free(f"model{number}:free", context_tokens=16_000 + number) for number in range(30)]
    async with (
        LlmStandIn("openrouter", offers=offers) as one,
        LlmStandIn("ollama", offers=offers) as two,
        LlmStandIn("lmstudio", offers=offers) as three,
        router(one, two, three, database_url=database_url) as routed,
    ):
        for stand_in in (one, two, three):
            stand_in.always("*", broken(500))
        with pytest.raises(Unavailable, match="fallback: next_model 5 times"):
            await answered(routed, asked())
        assert sum(len(stand_in.requests) for stand_in in (one, two, three)) == 6


async def test_a_refusal_of_payment_keeps_its_words(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter", offers=[Offer("one")]) as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        with pytest.raises(PaymentRequired, match="never pays without a budget") as caught:
            await answered(routed, asked())
        assert "; fallback" not in str(caught.value)
        assert stand_in.requests == []
