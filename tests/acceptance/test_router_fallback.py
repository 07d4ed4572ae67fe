"""Providers that fail: another one answers in time, or the caller is told honestly."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from openai import AsyncStream

from tests.acceptance.router_processes import (
    HELLO,
    RunningRouter,
    heard_until_it_broke,
    ledger_of,
    provider,
    running_router,
    until,
)
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Refusal, Reply, broken, overloaded, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Each test spoils a model of its own: one that failed is left alone for a while.
MODELS = (
    "busy",
    "busy too",
    "broken",
    "overloaded",
    "silent",
    "breaking",
    "down",
    "recovering",
    "held",
)
FIRST_TOKEN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class World:
    """`first` is cheaper than `second`, so it is asked first."""

    folder: Path
    router: RunningRouter
    client: openai.AsyncOpenAI
    first: LlmStandIn
    second: LlmStandIn

    def asked(self, model: str) -> tuple[int, int]:
        return (
            [one.model for one in self.first.requests].count(model),
            [one.model for one in self.second.requests].count(model),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    cheap = [Offer(name) for name in MODELS]
    dear = [Offer(name, output=Decimal(4)) for name in MODELS]
    async with (
        LlmStandIn("openrouter", offers=cheap) as first,
        LlmStandIn("nanogpt", offers=dear) as second,
    ):
        timeouts = {"first_token": FIRST_TOKEN_SECONDS}
        providers = [provider(first, timeouts=timeouts), provider(second)]
        folder = tmp_path_factory.mktemp("router")
        async with (
            running_router(folder, settings={"providers": providers, "limits": [BUDGET]}) as router,
            router.openai() as client,
        ):
            yield World(folder, router, client, first, second)


PAID = ["openrouter/openai/gpt-5.4-mini", "nanogpt/openai/gpt-5.4-mini"]
MAPPED = {"task_mapping": {"coding": PAID}}
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
NEVER = asyncio.Event()
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
HELD: Any = {"model": "openrouter/held"}
BUDGET = {"name": "month", "budget_usd": 5, "window": "month"}


@pytest.mark.parametrize(
    ("model", "failure", "is_stream"),
    [
        ("busy", rate_limited("60"), False),
        ("busy too", rate_limited("60"), True),
        ("broken", broken(503), False),
        ("overloaded", overloaded(), True),
        ("silent", Answer(before_headers=NEVER), True),
    ],
)
async def test_the_next_provider_answers_and_the_headers_say_so(
    world: World, model: str, failure: Reply, is_stream: bool
) -> None:
    world.first.script(model, failure)
    raw = await world.client.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, stream=is_stream
    )
    assert world.asked(model) == (1, 1)
    assert raw.headers["x-gateway-attempts"] == "2"
    assert raw.headers["x-gateway-model"] == f"nanogpt/{model}"
    assert raw.headers["x-gateway-provider"] == "nanogpt"
    answer = raw.parse()
    assert isinstance(answer, AsyncStream) is is_stream
    models = (
        {chunk.model async for chunk in answer}
        if isinstance(answer, AsyncStream)
        else {answer.model}
    )
    assert models == {f"nanogpt/{model}"}
    route_id = raw.headers["x-gateway-route-id"]
    async with world.router.http() as browser:
        page = await browser.get(f"/data/route:{route_id}", headers={"accept": "application/json"})
    assert page.status_code == 200
    assert f"nanogpt/{model}" in page.text


@pytest.mark.parametrize("ends", ["eof", "error", "abort"])
async def test_after_the_first_piece_no_other_model_takes_over(world: World, ends: str) -> None:
    before = world.asked("breaking")
    failing = Answer(tokens=9, ends=ends, ends_after=3)  # type: ignore[arg-type]  # one of these
    world.first.script("breaking", failing)
    heard, error = await heard_until_it_broke(
        await world.client.chat.completions.create(model="breaking", messages=HELLO, stream=True)
    )
    assert heard == "word0 word1 word2 "
    assert isinstance(error.body, dict)
    assert set(error.body) >= {"message", "type", "code"}
    assert world.asked("breaking") == (before[0] + 1, before[1])


@pytest.mark.parametrize("is_stream", [False, True])
async def test_when_all_are_down_the_caller_is_told_when_to_come_back(
    world: World, is_stream: bool
) -> None:
    for stand_in in (world.first, world.second):
        stand_in.script("down", Refusal(503, "down for maintenance", retry_after="40"))
    with pytest.raises(openai.InternalServerError) as caught:
        await world.client.chat.completions.create(model="down", messages=HELLO, stream=is_stream)
    assert caught.value.status_code == 503
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
    assert "down for maintenance" in caught.value.message


async def test_a_provider_is_used_again_once_it_may(world: World) -> None:
    async def answered_by() -> str:
        answer = await world.client.chat.completions.create(model="recovering", messages=HELLO)
        return answer.model

    world.first.script("recovering", rate_limited("2"))
    assert await answered_by() == "nanogpt/recovering"
    assert await answered_by() == "nanogpt/recovering"
    assert world.asked("recovering") == (1, 2)

    async def has_recovered() -> bool:
        return await answered_by() == "openrouter/recovering"

    await until(has_recovered)
    assert world.asked("recovering")[0] == 2


async def test_a_degraded_answer_carries_its_warning_and_its_route_tells_why(
    tmp_path: Path,
) -> None:
    plain = Offer("plain", has_tools=False)
    models = {"fallback": {"strategies": ["next_model", "degraded"]}}
    asked: Any = {"model": "auto", "messages": HELLO, "tools": TOOLS}
    async with (
        LlmStandIn("ollama", offers=[plain]) as at_home,
        running_router(tmp_path, at_home, settings={"models": models}) as router,
        router.openai() as client,
        router.http() as browser,
    ):
        chats = client.chat.completions
        for is_stream in (False, True):
            raw = await chats.with_raw_response.create(**asked, stream=is_stream)
            assert raw.headers["x-gateway-model"] == "ollama/plain"
            assert raw.headers["x-gateway-warning"] == "the model was not offered the tools"
            answer = raw.parse()
            assert isinstance(answer, AsyncStream) is is_stream
            if isinstance(answer, AsyncStream):
                assert "".join([_text(chunk) async for chunk in answer])
            assert "tools" not in at_home.requests[-1].body
        text = await _route(browser, raw.headers["x-gateway-route-id"])
        assert "The answer is degraded: the model was not offered the tools." in text
        with pytest.raises(openai.BadRequestError, match="takes tools"):
            await chats.create(**asked, extra_headers={"x-gateway-context": "work"})


async def test_a_model_of_this_machine_answers_when_nothing_else_can_be_reached(
    tmp_path: Path,
) -> None:
    # Nobody listens there.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        keys = {"api_key": "sk-nobody", "base_url": away, "attempts": 1}
        async with LlmStandIn("ollama", offers=[Offer("qwen3")]) as at_home:
            providers = [{"kind": "openrouter", **keys}, {"kind": "nanogpt", **keys}]
            models = {"tiers": {"paid": {"models": PAID}}, "model_selection": MAPPED}
            settings = {"providers": [*providers, provider(at_home)], "models": models}
            async with (
                running_router(tmp_path, settings=settings) as router,
                router.openai() as client,
                router.http() as browser,
            ):
                raw = await client.chat.completions.with_raw_response.create(
                    model="auto:coding", messages=HELLO
                )
                assert raw.headers["x-gateway-model"] == "ollama/qwen3"
                text = await _route(browser, raw.headers["x-gateway-route-id"])
                assert "| local | the network seems to be gone: nanogpt and openrouter" in text
                assert "cannot be reached" in text
                with pytest.raises(openai.InternalServerError, match="cannot be reached"):
                    await client.chat.completions.create(model=PAID[0], messages=HELLO)


async def _route(browser: httpx.AsyncClient, route_id: str) -> str:
    page = await browser.get(f"/data/route:{route_id}.json")
    text: str = page.json()["text"]
    return text


def _text(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


async def test_a_gateway_that_is_told_to_stop_ends_its_streams_honestly_and_settles(
    world: World,
) -> None:
    """The last one here: behind it there is no gateway any more."""
    world.first.always("held", Answer(tokens=500, hold_after=3))
    streams = [
        await world.client.chat.completions.create(model="held", messages=HELLO, stream=True)
        for _ in range(5)
    ]
    for stream in streams:
        await anext(aiter(stream))
    world.router.process.signal(signal.SIGTERM)
    for stream in streams:
        heard, error = await heard_until_it_broke(stream)
        assert heard == "word1 word2 "
        assert "stopping" in error.message
    assert await asyncio.to_thread(world.router.process.wait, 10) == 0
    await world.first.rests()
    assert all(one.has_left for one in world.first.requests if one.model == "held")
    async with ledger_of(world.folder) as ledger:
        (line,) = await ledger.report(*ALWAYS, group_by=("outcome",), where=HELD)
        billed = sum(bill.microusd for bill in world.first.bills if bill.offer.name == "held")
        assert (line.group, line.calls) == ({"outcome": "cancelled"}, 5)
        assert line.charged_microusd == billed > 0
        assert [state.reserved for state in await ledger.states()] == [0]
