"""One variable is enough to chat; without any, all but the models answers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio

from tests.acceptance.router_processes import HELLO, RunningRouter, gateway_process
from tests.stand_ins.gateway_process import GatewayProcess
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import over_sse, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-nano-canary-0123456789"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
PICTURE: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nanogpt() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("nanogpt", key=KEY) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router(nanogpt: LlmStandIn) -> AsyncIterator[RunningRouter]:
    env = {"NANOGPT_API_KEY": KEY, "NANOGPT_BASE_URL": nanogpt.base_url}
    async with gateway_process(env=env) as process:
        yield RunningRouter(process)


async def test_a_key_of_nanogpt_alone_routes_chats_to_what_the_subscription_includes(
    nanogpt: LlmStandIn, router: RunningRouter
) -> None:
    async with router.openai() as client:
        answer = await client.chat.completions.with_raw_response.create(
            model="auto", messages=HELLO
        )
    chat = answer.parse()
    assert chat.choices[0].message.content == "This is what the stand-in answers."
    assert chat.model == "nanogpt/included"
    assert answer.headers["x-gateway-tier"] == "free"
    assert answer.headers["x-gateway-cost-usd"] == "0.000000"
    assert nanogpt.requests[-1].model == "included"
    assert nanogpt.billed_microusd == 0


async def test_no_automatic_route_sends_a_bill(nanogpt: LlmStandIn, router: RunningRouter) -> None:
    before = len(nanogpt.requests)
    async with router.openai() as client:
        for model in ("auto:coding", "auto:quality", "auto:fast", "auto:long_context", "auto:free"):
            answer = await client.chat.completions.create(model=model, messages=HELLO)
            assert answer.model == "nanogpt/included"
    assert len(nanogpt.requests) == before + 5
    assert nanogpt.billed_microusd == 0


async def test_what_only_a_paid_model_can_do_is_refused_with_its_price(
    nanogpt: LlmStandIn, router: RunningRouter
) -> None:
    before = len(nanogpt.requests)
    async with router.openai() as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="auto", messages=PICTURE)
    assert caught.value.status_code == 402
    assert "nanogpt/small" in caught.value.message
    assert "$" in caught.value.message
    assert "set a budget" in caught.value.message
    assert len(nanogpt.requests) == before


async def test_a_model_that_somebody_names_is_paid_for(
    nanogpt: LlmStandIn, router: RunningRouter
) -> None:
    async with router.openai() as client:
        answer = await client.chat.completions.with_raw_response.create(
            model="small", messages=HELLO
        )
    await nanogpt.rests()
    assert answer.headers["x-gateway-model"] == "nanogpt/small"
    assert answer.headers["x-gateway-tier"] == "paid"
    assert float(answer.headers["x-gateway-cost-usd"]) * 1_000_000 == nanogpt.billed_microusd > 0
    assert await router.charged_microusd() == nanogpt.billed_microusd


async def test_without_a_provider_one_sentence_says_what_to_set(gateway: GatewayProcess) -> None:
    async with RunningRouter(gateway).openai() as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="auto", messages=HELLO)
    assert "NANOGPT_API_KEY" in caught.value.message
    assert caught.value.message.count(". ") == 0
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_without_a_provider_everything_else_works(gateway: GatewayProcess) -> None:
    async with over_sse(gateway.base_url) as call:
        found = said(await call("search", {"query": "bitcoin price"}))
        assert found["results"][0]["id"] == "ticker:BTCUSDT"
        assert "BTC/USDT" in said(await call("fetch", {"id": "ticker:BTCUSDT"}))["title"]
    async with httpx.AsyncClient(base_url=gateway.base_url) as browser:
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/data/ticker:BTCUSDT")).status_code == 200
        assert (await browser.get("/v1/models")).json()["object"] == "list"
        assert (await browser.get("/v1/usage")).json()["total"]["calls"] == 0
