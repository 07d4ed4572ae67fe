"""What OpenAI's own SDK makes of it when something goes wrong, or somebody leaves."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncStream
from openai.types.chat import ChatCompletionChunk

from gateway.caller import ANONYMOUS
from gateway.storage.database import Database
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.endpoints.chat_door import HELLO, SMALL, Door, opened
from tests.stand_ins.llm.script import (
    Answer,
    Refusal,
    broken,
    context_too_long,
    key_refused,
    no_balance,
    out_of_quota,
    rate_limited,
)

AGES_AGO, IN_AGES = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """One of its own, for tests that make the provider fail or look at the ledger's sums."""
    async with opened(tmp_path) as one:
        yield one


async def test_a_stream_ends_with_done_when_its_cost_is_in_the_ledger(door: Door) -> None:
    body = {"model": SMALL, "messages": HELLO, "stream": True}
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    total = await door.router.total()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-gateway-model"] == SMALL
    assert "x-gateway-cost-usd" not in answer.headers
    assert answer.text.endswith("\n\ndata: [DONE]\n\n")
    assert total.charged_microusd == door.stand_in.billed_microusd > 0


@pytest.mark.parametrize(
    ("refusal", "kind", "code", "is_stream"),
    [
        (rate_limited("7"), openai.RateLimitError, "rate_limit_exceeded", False),
        (rate_limited("7"), openai.RateLimitError, "rate_limit_exceeded", True),
        (out_of_quota(), openai.APIStatusError, "payment_required", False),
        (no_balance(), openai.APIStatusError, "payment_required", True),
        (key_refused(), openai.InternalServerError, "provider_key_refused", False),
        (context_too_long(), openai.BadRequestError, "context_length_exceeded", True),
        (broken(), openai.InternalServerError, "unavailable", False),
    ],
)
async def test_what_a_provider_refuses_is_the_sdks_own_exception(
    door: Door,
    refusal: Refusal,
    kind: type[openai.APIStatusError],
    code: str,
    is_stream: bool,
) -> None:
    door.stand_in.always("small", refusal)
    with pytest.raises(kind) as caught:
        await door.client.chat.completions.create(model=SMALL, messages=HELLO, stream=is_stream)
    error = caught.value
    assert error.code == code
    assert isinstance(error.body, dict)
    assert set(error.body) >= {"message", "type", "param", "code"}
    assert "sk-stand-in" not in error.response.text
    if code == "rate_limit_exceeded":
        assert error.response.headers["retry-after"] == "7"


async def test_a_limit_that_is_reached_is_not_worth_a_retry(tmp_path: Path) -> None:
    daily = Limit("daily", "requests", 1, Window.parse("day"))
    async with opened(tmp_path, limits=[daily], max_retries=5) as door:
        first = await door.client.chat.completions.with_raw_response.create(
            model=SMALL, messages=HELLO
        )
        assert first.headers["x-gateway-quota-remaining"] == "0"
        with pytest.raises(openai.RateLimitError) as caught:
            await door.client.chat.completions.create(model=SMALL, messages=HELLO)
    assert (caught.value.code, caught.value.type) == ("limit_exceeded", "insufficient_quota")
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["limit"] == "daily"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert int(caught.value.response.headers["retry-after"]) > 0
    assert "daily" in caught.value.message
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


async def test_a_retry_of_the_sdk_gets_the_answer(tmp_path: Path) -> None:
    async with opened(tmp_path, max_retries=1) as door:
        door.stand_in.script("small", broken(503), Answer("Better."))
        answer = await door.client.chat.completions.create(model=SMALL, messages=HELLO)
        assert len(door.stand_in.requests) == 2
    assert answer.choices[0].message.content == "Better."


async def test_whoever_has_no_key_is_told_how_to_send_one(tmp_path: Path) -> None:
    async with opened(tmp_path, keyless=ANONYMOUS) as door:
        with pytest.raises(openai.AuthenticationError) as caught:
            await door.client.chat.completions.create(model=SMALL, messages=HELLO)
        assert door.stand_in.requests == []
    assert caught.value.code == "invalid_api_key"
    assert "Authorization: Bearer" in caught.value.message
    assert caught.value.response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("ends", ["eof", "error", "abort"])
async def test_an_answer_that_breaks_off_is_an_error_of_the_sdk_and_never_a_short_success(
    door: Door, ends: Any
) -> None:
    door.stand_in.script("small", Answer(tokens=9, ends=ends, ends_after=3))
    heard, error = await heard_until_it_broke(await door.stream())
    assert heard == "word0 word1 word2 "
    assert isinstance(error.body, dict)
    assert set(error.body) >= {"message", "type", "code"}


