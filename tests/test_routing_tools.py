"""The routing tools, called as a model calls them: choices, strategies, and who may what."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import caller
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.errors import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Refused,
    Unauthenticated,
)
from gateway.llm.policy import Policy
from gateway.strategies import PromptingStrategy
from gateway.tools.tool import Effect
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.routing_bench import FREE, PAID, SORT, bench
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

EVERYBODY = (
    "route_task",
    "preemptive_route_task",
    "get_cost_estimate",
    "get_free_models",
    "set_model_prompting_strategy",
)
MANY = 100_000


async def test_a_task_in_plain_words_is_classified_and_routed_without_a_call(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID, FREE]) as stand_in,
        bench(tmp_path, stand_in, policy=Policy(may_pay=True)) as on,
    ):
        said = await on.asked("route_task", task=SORT, context_length=3_000)
        assert not stand_in.requests
        assert not await on.routed.lines()
    assert (said["task"], said["model"]) == ("coding", "openrouter/free-one:free")
    assert (said["provider"], said["tier"]) == ("openrouter", "free")
    assert said["decided_by"]
    assert said["complexity_level"] in ("low", "medium", "high")
    assert said["context_length"] == 3_000
    assert 100 < said["expected_output_length"] < 2_000
    [paid] = said["alternatives"]
    assert paid["model"] == "openrouter/paid-one"
    output_tokens = said["expected_output_length"]
    assert paid["expected_cost_usd"] == (3_000 * 0.5 + output_tokens * 2) / 1_000_000
    assert paid["reason"]
    assert 0 < paid["good_enough"] < 1
    assert "only what its catalog tells" in paid["believed"]
    assert said["comparison"] == {
        "against_model": "openrouter/paid-one",
        "against": "the dearest alternative of this route",
        "against_cost_usd": paid["expected_cost_usd"],
        "saved_usd": paid["expected_cost_usd"],
    }
    assert (said["is_preemptive"], said["unchecked"], said["refusal"]) == (False, [], None)


async def test_the_name_of_a_task_is_taken_at_its_word(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    names = {
        "coding": "coding",
        "Programming": "coding",
        "long_context": "long_context",
        "long document": "long_context",
        "translation": "general",
    }
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        for words, task in names.items():
            said = await on.asked("route_task", task=words, context_length=10, complexity="high")
            assert (said["task"], said["complexity"]) == (task, 0.85)
            assert said["decided_by"] == [
                "task was given by the caller",
                "complexity was given by the caller",
            ]


async def test_size_output_and_priority_decide_too(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    small = Offer("small:free", Decimal(0), Decimal(0), context_tokens=8_000)
    async with (
        LlmStandIn("openrouter", offers=[small, PAID]) as stand_in,
        bench(tmp_path, stand_in, policy=Policy(may_pay=True)) as on,
    ):
        for name in ("route_task", "preemptive_route_task"):
            fits = await on.asked(name, task=SORT, context_length=7_000)
            long_input = await on.asked(name, task=SORT, context_length=MANY)
            long_output = await on.asked(
                name, task=SORT, context_length=7_000, expected_output_length=6_000
            )
            fast = await on.asked(name, task=SORT, context_length=10, priority="speed")
            assert fits["model"] == "openrouter/small:free"
            assert long_input["model"] == long_output["model"] == "openrouter/paid-one"
            assert long_input["task"] == "long_context"
            assert long_input["excluded"] == {"context": 1}
            assert long_output["expected_cost_usd"] == (7_000 * 0.5 + 6_000 * 2) / 1_000_000
            assert (fits["priority"], fast["priority"]) == ("cost", "speed")


async def test_a_preemptive_choice_says_what_it_did_not_look_at(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    nothing_left = Limit("daily", "requests", 0, Window.parse("day"), {"tier": "free"})
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in, limits=[nothing_left]) as on,
    ):
        now = await on.asked("route_task", task=SORT, context_length=10)
        quick = await on.asked("preemptive_route_task", task=SORT, context_length=10)
        same = await on.asked("route_task", task=SORT, context_length=10, preemptive=True)
    assert now["model"] is None
    assert "daily" in now["refusal"]
    assert now["comparison"] is None
    assert quick == same
    assert quick["model"] == "openrouter/free-one:free"
    assert quick["is_preemptive"]
    assert "quotas and budgets" in quick["unchecked"]
    assert quick["confidence"] in ("high", "medium", "low")


async def test_two_equal_models_make_a_choice_unsure(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    twins = [Offer(f"twin-{n}:free", Decimal(0), Decimal(0)) for n in (1, 2)]
    async with (
        LlmStandIn("openrouter", offers=twins) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        said = await on.asked("preemptive_route_task", task=SORT, context_length=10)
    assert said["confidence"] == "low"


async def test_models_that_come_later_are_chosen_too_without_waiting_for_them(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        stand_in.offers["free-one:free"] = FREE
        await on.asked("get_free_models", refresh=True)
        said = await on.asked("preemptive_route_task", task=SORT, context_length=10)
        async with asyncio.timeout(5):
            while said["model"] is None:
                await on.strategies.refresh()
                said = await on.asked("preemptive_route_task", task=SORT, context_length=10)
    assert said["model"] == "openrouter/free-one:free"


async def test_a_caller_is_routed_only_to_models_it_may_use(tmp_path: Path) -> None:
    caller.begin(Caller("alice", models=("openrouter/paid-*",)))
    async with (
        LlmStandIn("openrouter", offers=[FREE, PAID]) as stand_in,
        bench(tmp_path, stand_in, policy=Policy(may_pay=True)) as on,
    ):
        for name in ("route_task", "preemptive_route_task"):
            said = await on.asked(name, task=SORT, context_length=10)
            assert said["model"] == "openrouter/paid-one"
        costs = await on.asked("get_cost_estimate", context_length=10)
        assert [one["model"] for one in costs["estimates"]] == ["openrouter/paid-one"]
        assert (await on.asked("get_free_models"))["models"] == []
        with pytest.raises(NotFound, match="no model 'free-one:free' that this key may use"):
            await on.asked("get_cost_estimate", context_length=10, model="free-one:free")
        with pytest.raises(NotFound):
            await on.asked("set_model_prompting_strategy", model_id="openrouter/free-one:free")


async def test_only_owners_see_and_call_what_forgets(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        caller.begin(Caller("alice"))
        assert [tool.name for tool in await on.tools.tools()] == list(EVERYBODY)
        with pytest.raises(NotFound):
            await on.asked("clear_openrouter_tracking")
        with pytest.raises(PermissionDenied, match="only the owner's keys"):
            await on.tools.clear({})
        caller.begin(LOCAL)
        assert len(await on.tools.tools()) == len(EVERYBODY) + 1


async def test_without_openrouter_there_is_nothing_to_forget(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with LlmStandIn("openai") as stand_in, bench(tmp_path, stand_in) as on:
        with pytest.raises(Refused, match="set OPENROUTER_API_KEY"):
            await on.asked("clear_openrouter_tracking")


async def test_a_strategy_is_kept_for_its_caller_shown_whole_and_removed(tmp_path: Path) -> None:
    caller.begin(Caller("alice"))
    async with (
        LlmStandIn("openrouter", offers=[FREE, PAID]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        said = await on.asked(
            "set_model_prompting_strategy",
            model_id="paid-one",
            system_prompt="Be brief.",
            user_template="Q: {prompt}",
        )
        assert said["model_id"] == "openrouter/paid-one"
        assert said["strategy"]["assistant_template"] == ""
        assert said["example"][-1] == {"role": "user", "content": "Q: And of Denmark?"}
        kept = PromptingStrategy("Be brief.", "Q: {prompt}")
        assert on.strategies.get("alice", "openrouter/paid-one") == kept
        assert on.strategies.all("local") == {}
        said = await on.asked("set_model_prompting_strategy", model_id="openrouter/paid-one")
        assert said["strategy"] is None
        assert on.strategies.all("alice") == {}


async def test_a_strategy_of_a_model_that_is_gone_can_be_removed(tmp_path: Path) -> None:
    caller.begin(Caller("alice"))
    async with LlmStandIn("openrouter") as stand_in, bench(tmp_path, stand_in) as on:
        await on.strategies.set("alice", "openrouter/gone", PromptingStrategy("Be brief."))
        await on.asked("set_model_prompting_strategy", model_id="openrouter/gone")
        assert on.strategies.all("alice") == {}
        with pytest.raises(NotFound):
            await on.asked("set_model_prompting_strategy", model_id="openrouter/gone")


async def test_a_name_of_several_models_names_no_strategy(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as one,
        LlmStandIn("nanogpt", offers=[PAID]) as other,
        bench(tmp_path, one, other) as on,
    ):
        with pytest.raises(InvalidRequest, match="several models; use one of"):
            await on.asked(
                "set_model_prompting_strategy", model_id="paid-one", system_prompt="Be brief."
            )


WRONG: Sequence[tuple[str, Mapping[str, Any], str]] = [
    ("route_task", {"task": SORT}, "context_length is missing"),
    ("route_task", {"task": "", "context_length": 1}, "at least 1 character"),
    ("route_task", {"task": SORT, "context_length": -1}, "at least 0"),
    ("route_task", {"task": SORT, "context_length": 10**9}, "at most 10000000"),
    ("route_task", {"task": SORT, "context_length": "many"}, "a whole number"),
    ("route_task", {"task": SORT, "context_length": 1, "complexity": 2}, "from 0 to 1"),
    ("route_task", {"task": SORT, "context_length": 1, "complexity": "hard"}, "low, medium"),
    ("route_task", {"task": SORT, "context_length": 1, "priority": "luck"}, "one of"),
    ("route_task", {"task": SORT, "context_length": 1, "color": "red"}, "not one of its"),
    (
        "preemptive_route_task",
        {"task": SORT, "context_length": 1, "preemptive": True},
        "not one of its",
    ),
    (
        "get_cost_estimate",
        {"context_length": 1, "expected_output_length": 0},
        "at least 1",
    ),
    (
        "set_model_prompting_strategy",
        {"model_id": "free-one:free", "user_template": "no place"},
        "{prompt} is missing",
    ),
]


async def test_what_cannot_be_right_is_refused_with_what_would_be(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        for name, arguments, said in WRONG:
            with pytest.raises(InvalidRequest) as refused:
                await on.asked(name, **arguments)
            assert said in str(refused.value)


async def test_without_a_provider_each_tool_says_what_to_set(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with bench(tmp_path) as on:
        for name, arguments in (
            ("route_task", {"task": SORT, "context_length": 1}),
            ("preemptive_route_task", {"task": SORT, "context_length": 1}),
            ("get_cost_estimate", {"context_length": 1}),
            ("get_free_models", {}),
            ("set_model_prompting_strategy", {"model_id": "m"}),
        ):
            with pytest.raises(Refused, match="set NANOGPT_API_KEY"):
                await on.asked(name, **arguments)


async def test_whoever_may_not_spend_sees_none_of_them_and_can_call_none(tmp_path: Path) -> None:
    async with LlmStandIn() as stand_in, bench(tmp_path, stand_in) as on:
        caller.begin(ANONYMOUS)
        assert not await on.tools.tools()
        tools = on.tools
        for call in (tools.route, tools.preemptive, tools.costs, tools.free_models, tools.clear):
            with pytest.raises(Unauthenticated, match="take a key of this gateway"):
                await call({"task": SORT, "context_length": 1})


async def test_what_a_tool_changes_is_said(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with LlmStandIn() as stand_in, bench(tmp_path, stand_in) as on:
        effects = {tool.name: tool.effect for tool in await on.tools.tools()}
    assert effects == {
        **dict.fromkeys(EVERYBODY[:4], Effect.READ),
        "set_model_prompting_strategy": Effect.WRITE,
        "clear_openrouter_tracking": Effect.DESTROY,
    }
