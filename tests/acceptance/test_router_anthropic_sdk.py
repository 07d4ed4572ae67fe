"""Anthropic's own SDK in everyday use, whichever kind of provider answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.endpoints.messages_door import HELLO, MODELS, Door, opened
from tests.stand_ins.llm.script import Answer, Tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("anthropic", "openai", "nanogpt", "ollama")
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
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
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened(tmp_path_factory.mktemp("router"), *KINDS) as one:
        yield one


async def message(door: Door, kind: str, *, is_stream: bool, **options: Any) -> Any:
    asked: Any = {"model": MODELS[kind], "max_tokens": 999, "messages": HELLO, **options}
    if not is_stream:
        return await door.client.messages.create(**asked)
    async with door.client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_is_answered(door: Door, kind: str, is_stream: bool) -> None:
    answer = await message(door, kind, is_stream=is_stream, system="Be brief.")
    assert answer.model == MODELS[kind]
    assert [block.text for block in answer.content] == ["This is what the stand-in answers."]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == 6
    assert answer.usage.input_tokens > 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_arrives_in_pieces_and_with_the_sdks_own_events(
    door: Door, kind: str
) -> None:
    door.script(kind, Answer("One two three.", reasoning=("Let", " me")))
    async with door.client.messages.stream(
        model=MODELS[kind], max_tokens=99, messages=HELLO
    ) as stream:
        kinds = [event.type async for event in stream]
        snapshot = await stream.get_final_message()
    assert kinds.count("text") == 3
    assert kinds.count("thinking") == 2
    assert kinds.count("signature") == 1
    assert kinds[-1] == "message_stop"
    assert [block.type for block in snapshot.content] == ["thinking", "text"]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_parallel_tools_keep_apart_and_their_results_lead_to_an_answer(
    door: Door, kind: str, is_stream: bool
) -> None:
    door.script(kind, Answer("I look.", tools=CALLS), Answer("It snows in Oslo only."))
    first = await message(door, kind, is_stream=is_stream, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    [text, *calls] = first.content
    assert text.text == "I look."
    assert [call.input for call in calls] == [{"city": c} for c in ("Oslo", "Rome", "Łódź")]
    assert len({call.id for call in calls}) == 3
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"result {number}"}
        for number, call in enumerate(calls)
    ]
    history = [*HELLO, first.to_param(), {"role": "user", "content": results}]
    second = await message(door, kind, is_stream=is_stream, messages=history, tools=[WEATHER])
    assert second.content[0].text == "It snows in Oslo only."
    sent = json.dumps(door.sent(kind))
    assert all(f"result {number}" in sent for number in range(3))
    assert all(sent.count(call.id) == 2 for call in calls)


async def test_calls_that_a_provider_numbers_alike_are_told_apart(door: Door) -> None:
    door.script("nanogpt", Answer(tools=CALLS, all_tools_at_index_0=True))
    answer = await message(door, "nanogpt", is_stream=True, tools=[WEATHER])
    assert [call.input["city"] for call in answer.content] == ["Oslo", "Rome", "Łódź"]


@pytest.mark.parametrize("kind", ["anthropic", "openai", "ollama"])
async def test_an_answer_of_a_schema_is_parsed(door: Door, kind: str) -> None:
    door.script(kind, Answer('{"name": "Oslo", "people": 709037}'))
    answer = await door.client.messages.parse(
        model=MODELS[kind], max_tokens=99, messages=HELLO, output_format=City
    )
    assert answer.parsed_output == City(name="Oslo", people=709037)
    assert '"people"' in json.dumps(door.sent(kind))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"name": "weather"}),
    ],
)
async def test_a_choice_of_tools_reaches_both_kinds(door: Door, choice: Any, sent: Any) -> None:
    for kind in ("anthropic", "openai"):
        await message(door, kind, is_stream=False, tools=[WEATHER], tool_choice=choice)
    assert door.sent("anthropic")["tool_choice"] == choice
    given = door.sent("openai")["tool_choice"]
    assert (given if isinstance(sent, str) else given["function"]) == sent


async def test_tokens_are_counted(door: Door) -> None:
    counted = await door.client.messages.count_tokens(
        model=MODELS["anthropic"], messages=HELLO, tools=[WEATHER]
    )
    assert counted.input_tokens > 10


async def test_errors_are_the_sdks_own(door: Door) -> None:
    with pytest.raises(anthropic.NotFoundError, match="no model is called"):
        await message(door, "anthropic", is_stream=True, model="claude-unheard-of")
    wrong: Any = [{"role": "wizard", "content": "Abracadabra."}]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\].*wizard"):
        await message(door, "anthropic", is_stream=False, messages=wrong)


async def test_the_sdk_that_waits_works_as_well(door: Door) -> None:
    def asked() -> tuple[str, str, int]:
        with anthropic.Anthropic(base_url=door.url, api_key="any", max_retries=0) as client:
            options: Any = {"model": MODELS["openai"], "max_tokens": 9, "messages": HELLO}
            plain = client.messages.create(**options)
            with client.messages.stream(**options) as stream:
                streamed = stream.get_final_text()
            counted = client.messages.count_tokens(model="auto", messages=HELLO)
            return plain.content[0].text, streamed, counted.input_tokens

    plain, streamed, counted = await asyncio.to_thread(asked)
    assert plain == streamed == "This is what the stand-in answers."
    assert counted > 0
