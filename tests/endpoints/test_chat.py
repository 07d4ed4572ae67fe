"""Everyday use of OpenAI's own SDK: chats, streams, tools, schemas, pictures, hints."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.endpoints.chat_door import HELLO, SMALL, Door, opened
from tests.stand_ins.llm.script import Answer, Tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened(tmp_path_factory.mktemp("shared")) as one:
        yield one


@pytest.fixture
def fair(shared: Door) -> Door:
    """The shared one, whose provider has been asked nothing yet."""
    shared.stand_in.requests.clear()
    shared.stand_in.bills.clear()
    return shared


async def test_a_plain_answer_says_what_was_done(fair: Door) -> None:
    raw = await fair.client.chat.completions.with_raw_response.create(model=SMALL, messages=HELLO)
    answer = raw.parse()
    await fair.stand_in.rests()
    [bill] = fair.stand_in.bills

    assert answer.object == "chat.completion"
    assert answer.model == SMALL
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "This is what the stand-in answers."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == bill.tokens.output
    cost = bill.microusd / 1_000_000
    extra = answer.usage.model_extra or {}
    assert extra["cost"] == cost
    assert (answer.model_extra or {})["x_nanogpt_tier"] == "paid"
    assert (answer.model_extra or {})["x_quota_remaining"] is None

    assert raw.headers["x-gateway-model"] == SMALL
    assert raw.headers["x-gateway-provider"] == "openrouter"
    assert raw.headers["x-gateway-tier"] == "paid"
    assert raw.headers["x-gateway-attempts"] == "1"
    assert float(raw.headers["x-gateway-cost-usd"]) == cost
    assert answer._request_id == raw.headers["x-request-id"]
    route_id = raw.headers["x-gateway-route-id"]
    assert answer.id == f"chatcmpl-{route_id}"
    route = await fair.router.ledger.route(route_id)
    assert route is not None
    assert route["answered_by"] == SMALL


async def test_a_stream_is_the_same_answer_in_pieces(fair: Door) -> None:
    chunks = [chunk async for chunk in await fair.stream()]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "This is what the stand-in answers."
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    finishes = [chunk.choices[0].finish_reason for chunk in chunks]
    assert finishes[-1] == "stop"
    assert set(finishes[:-1]) == {None}
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_last_chunk_has_usage_and_cost_for_whoever_asks_for_it(fair: Door) -> None:
    chunks = [chunk async for chunk in await fair.stream(stream_options={"include_usage": True})]
    [bill] = fair.stand_in.bills
    assert [chunk for chunk in chunks if chunk.usage] == chunks[-1:]
    last = chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == bill.tokens.output
    assert (last.usage.model_extra or {})["cost"] == bill.microusd / 1_000_000
    assert (last.model_extra or {})["x_nanogpt_tier"] == "paid"


async def test_a_tool_is_called_and_its_result_answered(fair: Door) -> None:
    call = Tool("weather", '{"city": "Oslo"}', "call_1")
    fair.stand_in.script("small", Answer(tools=(call,)), Answer("It snows."))
    first = await fair.client.chat.completions.create(
        model=SMALL, messages=HELLO, tools=[WEATHER], tool_choice="required"
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls
    [asked] = message.tool_calls
    assert asked.type == "function"
    assert (asked.function.name, json.loads(asked.function.arguments)) == (
        "weather",
        {"city": "Oslo"},
    )

    result: Any = {"role": "tool", "tool_call_id": asked.id, "content": "-3 °C, snow"}
    history = [*HELLO, message.model_dump(exclude_none=True), result]
    second = await fair.client.chat.completions.create(
        model=SMALL, messages=history, tools=[WEATHER]
    )
    assert second.choices[0].message.content == "It snows."
    sent = fair.stand_in.requests[1].body
    assert sent["messages"][-1]["content"] == "-3 °C, snow"
    assert sent["messages"][-1]["tool_call_id"] == asked.id
    assert sent["messages"][-2]["tool_calls"][0]["id"] == asked.id
    assert fair.stand_in.requests[0].body["tool_choice"] == "required"


@pytest.mark.parametrize("all_tools_at_index_0", [False, True])
async def test_parallel_tools_arrive_apart_in_a_stream(
    fair: Door, all_tools_at_index_0: bool
) -> None:
    calls = (
        Tool("weather", '{"city": "Oslo"}', "call_1"),
        Tool("weather", '{"city": "Rome"}', "call_2"),
    )
    fair.stand_in.script("small", Answer(tools=calls, all_tools_at_index_0=all_tools_at_index_0))
    async with fair.client.chat.completions.stream(
        model=SMALL, messages=HELLO, tools=[WEATHER], parallel_tool_calls=True
    ) as stream:
        answer = (await stream.get_final_completion()).choices[0]
    assert answer.finish_reason == "tool_calls"
    assert answer.message.tool_calls
    read = [
        (one.id, one.function.name, json.loads(one.function.arguments))
        for one in answer.message.tool_calls
    ]
    assert read == [
        ("call_1", "weather", {"city": "Oslo"}),
        ("call_2", "weather", {"city": "Rome"}),
    ]


class City(BaseModel):
    name: str
    inhabitants: int


async def test_an_answer_of_a_schema_is_parsed_by_the_sdk(tmp_path: Path) -> None:
    async with opened(tmp_path, kind="lmstudio") as door:
        door.stand_in.script("small", Answer('{"name": "Oslo", "inhabitants": 724290}'))
        answer = await door.client.chat.completions.parse(
            model="lmstudio/small", messages=HELLO, response_format=City
        )
    assert answer.choices[0].message.parsed == City(name="Oslo", inhabitants=724290)
    wanted = door.stand_in.requests[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["required"] == ["name", "inhabitants"]
    assert wanted["json_schema"]["strict"] is True


async def test_a_picture_and_unknown_fields_reach_the_provider(fair: Door) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    picture = {"type": "image_url", "image_url": {"url": url}}
    content: Any = [{"type": "text", "text": "What is this?"}, picture]
    await fair.client.chat.completions.create(
        model=SMALL,
        messages=[{"role": "user", "content": content}],
        seed=7,
        extra_body={"something_new": {"a": 1}},
    )
    body = fair.stand_in.requests[0].body
    assert body["messages"][0]["content"][1]["image_url"]["url"] == url
    assert (body["seed"], body["something_new"]) == (7, {"a": 1})


async def test_letters_beyond_ascii_are_never_broken(fair: Door) -> None:
    text = "Grüße, 世界! 👋🏽 ½ \u2028 end"
    fair.stand_in.script("small", Answer(pieces=tuple(text), bytes_at_once=1))
    streamed = [chunk.choices[0].delta.content or "" async for chunk in await fair.stream()]
    assert "".join(streamed) == text


async def test_hints_reach_the_route_and_not_the_provider(fair: Door) -> None:
    hints = {"task": "coding", "complexity": 0.75, "context": "work", "priority": "quality"}
    raw = await fair.client.chat.completions.with_raw_response.create(
        model=SMALL,
        messages=HELLO,
        extra_headers={"x-gateway-task": "creative", "x-gateway-complexity": "0.5"},
        extra_body={"gateway": hints},
    )
    route = await fair.router.ledger.route(raw.headers["x-gateway-route-id"])
    assert route is not None
    assert {name: route[name] for name in hints} == hints
    assert "gateway" not in fair.stand_in.requests[0].body


async def test_headers_alone_are_hints_too(fair: Door) -> None:
    raw = await fair.client.chat.completions.with_raw_response.create(
        model=SMALL,
        messages=HELLO,
        extra_headers={"x-gateway-task": "creative", "x-gateway-complexity": "0.5"},
    )
    route = await fair.router.ledger.route(raw.headers["x-gateway-route-id"])
    assert route is not None
    assert (route["task"], route["complexity"]) == ("creative", 0.5)


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        ({"task": "cooking"}, "x-gateway-task is 'cooking'; it takes coding, research"),
        ({"complexity": 2}, "a number from 0 to 1"),
        ({"complexity": True}, "a number from 0 to 1"),
        ({"complexity": 10**400}, "a number from 0 to 1"),
        ({"complexity": "high"}, "a number from 0 to 1"),
        ({"context": ["work"]}, "it takes personal, work"),
        ({"prioriti": "cost"}, "gateway.prioriti: unknown; it takes task"),
        ("work", "gateway: must be an object"),
    ],
)
async def test_a_wrong_hint_is_named(fair: Door, gateway: object, said: str) -> None:
    with pytest.raises(openai.BadRequestError, match="400") as caught:
        await fair.client.chat.completions.create(
            model=SMALL, messages=HELLO, extra_body={"gateway": gateway}
        )
    assert isinstance(caught.value.body, dict)
    assert said in caught.value.body["message"]
    assert fair.stand_in.requests == []


async def test_a_model_that_nobody_has_is_not_found_and_others_are_named(fair: Door) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await fair.client.chat.completions.create(model="openrouter/smal", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert isinstance(caught.value.body, dict)
    assert SMALL in caught.value.body["suggestions"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the body is not JSON: it is empty"),
        (b'{"model": ', "the body is not JSON: Expecting value at line 1"),
        (b"[]", "the body is a JSON list; send an object"),
        (b"\xff", "the body is not UTF-8: byte 0"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"seed": ' + b"9" * 5_000 + b"}", "a number with too many digits"),
        (b'{"messages": []}', "model"),
        (b'{"model": "auto", "messages": []}', "messages"),
        (b'{"model": "auto", "messages": [{"role": "user"}], "stream": "yes"}', "stream"),
    ],
)
async def test_a_body_that_is_wrong_is_answered_with_what_is_wrong(
    fair: Door, content: bytes, said: str
) -> None:
    async with httpx.AsyncClient(base_url=fair.url) as client:
        answer = await client.post("/v1/chat/completions", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert said in answer.json()["error"]["message"]


async def test_many_streams_at_once_are_not_mixed_up(fair: Door) -> None:
    fair.stand_in.script("small", *[lambda body: Answer(body["messages"][0]["content"])] * 20)

    async def repeated(text: str) -> str:
        stream = await fair.client.chat.completions.create(
            model=SMALL, messages=[{"role": "user", "content": text}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    texts = [f"This is number {number} of all." for number in range(20)]
    assert await asyncio.gather(*map(repeated, texts)) == texts


async def test_paths_and_methods_that_are_not_there_are_told_in_openais_shape(fair: Door) -> None:
    async with httpx.AsyncClient(base_url=fair.url) as client:
        method = await client.get("/v1/chat/completions")
        path = await client.post("/v1/chat/completion", json={})
    assert (method.status_code, path.status_code) == (405, 404)
    assert method.headers["allow"] == "POST"
    for answer in (method, path):
        assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_body_that_is_too_big_is_refused(fair: Door) -> None:
    async with httpx.AsyncClient(base_url=fair.url) as client:
        answer = await client.post("/v1/chat/completions", content=b" " * (32 * 1024 * 1024 + 1))
    assert answer.status_code == 413
