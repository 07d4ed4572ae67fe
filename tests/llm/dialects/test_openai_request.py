from typing import Any

import pytest
from hypothesis import given, settings

from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.doors.chat.format import request_from_json
from gateway.llm.messages import (
    ChatRequest,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolChoice,
    ToolDefinition,
)
from tests.llm.dialects.strategies import model, requests

ALL: list[Kind] = [
    "nanogpt",
    "openrouter",
    "openai",
    "azure",
    "lmstudio",
    "vertex",
    "generic",
]
FIND = ToolDefinition("find", "Finds.", {"type": "object"})
ASKED = (Message("user", (Text("Hello"),)),)


def encoded(kind: Kind, request: ChatRequest, **facts: Any) -> dict[str, Any]:
    name = facts.pop("name", "some-model")
    return openai.Dialect(kind).encode(request, model(name, **facts))


def asking(**fields: Any) -> ChatRequest:
    return ChatRequest("m", fields.pop("messages", ASKED), **fields)


@settings(max_examples=60, deadline=None)
@given(request=requests)
def test_what_goes_out_is_what_came_in(request: ChatRequest) -> None:
    sent = encoded("nanogpt", request, name=request.model)
    assert request_from_json(sent) == request


@settings(max_examples=20, deadline=None)
@given(request=requests)
def test_every_kind_asks_for_a_stream_of_the_model_s_own_name(request: ChatRequest) -> None:
    for kind in ALL:
        sent = encoded(kind, request, name="qwen/qwen3-coder:free")
        assert sent["stream"] is True
        assert sent["model"] == "qwen/qwen3-coder:free"
        assert len(sent["messages"]) == len(request.messages)


@pytest.mark.parametrize("kind", ALL)
def test_the_usage_is_asked_for_where_it_does_not_come_by_itself(kind: Kind) -> None:
    sent = encoded(kind, asking(extra={"stream_options": {"include_obfuscation": False}}))
    options = sent["stream_options"]
    assert options.pop("include_usage", False) is (kind != "openrouter")
    assert options == {"include_obfuscation": False}


@pytest.mark.parametrize("kind", ALL)
def test_the_limit_has_the_name_that_the_provider_knows(kind: Kind) -> None:
    sent = encoded(kind, asking(max_output_tokens=7))
    is_new = kind in ("openai", "azure")
    assert sent.get("max_completion_tokens") == (7 if is_new else None)
    assert sent.get("max_tokens") == (None if is_new else 7)


@pytest.mark.parametrize("kind", ALL)
def test_a_model_without_temperature_is_not_sent_one(kind: Kind) -> None:
    request = asking(temperature=0.5, top_p=0.9)
    assert not {"temperature", "top_p"} & encoded(kind, request, has_temperature=False).keys()
    for knows in (True, None):
        sent = encoded(kind, request, has_temperature=knows)
        assert (sent["temperature"], sent["top_p"]) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("kind", "reasons", "roles"),
    [
        ("openai", True, ["developer", "developer"]),
        ("openai", False, ["system", "developer"]),
        ("azure", True, ["developer", "developer"]),
        ("nanogpt", True, ["system", "system"]),
        ("generic", None, ["system", "system"]),
    ],
)
def test_reasoning_models_of_openai_have_developers_and_others_a_system(
    kind: Kind, reasons: bool, roles: list[str]
) -> None:
    messages = (Message("system", (Text("a"),)), Message("developer", (Text("b"),)))
    sent = encoded(kind, asking(messages=messages), has_reasoning=reasons)
    assert [message["role"] for message in sent["messages"]] == roles


@pytest.mark.parametrize(
    ("kind", "name", "effort"),
    [
        ("openai", "gpt-5.4", "none"),
        ("openai", "gpt-5.6-sol", "none"),
        ("openai", "gpt-6-luna", "none"),
        ("azure", "gpt-6-sol-2026-09-22", "none"),
        ("openai", "gpt-5.2", None),
        ("openai", "gpt-5", None),
        ("openai", "gpt-4.1", None),
        ("openai", "o4-mini", None),
        ("openrouter", "openai/gpt-6-sol", None),
    ],
)
def test_tools_are_taken_only_without_reasoning_from_gpt_5_4_on(
    kind: Kind, name: str, effort: str | None
) -> None:
    sent = encoded(kind, asking(tools=(FIND,)), name=name, has_reasoning=True)
    assert sent.get("reasoning_effort") == effort
    assert "reasoning_effort" not in encoded(kind, asking(), name=name, has_reasoning=True)
    asked = asking(tools=(FIND,), reasoning_effort="high")
    assert encoded(kind, asked, name=name, has_reasoning=True)["reasoning_effort"] == "high"


