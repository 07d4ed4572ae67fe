import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic import dialect as anthropic
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
from tests.llm.dialects.recordings import gathered
from tests.llm.dialects.strategies import model, requests

FIND = ToolDefinition("find", "Finds.", {"type": "object", "properties": {}}, strict=True)
ASKED = (Message("user", (Text("Hello"),)),)
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}


def encoded(request: ChatRequest, name: str = "claude-opus-5-5", **facts: Any) -> dict[str, Any]:
    return anthropic.Dialect().encode(request, model(name, **facts))


def asking(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest("m", messages or ASKED, **fields)


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def result(call_id: str, text: str, **fields: Any) -> Message:
    return Message("tool", (Text(text),), tool_call_id=call_id, **fields)


def written(blocks: object, kind: str) -> list[dict[str, Any]]:
    return [block for block in blocks if block["type"] == kind]  # type: ignore[attr-defined]


@settings(max_examples=30, deadline=None)
@given(request=requests)
def test_a_conversation_survives_in_anthropic_s_words(request: ChatRequest) -> None:
    try:
        sent = encoded(request)
    except InvalidRequest:
        return
    turns = sent["messages"]
    roles = [turn["role"] for turn in turns]
    assert all(one != two for one, two in pairwise(roles))
    blocks = [block for turn in turns for block in turn["content"]]
    told = [one for one in request.messages if one.role != "system"]
    calls = [call for message in told for call in message.tool_calls]
    assert [
        (block["id"], block["name"], block["input"]) for block in written(blocks, "tool_use")
    ] == [(call.id, call.name, json.loads(call.arguments)) for call in calls]
    results = written(blocks, "tool_result")
    asked = [one.tool_call_id for one in told if one.role == "tool"]
    assert sorted(block["tool_use_id"] for block in results) == sorted(filter(None, asked))
    spoken = [
        part.text
        for message in told
        if message.role != "tool"
        for part in message.parts
        if isinstance(part, Text) and part.text.strip()
    ]
    if spoken:
        assert sorted(b["text"] for b in written(blocks, "text")) == sorted(spoken)
    assert json.dumps(sent)


def test_a_plain_request_is_small() -> None:
    assert encoded(asking()) == {
        "model": "claude-opus-5-5",
        "max_tokens": 4096,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_the_limit_is_the_caller_s_or_the_model_s() -> None:
    assert encoded(asking(), max_output_tokens=128_000)["max_tokens"] == 128_000
    asked = asking(max_output_tokens=50)
    assert encoded(asked, max_output_tokens=128_000)["max_tokens"] == 50


def test_system_messages_stand_above_the_conversation() -> None:
    sent = encoded(asking(Message("system", (Text("Be brief."),)), user("Hi")))
    assert sent["system"] == "Be brief."
    later = Message("developer", (Text("In French.", EPHEMERAL),))
    sent = encoded(asking(Message("system", (Text("Be brief."),)), user("Hi"), later))
    assert sent["system"] == [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "In French.", **EPHEMERAL},
    ]
    assert len(sent["messages"]) == 1


def test_a_system_message_alone_is_the_question() -> None:
    sent = encoded(asking(Message("system", (Text("Say hello."),))))
    assert "system" not in sent
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}
    ]


def test_all_results_of_one_turn_come_first_in_one_message() -> None:
    calls = (ToolCall("a", "find", '{"x": 1}'), ToolCall("b", "find", ""))
    sent = encoded(
        asking(
            user("Find"),
            Message("assistant", (Text("I look."),), calls),
            result("a", "1"),
            result("b", "broken", is_error=True),
            user("And now?"),
        )
    )
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "find", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "find", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": "broken",
                    "is_error": True,
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_results_come_first_also_where_a_caller_wrote_them_later() -> None:
    calls = Message("assistant", tool_calls=(ToolCall("a", "find", "{}"),))
    sent = encoded(asking(user("x"), calls, user("Wait"), result("a", "1")))
    assert [block["type"] for block in sent["messages"][2]["content"]] == ["tool_result", "text"]


