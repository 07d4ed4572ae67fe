"""OpenAI's own SDK in everyday use, against a gateway in a process of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletionMessageFunctionToolCall
from pydantic import BaseModel

from tests.acceptance.router_processes import HELLO, PROVIDER_KEY, RunningRouter, running_router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Tool, context_too_long, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL = "openrouter/small"
OFFERS = [Offer(name, has_vision=True) for name in ("small", "limited", "busy", "embedder")]
ONE_A_DAY = {
    "name": "one-a-day",
    "quota_requests": 1,
    "window": "day",
    "where": {"model": "openrouter/limited"},
}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALLS = (
    Tool("weather", '{"city":"Oslo"}', "call_1"),
    Tool("weather", '{"city":"Rome"}', "call_2"),
    Tool("weather", '{"city":"Łódź"}', "call_3"),
)


class City(BaseModel):
    name: str
    people: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def openrouter() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("openrouter", offers=OFFERS, key=PROVIDER_KEY) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ollama() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("ollama", offers=[Offer("at-home")]) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nanogpt() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("nanogpt", offers=[Offer("precise")]) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router(
    tmp_path_factory: pytest.TempPathFactory,
    openrouter: LlmStandIn,
    ollama: LlmStandIn,
    nanogpt: LlmStandIn,
) -> AsyncIterator[RunningRouter]:
    folder = tmp_path_factory.mktemp("router")
    async with (
        LlmStandIn("openai", key="another key than the gateway sends") as refusing,
        running_router(
            folder,
            *(openrouter, ollama, nanogpt, refusing),
            settings={"limits": [ONE_A_DAY]},
        ) as running,
    ):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(router: RunningRouter) -> AsyncIterator[openai.AsyncOpenAI]:
    async with router.openai() as opened:
        yield opened


async def test_a_chat_is_answered(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=SMALL, messages=HELLO, temperature=0.2)
    assert answer.choices[0].message.content == "This is what the stand-in answers."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_is_gathered_by_the_sdk(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=SMALL, messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type async for event in stream]
        whole = await stream.get_final_completion()
    assert kinds.count("content.delta") > 1
    assert whole.choices[0].message.content == "This is what the stand-in answers."
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 6


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("kind", ["openrouter", "openrouter, all at index 0", "ollama"])
async def test_parallel_tools_keep_apart(
    client: openai.AsyncOpenAI,
    openrouter: LlmStandIn,
    ollama: LlmStandIn,
    kind: str,
    is_stream: bool,
) -> None:
    stand_in, model = (ollama, "at-home") if kind == "ollama" else (openrouter, "small")
    stand_in.script(model, Answer(tools=CALLS, all_tools_at_index_0="index 0" in kind))
    asked: Any = {"model": f"{stand_in.kind}/{model}", "messages": HELLO, "tools": [WEATHER]}
    if is_stream:
        async with client.chat.completions.stream(**asked) as stream:
            choice: Any = (await stream.get_final_completion()).choices[0]
    else:
        choice = (await client.chat.completions.create(**asked)).choices[0]
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert all(isinstance(call, ChatCompletionMessageFunctionToolCall) for call in calls)
    cities = [json.loads(call.function.arguments)["city"] for call in calls]
    assert cities == ["Oslo", "Rome", "Łódź"]
    assert len({call.id for call in calls}) == 3
    assert all(call.id for call in calls)


async def test_the_results_of_tools_lead_to_an_answer(
    client: openai.AsyncOpenAI, openrouter: LlmStandIn
) -> None:
    openrouter.script("small", Answer(tools=CALLS), Answer("It snows in Oslo only."))
    first = await client.chat.completions.create(model=SMALL, messages=HELLO, tools=[WEATHER])
    message = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {number}"}
        for number, call in enumerate(message.tool_calls or ())
    ]
    history: Any = [*HELLO, message.model_dump(exclude_none=True), *results]
    second = await client.chat.completions.create(model=SMALL, messages=history, tools=[WEATHER])
    assert second.choices[0].message.content == "It snows in Oslo only."
    sent = openrouter.requests[-1].body["messages"]
    assert [one["tool_call_id"] for one in sent[-3:]] == ["call_1", "call_2", "call_3"]
    assert [one["id"] for one in sent[-4]["tool_calls"]] == ["call_1", "call_2", "call_3"]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_of_a_schema_is_parsed(
    client: openai.AsyncOpenAI, nanogpt: LlmStandIn, is_stream: bool
) -> None:
    nanogpt.script("precise", Answer('{"name": "Oslo", "people": 709037}'))
    asked: Any = {"model": "nanogpt/precise", "messages": HELLO, "response_format": City}
    if is_stream:
        async with client.chat.completions.stream(**asked) as stream:
            message = (await stream.get_final_completion()).choices[0].message
    else:
        message = (await client.chat.completions.parse(**asked)).choices[0].message
    assert message.parsed == City(name="Oslo", people=709037)
    wanted = nanogpt.requests[-1].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["required"] == ["name", "people"]


async def test_a_picture_reaches_the_model(
    client: openai.AsyncOpenAI, openrouter: LlmStandIn
) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    text = {"type": "text", "text": "What is this?"}
    picture = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    messages: Any = [{"role": "user", "content": [text, picture]}]
    await client.chat.completions.create(model=SMALL, messages=messages)
    assert openrouter.requests[-1].body["messages"] == messages


async def test_embeddings_are_made_and_charged(
    client: openai.AsyncOpenAI, router: RunningRouter
) -> None:
    made = await client.embeddings.create(model="openrouter/embedder", input=["one", "two"])
    assert [one.embedding for one in made.data] == [[0.25, -0.5, 0.0], [0.25, -0.5, 1.0]]
    lines = (await router.usage("request_type"))["lines"]
    assert "embedding" in {line["request_type"] for line in lines}


async def test_models_are_listed_and_found(client: openai.AsyncOpenAI) -> None:
    listed = {model.id: model async for model in client.models.list()}
    assert {"auto", SMALL, "ollama/at-home"} <= set(listed)
    one = await client.models.retrieve(SMALL)
    assert one == listed[SMALL]
    extra: Any = one.model_extra
    assert extra["tier"] == "paid"
    assert extra["context_length"] == 128_000


async def test_an_unknown_model_is_not_found_and_others_are_named(
    client: openai.AsyncOpenAI,
) -> None:
    for asking in (
        client.chat.completions.create(model="openrouter/smal", messages=HELLO),
        client.chat.completions.create(model="openrouter/smal", messages=HELLO, stream=True),
        client.models.retrieve("openrouter/smal"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await asking
        assert caught.value.code == "model_not_found"
        assert caught.value.param == "model"
        assert "openrouter/smal'" in caught.value.message
        assert SMALL in caught.value.message


async def test_a_bad_request_says_what_is_wrong(client: openai.AsyncOpenAI) -> None:
    # What a client may send, whatever the types of the SDK say.
    wrong: Any = [{"role": "wizard", "content": "Abracadabra."}]
    warm: Any = "warm"
    with pytest.raises(openai.BadRequestError, match=r"messages\[0\].*wizard"):
        await client.chat.completions.create(model=SMALL, messages=wrong)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        await client.chat.completions.create(model=SMALL, messages=HELLO, temperature=warm)


async def test_a_context_that_is_too_long_is_the_callers_own_error(
    client: openai.AsyncOpenAI, openrouter: LlmStandIn
) -> None:
    openrouter.script("small", context_too_long())
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=SMALL, messages=HELLO)
    assert caught.value.code == "context_length_exceeded"
    assert "8192" in caught.value.message


async def test_a_key_that_the_provider_refuses_is_the_gateways_fault_and_not_shown(
    router: RunningRouter,
) -> None:
    async with router.openai(max_retries=3) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="openai/gpt-5.4-mini", messages=HELLO)
    assert caught.value.code == "provider_key_refused"
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"
    assert "OpenAI answers 401" in caught.value.message
    assert PROVIDER_KEY not in caught.value.response.text


async def test_a_limit_that_is_reached_is_not_asked_again(
    router: RunningRouter, openrouter: LlmStandIn
) -> None:
    async with router.openai(max_retries=5) as client:
        await client.chat.completions.create(model="openrouter/limited", messages=HELLO)
        before = len(openrouter.requests)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="openrouter/limited", messages=HELLO)
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert (caught.value.code, caught.value.type) == ("limit_exceeded", "insufficient_quota")
    assert "'one-a-day'" in caught.value.message
    assert "resets at 20" in caught.value.message
    assert len(openrouter.requests) == before


async def test_a_provider_that_is_busy_is_asked_again_when_it_said(
    router: RunningRouter, openrouter: LlmStandIn
) -> None:
    openrouter.script("busy", rate_limited("1"), Answer("Now."))
    async with router.openai(max_retries=2) as client:
        began = asyncio.get_running_loop().time()
        answer = await client.chat.completions.create(model="openrouter/busy", messages=HELLO)
    assert answer.choices[0].message.content == "Now."
    assert asyncio.get_running_loop().time() - began >= 0.95
    assert [one.model for one in openrouter.requests].count("busy") == 2


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_client_that_leaves_ends_the_call_at_the_provider(
    client: openai.AsyncOpenAI, openrouter: LlmStandIn, is_stream: bool
) -> None:
    number = len(openrouter.requests) + 1
    openrouter.script("small", Answer(tokens=500, hold_after=3))
    if is_stream:
        stream = await client.chat.completions.create(model=SMALL, messages=HELLO, stream=True)
        async for _ in stream:
            await stream.close()
            break
    else:
        asking = asyncio.create_task(client.chat.completions.create(model=SMALL, messages=HELLO))
        await openrouter.has_received(number)
        asking.cancel()
    received = await openrouter.has_received(number)
    async with asyncio.timeout(5):
        await received.left.wait()
    await openrouter.rests()
    assert received.bill is None or received.bill.tokens.output <= 3
