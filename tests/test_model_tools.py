"""The router's tools, called as a model calls them, over stand-ins of providers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import caller
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.errors import InvalidRequest, LimitExceeded, NotFound, Refused, Unauthenticated
from gateway.llm.loop.wish import Offer as Offering
from gateway.llm.loop.wish import Wish
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import Policy
from gateway.model_tools import MOST_MODELS, ModelTools
from gateway.tools.tool import Answer, Effect
from gateway.tools.toolbox import Toolbox
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer as Said
from tests.stand_ins.llm.server import LlmStandIn

FREE, PAID = Offer("free-one:free", Decimal(0), Decimal(0)), Offer("paid-one")
NAMES = (
    "create_chat_completion",
    "get_personalized_models",
    "get_usage_stats",
    "select_optimal_model",
)


@asynccontextmanager
async def tools(
    folder: Path,
    *stand_ins: LlmStandIn,
    limits: Sequence[Limit] = (),
    policy: Policy | None = None,
) -> AsyncIterator[tuple[ModelTools, Router]]:
    url = f"sqlite:///{folder}/gateway.db"
    async with router(*stand_ins, database_url=url, limits=limits, policy=policy) as routed:
        yield ModelTools(routed.catalog, routed.completion, routed.ledger), routed


async def asked(tools: ModelTools, name: str, **arguments: Any) -> Mapping[str, Any]:
    """What the tool answers, which is what it says that it answers."""
    toolbox = Toolbox([tools.tools])
    answer: Answer = await toolbox.call(name, arguments)
    schema = (await toolbox.tool(name)).output_schema
    assert schema
    jsonschema.validate(answer.content, schema)
    return answer.content


def quota(most: int, **where: str) -> Limit:
    return Limit("daily", "requests", most, Window.parse("day"), where)  # type: ignore[arg-type]


async def test_a_prompt_is_answered_by_a_model_that_is_named_with_its_cost_and_reason(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        tools(tmp_path, stand_in, policy=Policy(may_pay=True)) as (model_tools, routed),
    ):
        stand_in.script("*", Said(tokens=5))
        said = await asked(
            model_tools,
            "create_chat_completion",
            task_type="code review",
            complexity="high",
            prompt="What is wrong here?",
            context="def f(): retrun 1",
        )
        await stand_in.rests()
        assert said["content"] == "word0 word1 word2 word3 word4 "
        assert said["model"] == "openrouter/paid-one"
        assert (said["task_type"], said["complexity"]) == ("coding", 0.85)
        assert said["usage"]["output_tokens"] == 5
        assert said["cost_usd"] == stand_in.billed_microusd / 1_000_000 > 0
        assert said["reason"]
        route = await routed.ledger.route(said["route_id"])
        assert route is not None
        assert route["answered_by"] == said["model"]
        [message] = stand_in.requests[0].body["messages"]
        assert "What is wrong here?" in str(message["content"])
        assert "retrun" in str(message["content"])


async def test_a_call_is_booked_on_its_caller_and_its_context(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        tools(tmp_path, stand_in, limits=[quota(3)]) as (model_tools, routed),
    ):
        for name, context in (("alice", "work"), ("alice", "personal"), ("bob", "work")):
            caller.begin(Caller(name))
            said = await asked(
                model_tools, "create_chat_completion", prompt="Hello!", context=context
            )
        assert said["quota_remaining"] == 0
        assert said["cost_usd"] == 0
        lines = await routed.lines("caller", "context")
        assert [(*line.group.values(), line.calls) for line in lines] == [
            ("alice", "personal", 1),
            ("alice", "work", 1),
            ("bob", "work", 1),
        ]
        with pytest.raises(LimitExceeded, match="quota 'daily' allows 3 requests"):
            await asked(model_tools, "create_chat_completion", prompt="Hello?")


async def test_models_are_those_of_the_caller_with_prices_abilities_and_quotas(
    tmp_path: Path,
) -> None:
    caller.begin(Caller("alice", models=("openrouter/*-one*",)))
    async with (
        LlmStandIn("openrouter", offers=[PAID, FREE, Offer("secret")]) as stand_in,
        tools(tmp_path, stand_in, limits=[quota(40, tier="free")]) as (model_tools, _),
    ):
        await asked(model_tools, "create_chat_completion", prompt="Hello!")
        said = await asked(model_tools, "get_personalized_models")
    by_id = {model["id"]: model for model in said["models"]}
    assert list(by_id) == ["openrouter/free-one:free", "openrouter/paid-one"]
    assert said["total"] == 2
    paid = by_id["openrouter/paid-one"]
    assert paid["tiers"] == ["paid"]
    assert paid["context_tokens"] == PAID.context_tokens
    assert paid["price"]["input_usd_per_million_tokens"] == 0.5
    assert paid["price"]["output_usd_per_million_tokens"] == 2
    assert "tools" in paid["abilities"]
    assert said["quota_left"]["paid"] == []
    [left] = said["quota_left"]["free"]
    assert (left["name"], left["unit"], left["limit"], left["left"]) == (
        "daily",
        "requests",
        40,
        39,
    )


async def test_a_long_list_begins_with_what_is_configured_and_says_how_much_there_is(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    many = [Offer(f"model-{number:03}") for number in range(MOST_MODELS + 20)]
    async with (
        LlmStandIn("openrouter", offers=[*many, FREE]) as stand_in,
        tools(tmp_path, stand_in, policy=Policy(paid_models=("model-110",))) as (model_tools, _),
    ):
        said = await asked(model_tools, "get_personalized_models")
    assert said["total"] == MOST_MODELS + 21
    assert len(said["models"]) == MOST_MODELS
    assert [model["id"] for model in said["models"][:3]] == [
        "openrouter/model-110",
        "openrouter/free-one:free",
        "openrouter/model-000",
    ]


async def test_usage_is_ones_own_and_everybodys_for_an_owner(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[FREE, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (model_tools, _),
    ):
        for name in ("alice", "alice", "bob"):
            caller.begin(Caller(name))
            await asked(model_tools, "create_chat_completion", prompt="Hello!", task_type="chat")
        own = await asked(model_tools, "get_usage_stats", timeframe="today")
        caller.begin(LOCAL)
        for timeframe in ("today", "7d", "30d", "month", f"{datetime.now(UTC):%Y-%m-%d}"):
            all_of_it = await asked(model_tools, "get_usage_stats", timeframe=timeframe)
            assert all_of_it["total"]["calls"] == 3, timeframe
        before = await asked(model_tools, "get_usage_stats", timeframe="2020-01")
    assert (own["whose"], own["total"]["calls"]) == ("bob", 1)
    assert all_of_it["whose"] == "all callers"
    assert all_of_it["total"]["cost_usd"] == 0
    [model] = all_of_it["by_model"]
    assert (model["model"], model["calls"]) == ("openrouter/free-one:free", 3)
    assert [line["tier"] for line in all_of_it["by_tier"]] == ["free"]
    assert [line["task"] for line in all_of_it["by_task"]] == ["general"]
    assert (before["total"]["calls"], before["total"]["cost_usd"]) == (0, 0)
    assert before["by_model"] == []


async def test_a_timeframe_that_is_none_is_refused_with_what_it_takes(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with LlmStandIn() as stand_in, tools(tmp_path, stand_in) as (model_tools, _):
        with pytest.raises(InvalidRequest, match="'fortnight' is no time; use one such as today"):
            await asked(model_tools, "get_usage_stats", timeframe="fortnight")


async def test_a_choice_is_explained_and_nothing_is_called(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    other = Offer("free-two:free", Decimal(0), Decimal(0))
    async with (
        LlmStandIn("openrouter", offers=[FREE, other, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (model_tools, routed),
    ):
        said = await asked(
            model_tools, "select_optimal_model", task_type="coding", complexity=0.9, context="work"
        )
        assert not stand_in.requests
        assert not await routed.lines()
    assert (said["task_type"], said["complexity"], said["tier"]) == ("coding", 0.9, "free")
    assert {said["model"], *(one["model"] for one in said["alternatives"])} == {
        "openrouter/free-one:free",
        "openrouter/free-two:free",
    }
    assert said["reasoning"]
    assert said["expected_cost_usd"] == 0
    assert said["excluded"] == {"unpaid": 1}
    assert said["considered"] == 3
    assert said["refusal"] is None


async def test_where_no_model_may_be_chosen_the_answer_says_why(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        tools(tmp_path, stand_in) as (model_tools, _),
    ):
        said = await asked(model_tools, "select_optimal_model", task_type="coding")
    assert said["model"] is None
    assert said["alternatives"] == []
    assert "never pays without a budget" in said["refusal"]


async def test_without_a_provider_each_tool_says_what_to_set(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with tools(tmp_path) as (model_tools, _):
        listed = await model_tools.tools()
        assert sorted(tool.name for tool in listed) == sorted(NAMES)
        for name, arguments in (
            ("create_chat_completion", {"prompt": "Hello!"}),
            ("get_personalized_models", {}),
            ("select_optimal_model", {"task_type": "coding"}),
        ):
            with pytest.raises(Refused, match="set NANOGPT_API_KEY"):
                await asked(model_tools, name, **arguments)
        assert (await asked(model_tools, "get_usage_stats"))["total"]["calls"] == 0


async def test_whoever_may_not_spend_sees_none_of_them_and_can_call_none(tmp_path: Path) -> None:
    async with LlmStandIn() as stand_in, tools(tmp_path, stand_in) as (model_tools, _):
        caller.begin(ANONYMOUS)
        assert not await model_tools.tools()
        for name in NAMES:
            with pytest.raises(NotFound):
                await asked(model_tools, name)
        for call in (model_tools.chat, model_tools.models, model_tools.usage, model_tools.route):
            with pytest.raises(Unauthenticated, match="take a key of this gateway"):
                await call({"prompt": "Hello!", "task_type": "coding"})
        assert not stand_in.requests


async def test_only_the_tool_that_spends_is_said_to_change_something(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with tools(tmp_path) as (model_tools, _):
        effects = {
            tool.name: (tool.effect, tool.is_open_world) for tool in await model_tools.tools()
        }
    assert effects.pop("create_chat_completion") == (Effect.WRITE, True)
    assert set(effects.values()) == {(Effect.READ, False)}


async def test_a_model_is_offered_another_model_only_by_its_name(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    request = ChatRequest("openrouter/small", (Message("user", (Text("Hello."),)),))
    async with (
        LlmStandIn("openrouter") as stand_in,
        tools(tmp_path, stand_in) as (model_tools, routed),
    ):
        loop = routed.loop(model_tools.tools)
        for allowed in (None, ("*",), ("create_chat_completion",)):
            wish = Wish((Offering("gateway", None, allowed),))
            async with loop.answering(LOCAL, request, wish=wish) as turns:
                async for _ in turns:
                    pass
        names = [
            [tool["function"]["name"] for tool in sent.body["tools"]] for sent in stand_in.requests
        ]
        assert "create_chat_completion" not in names[0] + names[1]
        assert names[2] == ["create_chat_completion"]
