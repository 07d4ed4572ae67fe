"""Everyday use of the responses door by OpenAI's own SDK, and what happens in trouble."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.caller import ANONYMOUS, Caller
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.endpoints.responses_door import NOTES, SMALL, Door, opened
from tests.stand_ins.llm.script import Answer, Tool, broken, context_too_long, rate_limited

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKING: Any = {**NOTES, "require_approval": "always"}
OSLO = Tool("weather", '{"city": "Oslo"}', "call_1")
NOTE = Tool("add_note", '{"text": "x"}', "call_2")
KEYS = {"gw_a": Caller("alice"), "gw_b": Caller("bob")}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as one:
        yield one


def sent(door: Door, number: int = -1) -> list[tuple[str, Any]]:
    return [
        (one["role"], one.get("content")) for one in door.stand_in.requests[number].body["messages"]
    ]


def types(response: Any) -> list[str]:
    return [item.type for item in response.output]


async def test_a_plain_answer_says_what_was_done(door: Door) -> None:
    raw = await door.client.responses.with_raw_response.create(
        model=SMALL, input="Hello.", metadata={"a": "b"}
    )
    answer = raw.parse()
    await door.stand_in.rests()
    [bill] = door.stand_in.bills
    assert answer.output_text == "This is what the stand-in answers."
    assert (answer.status, answer.model, answer.metadata) == ("completed", SMALL, {"a": "b"})
    assert answer.usage is not None
    assert answer.usage.output_tokens == bill.tokens.output
    ours = (answer.model_extra or {})["gateway"]
    assert ours["cost_usd"] == bill.microusd / 1_000_000
    assert float(raw.headers["x-gateway-cost-usd"]) == ours["cost_usd"]
    assert raw.headers["x-gateway-model"] == SMALL
    assert answer.id == f"resp_{raw.headers['x-gateway-route-id']}"
    assert ours["tier"] == "paid"


async def test_an_answer_is_continued_by_its_id_and_may_branch(door: Door) -> None:
    door.stand_in.script("small", *map(Answer, ("One.", "Two.", "Three.")))
    first = await door.ask(input="A", instructions="Be brief.")
    await door.ask(input="B", previous_response_id=first.id)
    assert sent(door) == [("user", "A"), ("assistant", "One."), ("user", "B")]
    branch = await door.ask(input="C", previous_response_id=first.id, instructions="Be kind.")
    assert sent(door) == [
        ("system", "Be kind."),
        ("user", "A"),
        ("assistant", "One."),
        ("user", "C"),
    ]
    assert branch.previous_response_id == first.id


async def test_a_tool_of_the_clients_is_called_and_answered(door: Door) -> None:
    door.stand_in.script("small", Answer(tools=(OSLO,)), Answer("It snows."))
    first = await door.ask(tools=[WEATHER], tool_choice="required")
    [call] = first.output
    assert (call.type, call.call_id, call.name) == ("function_call", "call_1", "weather")
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "-3 °C"}
    second = await door.ask(input=[result], previous_response_id=first.id, tools=[WEATHER])
    assert second.output_text == "It snows."
    asked, answered = door.stand_in.requests[1].body["messages"][-2:]
    assert asked["tool_calls"][0]["function"] == {"name": "weather", "arguments": OSLO.arguments}
    assert (answered["tool_call_id"], answered["content"]) == ("call_1", "-3 °C")


async def test_a_client_may_keep_the_conversation_itself(door: Door) -> None:
    thinking = Answer(reasoning=("Hm, ", "so."), tools=(OSLO,))
    door.stand_in.script("small", thinking, Answer("It snows."), Answer("Yes."))
    items: list[Any] = [{"role": "user", "content": "Hello."}]
    first = await door.ask(input=items, store=False, tools=[WEATHER])
    assert types(first) == ["reasoning", "function_call"]
    items += [item.to_dict() for item in first.output]
    items += [{"type": "function_call_output", "call_id": "call_1", "output": "snow"}]
    second = await door.ask(input=items, store=False, tools=[WEATHER])
    items += [item.to_dict() for item in second.output]
    await door.ask(input=[*items, {"role": "user", "content": "Sure?"}], store=False)
    read = door.stand_in.requests[-1].body["messages"]
    assert [one["role"] for one in read] == ["user", "assistant", "tool", "assistant", "user"]
    assert read[1]["reasoning_content"] == "Hm, so."
    assert first.store is False
    with pytest.raises(openai.NotFoundError):
        await door.client.responses.retrieve(first.id)


async def test_tools_of_the_gateway_run_while_the_client_waits(door: Door) -> None:
    lost = Tool("lose_notes", "{}", "call_3")
    door.stand_in.script("small", Answer("I note.", tools=(NOTE, lost)), Answer("Done."))
    answer = await door.ask(tools=[NOTES])
    assert door.notes == ["x"]
    assert types(answer) == ["mcp_list_tools", "message", "mcp_call", "mcp_call", "message"]
    made, failed = answer.output[2:4]
    assert '{"number":1}' in made.output
    assert "the notes are locked" in failed.error.content[0]["text"]
    assert answer.output_text == "I note.Done."
    rounds = answer.model_extra["gateway"]["rounds"]
    assert [len(one["tool_calls"]) for one in rounds] == [2, 0]
    assert answer.usage.output_tokens == sum(one["usage"]["completion_tokens"] for one in rounds)

    await door.ask(input="And now?", previous_response_id=answer.id, tools=[NOTES])
    roles = [role for role, _ in sent(door)]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("approve", [True, False])
async def test_a_call_waits_until_the_client_allows_it(
    door: Door, is_stored: bool, approve: bool
) -> None:
    door.stand_in.script("small", Answer(tools=(NOTE, OSLO)), Answer("Done."), Answer("Fine."))
    tools = [ASKING, WEATHER]
    first = await door.ask(tools=tools, store=is_stored)
    assert types(first) == ["mcp_list_tools", "function_call", "mcp_approval_request"]
    request = first.output[-1]
    assert (request.server_label, request.name) == ("notes", "add_note")
    assert door.notes == []

    reply: list[Any] = [
        {"type": "function_call_output", "call_id": "call_1", "output": "snow"},
        {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approve},
    ]
    items: Any = [{"role": "user", "content": "Hello."}, *map(as_sent, first.output), *reply]
    more: Any = {"store": is_stored, "tools": tools}
    if is_stored:
        second = await door.ask(input=reply, previous_response_id=first.id, **more)
    else:
        second = await door.ask(input=items, **more)
    assert door.notes == (["x"] if approve else [])
    assert types(second) == (["mcp_call", "message"] if approve else ["message"])
    if approve:
        assert second.output[0].approval_request_id == request.id
    read = door.stand_in.requests[1].body["messages"]
    assert [one["role"] for one in read] == ["user", "assistant", "tool", "tool"]
    results = {one["tool_call_id"]: one["content"] for one in read[2:]}
    assert set(results) == {call["id"] for call in read[1]["tool_calls"]}
    assert ('{"number":1}' in results[request.id]) == approve
    assert ("did not allow" in results[request.id]) != approve

    items += [*map(as_sent, second.output), {"role": "user", "content": "Sure?"}]
    await door.ask(input=items, **more)
    read = door.stand_in.requests[2].body["messages"]
    roles = [one["role"] for one in read]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert door.notes == (["x"] if approve else [])


async def test_tools_that_nobody_here_runs_are_left_out_and_named(door: Door) -> None:
    tools: Any = [{"type": "web_search"}, {"type": "local_shell"}, WEATHER]
    raw = await door.client.responses.with_raw_response.create(
        model=SMALL, input="Hello.", tools=tools
    )
    assert raw.headers["x-gateway-left-out-tools"] == "web_search, local_shell"
    [offered] = door.stand_in.requests[0].body["tools"]
    assert offered["function"]["name"] == "weather"


async def test_what_is_kept_can_be_read_listed_and_deleted(door: Door) -> None:
    responses = door.client.responses
    first = await door.ask(input="A")
    picture: Any = {"type": "input_image", "image_url": "https://example.org/a.png"}
    content: Any = [{"type": "input_text", "text": "B"}, picture]
    message: Any = {"role": "user", "content": content}
    second = await door.ask(input=[message], previous_response_id=first.id)
    assert (await responses.retrieve(second.id)).to_dict() == second.to_dict()

    pages = responses.input_items.list(second.id, limit=1, order="asc")
    listed: list[Any] = [item async for item in pages]
    assert [item.role for item in listed] == ["user", "assistant", "user"]
    assert listed[0].content[0].text == "A"
    assert listed[2].content[1].image_url == picture["image_url"]
    newest = await responses.input_items.list(second.id)
    assert [item.id for item in newest.data] == [item.id for item in reversed(listed)]

    await responses.delete(first.id)
    for asking, missing in (
        (responses.retrieve(first.id), "response"),
        (responses.delete(first.id), "response"),
        (responses.input_items.list(first.id), "response"),
        (door.ask(previous_response_id=second.id), "previous_response"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await asking
        assert first.id in caught.value.message
        assert caught.value.code == f"{missing}_not_found"
        assert caught.value.param == f"{missing}_id"


async def test_an_item_may_be_named_instead_of_sent(door: Door) -> None:
    first = await door.ask(input="A")
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    await door.ask(input=[reference, {"role": "user", "content": "B"}], store=False)
    assert sent(door) == [("assistant", first.output_text), ("user", "B")]
    with pytest.raises(openai.BadRequestError, match="no item 'msg_r0_0' is kept"):
        await door.ask(input=[{"type": "item_reference", "id": "msg_r0_0"}])


async def test_what_another_caller_keeps_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path, keys=KEYS, keyless=ANONYMOUS) as door:
        alice, bob = (door.client.with_options(api_key=key) for key in KEYS)
        first = await alice.responses.create(model=SMALL, input="A")
        for asking in (
            bob.responses.create(model=SMALL, input="B", previous_response_id=first.id),
            bob.responses.retrieve(first.id),
            bob.responses.delete(first.id),
        ):
            with pytest.raises(openai.NotFoundError) as caught:
                await asking
            assert first.id in caught.value.message
            assert caught.value.param in ("previous_response_id", "response_id")
        reference: Any = {"type": "item_reference", "id": first.output[0].id}
        with pytest.raises(openai.BadRequestError, match="no item"):
            await bob.responses.create(model=SMALL, input=[reference])
        with pytest.raises(openai.AuthenticationError):
            await door.client.with_options(api_key="").responses.retrieve(
                first.id, extra_headers={"authorization": ""}
            )
        assert (await alice.responses.retrieve(first.id)).id == first.id


async def test_many_may_continue_at_once(door: Door) -> None:
    door.stand_in.script("small", Answer("Root."))
    root = await door.ask()
    echo = [lambda body: Answer(body["messages"][-1]["content"])] * 10
    door.stand_in.script("small", *echo)
    asking = (door.ask(input=f"Number {n}", previous_response_id=root.id) for n in range(10))
    answers = await asyncio.gather(*asking)
    assert [one.output_text for one in answers] == [f"Number {n}" for n in range(10)]


async def test_the_tokens_of_a_request_are_guessed_without_asking_a_model(door: Door) -> None:
    small = await door.client.responses.input_tokens.count(model=SMALL, input="Hello.")
    large = await door.client.responses.input_tokens.count(model=SMALL, input="Hello. " * 100)
    assert 0 < small.input_tokens < large.input_tokens
    assert door.stand_in.requests == []


async def test_hints_reach_the_route(door: Door) -> None:
    answer = await door.ask(extra_body={"gateway": {"task": "coding"}})
    route = await door.router.ledger.route(answer.model_extra["gateway"]["route_id"])
    assert route is not None
    assert route["task"] == "coding"


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("refusal", "kind", "code"),
    [
        (rate_limited("7"), openai.RateLimitError, "rate_limit_exceeded"),
        (context_too_long(), openai.BadRequestError, "context_length_exceeded"),
        (broken(), openai.InternalServerError, "unavailable"),
    ],
)
async def test_what_a_provider_refuses_is_the_sdks_own_exception(
    door: Door, refusal: Any, kind: type[openai.APIStatusError], code: str, is_stream: bool
) -> None:
    door.stand_in.always("small", refusal)
    with pytest.raises(kind) as caught:
        await door.ask(stream=is_stream)
    assert caught.value.code == code


async def test_a_limit_and_an_unknown_model_are_told_apart(tmp_path: Path) -> None:
    async with opened(
        tmp_path, limits=[Limit("daily", "requests", 1, Window.parse("day"))]
    ) as door:
        await door.ask()
        with pytest.raises(openai.RateLimitError) as limited:
            await door.ask()
        with pytest.raises(openai.NotFoundError) as unknown:
            await door.ask(model="openrouter/smal")
    assert limited.value.code == "limit_exceeded"
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")


async def test_an_answer_that_breaks_off_fails_inside_of_the_stream_and_is_not_kept(
    door: Door,
) -> None:
    door.stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
    events = [event async for event in await door.ask(stream=True)]
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1].response.error.code == "server_error"
    with pytest.raises(openai.NotFoundError):
        await door.client.responses.retrieve(events[-1].response.id)
    door.stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
    with pytest.raises(openai.InternalServerError):
        await door.ask()


async def test_an_answer_that_cannot_be_kept_is_told_all_the_same(
    door: Door, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        database.execute("DROP TABLE stored_responses")
    database.close()
    answer = await door.ask()
    assert answer.output_text == "This is what the stand-in answers."
    assert answer.store is False


async def test_a_client_that_leaves_ends_the_call_and_nothing_is_kept(door: Door) -> None:
    door.stand_in.script("small", Answer(tokens=500, hold_after=3))
    stream = await door.ask(stream=True)
    async for event in stream:
        if event.type == "response.created":
            response_id = event.response.id
        if event.type == "response.output_text.delta" and "word2" in event.delta:
            break
    await stream.close()
    await door.stand_in.rests()
    assert door.stand_in.requests[0].has_left
    with pytest.raises(openai.NotFoundError):
        await door.client.responses.retrieve(response_id)


async def test_a_stream_that_is_silent_says_that_it_is_there(tmp_path: Path) -> None:
    goes_on = asyncio.Event()
    async with (
        opened(tmp_path, keepalive_seconds=0.02) as door,
        httpx.AsyncClient(base_url=door.url) as client,
    ):
        door.stand_in.script("small", Answer(tokens=3, hold_after=1, hold=goes_on))
        body = {"model": SMALL, "input": "Hello.", "stream": True}
        lines = []
        async with (
            asyncio.timeout(5),
            client.stream("POST", "/v1/responses", json=body) as answer,
        ):
            async for line in answer.aiter_lines():
                lines.append(line)
                if lines.count(": keep-alive") == 2:
                    goes_on.set()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    read = [line for line in lines if line and line != ": keep-alive"]
    for name, data in zip(read[::2], read[1::2], strict=True):
        kind = json.loads(data.removeprefix("data: "))["type"]
        assert name == f"event: {kind}"
    assert read[-2] == "event: response.completed"


async def test_a_gateway_that_stops_says_so_to_whoever_it_is_answering(tmp_path: Path) -> None:
    body = {"model": SMALL, "input": "Hello.", "stream": True}
    async with httpx.AsyncClient() as client:
        async with opened(tmp_path, grace_seconds=0) as door:
            door.stand_in.script("small", Answer(tokens=9, hold_after=2))
            request = client.build_request("POST", f"{door.url}/v1/responses", json=body)
            answer = await client.send(request, stream=True)
            lines = answer.aiter_lines()
            while "word1" not in await anext(lines):
                pass
        rest = [line async for line in lines if line]
    assert rest[-2] == "event: response.failed"
    assert "stopping" in rest[-1]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("?stream=true", "is whole"),
        ("/input_items?limit=0", "limit: must be from 1 to 100"),
        ("/input_items?order=up", "order: must be asc or desc"),
        ("/input_items?after=x", "no item of this response has the ID 'x'"),
    ],
)
async def test_a_wrong_parameter_is_named(door: Door, path: str, said: str) -> None:
    first = await door.ask()
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.get(f"/v1/responses/{first.id}{path}")
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


async def test_whoever_has_no_key_and_whoever_sends_too_much_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, keyless=ANONYMOUS) as door:
        with pytest.raises(openai.AuthenticationError):
            await door.ask()
        with pytest.raises(openai.AuthenticationError):
            await door.client.responses.retrieve("resp_x")
    async with opened(tmp_path) as door, httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/responses", content=b" " * (32 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_the_log_holds_no_prompt_and_no_answer(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.stand_in.script("small", Answer("my-secret-answer"), broken())
    with caplog.at_level(logging.DEBUG, "gateway"):
        first = await door.ask(input="my-secret-prompt")
        with pytest.raises(openai.InternalServerError):
            await door.ask(input="my-secret-prompt", previous_response_id=first.id)
    assert "my-secret" not in caplog.text


def as_sent(item: Any) -> Any:
    return item.to_dict()
