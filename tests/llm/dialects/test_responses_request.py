import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.dialects.responses import dialect as responses
from gateway.llm.dialects.responses.request import is_for_responses
from gateway.llm.doors.chat.format import request_from_json
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
from tests.stand_ins.llm.responses_rules import objection

FIND = ToolDefinition("find", "Finds.", {"type": "object"})
ASKED = (Message("user", (Text("Hello"),)),)
MARKS = {"format": "openai-responses-v1", "issuer": "openai"}


def asking(**fields: Any) -> ChatRequest:
    return ChatRequest("m", fields.pop("messages", ASKED), **fields)


def encoded(request: ChatRequest, **facts: Any) -> dict[str, Any]:
    return responses.Dialect().encode(request, model("gpt-5.4", **facts))


def sent(*messages: Message) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = encoded(asking(messages=messages))["input"]
    return items


def test_a_plain_request_is_small_and_nothing_of_it_is_kept() -> None:
    assert encoded(asking(tools=(FIND,))) == {
        "model": "gpt-5.4",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hello"}],
            }
        ],
        "tools": [
            {
                "type": "function",
                "name": "find",
                "description": "Finds.",
                "parameters": {"type": "object"},
                "strict": False,
            }
        ],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


def answered(request: ChatRequest) -> ChatRequest:
    """As OpenAI wants it: each call has one result, and no result is without its call."""
    messages = []
    for number, message in enumerate(request.messages):
        if message.role == "tool":
            continue
        calls = tuple(
            ToolCall(f"{number}_{call.id}", call.name, call.arguments)
            for call in message.tool_calls
        )
        messages.append(Message(message.role, message.parts, calls, message.reasoning))
        messages += [Message("tool", (Text("done"),), tool_call_id=call.id) for call in calls]
    return asking(messages=tuple(messages), tools=request.tools, other_tools=request.other_tools)


@settings(max_examples=80, deadline=None)
@given(request=requests)
def test_openai_takes_every_conversation_that_is_sent_there(request: ChatRequest) -> None:
    request = answered(request)
    if not is_for_responses(request, model("gpt-5.4", has_reasoning=True), "openai"):
        return
    loose = json.loads(json.dumps(encoded(request)))
    refusal = objection(loose, seals=set())
    # A caller's own strict schema may be wrong, of which only OpenAI can tell.
    assert refusal is None or any(tool.strict for tool in request.tools)


@pytest.mark.parametrize(
    ("kind", "name", "fields", "is_bridged"),
    [
        ("openai", "gpt-5.4", {}, True),
        ("openai", "gpt-5.6-sol", {"reasoning_effort": "high"}, True),
        ("azure", "gpt-6-astra-2026-09-22", {}, True),
        ("openai", "gpt-5.2", {"reasoning_effort": "high"}, False),
        ("openai", "gpt-4.1", {}, False),
        ("openrouter", "openai/gpt-5.4", {}, False),
        ("generic", "gpt-5.4", {}, False),
        ("openai", "gpt-5.4", {"tools": ()}, False),
        ("openai", "gpt-5.4", {"reasoning_effort": "none"}, False),
        ("openai", "gpt-5.4", {"extra": {"reasoning": {"effort": "none"}}}, False),
        ("openai", "gpt-5.4", {"extra": {"reasoning": {"enabled": False}}}, False),
        ("openai", "gpt-5.4", {"choices": 2}, False),
        ("openai", "gpt-5.4", {"extra": {"logprobs": True}}, False),
        ("openai", "gpt-5.4", {"extra": {"logprobs": False}}, True),
        ("openai", "gpt-5.4", {"extra": {"modalities": ["text", "audio"]}}, False),
        ("openai", "gpt-5.4", {"max_output_tokens": 15}, False),
        ("openai", "gpt-5.4", {"max_output_tokens": 16}, True),
        ("openai", "gpt-5.4", {"stop": ("END",), "extra": {"seed": 7}}, True),
    ],
)
def test_it_is_asked_only_what_chat_completions_would_refuse(
    kind: Kind, name: str, fields: dict[str, Any], is_bridged: bool
) -> None:
    request = asking(**{"tools": (FIND,), **fields})
    assert is_for_responses(request, model(name, has_reasoning=True), kind) is is_bridged


AUDIO = Other({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}})


@pytest.mark.parametrize(
    "message",
    [
        Message("user", (AUDIO,)),
        Message("assistant", extra={"audio": {"id": "a"}}),
        Message("assistant", (Image("https://example.org/a.png"),)),
    ],
)
def test_what_only_chat_completions_can_hear_stays_there(message: Message) -> None:
    request = asking(messages=(*ASKED, message), tools=(FIND,))
    assert not is_for_responses(request, model("gpt-5.4", has_reasoning=True), "openai")


def test_what_it_cannot_be_asked_is_said_before_it_is_asked() -> None:
    with pytest.raises(InvalidRequest, match="input_audio"):
        sent(Message("user", (AUDIO,)))


