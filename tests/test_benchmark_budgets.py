"""What the tools of benchmarks may spend, over stand-ins of providers."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import caller
from gateway.benchmark_tools import MOST_WITHOUT_BUDGET_MICROUSD, BenchmarkTools
from gateway.caller import LOCAL, Caller
from gateway.errors import Refused
from gateway.tools.toolbox import Toolbox
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.benchmarks.worlds import GOOD, World, world
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

DEAR = [Offer(f"paid-{number}", Decimal(1), Decimal(100)) for number in range(4)]
# A call of them costs about 0.0256 US dollars.
TASKS = [
    {
        "task_id": f"t{number}",
        "task": "Count.",
        "context_length": 10,
        "expected_output_length": 64,
        "paid_model": offer.name,
    }
    for number, offer in enumerate(DEAR)
]


async def told(here: World, name: str, arguments: dict[str, Any]) -> Any:
    tools = BenchmarkTools(here.benchmarks, here.router.completion)
    return (await Toolbox([tools.tools]).call(name, arguments)).content


async def test_one_budget_is_for_all_tasks_together(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=DEAR) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        for offer in DEAR:
            stand_in.always(offer.name, Answer(tokens=256))
        answer = await told(here, "benchmark_tasks", {"tasks": TASKS, "budget_usd": 0.06})
        await stand_in.rests()
        states = [one["status"] for one in answer["benchmarks"]]
        assert states == ["done", "done", "over_budget", "over_budget"]
        assert stand_in.billed_microusd <= 60_000
        assert sum(one["spent_usd"] for one in answer["benchmarks"]) == pytest.approx(
            stand_in.billed_microusd / 1_000_000
        )


async def test_naming_a_paid_model_allows_no_more_than_a_dollar(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=DEAR) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        long = {**TASKS[0], "expected_output_length": 16_384, "runs_per_task": 10}
        await told(here, "benchmark_task", long)
        [run] = await here.benchmarks.summaries(LOCAL)
        assert run.run.settings.budget_microusd == MOST_WITHOUT_BUDGET_MICROUSD
        small = {**TASKS[1], "task_id": "small"}
        await told(here, "benchmark_task", small)
        latest = (await here.benchmarks.summaries(LOCAL))[0].run.settings.budget_microusd
        assert latest is not None
        assert latest < 30_000


async def test_benchmarking_free_models_leaves_most_of_a_shared_quota_to_others(
    tmp_path: Path,
) -> None:
    free = Limit("free", "requests", 50, Window.parse("day"), where={"tier": "free"})
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, limits=[free]) as here,
    ):
        caller.begin(Caller("ann"))
        with pytest.raises(Refused, match="quota 'free'"):
            await told(here, "benchmark_free_models", {"max_cases": 15})
        assert not stand_in.requests
        caller.begin(LOCAL)
        assert (await told(here, "benchmark_free_models", {"max_cases": 15}))["calls"] == 15