def test_ids_of_other_providers_are_made_to_fit_on_both_sides() -> None:
    call = ToolCall("functions.find:0", "find", "{}")
    sent = encoded(
        asking(user("x"), Message("assistant", tool_calls=(call,)), result(call.id, "1"))
    )
    used = sent["messages"][1]["content"][0]["id"]
    assert used == sent["messages"][2]["content"][0]["tool_use_id"]
    assert used.startswith("functions_find_0_")


@pytest.mark.parametrize("nonsense", ["{broken", "[1]", '"text"'])
def test_arguments_that_are_no_object_are_wrapped_in_one(nonsense: str) -> None:
    call = Message("assistant", tool_calls=(ToolCall("a", "find", nonsense),))
    sent = encoded(asking(user("x"), call))
    assert set(sent["messages"][1]["content"][0]["input"]) == {"arguments"}


def test_empty_texts_are_not_sent() -> None:
    call = Message("assistant", (Text(" \n"),), (ToolCall("a", "find", "{}"),))
    sent = encoded(asking(user("x"), call, Message("tool", (Text(""),), tool_call_id="a")))
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["tool_use"]
    assert sent["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]


def test_pictures_and_files_are_sent_as_what_they_are() -> None:
    parts = (
        Image("data:image/png;base64,iVBORw0KGgo="),
        Image("https://example.org/a.png"),
        Other(
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
            }
        ),
        Other({"type": "document", "source": {"type": "text", "data": "x"}}),
    )
    (turn,) = encoded(asking(Message("user", parts)))["messages"]
    png = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    assert turn["content"] == [
        {"type": "image", "source": png},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "data": "x"}},
    ]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asking(Message("user", (Other({"type": "input_audio"}),))), "input_audio"),
        (asking(Message("user", (Image("data:image/png,abc"),))), "base64"),
        (asking(choices=2), "n=2"),
        (asking(other_tools=({"type": "custom", "custom": {"name": "x"}},)), "custom"),
    ],
)
def test_what_anthropic_cannot_be_asked_is_said_before_it_is_asked(
    request_: ChatRequest, reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        encoded(request_)


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), None, {"type": "none"}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("named", "find"), True, {"type": "tool", "name": "find"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_of_a_tool(
    choice: ToolChoice | None, parallel: bool | None, sent: dict[str, Any] | None
) -> None:
    request = asking(tools=(FIND,), tool_choice=choice, parallel_tool_calls=parallel)
    assert encoded(request).get("tool_choice") == sent
    assert "tool_choice" not in encoded(asking(tool_choice=choice, parallel_tool_calls=parallel))


def test_tools_have_an_input_schema_and_anthropic_s_own_go_as_they_are() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    bare = ToolDefinition("now", extra=EPHEMERAL)
    sent = encoded(asking(tools=(FIND, bare), other_tools=(search,)))
    assert sent["tools"] == [
        {
            "name": "find",
            "description": "Finds.",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}, **EPHEMERAL},
        search,
    ]