def test_a_conversation_is_a_flat_list_of_items() -> None:
    items = sent(
        Message("system", (Text("Be brief."),)),
        Message("developer", (Text("In English."),)),
        Message("user", (Text("Look:"), Image("https://example.org/a.png", "low"))),
        Message("assistant", (Text("Well."),), (ToolCall("c1", "find", '{"x":1}'),)),
        Message("tool", (Text("42"),), tool_call_id="c1"),
    )
    assert items[:2] == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}
        for text in ("Be brief.", "In English.")
    ]
    assert items[2]["content"][1] == {
        "type": "input_image",
        "image_url": "https://example.org/a.png",
        "detail": "low",
    }
    assert items[3]["role"] == "assistant"
    assert items[3]["content"] == [{"type": "output_text", "text": "Well.", "annotations": []}]
    assert items[4:] == [
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
    ]


def test_results_may_have_parts_and_files_keep_their_names() -> None:
    file = {
        "type": "file",
        "file": {"file_data": "data:application/pdf;base64,JV", "filename": "a"},
    }
    picture = Image("data:image/png;base64,iVBORw0KGgo=")
    call = Message("assistant", tool_calls=(ToolCall("c", "find", "{}"),))
    result = Message("tool", (Text("Here:"), picture), tool_call_id="c")
    asked, _, output = sent(Message("user", (Other(file),)), call, result)
    assert asked["content"] == [
        {"type": "input_file", "file_data": "data:application/pdf;base64,JV", "filename": "a"}
    ]
    assert [part["type"] for part in output["output"]] == ["input_text", "input_image"]
    assert sent(call, Message("tool", tool_call_id="c"))[-1]["output"] == ""


def test_calls_of_custom_tools_have_items_of_their_own() -> None:
    call = ToolCall("c", "patch", "*** Begin", {"type": "custom"})
    result = Message("tool", (Text("Done"),), tool_call_id="c")
    assert sent(Message("assistant", tool_calls=(call,)), result) == [
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "Done"},
    ]


def test_ids_of_other_providers_are_made_to_fit_on_both_sides() -> None:
    calls = tuple(ToolCall(f"{'x' * 80}{number}", "find", "{}") for number in range(2))
    results = [Message("tool", tool_call_id=call.id) for call in calls]
    items = sent(Message("assistant", tool_calls=calls), *results)
    ids = [item["call_id"] for item in items]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
    assert max(map(len, ids)) <= 64


def test_a_refusal_goes_back_as_one() -> None:
    (item,) = sent(Message("assistant", extra={"refusal": "No."}))
    assert item["content"] == [{"type": "refusal", "refusal": "No."}]


THOUGHTS = (
    Reasoning("First.", extra={"type": "reasoning.summary", "index": 0, **MARKS}),
    Reasoning("\n\nThen.", extra={"type": "reasoning.summary", "index": 1, **MARKS}),
    Reasoning(
        redacted="gAAAA1", extra={"type": "reasoning.encrypted", "index": 2, "id": "rs_1", **MARKS}
    ),
    Reasoning(
        redacted="gAAAA2", extra={"type": "reasoning.encrypted", "index": 3, "id": "rs_2", **MARKS}
    ),
)


def test_thoughts_go_back_before_the_calls_that_they_led_to() -> None:
    message = Message("assistant", tool_calls=(ToolCall("c", "find", "{}"),), reasoning=THOUGHTS)
    assert sent(message)[:-1] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [
                {"type": "summary_text", "text": "First."},
                {"type": "summary_text", "text": "Then."},
            ],
            "encrypted_content": "gAAAA1",
        },
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA2"},
    ]


def test_thoughts_that_another_sealed_or_nobody_are_not_sent() -> None:
    of_another = {"type": "reasoning.encrypted", "format": "openai-responses-v1", "id": "rs_1"}
    blocks = (
        Reasoning("just text"),
        Reasoning("why", "sig", extra={"format": "anthropic-claude-v1", "index": 0}),
        Reasoning(redacted="gAAAA", extra=of_another),
        Reasoning(redacted="gAAAA", extra={**of_another, "issuer": "azure"}),
        Reasoning("without a seal", extra={"type": "reasoning.summary", "index": 0, **MARKS}),
    )
    call = ToolCall("c", "find", "{}")
    (item,) = sent(Message("assistant", tool_calls=(call,), reasoning=blocks))
    assert item["type"] == "function_call"


@pytest.mark.parametrize("kind", ["openrouter", "nanogpt", "openai", "generic"])
def test_nobody_else_is_sent_what_openai_sealed(kind: Kind) -> None:
    kept = {"openai_output": {"issuer": "openai", "items": []}, "phase": "commentary"}
    message = Message("assistant", (Text("Hm"),), reasoning=THOUGHTS, extra=kept)
    body = openai.Dialect(kind).encode(asking(messages=(message,)), model())
    (written,) = body["messages"]
    assert "gAAAA1" not in json.dumps(written)
    assert not {"openai_output", "phase"} & written.keys()


KEPT = [
    {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": []},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA1"},
    {"type": "reasoning", "id": "rs_2", "summary": []},
    {"type": "function_call", "id": "f", "call_id": "c", "name": "find", "arguments": "{}"},
]


