"""Everyday use of Anthropic's own SDK, and what reaches each kind of provider of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx
import pytest
import pytest_asyncio

from gateway.llm.policy import Policy
from tests.endpoints.messages_door import CLAUDE, HELLO, MODELS, Door, opened
from tests.stand_ins.llm.script import Answer, Tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

CACHED: Any = {"cache_control": {"type": "ephemeral"}}
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
# As Claude Code asks: with everything that only Anthropic knows.
AS_CLAUDE_CODE: Any = {
    "system": [{"type": "text", "text": "You are a coder.", **CACHED}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", **CACHED}]}],
    "tools": [{**WEATHER, **CACHED}],
    "metadata": {"user_id": "user_1"},
    "thinking": {"type": "enabled", "budget_tokens": 8_000},
    "max_tokens": 16_000,
    "service_tier": "auto",
    "extra_body": {"top_k": 5, "context_management": {"edits": []}},
    "extra_headers": {"anthropic-beta": "context-management-2025-06-27"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    policy = Policy(aliases={"claude-opus-5-5": MODELS["nanogpt"]})
    async with opened(tmp_path_factory.mktemp("shared"), *MODELS, policy=policy) as one:
        yield one


@pytest.fixture
def door(shared: Door) -> Door:
    """The shared one, whose providers have been asked nothing yet."""
    for stand_in in shared.stand_ins.values():
        stand_in.requests.clear()
        stand_in.bills.clear()
    return shared


async def test_a_plain_answer_says_what_was_done(door: Door) -> None:
    raw = await door.client.messages.with_raw_response.create(
        model=MODELS["openrouter"], max_tokens=1024, messages=HELLO
    )
    answer = await raw.parse()
    stand_in = door.stand_ins["openrouter"]
    await stand_in.rests()
    [bill] = stand_in.bills
    route_id = raw.headers["x-gateway-route-id"]
    assert (answer.type, answer.role, answer.model) == (
        "message",
        "assistant",
        MODELS["openrouter"],
    )
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "This is what the stand-in answers."
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.usage.output_tokens == bill.tokens.output
    assert answer.id == f"msg_{route_id}"
    assert answer._request_id == raw.headers["x-request-id"] == raw.headers["request-id"]
    cost = bill.microusd / 1_000_000
    assert float(raw.headers["x-gateway-cost-usd"]) == cost
    facts: Any = (answer.model_extra or {})["gateway"]
    assert facts == {
        "route_id": route_id,
        "tier": "paid",
        "cost_usd": cost,
        "quota_remaining": None,
    }


async def test_a_stream_has_the_events_that_clients_expect_and_nothing_else(door: Door) -> None:
    body = {"model": CLAUDE, "max_tokens": 9, "messages": HELLO, "stream": True}
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/messages", json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-gateway-model"] == CLAUDE
    frames = [frame.split("\n") for frame in answer.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in frames]
    said = [json.loads(data.removeprefix("data: ")) for _, data in frames]
    assert names == [one["type"] for one in said]
    assert list(dict.fromkeys(names)) == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    [bill] = door.stand_ins["anthropic"].bills
    assert said[0]["message"]["usage"]["input_tokens"] == bill.tokens.input
    assert said[-2]["usage"]["output_tokens"] == bill.tokens.output
    assert said[-2]["gateway"]["cost_usd"] > 0


async def test_claude_codes_request_reaches_anthropic_with_its_cache_and_thinking(
    door: Door,
) -> None:
    await door.client.messages.create(model=CLAUDE, **AS_CLAUDE_CODE)
    sent = door.sent("anthropic")
    assert sent["system"] == AS_CLAUDE_CODE["system"]
    assert sent["messages"] == AS_CLAUDE_CODE["messages"]
    assert sent["tools"] == AS_CLAUDE_CODE["tools"]
    assert sent["max_tokens"] == 16_000
    assert sent["thinking"] == AS_CLAUDE_CODE["thinking"]
    assert sent["metadata"] == AS_CLAUDE_CODE["metadata"]
    assert sent["service_tier"] == "auto"
    assert "output_config" not in sent


@pytest.mark.parametrize("kind", ["openai", "nanogpt", "openrouter", "ollama"])
async def test_claude_codes_request_reaches_others_without_what_they_would_refuse(
    door: Door, kind: str
) -> None:
    answer = await door.client.messages.create(model=MODELS[kind], **AS_CLAUDE_CODE)
    assert answer.stop_reason == "end_turn"
    sent = door.sent(kind)
    foreign = {
        "anthropic_fields",
        "thinking",
        "metadata",
        "top_k",
        "service_tier",
        "context_management",
        "system",
    }
    assert not foreign & sent.keys()
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    if kind == "openai":
        assert sent["messages"][1]["content"] == "Hello"
    if kind in ("openai", "ollama"):
        assert "cache_control" not in json.dumps(sent["messages"])
    else:
        assert sent["messages"][1]["content"] == AS_CLAUDE_CODE["messages"][0]["content"]


async def test_what_was_cached_is_counted_beside_the_input(door: Door) -> None:
    for kind in ("anthropic", "openai"):
        door.script(kind, Answer(input_tokens=100, cached_tokens=60))
        answer = await door.ask(model=MODELS[kind])
        usage = answer.usage
        assert (usage.input_tokens, usage.cache_read_input_tokens) == (40, 60)


async def test_thoughts_of_anthropic_go_back_to_it_exactly_as_they_came(door: Door) -> None:
    call = Tool("weather", '{"city": "Oslo"}', "toolu_1")
    door.script("anthropic", Answer("", reasoning=("Let", " me"), signature="s", tools=(call,)))
    first = await door.ask(tools=[WEATHER])
    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "snow"}
    history = [*HELLO, first.to_param(), {"role": "user", "content": [result]}]
    await door.ask(messages=history, tools=[WEATHER])
    [_, assistant, user] = door.sent()["messages"]
    assert assistant["content"] == [
        {"type": "thinking", "thinking": "Let me", "signature": "s"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    ]
    assert user["content"] == [result]


@pytest.mark.parametrize("kind", ["openai", "nanogpt", "ollama"])
async def test_thoughts_of_others_come_signed_and_never_reach_anthropic(
    door: Door, kind: str
) -> None:
    door.script(kind, Answer("Yes.", reasoning=("Let", " me")))
    first = await door.ask(model=MODELS[kind])
    thinking = first.content[0]
    assert thinking.type == "thinking"
    assert thinking.thinking == "Let me"
    assert thinking.signature.startswith("gateway-")
    history = [*HELLO, first.to_param(), {"role": "user", "content": "Sure?"}]
    await door.ask(model=CLAUDE, messages=history)
    assert door.sent("anthropic")["messages"][1]["content"] == [{"type": "text", "text": "Yes."}]
    await door.ask(model=MODELS["nanogpt"], messages=history)
    assert door.sent("nanogpt")["messages"][1]["reasoning_content"] == "Let me"


async def test_a_picture_and_a_document_reach_every_kind_in_its_own_form(door: Door) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    paper = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    content: Any = [
        {"type": "image", "source": picture},
        {"type": "document", "title": "a.pdf", "source": paper},
        {"type": "text", "text": "What is this?"},
    ]
    messages = [{"role": "user", "content": content}]
    await door.ask(messages=messages)
    assert door.sent()["messages"][0]["content"] == content
    await door.ask(model=MODELS["openai"], messages=messages)
    [image, file, _] = door.sent("openai")["messages"][0]["content"]
    assert image["image_url"] == {"url": "data:image/png;base64,iVBORw0KGgo="}
    assert file["file"] == {
        "filename": "a.pdf",
        "file_data": "data:application/pdf;base64,JVBERi0=",
    }


async def test_a_picture_that_a_tool_gave_reaches_a_provider_that_takes_only_text_there(
    door: Door,
) -> None:
    picture: Any = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    shown: Any = [{"type": "image", "source": picture}]
    call: Any = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    result: Any = {"type": "tool_result", "tool_use_id": "call_1", "content": shown}
    messages = [
        *HELLO,
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    await door.ask(messages=messages, tools=[WEATHER])
    assert door.sent()["messages"][-1]["content"] == [result]
    await door.ask(model=MODELS["openai"], messages=messages, tools=[WEATHER])
    [*_, tool, user] = door.sent("openai")["messages"]
    assert (tool["role"], tool["content"]) == ("tool", "See the next message.")
    assert user["content"][0]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="


async def test_a_tool_of_anthropics_own_goes_there_as_it_is(door: Door) -> None:
    search: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    await door.ask(tools=[search])
    assert door.sent()["tools"] == [search]


async def test_an_alias_answers_for_a_claude(door: Door) -> None:
    answer = await door.ask(model="claude-opus-5-5")
    assert answer.model == MODELS["nanogpt"]


async def test_a_claude_is_found_without_its_day(door: Door) -> None:
    answer = await door.ask(model="claude-sonnet-5-5-20261001")
    assert answer.model == CLAUDE
    assert door.sent()["model"] == "claude-sonnet-5-5"


async def test_a_model_that_nobody_has_is_not_found_and_the_way_out_is_told(door: Door) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        await door.ask(model="claude-unheard-of-20990101")
    error: Any = caught.value.body
    assert error["type"] == "error"
    assert error["error"]["type"] == "not_found_error"
    assert "'claude-unheard-of-20990101'" in error["error"]["message"]
    assert "set aliases in gateway.yaml" in error["error"]["message"]
    assert error["request_id"] == caught.value.response.headers["request-id"]


async def test_tokens_are_counted_without_asking_anybody(door: Door) -> None:
    few = await door.client.messages.count_tokens(model=CLAUDE, messages=HELLO)
    more = await door.client.messages.count_tokens(
        model=CLAUDE, messages=HELLO, system="Be brief. " * 100, tools=[WEATHER]
    )
    assert 0 < few.input_tokens < 20
    assert more.input_tokens > few.input_tokens + 200
    assert all(not stand_in.requests for stand_in in door.stand_ins.values())


async def test_models_are_listed_for_the_sdk(door: Door) -> None:
    ids = [model.id async for model in door.client.models.list()]
    assert {"auto", *MODELS.values()} <= set(ids)


async def test_hints_reach_the_route_and_not_the_provider(door: Door) -> None:
    raw = await door.client.messages.with_raw_response.create(
        model=CLAUDE,
        max_tokens=9,
        messages=HELLO,
        extra_body={"gateway": {"task": "coding"}},
        extra_headers={"x-gateway-context": "work"},
    )
    route = await door.router.ledger.route(raw.headers["x-gateway-route-id"])
    assert route is not None
    assert (route["task"], route["context"]) == ("coding", "work")
    assert "gateway" not in door.sent()


async def test_letters_beyond_ascii_are_never_broken(door: Door) -> None:
    text = "Grüße, 世界! 👋🏽 ½ \u2028 end"
    door.script("openai", Answer(pieces=tuple(text), bytes_at_once=1))
    async with door.client.messages.stream(
        model=MODELS["openai"], max_tokens=99, messages=HELLO
    ) as stream:
        assert await stream.get_final_text() == text


async def test_many_streams_at_once_are_not_mixed_up(door: Door) -> None:
    replies = [lambda body: Answer(body["messages"][0]["content"])] * 20
    door.script("openrouter", *replies)

    async def repeated(text: str) -> str:
        async with door.client.messages.stream(
            model=MODELS["openrouter"],
            max_tokens=99,
            messages=[{"role": "user", "content": text}],
        ) as stream:
            return await stream.get_final_text()

    texts = [f"This is number {number} of all." for number in range(20)]
    assert await asyncio.gather(*map(repeated, texts)) == texts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the body is not JSON: it is empty"),
        (b"[]", "the body is a JSON list; send an object"),
        (b'{"messages": []}', "model"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}]}', "max_tokens: is miss"),
        (b'{"model": "m", "max_tokens": 1, "messages": "a"}', "messages: must be a list"),
        (b'{"model": "m", "stream": "yes"}', "stream: must be true or false"),
    ],
)
async def test_a_body_that_is_wrong_is_answered_with_what_is_wrong(
    door: Door, content: bytes, said: str
) -> None:
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/messages", content=content)
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert said in answer.json()["error"]["message"]


async def test_a_body_that_is_too_big_is_refused(door: Door) -> None:
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/messages", content=b" " * (32 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
