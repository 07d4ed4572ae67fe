"""OpenAI's reasoning models with tools, which answer at the Responses API only."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.caller import LOCAL
from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.doors.chat.format import Envelope, answer_to_json, request_from_json
from gateway.llm.gathering import Answer as Gathered
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Message, Text, ToolDefinition
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider
from tests.llm.provider.conftest import KEY, Connect
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import (
    Answer,
    Refusal,
    Tool,
    broken,
    context_too_long,
    out_of_quota,
    rate_limited,
)
from tests.stand_ins.llm.server import LlmStandIn

# As the catalog has its price.
GPT = Offer(
    "gpt-5.4", input=Decimal("2.5"), output=Decimal(15), cache_read=Decimal("0.25"), has_tools=True
)
FIND = ToolDefinition("find", "Finds.", {"type": "object", "properties": {}})


@pytest.fixture
def thinker() -> Model:
    return Model("p/gpt-5.4", "p", "gpt-5.4", "GPT-5.4", has_reasoning=True)


@pytest.fixture
def request_with_tools(question: ChatRequest) -> ChatRequest:
    return dataclasses.replace(question, tools=(FIND,), reasoning_effort="high")


async def asked(provider: Provider, request: ChatRequest, model: Model) -> Gathered:
    gathering = Gathering()
    async with asyncio.timeout(5), provider.stream(request, model) as chunks:
        async for chunk in chunks:
            gathering.add(chunk)
    (answer,) = gathering.answers
    return answer


@pytest.mark.parametrize(("kind", "base"), [("openai", "/v1"), ("azure", "/openai/v1")])
async def test_tools_and_reasoning_go_together_where_the_provider_takes_both(
    kind: str, base: str, connect: Connect, request_with_tools: ChatRequest, thinker: Model
) -> None:
    async with LlmStandIn(kind, key=KEY) as stand_in, connect(stand_in) as provider:
        stand_in.script("gpt-5.4", Answer(reasoning=("Hm.", "So."), tools=(Tool("find"),)))
        answer = await asked(provider, request_with_tools, thinker)
        assert answer.finish_reason == "tool_calls"
        assert answer.message.reasoning[-1].redacted
        plain = dataclasses.replace(request_with_tools, tools=())
        unreasoning = dataclasses.replace(request_with_tools, reasoning_effort="none")
        twice = dataclasses.replace(unreasoning, reasoning_effort=None, max_output_tokens=9)
        for request in (plain, unreasoning, twice):
            await asked(provider, request, thinker)
        assert [request.path.removeprefix(base) for request in stand_in.requests] == [
            "/responses",
            *["/chat/completions"] * 3,
        ]
        bodies = [request.body for request in stand_in.requests]
        assert bodies[0]["reasoning"] == {"effort": "high"}
        assert [body.get("reasoning_effort") for body in bodies[1:]] == ["high", "none", "none"]


async def test_a_summary_is_shown_to_who_asked_for_one(
    connect: Connect, request_with_tools: ChatRequest, thinker: Model
) -> None:
    told = dataclasses.replace(request_with_tools, extra={"reasoning": {"summary": "auto"}})
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.always("gpt-5.4", Answer("Yes.", reasoning=("First.", "Then.")))
        shown = await asked(provider, told, thinker)
        assert "".join(block.text for block in shown.message.reasoning) == "First.\n\nThen."
        silent = await asked(provider, request_with_tools, thinker)
        assert "".join(block.text for block in silent.message.reasoning) == ""


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (rate_limited("30"), RateLimited),
        (out_of_quota(), PaymentRequired),
        (context_too_long(), ContextTooLong),
        (broken(), Unavailable),
        (Answer(tokens=5, ends="error", ends_after=0), Unavailable),
        (Answer(tokens=5, ends="error", ends_after=2), Unavailable),
        (Answer(tokens=5, ends="eof", ends_after=2), BadAnswer),
        (Answer(tokens=5, ends="no_done"), BadAnswer),
    ],
)
async def test_what_goes_wrong_there_is_understood(
    reply: Answer | Refusal,
    error: type[GatewayError],
    connect: Connect,
    request_with_tools: ChatRequest,
    thinker: Model,
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in, attempts=1) as provider:
        stand_in.script("gpt-5.4", reply)
        with pytest.raises(error):
            await asked(provider, request_with_tools, thinker)


@pytest.mark.parametrize(
    ("reply", "finish"),
    [(Answer(tokens=40), "length"), (Answer("A", finish="content_filter"), "content_filter")],
)
async def test_an_answer_that_is_not_whole_says_so(
    reply: Answer,
    finish: str,
    connect: Connect,
    request_with_tools: ChatRequest,
    thinker: Model,
) -> None:
    bounded = dataclasses.replace(request_with_tools, max_output_tokens=20)
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("gpt-5.4", reply)
        assert (await asked(provider, bounded, thinker)).finish_reason == finish


async def test_thoughts_that_another_provider_sealed_do_not_spoil_the_request(
    connect: Connect, request_with_tools: ChatRequest, thinker: Model
) -> None:
    async with (
        LlmStandIn("azure") as azure,
        LlmStandIn("openai") as openai,
        connect(azure, name="azure") as first,
        connect(openai, name="openai") as second,
    ):
        azure.script("gpt-5.4", Answer(reasoning=("Hm.",), tools=(Tool("find", id="c"),)))
        answer = await asked(first, request_with_tools, thinker)
        result = Message("tool", (Text("42"),), tool_call_id="c")
        messages = (*request_with_tools.messages, answer.message, result)
        request = dataclasses.replace(request_with_tools, messages=messages)
        await asked(second, request, thinker)
        await asked(first, request, thinker)
        assert _kinds(openai.requests[0].body) == [
            "message",
            "function_call",
            "function_call_output",
        ]
        assert _kinds(azure.requests[1].body)[1] == "reasoning"


async def test_an_explicit_effort_that_only_the_other_api_takes_is_refused_honestly(
    connect: Connect, request_with_tools: ChatRequest, thinker: Model
) -> None:
    twice = dataclasses.replace(request_with_tools, choices=2)
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        with pytest.raises(InvalidRequest, match="reasoning_effort"):
            await asked(provider, twice, thinker)


async def test_a_client_can_run_tools_and_reasoning_is_kept_over_all_rounds(
    tmp_path: Path,
) -> None:
    body: dict[str, Any] = {
        "model": "openai/gpt-5.4",
        "reasoning_effort": "high",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How warm is it in Oslo and in Rome?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
            }
        ],
    }
    calls = (Tool("weather", '{"city":"Oslo"}'), Tool("weather", '{"city":"Rome"}'))
    async with (
        LlmStandIn("openai", offers=[GPT]) as stand_in,
        router(stand_in, database_url=f"sqlite:///{tmp_path}/gateway.db") as routed,
    ):
        stand_in.script(
            "gpt-5.4",
            Answer(reasoning=("Two cities.", "Two calls."), tools=calls, input_tokens=900),
            Answer("Warmer in Rome.", reasoning=("Compare.",), input_tokens=990, cached_tokens=800),
        )
        answer = await _round(routed, body)
        assert answer["finish_reason"] == "tool_calls"
        body["messages"].append(answer["message"])
        body["messages"] += [
            {"role": "tool", "tool_call_id": call["id"], "content": "20 °C"}
            for call in answer["message"]["tool_calls"]
        ]
        answer = await _round(routed, body)
        assert answer["message"]["content"] == "Warmer in Rome."
        await stand_in.rests()

        first, second = (request.body for request in stand_in.requests)
        assert all(one["reasoning"] == {"effort": "high"} for one in (first, second))
        assert _kinds(second) == [
            *("message", "message"),
            *("reasoning", "function_call", "function_call"),
            *("function_call_output", "function_call_output"),
        ]
        assert second["input"][2]["encrypted_content"] in stand_in.seals

        total = await routed.total()
        assert total.charged_microusd == stand_in.billed_microusd > 0
        assert total.input_tokens == 1890
        assert total.cached_tokens == 800
        assert total.reasoning_tokens == 3
        assert total.output_tokens == sum(bill.tokens.output for bill in stand_in.bills)
        assert (total.calls, total.failed) == (2, 0)


async def _round(routed: Router, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a client of our door gets, as JSON."""
    gathering = Gathering()
    request = request_from_json(json.loads(json.dumps(body)))
    async with asyncio.timeout(5), routed.completion.answering(LOCAL, request) as answering:
        async for chunk in answering:
            gathering.add(chunk)
    written = answer_to_json(gathering.answers, Envelope("id", 1, "m"))
    choice: dict[str, Any] = json.loads(json.dumps(written["choices"][0]))
    return choice


def _kinds(body: Mapping[str, Any]) -> list[str]:
    return [item["type"] for item in body["input"]]