async def test_a_stream_that_breaks_off_has_no_done_and_ends_properly(door: Door) -> None:
    door.stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
    body = {"model": SMALL, "messages": HELLO, "stream": True}
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    last = json.loads(answer.text.strip().rpartition("data: ")[2])
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["code"] == "bad_answer"
    assert "[DONE]" not in answer.text


async def test_a_plain_answer_that_breaks_off_is_no_answer(door: Door) -> None:
    door.stand_in.script("small", Answer(tokens=9, ends="eof", ends_after=3))
    with pytest.raises(openai.InternalServerError) as caught:
        await door.client.chat.completions.create(model=SMALL, messages=HELLO)
    assert caught.value.status_code == 502


async def test_a_client_that_leaves_in_mid_stream_ends_the_call_and_pays_for_its_part(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as door:
        door.stand_in.script("small", Answer(tokens=500, hold_after=3))
        stream = await door.stream()
        async for chunk in stream:
            if "word2" in (chunk.choices[0].delta.content or ""):
                break
        await stream.close()
        await door.stand_in.rests()
        assert door.stand_in.requests[0].has_left
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database, Ledger(database) as ledger:
        [line] = await ledger.report(AGES_AGO, IN_AGES, group_by=["outcome"])
    assert (line.group["outcome"], line.calls) == ("cancelled", 1)
    assert line.charged_microusd == door.stand_in.billed_microusd > 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_client_that_leaves_before_the_first_piece_ends_the_call(
    door: Door, is_stream: bool
) -> None:
    door.stand_in.script("small", Answer(before_headers=asyncio.Event()))
    asking = asyncio.create_task(
        door.client.chat.completions.create(model=SMALL, messages=HELLO, stream=is_stream)
    )
    await door.stand_in.has_received(1)
    asking.cancel()
    await door.stand_in.rests()
    assert door.stand_in.requests[0].has_left


async def test_a_stream_that_is_silent_says_that_it_is_there(tmp_path: Path) -> None:
    goes_on = asyncio.Event()
    async with (
        opened(tmp_path, keepalive_seconds=0.02) as door,
        httpx.AsyncClient(base_url=door.url) as client,
    ):
        door.stand_in.script("small", Answer(tokens=3, hold_after=1, hold=goes_on))
        body = {"model": SMALL, "messages": HELLO, "stream": True}
        lines = []
        async with (
            asyncio.timeout(5),
            client.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            async for line in answer.aiter_lines():
                lines.append(line)
                if lines.count(": keep-alive") == 2:
                    goes_on.set()
    # A comment never stands inside of an event.
    assert all(not line or line == ": keep-alive" or line.startswith("data: ") for line in lines)
    assert lines[-2] == "data: [DONE]"


async def test_a_gateway_that_stops_says_so_to_whoever_it_is_answering(tmp_path: Path) -> None:
    body = {"model": SMALL, "messages": HELLO, "stream": True}
    async with httpx.AsyncClient() as client:
        async with opened(tmp_path, grace_seconds=0) as door:
            door.stand_in.script("small", Answer(tokens=9, hold_after=2))
            url = f"{door.url}/v1/chat/completions"
            answer = await client.send(client.build_request("POST", url, json=body), stream=True)
            lines = answer.aiter_lines()
            while "word1" not in await anext(lines):
                pass
        rest = [line async for line in lines if line]
    last = json.loads(rest[-1].removeprefix("data: "))
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == ("unavailable", "error")


async def test_the_log_holds_no_prompt_no_answer_and_no_key(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    secret: Any = [{"role": "user", "content": "my-secret-prompt"}]
    door.stand_in.script("small", Answer("my-secret-answer"), broken())
    with caplog.at_level(logging.DEBUG, "gateway"):
        await door.client.chat.completions.create(model=SMALL, messages=secret)
        with pytest.raises(openai.InternalServerError):
            await door.client.chat.completions.create(model=SMALL, messages=secret)
    assert "my-secret" not in caplog.text
    assert "sk-stand-in" not in caplog.text


async def heard_until_it_broke(
    stream: AsyncStream[ChatCompletionChunk],
) -> tuple[str, openai.APIError]:
    heard = ""
    try:
        async for chunk in stream:
            heard += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        return heard, error
    raise AssertionError(f"it ended as if it were whole, after {heard!r}")
