"""People ask about models, spending, limits and routes; the right document comes first and opens.

First in this process on the day for which the questions were written, then as users meet it:
`gateway serve` before four providers, asked by the official MCP client.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.llm.model import Model
from tests.acceptance.router_answers import Question, asked_today, is_right, questions
from tests.acceptance.router_processes import HELLO, RunningRouter, running_router
from tests.sources.router_world import CONFIGURED, Router, World, opened_router
from tests.stand_ins.llm import lists
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import Call, Connect, over_http, over_sse, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS = (
    "router_questions.toml",
    "router_held_out.toml",
    "router_held_out_2.toml",
    "cost_questions.toml",
    "routing_questions.toml",
)
KINDS = {
    "model",
    "free_models",
    "provider",
    "usage",
    "quota",
    "budget",
    "routing",
    "route",
}
# The share that may come elsewhere than first.
AT_MOST = {"router_questions.toml": 0.05, "router_held_out.toml": 0.15}
WAYS: Mapping[str, Connect] = {
    "SSE": over_sse,
    "HTTP with a handshake": over_http("2025-06-18"),
    "HTTP without": over_http("2026-07-28"),
}
AT_ONCE = 8
SETTINGS = {
    "limits": [
        {
            "name": "nanogpt_free",
            "quota_requests": 60_000,
            "window": "month",
            "where": {"tier": "free", "provider": "nanogpt"},
        },
        {
            "name": "openrouter_daily",
            "quota_requests": 50,
            "window": "day",
            "where": {"tier": "free", "provider": "openrouter"},
        },
        {"name": "monthly", "budget_usd": 20, "window": "month"},
        {"name": "work", "budget_usd": 5, "window": "day", "where": {"context": "work"}},
    ]
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Router]:
    async with opened_router(tmp_path_factory.mktemp("router")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningRouter]:
    """It has answered a few calls: free ones and paid ones, for work too, and one that failed."""
    async with AsyncExitStack() as stack:
        stand_ins = [await stack.enter_async_context(_provider(kind)) for kind in CONFIGURED]
        folder = tmp_path_factory.mktemp("served")
        running = await stack.enter_async_context(
            running_router(folder, *stand_ins, settings=SETTINGS)
        )
        await _call(running)
        yield running


def _provider(kind: str) -> LlmStandIn:
    """It answers for any model, and gives no list: then the catalog that is shipped holds."""
    stand_in = LlmStandIn(kind)
    stand_in.always("*", Answer(tokens=7))
    for path in lists.LISTS.get(kind, {f"{stand_in.base_url}/models": lists.openai}):
        stand_in.app.routes.insert(0, Route(path, _down, methods=["GET", "POST"]))
    return stand_in


async def _down(_: Request) -> JSONResponse:
    return JSONResponse({"error": {"message": "no list today"}}, 503)


async def _call(running: RunningRouter) -> None:
    async with running.openai() as client:
        for model, headers in (
            ("auto", {}),
            ("auto:coding", {}),
            ("openai/gpt-6-sol", {}),
            ("anthropic/claude-opus-5-5", {"x-gateway-context": "work"}),
        ):
            await client.chat.completions.create(
                model=model, messages=HELLO, extra_headers=headers, max_tokens=50
            )
    await running.settles(4)


async def found(router: Router, question: Question) -> list[str]:
    answer = await router.registry.search(question["ask"])
    return [result.id for result in answer.results]


def wrong(
    asked: Sequence[Question], answers: Sequence[list[str]], models: Sequence[Model]
) -> list[tuple[str, list[str]]]:
    return [
        (question["ask"], ids[:3])
        for question, ids in zip(asked, answers, strict=True)
        if not is_right(question, ids, models)
    ]


@pytest.mark.parametrize("name", OURS)
async def test_the_right_document_comes_first(router: Router, name: str) -> None:
    asked = questions(name)
    answers = [await found(router, question) for question in asked]
    not_first = wrong(asked, answers, router.world.models)
    assert len(not_first) <= AT_MOST.get(name, 0.15) * len(asked), not_first


async def test_questions_about_markets_are_read_as_before(router: Router) -> None:
    files = ("questions.toml", "paraphrases.toml", "held_out.toml")
    asked = [one for name in files for one in questions(name)]
    answers = [await found(router, question) for question in asked]
    for ids in answers:
        assert not {one.partition(":")[0] for one in ids} & KINDS
    assert len(wrong(asked, answers, router.world.models)) <= 0.02 * len(asked)


async def test_the_same_question_gives_the_same_order_every_time(router: Router) -> None:
    some = questions("router_questions.toml")[::7]
    first = [await found(router, question) for question in some]
    # A space more, so that nothing is answered from memory.
    again = [await found(router, {"ask": question["ask"] + " "}) for question in some]
    assert first == again


@pytest.mark.parametrize("way", WAYS)
async def test_clients_find_the_right_document_first(served: RunningRouter, way: str) -> None:
    today = datetime.now(UTC).date()
    written = [question for name in OURS for question in questions(name)]
    asked = [one for question in written if (one := asked_today(question, today))]
    assert len(asked) > 0.9 * len(written)
    async with asyncio.timeout(60), WAYS[way](served.url) as call:
        answers = [ids_of(answer) for answer in await searched(call, asked)]
    not_first = wrong(asked, answers, World(*CONFIGURED).models)
    assert len(not_first) <= 0.05 * len(asked), not_first


async def test_every_listed_document_can_be_fetched_and_opens_at_its_url(
    served: RunningRouter,
) -> None:
    async with (
        asyncio.timeout(60),
        over_sse(served.url) as call,
        httpx.AsyncClient(timeout=30, trust_env=False) as browser,
    ):
        answers = await searched(call, questions("router_questions.toml"))
        listed = {one["id"]: one for answer in answers for one in answer["results"]}
        may_read = asyncio.Semaphore(AT_ONCE)

        async def read(result: Mapping[str, Any]) -> None:
            async with may_read:
                document = said(await call("fetch", {"id": result["id"]}))
                page = await browser.get(result["url"])
            assert document["id"] == result["id"]
            assert document["url"] == result["url"]
            assert document["text"].startswith("**")
            assert set(map(type, document["metadata"].values())) == {str}
            assert page.status_code == httpx.codes.OK
            assert page.headers["content-type"].startswith("text/html")
            assert document["id"] in page.text

        ours = [one for one in listed.values() if one["id"].partition(":")[0] in KINDS]
        await asyncio.gather(*map(read, ours))
    assert {one["id"].partition(":")[0] for one in ours} == KINDS


async def searched(call: Call, asked: Sequence[Question]) -> list[dict[str, Any]]:
    may_ask = asyncio.Semaphore(AT_ONCE)

    async def ask(question: Question) -> dict[str, Any]:
        async with may_ask:
            answer: dict[str, Any] = said(await call("search", {"query": question["ask"]}))
            return answer

    return await asyncio.gather(*map(ask, asked))


def ids_of(answer: Mapping[str, Any]) -> list[str]:
    return [result["id"] for result in answer["results"]]
