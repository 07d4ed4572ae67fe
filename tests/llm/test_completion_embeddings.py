"""Embeddings are charged like any other call: what may have been billed is never free."""

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from gateway.caller import LOCAL
from gateway.errors import BadAnswer, GatewayError, NotFound
from gateway.llm.policy import Policy
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import router
from tests.stand_ins.llm.server import LlmStandIn

PATH = "/api/v1/embeddings"
BODY = {"model": "openrouter/small", "input": "some text that is long enough to cost something"}
BUDGET = Limit("spend", "microusd", 10_000, Window.parse("month"))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


async def test_an_answer_that_nobody_can_read_is_charged_and_a_refusal_is_not(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, limits=[BUDGET]) as routed,
    ):
        stand_in.answers[PATH] = JSONResponse({"error": {"message": "no", "code": 400}}, 400)
        with pytest.raises(GatewayError):
            await routed.completion.embeddings(LOCAL, BODY)
        (state,) = await routed.ledger.states()
        assert (state.settled, state.reserved) == (0, 0)
        stand_in.answers[PATH] = Response("{broken", 200)
        with pytest.raises(BadAnswer):
            await routed.completion.embeddings(LOCAL, BODY)
        (state,) = await routed.ledger.states()
        assert state.settled > 0
        assert state.reserved == 0
        lines = await routed.lines("outcome")
        assert {line.group["outcome"]: line.requests for line in lines} == {
            "invalid_request": 0,
            "bad_answer": 1,
        }


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": -1_000_000}, {"prompt_tokens": 5, "cost": -1}, {}, None]
)
async def test_no_usage_that_a_provider_reports_makes_room_in_a_budget(
    database_url: str, usage: Any
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url, limits=[BUDGET]) as routed,
    ):
        stand_in.answers[PATH] = {"object": "list", "data": [], "usage": usage}
        made = await routed.completion.embeddings(LOCAL, BODY)
        assert made.cost_microusd
        assert (await routed.ledger.states())[0].settled == made.cost_microusd > 0


async def test_what_a_subscription_includes_is_still_billed_for_embeddings(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("nanogpt") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        made = await routed.completion.embeddings(LOCAL, BODY | {"model": "nanogpt/included"})
        assert made.model.tier == "paid"
        assert made.cost_microusd
        (line,) = await routed.lines("tier")
        assert (line.group, line.charged_microusd) == ({"tier": "paid"}, made.cost_microusd)


async def test_a_provider_that_is_forced_makes_the_embeddings_too(database_url: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        LlmStandIn("nanogpt") as other,
        router(
            stand_in, other, database_url=database_url, policy=Policy(forced_provider="openrouter")
        ) as routed,
    ):
        made = await routed.completion.embeddings(LOCAL, BODY | {"model": "small"})
        assert made.model.id == "openrouter/small"
        with pytest.raises(NotFound, match="openrouter/"):
            await routed.completion.embeddings(LOCAL, BODY | {"model": "nanogpt/small"})


@pytest.mark.parametrize("name", ["half a letter \ud800", "nothing\0"])
async def test_a_name_that_cannot_be_written_is_no_model(database_url: str, name: str) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        with pytest.raises(NotFound):
            await routed.completion.embeddings(LOCAL, BODY | {"model": f"openrouter/{name}"})