def test_a_deployment_of_azure_is_known_by_its_title() -> None:
    named = model("my-own-name")
    titled = type(named)("azure/my-own-name", "azure", "my-own-name", "GPT-6 Sol")
    sent = openai.Dialect("azure").encode(asking(tools=(FIND,)), titled)
    assert sent["reasoning_effort"] == "none"


def test_an_effort_in_openrouter_s_words_is_understood_by_openai() -> None:
    request = asking(extra={"reasoning": {"effort": "low"}})
    assert encoded("openai", request)["reasoning_effort"] == "low"
    assert "reasoning" not in encoded("openai", request)
    assert encoded("openrouter", request)["reasoning"] == {"effort": "low"}


def test_lm_studio_is_told_the_one_tool_by_offering_no_other() -> None:
    request = asking(tools=(FIND, ToolDefinition("other")), tool_choice=ToolChoice("named", "find"))
    sent = encoded("lmstudio", request)
    assert sent["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["find"]
    assert encoded("generic", request)["tool_choice"]["function"] == {"name": "find"}


THOUGHT = Message(
    "assistant",
    (Text("Hm", {"cache_control": {"type": "ephemeral"}}),),
    (ToolCall("c", "find", "{}", {"extra_content": {"google": {"thought_signature": "s"}}}),),
    (Reasoning("why", "sig", extra={"type": "reasoning.text", "index": 0}),),
    extra={"annotations": [], "refusal": "r", "anthropic_content": [{"type": "text"}]},
)


def test_each_kind_gets_back_what_it_can_read() -> None:
    sent = {kind: encoded(kind, asking(messages=(THOUGHT,)))["messages"][0] for kind in ALL}
    details = [{"type": "reasoning.text", "index": 0, "text": "why", "signature": "sig"}]
    assert sent["openrouter"]["reasoning_details"] == details
    assert sent["nanogpt"]["reasoning_details"] == details
    assert sent["generic"]["reasoning_content"] == "why"
    assert "reasoning_details" not in sent["generic"]
    assert set(sent["openai"]) == {"role", "content", "tool_calls", "refusal"}
    assert sent["openai"]["content"] == "Hm"
    assert set(sent["openai"]["tool_calls"][0]) == {"id", "type", "function"}
    assert not {"reasoning_content", "reasoning_details"} & sent["vertex"].keys()
    assert not any("anthropic_content" in message for message in sent.values())


def test_vertex_gets_its_thought_signatures_back() -> None:
    sent = encoded("vertex", asking(messages=(THOUGHT,)), name="google/gemini-3.8-flash")
    (call,) = sent["messages"][0]["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "s"}}


def test_calls_of_another_model_need_no_signature_of_gemini() -> None:
    unsigned = Message("assistant", tool_calls=(ToolCall("a", "x", "{}"), ToolCall("b", "y", "{}")))
    sent = encoded("vertex", asking(messages=(unsigned,)), name="google/gemini-3.8-flash")
    first, second = sent["messages"][0]["tool_calls"]
    assert (
        first["extra_content"]["google"]["thought_signature"] == "skip_thought_signature_validator"
    )
    assert "extra_content" not in second
    older = encoded("vertex", asking(messages=(unsigned,)), name="google/gemini-2.5-pro")
    assert "extra_content" not in older["messages"][0]["tool_calls"][0]


def test_a_message_without_content_is_null_only_beside_calls() -> None:
    silent = Message("assistant", tool_calls=(ToolCall("a", "x", "{}"),))
    empty = Message("assistant")
    sent = encoded("generic", asking(messages=(silent, empty)))
    assert [message["content"] for message in sent["messages"]] == [None, ""]


def test_a_custom_call_keeps_its_kind() -> None:
    call = ToolCall("c", "patch", "*** Begin", {"type": "custom"})
    sent = encoded("openai", asking(messages=(Message("assistant", tool_calls=(call,)),)))
    assert sent["messages"][0]["tool_calls"] == [
        {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    ]
