from collections.abc import AsyncIterator

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from gateway.caller import ANONYMOUS
from gateway.endpoints.embeddings import embedding_routes
from tests.endpoints.doors import asking, open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.server import LlmStandIn

SMALL = "openrouter/small"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def routed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Router]:
    folder = tmp_path_factory.mktemp("embeddings")
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(stand_in, database_url=f"sqlite:///{folder}/gateway.db") as routed,
    ):
        yield routed


async def test_the_sdk_gets_a_vector_for_each_text_and_the_ledger_a_line(routed: Router) -> None:
    async with (
        open_doors(embedding_routes(routed.completion)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        raw = await client.embeddings.with_raw_response.create(model=SMALL, input=["one", "two"])
    answer = raw.parse()
    assert [one.index for one in answer.data] == [0, 1]
    assert answer.data[1].embedding == [0.25, -0.5, 1.0]
    assert answer.usage.prompt_tokens > 0
    assert raw.headers["x-gateway-model"] == SMALL
    assert raw.headers["x-gateway-provider"] == "openrouter"
    assert raw.headers["x-request-id"]

    lines = await routed.lines("request_type", "model", "request_id")
    assert [line.group for line in lines] == [
        {"request_type": "embedding", "model": SMALL, "request_id": raw.headers["x-request-id"]}
    ]
    [line] = lines
    assert line.input_tokens == answer.usage.prompt_tokens
    assert line.charged_microusd is not None
    assert float(raw.headers["x-gateway-cost-usd"]) == line.charged_microusd / 1_000_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"input": "x"}, "model: must be"),
        ({"model": 7, "input": "x"}, "model: must be"),
        ({"model": SMALL}, "input: must be"),
        ({"model": SMALL, "input": []}, "input: must be"),
        ({"model": SMALL, "input": {"text": "x"}}, "input: must be"),
    ],
)
async def test_a_body_that_is_wrong_is_answered_with_what_is_wrong(
    routed: Router, body: object, said: str
) -> None:
    async with asking(embedding_routes(routed.completion)) as client:
        answer = await client.post("/v1/embeddings", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


async def test_whoever_has_no_key_may_not_spend(routed: Router) -> None:
    routes = embedding_routes(routed.completion)
    async with asking(routes, keyless=ANONYMOUS) as client:
        answer = await client.post("/v1/embeddings", json={"model": SMALL, "input": "x"})
        endless = await client.post("/v1/embeddings", headers={"content-length": f"{1 << 40}"})
    assert answer.status_code == endless.status_code == 401


async def test_a_model_that_nobody_has_is_not_found(routed: Router) -> None:
    async with (
        open_doors(embedding_routes(routed.completion)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await client.embeddings.create(model="nobody/none", input="x")
    assert caught.value.code == "model_not_found"
