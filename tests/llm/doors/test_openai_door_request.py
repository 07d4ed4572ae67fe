"""What the door takes, and how it names what it does not take."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.ollama import dialect as ollama
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.doors.chat.format import Delivery, delivery_from_json, request_from_json
from gateway.llm.messages import (
    AnswerFormat,
    ChatRequest,
    Image,
    Message,
    Other,
    Reasoning,
    Text,
    ToolCall,
    ToolChoice,
    ToolDefinition,
)
from tests.llm.dialects.strategies import model

ASKED = {"role": "user", "content": "Hello"}


def read(**fields: Any) -> ChatRequest:
    return request_from_json({"model": "auto", "messages": [ASKED], **fields})


def message(**fields: Any) -> Message:
    (found,) = read(messages=[fields]).messages
    return found


def test_a_plain_question() -> None:
    assert read() == ChatRequest("auto", (Message("user", (Text("Hello"),)),))


def test_every_field_has_its_place() -> None:
    request = read(
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "find",
                    "description": "Finds.",
                    "parameters": {"type": "object"},
                    "strict": True,
                    "odd": 1,
                },
                "cache_control": {"type": "ephemeral"},
            },
            {"type": "custom", "custom": {"name": "patch"}},
        ],
        tool_choice={"type": "function", "function": {"name": "find"}},
        parallel_tool_calls=False,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"x": 1}, "strict": True, "description": "d"},
        },
        max_completion_tokens=9,
        max_tokens=8,
        temperature=0,
        top_p=1,
        stop="END",
        reasoning_effort="high",
        n=2,
        seed=7,
        user="u",
        logit_bias=None,
        stream=True,
        stream_options={"include_usage": True},
    )
    cached = {"cache_control": {"type": "ephemeral"}, "function": {"odd": 1}}
    assert request == ChatRequest(
        model="auto",
        messages=(Message("user", (Text("Hello"),)),),
        tools=(ToolDefinition("find", "Finds.", {"type": "object"}, True, cached),),
        other_tools=({"type": "custom", "custom": {"name": "patch"}},),
        tool_choice=ToolChoice("named", "find"),
        parallel_tool_calls=False,
        answer_format=AnswerFormat("json_schema", "a", {"x": 1}, True, {"description": "d"}),
        max_output_tokens=9,
        temperature=0,
        top_p=1,
        stop=("END",),
        reasoning_effort="high",
        choices=2,
        extra={"seed": 7, "user": "u"},
    )


@pytest.mark.parametrize(
    ("body", "delivery"),
    [
        ({}, Delivery(False, False)),
        ({"stream": None, "stream_options": None}, Delivery(False, False)),
        ({"stream": True}, Delivery(True, False)),
        ({"stream": True, "stream_options": {"include_usage": True}}, Delivery(True, True)),
    ],
)
def test_how_the_answer_is_to_arrive(body: dict[str, Any], delivery: Delivery) -> None:
    assert delivery_from_json(body) == delivery


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", (Text(""),)),
        ([], ()),
        ([{"type": "text", "text": "a"}], (Text("a"),)),
        (
            [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
            (Text("a", {"cache_control": {"type": "ephemeral"}}),),
        ),
        (
            [{"type": "image_url", "image_url": {"url": "https://x/a", "detail": "low"}}],
            (Image("https://x/a", "low"),),
        ),
        (
            [{"type": "image_url", "image_url": "data:image/png;base64,x"}],
            (Image("data:image/png;base64,x"),),
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": None}}],
            (Other({"type": "input_audio", "input_audio": {"data": None}}),),
        ),
    ],
)
def test_content_is_a_text_or_parts(content: object, parts: tuple[object, ...]) -> None:
    assert message(role="user", content=content).parts == parts


def test_what_a_model_said_comes_back_with_calls_and_thoughts() -> None:
    detail = {"type": "reasoning.text", "text": "why", "signature": "s", "index": 0}
    found = message(
        role="assistant",
        content=None,
        refusal=None,
        annotations=[],
        reasoning_content="why",
        reasoning_details=[detail],
        tool_calls=[
            {
                "index": 0,
                "id": "a",
                "type": "function",
                "function": {"name": "find", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "s"}},
            },
            {"id": "b", "type": "custom", "custom": {"name": "patch", "input": "***"}},
        ],
    )
    assert found == Message(
        "assistant",
        tool_calls=(
            ToolCall("a", "find", "{}", {"extra_content": {"google": {"thought_signature": "s"}}}),
            ToolCall("b", "patch", "***", {"type": "custom"}),
        ),
        reasoning=(Reasoning("why", "s", extra={"type": "reasoning.text", "index": 0}),),
        extra={"annotations": []},
    )


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thoughts_may_be_plain_text(name: str) -> None:
    found = message(role="assistant", content="x", **{name: "why"})
    assert (found.reasoning, found.extra) == ((Reasoning("why"),), {})


def test_the_result_of_a_tool() -> None:
    found = message(role="tool", tool_call_id="a", content="no", is_error=True, name="find")
    assert found == Message("tool", (Text("no"),), tool_call_id="a", name="find", is_error=True)
    assert message(role="tool", tool_call_id="a", content=None).parts == ()


@pytest.mark.parametrize(
    ("choice", "read_as", "extra"),
    [
        (None, None, {}),
        ("auto", ToolChoice("auto"), {}),
        ("none", ToolChoice("none"), {}),
        ("required", ToolChoice("required"), {}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}},
            None,
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
        ),
        (
            {"type": "custom", "custom": {"name": "patch"}},
            None,
            {"tool_choice": {"type": "custom", "custom": {"name": "patch"}}},
        ),
    ],
)
def test_the_choice_of_a_tool(choice: object, read_as: object, extra: object) -> None:
    request = read(tool_choice=choice)
    assert (request.tool_choice, request.extra) == (read_as, extra)


@pytest.mark.parametrize(
    ("wanted", "read_as"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, AnswerFormat("json_object")),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, AnswerFormat("json_schema", "a")),
    ],
)
def test_the_format_of_the_answer(wanted: object, read_as: AnswerFormat | None) -> None:
    assert read(response_format=wanted).answer_format == read_as
    grammar = {"type": "grammar", "grammar": "x"}
    assert read(response_format=grammar).extra == {"response_format": grammar}


def deep(levels: int) -> object:
    value: object = {}
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": None}, "model: is missing; it is the ID of a model, an alias, or auto"),
        ({"model": ""}, "model: must be a string that is not empty, not ''"),
        ({"model": 5}, "model: must be a string that is not empty, not 5"),
        ({"messages": None}, "messages: is missing; it is a list of messages"),
        ({"messages": []}, "messages: must have at least one message"),
        ({"messages": "hi"}, "messages: must be a list, not 'hi'"),
        ({"messages": [ASKED, 5]}, "messages[1]: must be an object, not 5"),
        (
            {"messages": [{"content": "x"}]},
            "messages[0].role: is missing; it is system, developer, user, assistant or tool",
        ),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            "messages[0].role: must be system, developer, user, assistant or tool, not 'robot'",
        ),
        (
            {"messages": [ASKED, ASKED, {"role": "user", "content": 5}]},
            "messages[2].content: must be a string or a list of parts, not 5",
        ),
        (
            {"messages": [{"role": "user"}]},
            "messages[0].content: must be a string or a list of parts, not null",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type: is missing; it is mostly text or image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text: is missing; it is a string",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url: must be an object, not null",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "file:///x"}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url: must be an http(s) address or a data: URL, "
            "not 'file:///x'",
        ),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "messages[0].tool_call_id: is missing; it is the ID of the call it answers",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
            "messages[0].tool_calls[0].function: is missing; it is an object with a name and "
            "arguments",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments: must be a string, not an object",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "x"}]}]},
            "messages[0].tool_calls[0].type: must be function or custom, not 'x'",
        ),
        ({"tools": {}}, "tools: must be a list, not an object"),
        ({"tools": [{}]}, "tools[0].type: is missing; it is mostly function"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name: is missing; it is the name that the model calls it by",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters: must be an object, not a list",
        ),
        (
            {"tool_choice": "any"},
            "tool_choice: must be auto, none, required, or an object, not 'any'",
        ),
        ({"tool_choice": []}, "tool_choice: must be an object, not a list"),
        (
            {"tool_choice": {"type": "x"}},
            "tool_choice.type: must be function, allowed_tools or custom, not 'x'",
        ),
        (
            {"tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name: is missing; it is the name of a tool",
        ),
        (
            {"response_format": "json"},
            "response_format: must be an object, not 'json'",
        ),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema: is missing; it is an object with a name and a schema",
        ),
        ({"temperature": "hot"}, "temperature: must be a number, not 'hot'"),
        ({"temperature": True}, "temperature: must be a number, not true"),
        ({"temperature": float("nan")}, "temperature: must be a number, not nan"),
        ({"top_p": float("inf")}, "top_p: must be a number, not inf"),
        ({"max_tokens": 0}, "max_tokens: must be a whole number from 1 on, not 0"),
        ({"max_tokens": 1.5}, "max_tokens: must be a whole number from 1 on, not 1.5"),
        (
            {"max_completion_tokens": 10**100},
            "max_completion_tokens: must be a whole number from 1 on, not so large a number",
        ),
        ({"n": 129}, "n: must be at most 128, not 129"),
        ({"stop": 5}, "stop: must be a string or a list of strings, not 5"),
        ({"stop": ["a", 5]}, "stop[1]: must be a string, not 5"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls: must be true or false, not 'yes'"),
        (
            {"reasoning_effort": 3},
            "reasoning_effort: must be a string that is not empty, not 3",
        ),
        ({"metadata": deep(120)}, "the body: must not be nested more than 100 levels deep"),
    ],
)
def test_a_mistake_is_named_with_the_way_to_it(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)
    assert str(refused.value) == said


@pytest.mark.parametrize("body", [None, 5, "x", [], True])
def test_a_body_is_an_object(body: object) -> None:
    with pytest.raises(InvalidRequest, match="the body: must be an object, not"):
        request_from_json(body)
    with pytest.raises(InvalidRequest, match="the body: must be an object, not"):
        delivery_from_json(body)


def test_a_mistake_in_how_the_answer_is_to_arrive_is_named_too() -> None:
    with pytest.raises(InvalidRequest, match="stream: must be true or false, not 'yes'"):
        delivery_from_json({"stream": "yes"})
    with pytest.raises(InvalidRequest, match=r"stream_options.include_usage: must be true"):
        delivery_from_json({"stream_options": {"include_usage": 1}})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read(max_tokens=100.0).max_output_tokens == 100


NAMES = (
    "model messages role content type text image_url url tools function name arguments tool_calls "
    "id tool_choice response_format json_schema schema stop n max_tokens reasoning_details "
    "reasoning_content reasoning_effort tool_call_id file file_data anthropic_content "
    "cache_control reasoning effort metadata options thinking think strict parameters "
    "extra_content index signature data format".split()
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["text", "image_url", "file", "function", "auto", "json_schema", "{}", "https://x/a"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
MESSAGES = st.builds(
    lambda role, content, fields: {**fields, "role": role, "content": content},
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.text() | st.lists(ANYTHING, max_size=2),
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3) | st.just({"tool_call_id": "a"}),
)
DIALECTS: list[Dialect] = [
    *(openai.Dialect(kind) for kind in ("nanogpt", "openai", "lmstudio", "vertex")),
    anthropic.Dialect(),
    ollama.Dialect(),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fields=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3),
    message=ANYTHING | MESSAGES,
)
def test_any_json_is_a_request_that_every_dialect_knows_or_a_clear_mistake(
    fields: dict[str, Any], message: object
) -> None:
    fields = {**fields, "model": "m", "messages": [ASKED, message]}
    mistake = "none: it was a request"
    for dialect in DIALECTS:
        try:
            request = request_from_json(fields)
            assert json.dumps(dialect.encode(request, model("google/gemini-3.8-flash")))
        except InvalidRequest as refused:
            mistake = str(refused)
        assert len(mistake) < 300