def test_a_schema_of_the_answer_says_that_there_is_nothing_else() -> None:
    inner = {"type": "object", "properties": {"y": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"x": {"type": "array", "items": inner}, "additionalProperties": inner},
    }
    wanted = AnswerFormat("json_schema", schema=schema)
    sent = encoded(asking(answer_format=wanted))["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["properties"]["x"]["items"]["additionalProperties"] is False
    assert "additionalProperties" not in inner


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    sent = encoded(asking(answer_format=AnswerFormat("json_object")))
    assert "JSON object" in sent["system"]


@pytest.mark.parametrize(
    ("name", "effort", "config", "thinking"),
    [
        ("claude-opus-5-5", None, None, None),
        ("claude-opus-5-5", "none", None, None),
        ("claude-opus-5-5", "minimal", {"effort": "low"}, {"type": "adaptive"}),
        ("claude-sonnet-4-6", "high", {"effort": "high"}, {"type": "adaptive"}),
        ("claude-fable-5", "max", {"effort": "max"}, {"type": "adaptive"}),
        ("claude-opus-4-5-20251101", "low", None, {"type": "enabled", "budget_tokens": 1024}),
        ("claude-opus-4-20250514", "medium", None, {"type": "enabled", "budget_tokens": 8192}),
        ("claude-3-7-sonnet-20250219", "high", None, {"type": "enabled", "budget_tokens": 9999}),
    ],
)
def test_an_effort_is_asked_for_in_the_way_the_model_knows(
    name: str, effort: str | None, config: object, thinking: object
) -> None:
    sent = encoded(asking(reasoning_effort=effort, max_output_tokens=10_000), name)
    assert sent.get("output_config") == config
    assert sent.get("thinking") == thinking


def test_a_model_does_not_think_where_it_may_not() -> None:
    effort: dict[str, Any] = {"reasoning_effort": "high"}
    assert "thinking" not in encoded(asking(**effort), has_reasoning=False)
    forced = asking(**effort, tools=(FIND,), tool_choice=ToolChoice("required"))
    assert "thinking" not in encoded(forced)
    short = asking(**effort, max_output_tokens=500)
    assert "thinking" not in encoded(short, "claude-opus-4-1")


def test_thinking_as_the_caller_wrote_it_counts() -> None:
    own = {"type": "enabled", "budget_tokens": 2000}
    sent = encoded(asking(reasoning_effort="high", extra={"thinking": own}), "claude-opus-4-1")
    assert sent["thinking"] == own


def test_the_temperature_is_sent_only_where_the_model_takes_it() -> None:
    request = asking(temperature=1.5, top_p=0.9, extra={"top_k": 5})
    sent = encoded(request, "claude-sonnet-4-5", has_temperature=True)
    assert (sent["temperature"], sent.get("top_p"), sent["top_k"]) == (1, None, 5)
    assert encoded(asking(top_p=0.9))["top_p"] == 0.9
    names = {"temperature", "top_p", "top_k"}
    assert not names & encoded(request, has_temperature=False).keys()
    thinking = asking(temperature=0.5, reasoning_effort="low")
    assert not names & encoded(thinking, has_temperature=True).keys()


def test_other_fields_are_translated_or_left_out() -> None:
    extra = {"user": "u-1", "seed": 7, "frequency_penalty": 1, "cache_control": {"type": "x"}}
    sent = encoded(asking(stop=("END",), extra=extra))
    assert sent["stop_sequences"] == ["END"]
    assert sent["metadata"] == {"user_id": "u-1"}
    assert sent["cache_control"] == {"type": "x"}
    assert not {"user", "seed", "frequency_penalty"} & sent.keys()


def test_a_message_that_is_to_be_cached_is_so_from_its_last_block() -> None:
    asked = Message("user", (Text("a"), Text("b")), extra=EPHEMERAL)
    blocks = encoded(asking(asked))["messages"][0]["content"]
    assert blocks == [{"type": "text", "text": "a"}, {"type": "text", "text": "b", **EPHEMERAL}]


def test_thoughts_go_back_exactly_as_they_came() -> None:
    (answer,) = gathered("anthropic_thinking_and_tools").answers
    ids = [call.id for call in answer.message.tool_calls]
    request = asking(user("x"), answer.message, *(result(one, "ok") for one in ids))
    assert encoded(request)["messages"][1]["content"] == [
        {
            "type": "thinking",
            "thinking": "Two cities, two calls.",
            "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
        },
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
        {"type": "thinking", "thinking": "", "signature": "OnlyASeal"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ]


def test_an_answer_with_searches_goes_back_block_by_block() -> None:
    (answer,) = gathered("anthropic_web_search").answers
    blocks = encoded(asking(user("x"), answer.message))["messages"][1]["content"]
    assert [block["type"] for block in blocks] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]
    assert blocks[3]["citations"]


def test_thoughts_without_a_seal_or_of_another_provider_are_not_sent() -> None:
    foreign = Reasoning("x", "sig", extra={"type": "reasoning.text", "format": "google-gemini-v1"})
    said = Message("assistant", (Text("a"),), reasoning=(Reasoning("plain"), foreign))
    blocks = encoded(asking(user("x"), said))["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["text"]
    (answer,) = gathered("openrouter_reasoning_details").answers
    blocks = encoded(asking(user("x"), answer.message))["messages"][1]["content"]
    assert blocks[0] == {
        "type": "thinking",
        "thinking": "The user asks.",
        "signature": "EqQBCgIYAhIM",
    }