def kept(*calls: str, text: str = "", issuer: str = "openai") -> list[dict[str, Any]]:
    extra = {"openai_output": {"issuer": issuer, "items": KEPT}}
    parts = (Text(text),) if text else ()
    tool_calls = tuple(ToolCall(call, "find", "{}") for call in calls)
    return sent(Message("assistant", parts, tool_calls, extra=extra))


def test_an_answer_of_many_items_goes_back_item_by_item() -> None:
    assert kept("c") == [KEPT[0], KEPT[1], KEPT[3]]


def test_an_answer_that_a_client_changed_or_another_wrote_is_told_anew() -> None:
    for items in (kept("other"), kept(), kept("c", text="new"), kept("c", issuer="azure")):
        assert not any("id" in item for item in items)


@pytest.mark.parametrize(
    "nonsense",
    [5, [], {}, {"issuer": "openai"}, {"issuer": "openai", "items": [5]}, {"issuer": []}],
)
def test_nonsense_in_the_place_of_an_answer_is_passed_over(nonsense: object) -> None:
    (item,) = sent(Message("assistant", (Text("Hm"),), extra={"openai_output": nonsense}))
    assert item["content"][0]["text"] == "Hm"


def test_a_text_is_sent_back_as_what_it_was() -> None:
    (item,) = sent(Message("assistant", (Text("Let me look."),), extra={"phase": "commentary"}))
    assert item["phase"] == "commentary"


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", "auto"),
        ("required", "required"),
        (
            {"type": "function", "function": {"name": "find"}},
            {"type": "function", "name": "find"},
        ),
        ({"type": "custom", "custom": {"name": "patch"}}, {"type": "custom", "name": "patch"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "find"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "find"}],
            },
        ),
        ({"type": "custom"}, {"type": "custom"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": [5, {}]}},
            {"type": "allowed_tools", "tools": [5, {}]},
        ),
    ],
)
def test_the_choice_of_a_tool_has_no_envelope(choice: object, written: object) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": choice}
    assert encoded(request_from_json(body))["tool_choice"] == written


def test_tools_have_no_envelope_and_unknown_ones_go_as_they_are() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}}
    custom = {"type": "custom", "custom": {"name": "patch", "format": grammar}}
    search = {"type": "web_search"}
    tools = (ToolDefinition("find", strict=True),)
    assert encoded(asking(tools=tools, other_tools=(custom, search)))["tools"] == [
        {
            "type": "function",
            "name": "find",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
        },
        {
            "type": "custom",
            "name": "patch",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"},
        },
        search,
    ]


def test_every_field_has_its_place_and_what_nobody_there_knows_is_left_out() -> None:
    body = encoded(
        asking(
            tool_choice=ToolChoice("none"),
            parallel_tool_calls=False,
            answer_format=AnswerFormat("json_schema", "n", {"type": "object"}, True),
            max_output_tokens=99,
            temperature=0.5,
            top_p=0.9,
            stop=("END",),
            reasoning_effort="high",
            extra={
                "reasoning": {"summary": "auto", "max_tokens": 9},
                "metadata": {"a": "b"},
                "user": "u",
                "safety_identifier": "s",
                "prompt_cache_key": "k",
                "service_tier": "flex",
                "store": True,
                "verbosity": "low",
                "stream_options": {"include_usage": True, "include_obfuscation": False},
                "seed": 7,
                "presence_penalty": 0,
                "provider": {"sort": "price"},
            },
        )
    )
    for already_seen in ("input", "include", "model", "stream"):
        del body[already_seen]
    assert body == {
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "text": {
            "format": {
                "type": "json_schema",
                "name": "n",
                "schema": {"type": "object"},
                "strict": True,
            },
            "verbosity": "low",
        },
        "max_output_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning": {"effort": "high", "summary": "auto"},
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "store": True,
        "stream_options": {"include_obfuscation": False},
    }


def test_a_model_without_temperature_is_not_sent_one() -> None:
    body = encoded(asking(temperature=0.5, top_p=0.9), has_temperature=False)
    assert not {"temperature", "top_p"} & body.keys()


NAMES = (
    "type name tools custom format grammar allowed_tools effort summary enabled issuer items file "
    "call_id content text function mode include_obfuscation id redacted data index".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = (
    "tool_choice reasoning response_format stream_options modalities logprobs metadata "
    "reasoning_effort verbosity".split()
)
OF_MESSAGES = "content openai_output phase refusal audio reasoning_details reasoning".split()


@settings(max_examples=150, deadline=None)
@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3),
    said=st.dictionaries(st.sampled_from(OF_MESSAGES), ANYTHING, max_size=3),
    tools=st.lists(ANYTHING, max_size=2),
)
def test_any_json_is_a_request_or_a_clear_mistake(
    fields: dict[str, Any], said: dict[str, Any], tools: list[Any]
) -> None:
    messages = [{"role": "user", "content": "x"}, {**said, "role": "assistant"}]
    body = {**fields, "model": "m", "messages": messages, "tools": tools}
    try:
        request = request_from_json(body)
        assert is_for_responses(request, model("gpt-5.4"), "openai") in (True, False)
        assert json.dumps(encoded(request))
    except InvalidRequest:
        return
