"""The tools of benchmarks, called as a model calls them, over stand-ins of providers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import caller
from gateway.benchmark_tools import BenchmarkTools
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PaymentRequired,
    PermissionDenied,
    Refused,
    Unauthenticated,
)
from gateway.llm.policy import Policy
from gateway.tools import progress
from gateway.tools.tool import Effect
from gateway.tools.toolbox import Toolbox
from tests.benchmarks.worlds import BAD, GOOD, PAID, World, world
from tests.stand_ins.llm.script import Answer, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

NAMES = ("benchmark_task", "benchmark_tasks", "benchmark_free_models")
GOOD_ID, BAD_ID, PAID_ID = "openrouter/good:free", "openrouter/bad:free", "openrouter/paid-one"
SUM = {"task_id": "sum", "task": "What is 2 + 2?", "context_length": 100}


@asynccontextmanager
async def tools(
    folder: Path, *stand_ins: LlmStandIn, policy: Policy | None = None, **options: Any
) -> AsyncIterator[tuple[BenchmarkTools, World]]:
    async with world(folder, *stand_ins, policy=policy) as here:
        yield BenchmarkTools(here.benchmarks, here.router.completion, **options), here


async def asked(tools: BenchmarkTools, name: str, **arguments: Any) -> Mapping[str, Any]:
    """What the tool answers, which is what it says that it answers."""
    toolbox = Toolbox([tools.tools])
    answer = await toolbox.call(name, arguments)
    schema = (await toolbox.tool(name)).output_schema
    assert schema
    jsonschema.validate(answer.content, schema)
    return answer.content


async def test_a_task_is_measured_on_the_models_that_are_named(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, here),
    ):
        stand_in.always("good:free", Answer("4"))
        stand_in.always("paid-one", Answer("It is five."))
        told = await asked(
            benchmark_tools,
            "benchmark_task",
            **SUM,
            local_model="good:free",
            paid_model="paid-one",
            runs_per_task=3,
            complexity="low",
            expected_output_length=10,
            check="4",
        )
        await stand_in.rests()
        assert (told["task_id"], told["status"], told["done"]) == ("sum", "done", 6)
        good, paid = told["models"]
        assert (good["model"], paid["model"]) == (GOOD_ID, PAID_ID)
        assert (good["quality"]["mean"], paid["quality"]["mean"]) == (1.0, 0.0)
        assert good["total_ms"]["low"] <= good["total_ms"]["median"] <= good["total_ms"]["high"]
        assert good["cost_usd"] == 0
        assert paid["cost_usd"] == told["spent_usd"] == stand_in.billed_microusd / 1_000_000 > 0
        report = await here.benchmarks.report(LOCAL, told["benchmark_id"])
        [case] = report.run.settings.cases
        assert (case.complexity, case.expected_output_tokens) == (0.2, 10)
        assert stand_in.requests[0].body["messages"][-1]["content"] == "What is 2 + 2?"


async def test_without_a_check_only_times_tokens_and_cost_are_told(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, here),
    ):
        told = await asked(benchmark_tools, "benchmark_task", **SUM)
        [model] = told["models"]
        assert model["quality"] is None
        assert model["output_tokens"] > 0
        assert not here.evidence.of_model(GOOD_ID)


async def test_the_kind_of_task_is_the_one_that_the_router_takes_it_for(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, here),
    ):
        task = "Write a Python function that reverses a linked list, with unit tests."
        await asked(benchmark_tools, "benchmark_task", **{**SUM, "task": task})
        [result] = (await here.benchmarks.report(LOCAL)).results
        assert result.task == "coding"


async def test_a_paid_model_that_nobody_named_is_asked_only_within_a_budget(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        tools(tmp_path, stand_in, policy=Policy(may_pay=True)) as (benchmark_tools, _),
    ):
        with pytest.raises(PaymentRequired, match="allow it with budget_usd, name openrouter/paid"):
            await asked(benchmark_tools, "benchmark_task", **SUM)
        assert not stand_in.requests
        told = await asked(benchmark_tools, "benchmark_task", **SUM, budget_usd=1)
        assert {model["model"] for model in told["models"]} == {GOOD_ID, PAID_ID}


async def test_where_no_money_may_be_spent_the_best_free_model_is_asked_alone(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        told = await asked(benchmark_tools, "benchmark_task", **SUM)
        assert {model["model"] for model in told["models"]} == {GOOD_ID}


async def test_a_budget_bounds_what_a_named_model_may_cost(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        told = await asked(
            benchmark_tools, "benchmark_task", **SUM, paid_model=PAID_ID, budget_usd=0.00001
        )
        assert (told["status"], told["done"], told["spent_usd"]) == ("over_budget", 0, 0)
        assert not stand_in.requests


async def test_a_rate_limit_is_told_as_such(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        stand_in.always("*", rate_limited("60"))
        told = await asked(benchmark_tools, "benchmark_task", **SUM, check="4")
        [model] = told["models"]
        assert (model["calls"], model["answered"], model["quality"]) == (1, 0, None)
        assert sum(model["failures"].values()) == 1


async def test_tasks_for_the_same_models_are_one_run_side_by_side(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    gate = asyncio.Event()
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        stand_in.always("*", Answer("4", hold_after=0, hold=gate))
        tasks = [
            {**SUM, "task_id": f"sum-{number}", "local_model": GOOD_ID, "check": 4}
            for number in range(2)
        ]
        other = {**SUM, "task_id": "other", "local_model": BAD_ID, "check": {"contains": ["5"]}}
        running = asyncio.create_task(
            asked(
                benchmark_tools,
                "benchmark_tasks",
                tasks=[*tasks, other],
                parallel=True,
                max_parallel_tasks=2,
            )
        )
        # Both are asked before either is answered.
        await stand_in.has_received(2)
        gate.set()
        first, second = (await running)["benchmarks"]
        assert [one["case_id"] for one in first["results"]] in (
            ["sum-0", "sum-1"],
            ["sum-1", "sum-0"],
        )
        assert {one["quality"] for one in first["results"]} == {1.0}
        [result] = second["results"]
        assert (result["case_id"], result["model"], result["quality"]) == ("other", BAD_ID, 0.0)


async def test_tasks_must_be_told_apart(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, here),
    ):
        with pytest.raises(InvalidRequest, match="two tasks have the task_id 'sum'"):
            await asked(benchmark_tools, "benchmark_tasks", tasks=[SUM, SUM])
        with pytest.raises(InvalidRequest, match="tasks has 0 of them"):
            await asked(benchmark_tools, "benchmark_tasks", tasks=[])
        assert await here.benchmarks.summaries(LOCAL) == []


async def test_free_models_are_asked_a_few_of_our_cases_and_progress_is_told(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    told: list[tuple[float, float | None]] = []

    async def report(done: float, total: float | None, _: str | None) -> None:
        told.append((done, total))

    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, here),
    ):
        progress.begin(report)
        try:
            answer = await asked(
                benchmark_tools, "benchmark_free_models", max_models=5, max_cases=3
            )
        finally:
            progress.begin(None)
        assert {model["model"] for model in answer["models"]} == {GOOD_ID, BAD_ID}
        assert (answer["calls"], answer["done"], answer["spent_usd"]) == (6, 6, 0)
        cases = (await here.benchmarks.report(LOCAL)).run.settings.cases
        assert len({case.task for case in cases}) == 3
        assert told == [(number, 6) for number in range(7)]


async def test_what_is_there_when_the_time_is_up_is_answered(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in, answer_seconds=1.5) as (benchmark_tools, _),
    ):
        stand_in.script("*", Answer("4"))
        stand_in.always("*", Answer("4", hold_after=0))
        told = await asked(benchmark_tools, "benchmark_task", **SUM, runs_per_task=2)
        assert (told["status"], told["done"], told["calls"]) == ("stopped", 1, 2)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"task_id": "a b"}, InvalidRequest, "task_id is 'a b'"),
        ({"task": "  "}, InvalidRequest, "task is empty"),
        ({"context_length": -1}, InvalidRequest, "context_length must be at least 0"),
        ({"context_length": 9_000_000}, Refused, "no model was named"),
        ({"complexity": "extreme"}, InvalidRequest, "complexity is 'extreme'"),
        ({"runs_per_task": 0}, InvalidRequest, "runs_per_task must be at least 1"),
        ({"expected_output_length": 10**9}, InvalidRequest, "at most 16384"),
        ({"local_model": "nobody"}, NotFound, "no configured provider has a model 'nobody'"),
        ({"check": {"expected": "4", "number": 4}}, InvalidRequest, "an object with one of"),
        ({"check": {"number": "four"}}, InvalidRequest, "check.number takes a number"),
        ({"check": {"guess": 4}}, InvalidRequest, "expected, number, contains"),
        ({"local_model": PAID_ID}, InvalidRequest, "paid-one may cost money: name it as paid_m"),
        ({"budget_usd": 1_000_001}, InvalidRequest, "at most 1000000"),
        ({"budget_usd": float("nan")}, InvalidRequest, "budget_usd is nan"),
        ({"check": ""}, InvalidRequest, "check takes the expected answer"),
        ({"check": {"contains": []}}, InvalidRequest, "check.contains takes a text or a list"),
    ],
)
async def test_wrong_arguments_are_said_and_nothing_is_asked(
    tmp_path: Path, given: Mapping[str, Any], error: type[GatewayError], words: str
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        with pytest.raises(error) as raised:
            await asked(benchmark_tools, "benchmark_task", **{**SUM, **given})
        assert words in str(raised.value)
        assert not stand_in.requests


async def test_only_an_owner_runs_unit_tests_of_its_own(tmp_path: Path) -> None:
    check = {"unit_tests": "assert twice(2) == 4"}
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        stand_in.always("*", Answer("```python\ndef twice(n):\n    return 2 * n\n```"))
        caller.begin(Caller("alice"))
        with pytest.raises(PermissionDenied, match="unit tests"):
            await asked(benchmark_tools, "benchmark_task", **SUM, check=check)
        caller.begin(LOCAL)
        told = await asked(benchmark_tools, "benchmark_task", **SUM, check=check)
        assert told["models"][0]["quality"]["mean"] == 1.0


async def test_models_that_the_caller_may_not_use_are_not_asked(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        caller.begin(Caller("alice", models=("openrouter/good*",)))
        told = await asked(benchmark_tools, "benchmark_free_models", max_cases=1)
        assert [model["model"] for model in told["models"]] == [GOOD_ID]
        with pytest.raises(PermissionDenied):
            await asked(benchmark_tools, "benchmark_task", **SUM, local_model=BAD_ID)
        caller.begin(Caller("bob", models=()))
        with pytest.raises(Refused, match="no free model that you may use"):
            await asked(benchmark_tools, "benchmark_free_models")


async def test_a_model_without_a_price_is_not_asked_at_any_budget(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openai", offers=[PAID]) as stand_in,
        tools(tmp_path, stand_in, policy=Policy(unknown_price="allow")) as (benchmark_tools, _),
    ):
        with pytest.raises(PaymentRequired, match="is not known"):
            await asked(
                benchmark_tools, "benchmark_task", **SUM, paid_model="paid-one", budget_usd=1
            )
        assert not stand_in.requests


async def test_they_are_for_spenders_and_say_that_they_write(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        tools(tmp_path, stand_in) as (benchmark_tools, _),
    ):
        listed = await benchmark_tools.tools()
        assert tuple(tool.name for tool in listed) == NAMES
        assert all(tool.effect is Effect.WRITE and tool.spends for tool in listed)
        assert all(len(tool.description) < 1024 for tool in listed)
        caller.begin(ANONYMOUS)
        assert await benchmark_tools.tools() == ()
        with pytest.raises(Unauthenticated):
            await benchmark_tools.free_models({})
