"""The demo provider: what it says, and that it says it as OpenAI would."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import openai
import pytest

from gateway.demo_llm.sample import sample
from gateway.demo_llm.server import DemoLlm
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings

QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city"],
        },
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock"}}


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        DemoLlm(word_seconds=0) as demo,
        openai.AsyncOpenAI(base_url=demo.base_url, api_key="none", max_retries=0) as client,
    ):
        yield client


async def test_every_answer_says_that_it_is_a_demo(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="demo-free", messages=QUESTION)
    said = answer.choices[0].message.content or ""
    assert "This is a demo" in said
    assert "weather in Oslo" in said
    assert answer.usage
    assert answer.usage.completion_tokens == len(said.split())


async def test_a_stream_says_the_same_and_its_usage_at_the_end(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="demo-paid", messages=QUESTION)
    stream = await client.chat.completions.create(
        model="demo-paid",
        messages=QUESTION,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert len(chunks) > 10


async def test_it_calls_the_tools_that_the_question_names_and_then_tells_their_results(
    client: openai.AsyncOpenAI,
) -> None:
    asked: list[Any] = [{"role": "user", "content": "Ask weather and clock."}]
    first = await client.chat.completions.create(
        model="demo-free", messages=asked, tools=[WEATHER, CLOCK]
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    calls = message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["weather", "clock"]
    arguments = json.loads(calls[0].function.arguments)  # type: ignore[union-attr] # functions only
    jsonschema.validate(arguments, WEATHER["function"]["parameters"])
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{number} degrees"}
        for number, call in enumerate(calls)
    ]
    last: Any = [*asked, message.model_dump(exclude_none=True), *results]
    second = await client.chat.completions.create(
        model="demo-free", messages=last, tools=[WEATHER, CLOCK]
    )
    said = second.choices[0].message.content or ""
    assert "This is a demo" in said
    assert "0 degrees; 1 degrees" in said


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", []),
        ("required", ["weather"]),
        ({"type": "function", "function": {"name": "clock"}}, ["clock"]),
    ],
    ids=["none", "required", "named"],
)
async def test_it_follows_the_choice_of_tools(
    choice: Any, expected: list[str], client: openai.AsyncOpenAI
) -> None:
    answer = await client.chat.completions.create(
        model="demo-free", messages=QUESTION, tools=[WEATHER, CLOCK], tool_choice=choice
    )
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == expected


async def test_answers_in_a_schema_are_valid(client: openai.AsyncOpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    answer = await client.chat.completions.create(
        model="demo-free", messages=QUESTION, response_format=form
    )
    jsonschema.validate(json.loads(answer.choices[0].message.content or ""), schema)


async def test_an_answer_is_no_longer_than_allowed(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="demo-free", messages=QUESTION, max_completion_tokens=4
    )
    assert answer.choices[0].message.content == "This is a demo:"
    assert answer.choices[0].finish_reason == "length"


async def test_its_models_have_prices_and_one_is_free(client: openai.AsyncOpenAI) -> None:
    models = {model.id: model.model_dump() for model in (await client.models.list()).data}
    assert models["demo-free"]["pricing"] == {
        "prompt": 0.0,
        "completion": 0.0,
        "currency": "USD",
        "unit": "per_million_tokens",
    }
    assert models["demo-paid"]["pricing"]["completion"] == 2.0
    assert (await client.models.retrieve("demo-large")).id == "demo-large"


async def test_a_model_that_it_has_not_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="it has demo-free, demo-paid"):
        await client.chat.completions.create(model="gpt-6-sol", messages=QUESTION)


async def test_embeddings_of_the_same_text_are_the_same(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(
        model="demo-free", input=["a", "b", "a"], encoding_format="float"
    )
    first, second, third = (row.embedding for row in answer.data)
    assert first == third
    assert first != second


SCHEMAS: list[Any] = [
    {"type": "string", "minLength": 9},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "minimum": -9.5, "maximum": -2},
    {"type": "integer", "multipleOf": 7, "minimum": 1},
    {"type": "integer", "exclusiveMaximum": -3},
    {"type": ["null", "boolean"]},
    {"enum": ["b", "a"]},
    {"const": None},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"allOf": [{"required": ["a"], "properties": {"a": {"type": "boolean"}}}], "type": "object"},
    {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "value": {"type": "string"},
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["value", "next", "children"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/Node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_a_sample_is_valid_by_its_schema(schema: Any) -> None:
    jsonschema.validate(sample(schema), schema)


async def test_it_may_close_as_soon_as_it_opened() -> None:
    async with DemoLlm() as demo:
        pass
    with pytest.raises(OSError, match="onnect"):
        await asyncio.open_connection("127.0.0.1", int(demo.base_url.split(":")[2].split("/")[0]))


async def test_the_gateway_can_ask_it_like_any_provider() -> None:
    request = ChatRequest("auto", (Message("user", (Text("Hello?"),)),))
    model = Model(id="demo/demo-free", provider="demo", name="demo-free", title="Demo")
    async with DemoLlm(word_seconds=0) as demo:
        settings = ProviderSettings("demo", "demo", base_url=demo.base_url)
        async with Provider(settings) as provider, provider.stream(request, model) as chunks:
            answer = [chunk async for chunk in chunks]
            listed = await provider.listed()
    assert "".join(chunk.text for chunk in answer).startswith("This is a demo")
    assert sum(chunk.usage.output_tokens for chunk in answer if chunk.usage) > 5
    assert [row["id"] for row in listed[0].body["data"]] == ["demo-free", "demo-paid", "demo-large"]
