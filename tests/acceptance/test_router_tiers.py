"""Free first, then paid within the budget, then a clear error, from the users' models.yaml."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
import pytest_asyncio
import yaml

from tests.acceptance.router_processes import HELLO, RunningRouter, running_router
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREE_REQUESTS = 4
BUDGET_MICROUSD = 1_000
MESSAGE = "The free quota is used up and no budget is left"
MODELS = {
    "api": {"provider": "nanogpt"},
    "quota": {"monthly_limit": FREE_REQUESTS, "tracking_window": "rolling_30_days"},
    "tiers": {
        "free": {"priority": 1, "models": [{"id": "included", "max_tokens": 50}]},
        "paid": {
            "priority": 2,
            "budget_limit": BUDGET_MICROUSD / 1_000_000,
            "models": [{"id": "small", "max_tokens": 50, "use_cases": ["general"]}],
        },
    },
    "model_selection": {"strategy": "task_based"},
    "fallback": {
        "on_quota_exceeded": [
            {"action": "use_paid", "max_cost": 0.05},
            {"action": "error", "message": f"{MESSAGE}."},
        ]
    },
}


@dataclass(frozen=True, slots=True)
class World:
    router: RunningRouter
    client: openai.AsyncOpenAI
    stand_in: LlmStandIn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("router")
    folder.joinpath("models.yaml").write_text(yaml.safe_dump(MODELS), "utf-8")
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.always("*", Answer(tokens=50, input_tokens=4))
        async with (
            running_router(folder, stand_in, settings={"models_file": "models.yaml"}) as router,
            router.openai() as client,
        ):
            yield World(router, client, stand_in)


async def test_free_first_then_paid_within_the_budget_then_a_clear_error(world: World) -> None:
    create = world.client.chat.completions.with_raw_response.create
    for number in range(FREE_REQUESTS):
        free = await create(model="auto", messages=HELLO)
        assert free.headers["x-gateway-model"] == "nanogpt/included"
        assert free.headers["x-gateway-tier"] == "free"
        left = FREE_REQUESTS - number - 1
        assert free.headers["x-gateway-quota-remaining"] == str(left)
        facts = free.parse().model_extra or {}
        assert (facts["x_nanogpt_tier"], facts["x_quota_remaining"]) == ("free", left)
    assert world.stand_in.billed_microusd == 0

    paid = []

    async def pay() -> None:
        while True:
            paid.append(await create(model="auto", messages=HELLO))

    with pytest.raises(openai.RateLimitError) as caught:
        await pay()
    assert len(paid) >= 5
    assert {one.headers["x-gateway-model"] for one in paid} == {"nanogpt/small"}
    assert {one.headers["x-gateway-tier"] for one in paid} == {"paid"}
    await world.stand_in.rests()
    assert 0 < world.stand_in.billed_microusd <= BUDGET_MICROUSD
    assert await world.router.charged_microusd() == world.stand_in.billed_microusd

    error = caught.value
    assert (error.code, error.type) == ("limit_exceeded", "insufficient_quota")
    assert MESSAGE in error.message
    assert "resets at 20" in error.message
    assert "would cost about $" in error.message
    names = {one["name"] for one in (await world.router.asked("/v1/limits"))["data"]}
    assert isinstance(error.body, dict)
    assert error.body["limit"] in names
    assert error.body["limit"] in error.message
    assert int(error.response.headers["retry-after"]) > 0
    assert error.response.headers["x-should-retry"] == "false"


async def test_alerts_are_given_once_in_the_log_and_in_the_metrics(world: World) -> None:
    """Behind the test before this one, which used up the quota, and nearly all of the budget."""
    quota = await world.router.limit("nanogpt-requests")
    budget = await world.router.limit("paid-budget")
    log = world.router.process.log()
    async with world.router.http() as scraper:
        metrics = (await scraper.get("/metrics")).text
    for limit, percents in ((quota, (50, 80, 100)), (budget, (50, 80))):
        for percent in percents:
            said = f"{percent} % of the {limit['kind']} '{limit['name']}' is used"
            assert log.count(said) == 1, said
            labels = f'{{limit="{limit["name"]}",percent="{percent}"}}'
            assert f"gateway_limit_alerts_total{labels} 1.0" in metrics
