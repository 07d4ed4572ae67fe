"""OpenAI's own SDK and Codex at the responses door, over providers of several kinds."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from gateway.llm.policy import Policy
from tests.endpoints.responses_door import NOTES, SMALL, Door, opened
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Tool

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
ANY_PRICE = Policy(unknown_price="allow")
OSLO = Tool("weather", '{"city": "Oslo"}', "call_1")
ROME = Tool("weather", '{"city": "Rome"}', "call_2")
NOTE = Tool("add_note", '{"text": "x"}', "call_3")
COUNT = Tool("count_notes", "{}", "call_4")
PATCH = Tool("apply_patch", '{"input": "*** Begin Patch"}', "call_5")
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
# What Codex offers and asks for.
CODEX: Any = {
    "instructions": "You are a coding agent.",
    "tools": [
        {"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edit files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: hunk+"},
        },
        {"type": "web_search", "external_web_access": True},
        {"type": "local_shell"},
        {
            "type": "namespace",
            "name": "mcp__notes",
            "description": "Notes.",
            "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}],
        },
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "1"},
}


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as one:
        yield one


@pytest.mark.parametrize("kind", ["openrouter", "nanogpt", "ollama", "anthropic"])
async def test_a_stream_is_gathered_by_the_sdk(tmp_path: Path, kind: str) -> None:
    async with opened(tmp_path, kind=kind, policy=ANY_PRICE) as door:
        door.stand_in.script("small", Answer("I look.", tools=(OSLO, ROME)), Answer("Snow, sun."))
        asked: Any = {"model": f"{kind}/small", "tools": [WEATHER]}
        async with door.client.responses.stream(input="How is it?", **asked) as stream:
            kinds = [event.type async for event in stream]
            first = await stream.get_final_response()
        assert kinds.count("response.function_call_arguments.done") == 2
        assert first.output_text == "I look."
        calls: Any = [item for item in first.output if item.type == "function_call"]
        assert [call.parsed_arguments for call in calls] == [{"city": "Oslo"}, {"city": "Rome"}]
        results: Any = [
            {"type": "function_call_output", "call_id": call.call_id, "output": "fine"}
            for call in calls
        ]
        async with door.client.responses.stream(
            input=results, previous_response_id=first.id, **asked
        ) as stream:
            second = await stream.get_final_response()
    assert second.output_text == "Snow, sun."
    assert second.usage is not None
    assert second.usage.total_tokens == second.usage.input_tokens + second.usage.output_tokens


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_of_a_schema_is_parsed(tmp_path: Path, is_stream: bool) -> None:
    async with opened(tmp_path, kind="lmstudio") as door:
        door.stand_in.script("small", Answer('{"name": "Oslo", "people": 709037}'))
        asked: Any = {"model": "lmstudio/small", "input": "Oslo?", "text_format": City}
        if is_stream:
            async with door.client.responses.stream(**asked) as stream:
                answer = await stream.get_final_response()
        else:
            answer = await door.client.responses.parse(**asked)
        wanted = door.stand_in.requests[0].body["response_format"]["json_schema"]
    assert answer.output_parsed == City(name="Oslo", people=709037)
    assert wanted["schema"]["required"] == ["name", "people"]


async def test_research_then_a_note_for_each_finding_is_one_stream(door: Door) -> None:
    door.stand_in.script(
        "small",
        Answer("I look. ", reasoning=("Let me ", "see."), tools=(NOTE, COUNT)),
        Answer(tools=(Tool("lose_notes", "{}", "call_6"),)),
        Answer("Done: one note."),
    )
    async with door.client.responses.stream(model=SMALL, input="Go.", tools=[NOTES]) as stream:
        kinds = [event.type async for event in stream]
        answer = await stream.get_final_response()
    assert [item.type for item in answer.output] == [
        "mcp_list_tools",
        "reasoning",
        "message",
        "mcp_call",
        "mcp_call",
        "mcp_call",
        "message",
    ]
    assert answer.output_text == "I look.Done: one note."
    assert kinds.count("response.mcp_call.completed") == 2
    assert kinds.count("response.mcp_call.failed") == 1
    assert kinds[-1] == "response.completed"
    assert len((answer.model_extra or {})["gateway"]["rounds"]) == 3
    assert answer.usage is not None
    assert answer.usage.output_tokens == sum(bill.tokens.output for bill in door.stand_in.bills)


async def test_every_event_and_every_answer_is_exactly_what_the_sdk_describes(door: Door) -> None:
    door.stand_in.script(
        "small",
        Answer("I note.", reasoning=("Hm.",), tools=(NOTE, COUNT)),
        Answer("And now?", tools=(OSLO, PATCH)),
    )
    body = {
        **CODEX,
        "model": SMALL,
        "input": [{"type": "message", "role": "user", "content": "Go."}],
        "tools": [NOTES, WEATHER, CODEX["tools"][1]],
        "store": True,
    }
    seen = await events_of(door, body)
    assert {event["type"].removeprefix("response.") for event in seen} >= {
        "created",
        "in_progress",
        "mcp_list_tools.completed",
        "reasoning_summary_text.delta",
        "output_text.done",
        "mcp_call.completed",
        "function_call_arguments.done",
        "custom_tool_call_input.done",
        "completed",
    }
    last = seen[-1]["response"]
    async with httpx.AsyncClient(base_url=door.url) as client:
        kept = (await client.get(f"/v1/responses/{last['id']}")).json()
        listed = (await client.get(f"/v1/responses/{last['id']}/input_items")).json()
    assert kept == last
    Response.model_validate(kept, strict=True)
    for item in listed["data"]:
        ITEM.validate_python(item, strict=True)


async def test_codex_works_through_a_turn_and_sends_everything_back(door: Door) -> None:
    find = Tool("mcp__notes__find", "{}", "call_7")
    door.stand_in.script(
        "small", Answer(reasoning=("Hm.",), tools=(PATCH, find)), Answer("I patched it.")
    )
    text = {"type": "input_text", "text": "Fix it."}
    items: list[Any] = [{"type": "message", "role": "user", "content": [text]}]
    seen = await events_of(door, {**CODEX, "model": SMALL, "input": items})
    done = [event["item"] for event in seen if event["type"] == "response.output_item.done"]
    thought, patch, found = done
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert (patch["type"], patch["input"]) == ("custom_tool_call", "*** Begin Patch")
    assert (found["namespace"], found["name"]) == ("mcp__notes", "find")

    items += [{name: item[name] for name in item if name not in ("id", "status")} for item in done]
    items += [
        {"type": "custom_tool_call_output", "call_id": patch["call_id"], "output": "ok"},
        {"type": "function_call_output", "call_id": found["call_id"], "output": "none"},
    ]
    seen = await events_of(door, {**CODEX, "model": SMALL, "input": items})
    assert seen[-1]["type"] == "response.completed"
    read = door.stand_in.requests[-1].body["messages"]
    assert [one["role"] for one in read] == ["system", "user", "assistant", "tool", "tool"]
    assert read[2]["reasoning_content"] == "Hm."
    names = [tool["function"]["name"] for tool in door.stand_in.requests[-1].body["tools"]]
    assert names == ["shell", "apply_patch", "mcp__notes__find"]
    called = [call["function"]["name"] for call in read[2]["tool_calls"]]
    assert called == ["apply_patch", "mcp__notes__find"]
    assert json.loads(read[2]["tool_calls"][0]["function"]["arguments"]) == {
        "input": "*** Begin Patch"
    }


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize(("kind", "name"), [("anthropic", "small"), ("openai", "gpt-5.4")])
async def test_a_sealed_thought_comes_back_to_the_provider_that_sealed_it(
    tmp_path: Path, kind: str, name: str, is_stored: bool
) -> None:
    """OpenAI's stand-in refuses thoughts that it did not seal."""
    async with opened(tmp_path, kind=kind, offers=[Offer(name)], policy=ANY_PRICE) as door:
        thinking = [
            Answer(reasoning=("Hm.",), signature="sealed==", tools=(call,)) for call in (NOTE, OSLO)
        ]
        door.stand_in.script(name, *thinking, Answer("It snows."))
        asked: Any = {
            "model": f"{kind}/{name}",
            "tools": [NOTES, WEATHER],
            "reasoning": {"effort": "low", "summary": "auto"},
            "store": is_stored,
        }
        first = await door.client.responses.create(input="How is it?", **asked)
        assert [item.type for item in first.output] == [
            "mcp_list_tools",
            "reasoning",
            "mcp_call",
            "reasoning",
            "function_call",
        ]
        result: Any = {"type": "function_call_output", "call_id": "call_1", "output": "snow"}
        if is_stored:
            asked |= {"input": [result], "previous_response_id": first.id}
        else:
            said: Any = {"role": "user", "content": "How is it?"}
            asked |= {"input": [said, *(item.to_dict() for item in first.output), result]}
        second = await door.client.responses.create(**asked)
        assert second.output_text == "It snows."
        body = json.dumps(door.stand_in.requests[-1].body)
    if kind == "anthropic":
        assert body.count('"signature": "sealed=="') == 2
    else:
        assert body.count('"type": "reasoning"') == 2


async def test_the_sdk_without_asyncio_reads_the_same_stream(door: Door) -> None:
    def ask() -> str:
        with (
            openai.OpenAI(base_url=f"{door.url}/v1", api_key="any", max_retries=0) as client,
            client.responses.stream(model=SMALL, input="Hello.") as stream,
        ):
            return stream.get_final_response().output_text

    assert await asyncio.to_thread(ask) == "This is what the stand-in answers."


async def events_of(door: Door, body: Any) -> list[Any]:
    """All events of a stream, each of which must be just as the SDK describes it."""
    async with httpx.AsyncClient(base_url=door.url) as client:
        answer = await client.post("/v1/responses", json={**body, "stream": True})
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        EVENT.validate_python(event, strict=True)
    return events
