import json
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.errors import InvalidRequest
from gateway.llm.dialects.ollama import dialect as ollama
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
from tests.llm.dialects.strategies import model, requests

FIND, NOW = ToolDefinition("find", "Finds.", {"type": "object"}), ToolDefinition("now")
ASKED = (Message("user", (Text("Hello"),)),)


def encoded(request: ChatRequest, **facts: Any) -> dict[str, Any]:
    return ollama.Dialect().encode(request, model("qwen3:8b", **facts))


def asking(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest("m", messages or ASKED, **fields)


@settings(max_examples=30, deadline=None)
@given(request=requests)
def test_a_conversation_survives_in_ollama_s_words(request: ChatRequest) -> None:
    try:
        sent = encoded(request)
    except InvalidRequest:
        return
    assert [one["role"] for one in sent["messages"]] == [one.role for one in request.messages]
    for told, message in zip(sent["messages"], request.messages, strict=True):
        assert told["content"] == message.text
        assert told.get("thinking", "") == "".join(block.text for block in message.reasoning)
        assert [
            (call["function"]["name"], call["function"]["arguments"])
            for call in told.get("tool_calls", ())
        ] == [(call.name, json.loads(call.arguments)) for call in message.tool_calls]
    assert json.dumps(sent)


def test_a_plain_request_is_small() -> None:
    assert encoded(asking()) == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "options": {"num_ctx": 4096},
    }


@pytest.mark.parametrize(
    ("words", "most", "knows", "context"),
    [
        (10, None, 131_072, 4096),
        (10, 4096, 131_072, 8192),
        (5_000, None, 131_072, 16_384),
        (60_000, 1000, 131_072, 131_072),
        (60_000, 1000, 40_960, 40_960),
        (10, None, 2048, 2048),
        (60_000, None, None, 131_072),
    ],
)
def test_the_context_is_as_large_as_the_request_needs(
    words: int, most: int | None, knows: int | None, context: int
) -> None:
    asked = asking(Message("user", (Text("word " * words),)), max_output_tokens=most)
    assert encoded(asked, context_tokens=knows)["options"]["num_ctx"] == context


def test_sampling_stands_in_the_options_and_own_options_win() -> None:
    request = asking(
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        max_output_tokens=10,
        extra={"seed": 7, "options": {"num_ctx": 8192, "mirostat": 1}, "keep_alive": "1h"},
    )
    sent = encoded(request)
    assert sent["options"] == {
        "num_ctx": 8192,
        "mirostat": 1,
        "num_predict": 10,
        "stop": ["END"],
        "seed": 7,
        "temperature": 0.5,
        "top_p": 0.9,
    }
    assert sent["keep_alive"] == "1h"
    assert "temperature" not in encoded(request, has_temperature=False)["options"]


def test_the_result_of_a_tool_has_the_tool_s_name() -> None:
    call = Message("assistant", (), (ToolCall("a", "find", '{"x": 1}'),), (Reasoning("hm"),))
    answered = Message("tool", (Text("1"),), tool_call_id="a")
    first, second = encoded(asking(call, answered))["messages"]
    assert first == {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "a", "function": {"name": "find", "arguments": {"x": 1}}}],
    }
    assert second == {"role": "tool", "content": "1", "tool_call_id": "a", "tool_name": "find"}


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        (None, ["find", "now"]),
        (ToolChoice("auto"), ["find", "now"]),
        (ToolChoice("required"), ["find", "now"]),
        (ToolChoice("named", "now"), ["now"]),
        (ToolChoice("none"), []),
    ],
)
def test_only_what_may_be_called_is_offered(choice: ToolChoice | None, offered: list[str]) -> None:
    sent = encoded(asking(tools=(FIND, NOW), tool_choice=choice))
    assert [tool["function"]["name"] for tool in sent.get("tools", ())] == offered


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("high", "high"), ("xhigh", "high"), ("odd", True)],
)
def test_an_effort_is_a_way_to_think(effort: str, think: object) -> None:
    assert encoded(asking(reasoning_effort=effort))["think"] == think
    assert "think" not in encoded(asking(reasoning_effort=effort), has_reasoning=False)
    assert encoded(asking(extra={"think": True}))["think"] is True


def test_the_format_is_json_or_a_schema() -> None:
    assert encoded(asking(answer_format=AnswerFormat("json_object")))["format"] == "json"
    schema = {"type": "object"}
    wanted = AnswerFormat("json_schema", schema=schema)
    assert encoded(asking(answer_format=wanted))["format"] == schema


def test_pictures_are_sent_without_their_wrapping() -> None:
    asked = Message("user", (Text("See"), Image("data:image/png;base64,iVBO")))
    assert encoded(asking(asked))["messages"] == [
        {"role": "user", "content": "See", "images": ["iVBO"]}
    ]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asking(Message("user", (Image("https://example.org/a.png"),))), "data:image/png"),
        (asking(Message("user", (Other({"type": "input_audio"}),))), "input_audio"),
        (asking(choices=2), "n=2"),
        (asking(other_tools=({"type": "custom"},)), "custom"),
    ],
)
def test_what_ollama_cannot_be_asked_is_said_before_it_is_asked(
    request_: ChatRequest, reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        encoded(request_)
