"""What Anthropic's own SDK makes of it when something goes wrong, or somebody leaves."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from gateway.caller import ANONYMOUS, LOCAL
from gateway.endpoints.anthropic_messages import messages_routes
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.endpoints.doors import asking
from tests.endpoints.messages_door import CLAUDE, HELLO, Door, opened
from tests.stand_ins.llm.script import (
    Answer,
    Refusal,
    broken,
    context_too_long,
    key_refused,
    no_balance,
    overloaded,
    rate_limited,
)

BODY: Any = {"model": CLAUDE, "max_tokens": 99, "messages": HELLO, "stream": True}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    ("refusal", "status", "kind", "code", "is_stream"),
    [
        (rate_limited("7"), 429, "rate_limit_error", "rate_limited", False),
        (rate_limited("7"), 429, "rate_limit_error", "rate_limited", True),
        (no_balance(), 402, "billing_error", "payment_required", True),
        (key_refused(), 502, "api_error", "provider_key_refused", False),
        (context_too_long(), 400, "invalid_request_error", "context_length_exceeded", True),
        (broken(), 529, "overloaded_error", "unavailable", False),
        (overloaded(), 529, "overloaded_error", "unavailable", True),
    ],
)
async def test_what_a_provider_refuses_is_the_sdks_own_exception(
    door: Door, refusal: Refusal, status: int, kind: str, code: str, is_stream: bool
) -> None:
    door.stand_in.always("*", refusal)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await door.client.messages.create(**{**BODY, "stream": is_stream})
    error: Any = caught.value
    assert error.status_code == status
    assert error.body["type"] == "error"
    assert (error.body["error"]["type"], error.body["error"]["code"]) == (kind, code)
    assert error.request_id == error.body["request_id"]
    assert "sk-stand-in" not in error.response.text
    if status == 429:
        assert error.response.headers["retry-after"] == "7"


async def test_a_model_that_its_provider_no_longer_has_is_told_with_its_route(door: Door) -> None:
    door.stand_in.always("*", Refusal(404, "model: claude is gone", "not_found_error"))
    with pytest.raises(anthropic.NotFoundError, match="set aliases") as caught:
        await door.ask()
    assert caught.value.response.headers["x-gateway-route-id"]


async def test_claude_code_is_told_in_its_words_that_the_prompt_is_too_long(door: Door) -> None:
    door.script("anthropic", context_too_long())
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: .*8192"):
        await door.ask()


async def test_a_limit_that_is_reached_is_not_worth_a_retry(tmp_path: Path) -> None:
    daily = Limit("daily", "requests", 1, Window.parse("day"))
    async with opened(tmp_path, limits=[daily], max_retries=5) as door:
        await door.ask()
        with pytest.raises(anthropic.RateLimitError) as caught:
            await door.ask()
    error: Any = caught.value
    assert (error.body["error"]["code"], error.body["error"]["limit"]) == (
        "limit_exceeded",
        "daily",
    )
    assert error.response.headers["x-should-retry"] == "false"
    assert error.request.headers["x-stainless-retry-count"] == "0"


async def test_a_retry_of_the_sdk_gets_the_answer(tmp_path: Path) -> None:
    async with opened(tmp_path, max_retries=1) as door:
        door.script("anthropic", rate_limited("0.01"), Answer("Better."))
        answer = await door.ask()
        assert len(door.stand_in.requests) == 2
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Better."


async def test_whoever_has_no_key_is_told_so_in_anthropics_shape(tmp_path: Path) -> None:
    async with opened(tmp_path, keyless=ANONYMOUS) as door:
        for asked in (
            door.ask(),
            door.client.messages.count_tokens(model=CLAUDE, messages=HELLO),
        ):
            with pytest.raises(anthropic.AuthenticationError) as caught:
                await asked
            error: Any = caught.value.body
            assert error["error"]["type"] == "authentication_error"
        assert door.stand_in.requests == []


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_key_is_taken_in_either_header_and_a_wrong_one_refused(
    door: Door, header: str
) -> None:
    routes = messages_routes(door.router.loop())
    prefix = "Bearer " if header == "authorization" else ""
    async with asking(routes, keys={"gw_right": LOCAL}, keyless=ANONYMOUS) as client:
        right, wrong = [
            await client.post(
                "/v1/messages/count_tokens", json=BODY, headers={header: f"{prefix}{key}"}
            )
            for key in ("gw_right", "gw_wrong")
        ]
    assert right.json()["input_tokens"] > 0
    assert wrong.status_code == 401
    assert wrong.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("ends", ["eof", "error", "abort"])
async def test_an_answer_that_breaks_off_is_an_error_of_the_sdk_and_never_a_short_success(
    door: Door, ends: Any
) -> None:
    door.script("anthropic", Answer(tokens=9, ends=ends, ends_after=3))
    heard: list[str] = []

    async def listen() -> None:
        async with door.client.messages.stream(
            model=CLAUDE, max_tokens=99, messages=HELLO
        ) as stream:
            async for text in stream.text_stream:
                heard.append(text)  # noqa: PERF401 - it breaks off

    with pytest.raises(anthropic.APIStatusError) as caught:
        await listen()
    assert "".join(heard) == "word0 word1 word2 "
    error: Any = caught.value.body
    assert set(error["error"]) >= {"type", "message", "code"}


async def test_a_stream_that_breaks_off_ends_with_its_error(door: Door) -> None:
    door.script("anthropic", Answer(tokens=9, ends="eof", ends_after=3))
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/messages", json=BODY)
    name, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["code"] == "bad_answer"
    assert "message_stop" not in answer.text


async def test_a_plain_answer_that_breaks_off_is_no_answer(door: Door) -> None:
    door.script("anthropic", Answer(tokens=9, ends="eof", ends_after=3))
    with pytest.raises(anthropic.InternalServerError) as caught:
        await door.ask()
    assert caught.value.status_code == 502


async def test_a_client_that_leaves_in_mid_stream_ends_the_call(door: Door) -> None:
    door.script("anthropic", Answer(tokens=500, hold_after=3))
    async with door.client.messages.stream(model=CLAUDE, max_tokens=99, messages=HELLO) as stream:
        async for text in stream.text_stream:
            if "word2" in text:
                break
    await door.stand_in.rests()
    assert door.stand_in.requests[0].has_left
    async with asyncio.timeout(5):
        while not await door.router.lines():  # noqa: ASYNC110 - no event tells of its line
            await asyncio.sleep(0.01)
    assert (await door.router.total()).calls == 1


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_client_that_leaves_before_the_first_piece_ends_the_call(
    door: Door, is_stream: bool
) -> None:
    door.script("anthropic", Answer(before_headers=asyncio.Event()))
    asked = asyncio.create_task(door.client.messages.create(**{**BODY, "stream": is_stream}))
    await door.stand_in.has_received(1)
    asked.cancel()
    await door.stand_in.rests()
    assert door.stand_in.requests[0].has_left


async def test_a_stream_that_is_silent_says_that_it_is_there_and_the_sdk_reads_on(
    tmp_path: Path,
) -> None:
    goes_on = asyncio.Event()
    async with (
        opened(tmp_path, keepalive_seconds=0.02) as door,
        httpx.AsyncClient(base_url=door.url) as client,
    ):
        door.script("anthropic", Answer(tokens=3, hold_after=1, hold=goes_on))
        lines = []
        async with asyncio.timeout(5), client.stream("POST", "/v1/messages", json=BODY) as answer:
            async for line in answer.aiter_lines():
                lines.append(line)
                if lines.count(": keep-alive") == 2:
                    goes_on.set()
        assert 'data: {"type":"message_stop"}' in lines
        held = asyncio.Event()
        door.script("anthropic", Answer(tokens=3, hold_after=1, hold=held))
        stream = door.client.messages.stream(model=CLAUDE, max_tokens=99, messages=HELLO)
        async with stream as sdk:
            async for _ in sdk.text_stream:
                held.set()
            assert await sdk.get_final_text() == "word0 word1 word2 "


async def test_a_gateway_that_stops_says_so_to_whoever_it_is_answering(tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        async with opened(tmp_path, grace_seconds=0) as door:
            door.script("anthropic", Answer(tokens=9, hold_after=2))
            request = client.build_request("POST", f"{door.url}/v1/messages", json=BODY)
            answer = await client.send(request, stream=True)
            lines = answer.aiter_lines()
            while "word1" not in await anext(lines):
                pass
        rest = [line async for line in lines if line]
    assert rest[-2] == "event: error"
    error = json.loads(rest[-1].removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("overloaded_error", "unavailable")


async def test_the_log_holds_no_prompt_and_no_answer(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.script("anthropic", Answer("my-secret-answer"), broken())
    secret: Any = [{"role": "user", "content": "my-secret-prompt"}]
    with caplog.at_level(logging.DEBUG, "gateway"):
        await door.ask(messages=secret)
        with pytest.raises(anthropic.APIStatusError):
            await door.ask(messages=secret)
    assert "my-secret" not in caplog.text
