"""What a client of the Responses API asks, read into our messages."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.llm.doors.responses.format import asked_from_json, conversation
from gateway.llm.doors.responses.names import offered_name
from gateway.llm.doors.seal import opened, sealed
from gateway.llm.loop.piece import labelled
from gateway.llm.loop.wish import ALWAYS, NEVER
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
)

WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
NOTES: Any = {"type": "mcp", "server_label": "notes"}


def read(**body: Any) -> ChatRequest:
    asked = asked_from_json({"model": "auto", **body})
    return conversation(asked, (), {}).request


def messages(*items: Any) -> list[Message]:
    return list(read(input=list(items), tools=[NOTES]).messages)


def approved(*items: Any) -> set[str]:
    asked = asked_from_json({"model": "auto", "input": list(items), "tools": [NOTES]})
    return set(conversation(asked, (), {}).wish.approved)


def call(call_id: str, name: str = "weather", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}", **more}


def output(call_id: str, said: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def mcp_call(item_id: str, **more: Any) -> dict[str, Any]:
    item = {"type": "mcp_call", "id": item_id, "server_label": "notes", "name": "add_note"}
    return {**item, "arguments": "{}", "output": f"said to {item_id}", **more}


def asks_to(item_id: str) -> dict[str, Any]:
    item = {"type": "mcp_approval_request", "id": item_id, "server_label": "notes"}
    return {**item, "name": "add_note", "arguments": "{}"}


def allows(item_id: str, approve: bool = True, **more: Any) -> dict[str, Any]:
    item = {"type": "mcp_approval_response", "approval_request_id": item_id}
    return {**item, "approve": approve, **more}


def says(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def shape(read: list[Message]) -> list[Any]:
    """Who speaks, and which calls are made or answered."""
    return [
        (one.role, one.text, [call.id for call in one.tool_calls], one.tool_call_id) for one in read
    ]


def test_a_string_is_what_the_user_says_and_instructions_come_first() -> None:
    assert read(input="Hi.", instructions="Be brief.").messages == (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Hi."),)),
    )


def test_parts_of_all_kinds_are_read() -> None:
    [message] = messages(
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look:"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:;base64,AA=="},
                {"type": "input_file", "file_url": "https://example.org/b.pdf"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ],
        }
    )
    assert message.parts == (
        Text("Look:"),
        Image("data:image/png;base64,AA==", "low"),
        Other({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:;base64,AA=="}}),
        Other({"type": "file", "file": {"file_data": "https://example.org/b.pdf"}}),
        Other({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
    )


def test_what_belongs_to_one_turn_of_the_model_becomes_one_message() -> None:
    read = messages(
        says("How is it?"),
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two cities."}]},
        says("I look.", "assistant"),
        call("c1"),
        call("c2"),
        output("c1", "snow"),
        output("c2", [{"type": "input_text", "text": "sun"}]),
        says("Snow and sun.", "assistant"),
    )
    assert shape(read) == [
        ("user", "How is it?", [], None),
        ("assistant", "I look.", ["c1", "c2"], None),
        ("tool", "snow", [], "c1"),
        ("tool", "sun", [], "c2"),
        ("assistant", "Snow and sun.", [], None),
    ]
    assert read[1].reasoning == (Reasoning("Two cities."),)


def test_calls_of_the_gateway_come_back_with_their_results() -> None:
    failed = mcp_call("mcp_2", output=None, error={"type": "http_error", "message": "gone"})
    read = messages(
        says("Note it."), mcp_call("mcp_1"), failed, call("c1"), output("c1", "snow"), says("Go on")
    )
    assert shape(read) == [
        ("user", "Note it.", [], None),
        ("assistant", "", ["mcp_1", "mcp_2", "c1"], None),
        ("tool", labelled("add_note", "notes", "said to mcp_1"), [], "mcp_1"),
        ("tool", labelled("add_note", "notes", "gone", what="Error"), [], "mcp_2"),
        ("tool", "snow", [], "c1"),
        ("user", "Go on", [], None),
    ]
    assert [one.is_error for one in read[2:5]] == [False, True, False]


def test_what_is_said_after_results_is_another_turn() -> None:
    read = messages(mcp_call("a"), says("One.", "assistant"), mcp_call("b"))
    assert shape(read) == [
        ("assistant", "", ["a"], None),
        ("tool", labelled("add_note", "notes", "said to a"), [], "a"),
        ("assistant", "One.", ["b"], None),
        ("tool", labelled("add_note", "notes", "said to b"), [], "b"),
    ]


def test_a_call_that_is_allowed_may_run_and_has_no_result_yet() -> None:
    items = (says("Note it."), call("c1"), asks_to("r1"), output("c1", "ok"), allows("r1"))
    assert shape(messages(*items))[1:] == [
        ("assistant", "", ["c1", "r1"], None),
        ("tool", "ok", [], "c1"),
    ]
    assert approved(*items) == {"r1"}


def test_a_call_that_is_not_allowed_is_answered_with_the_reason() -> None:
    items = (asks_to("r1"), allows("r1", approve=False, reason="Too early."))
    assert messages(*items)[1] == Message(
        "tool",
        (Text("Error: the user did not allow this call. It said: Too early."),),
        tool_call_id="r1",
        is_error=True,
    )
    assert approved(*items) == set()


def test_a_call_that_was_allowed_and_ran_is_one_call() -> None:
    ran = mcp_call("mcp_1", approval_request_id="r1")
    items = (asks_to("r1"), allows("r1"), ran, says("Done.", "assistant"), says("Thanks."))
    assert shape(messages(*items)) == [
        ("assistant", "", ["r1"], None),
        ("tool", labelled("add_note", "notes", "said to mcp_1"), [], "r1"),
        ("assistant", "Done.", [], None),
        ("user", "Thanks.", [], None),
    ]
    assert approved(*items) == set()


def test_a_call_about_which_nobody_decided_is_not_left_without_a_result() -> None:
    for items in (
        (asks_to("r1"), says("Never mind.")),
        (asks_to("r1"), allows("r1"), says("Hm."), mcp_call("m"), says("Never mind.")),
    ):
        read = messages(*items)
        assert shape(read)[1] == ("tool", "Error: the user has not allowed this call.", [], "r1")
        assert approved(*items) == ({"r1"} if len(items) > 2 else set())


def test_plain_text_tools_are_functions_with_one_text() -> None:
    patch: Any = {
        "type": "custom",
        "name": "apply_patch",
        "description": "Edit files.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: hunk+"},
    }
    asked = read(
        tools=[patch],
        tool_choice={"type": "custom", "name": "apply_patch"},
        input=[
            {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Go"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        ],
    )
    [tool] = asked.tools
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["input"]
    assert "this lark grammar:\nstart: hunk+" in tool.description
    assert asked.tool_choice == ToolChoice("named", "apply_patch")
    assert json.loads(asked.messages[0].tool_calls[0].arguments) == {"input": "*** Go"}
    assert asked.messages[1] == Message("tool", (Text("done"),), tool_call_id="c1")


def test_tools_of_a_namespace_have_the_same_name_in_the_conversation() -> None:
    github = {"type": "namespace", "name": "github", "description": "", "tools": [WEATHER]}
    asked = read(
        tools=[github, WEATHER],
        input=[
            call("c1", namespace="github"),
            call("c2"),
            output("c1", "snow"),
            output("c2", "sun"),
        ],
    )
    assert [tool.name for tool in asked.tools] == ["github__weather", "weather"]
    assert [call.name for one in asked.messages for call in one.tool_calls] == [
        "github__weather",
        "weather",
    ]
    assert offered_name("x" * 60, "a") != offered_name("x" * 59 + "y", "a")
    assert len(offered_name("x" * 90, "a")) == 64


def test_tools_that_nobody_here_runs_are_left_out_and_named() -> None:
    others = [{"type": "web_search"}, {"type": "local_shell"}, {"type": "tool_of_tomorrow", "x": 1}]
    asked = asked_from_json({"model": "auto", "input": "Hi.", "tools": [*others, WEATHER, NOTES]})
    assert [tool.name for tool in asked.request.tools] == ["weather"]
    assert asked.request.other_tools == ()
    assert asked.tools.left_out == ("web_search", "local_shell", "tool_of_tomorrow")


def test_tools_of_the_gateway_must_be_allowed_unless_the_client_says_otherwise() -> None:
    body: Any = {"model": "auto", "input": "Hi.", "max_tool_calls": 3}
    [usual] = asked_from_json({**body, "tools": [NOTES]}).wish.offers
    assert (usual.label, usual.approval) == ("notes", ALWAYS)
    free = {**NOTES, "require_approval": "never", "allowed_tools": ["add_note"]}
    wish = asked_from_json({**body, "tools": [free]}).wish
    assert (wish.offers[0].approval, wish.offers[0].allowed) == (NEVER, ("add_note",))
    assert wish.most_calls == 3


def test_allowed_tools_are_the_only_ones() -> None:
    choice = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [
            {"type": "function", "name": "weather"},
            {"type": "mcp", "server_label": "notes", "name": "add_note"},
        ],
    }
    other = {**WEATHER, "name": "other"}
    more = {"type": "mcp", "server_label": "more"}
    tools = [WEATHER, other, NOTES, more]
    body: Any = {"model": "auto", "input": "Hi.", "tools": tools, "tool_choice": choice}
    asked = asked_from_json(body)
    assert [tool.name for tool in asked.request.tools] == ["weather"]
    assert [(offer.label, offer.allowed) for offer in asked.wish.offers] == [
        ("notes", ("add_note",))
    ]
    assert asked.request.tool_choice == ToolChoice("required")


def test_who_wants_no_tools_gets_none_that_its_key_usually_has() -> None:
    body: Any = {"model": "auto", "input": "Hi.", "tool_choice": "none"}
    assert asked_from_json(body).wish.is_refused
    wish = asked_from_json({**body, "tools": [NOTES]}).wish
    assert (wish.is_refused, len(wish.offers)) == (False, 1)


def test_settings_find_their_way() -> None:
    asked = read(
        input="Hi.",
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "low", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        prompt_cache_key="k",
        truncation="auto",
        metadata={"a": "b"},
        client_metadata={"x": "y"},
    )
    assert asked.tool_choice == ToolChoice("required")
    assert asked.parallel_tool_calls is False
    assert (asked.max_output_tokens, asked.temperature, asked.top_p) == (50, 0.5, 0.9)
    assert asked.reasoning_effort == "low"
    assert asked.answer_format == AnswerFormat("json_schema", "city", {"type": "object"})
    assert asked.extra == {
        "prompt_cache_key": "k",
        "verbosity": "low",
        "reasoning": {"summary": "auto"},
    }


def test_secrets_for_a_server_are_not_told_back() -> None:
    tool = {**NOTES, "headers": {"authorization": "s3cret"}, "authorization": "s3cret"}
    asked = asked_from_json({"model": "auto", "input": "Hi.", "tools": [tool]})
    assert "s3cret" not in json.dumps(asked.echo)


def test_what_another_server_ran_is_passed_over_and_what_the_client_ran_is_kept() -> None:
    shell = {"type": "local_shell_call", "call_id": "s1", "action": {"command": ["ls"]}}
    done = {"type": "local_shell_call_output", "id": "s1", "output": "a.txt"}
    read = messages({"type": "web_search_call", "id": "ws_1", "action": {}}, shell, done)
    assert read[0].tool_calls == (ToolCall("s1", "local_shell", '{"command": ["ls"]}'),)
    assert read[1].text == "a.txt"


@pytest.mark.parametrize(
    "thought",
    [
        Reasoning("Hm.", signature="sig=="),
        Reasoning(redacted="opaque"),
        Reasoning("Grüße \ud83d", extra={"type": "reasoning.summary", "format": "f", "index": 1}),
    ],
)
def test_a_thought_survives_the_way_through_the_client(thought: Reasoning) -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": sealed([thought])}
    [message] = messages(json.loads(json.dumps(item)), says("So.", "assistant"))
    assert message.reasoning == (thought,)


def test_what_a_provider_wants_back_with_a_call_is_put_back() -> None:
    sign = {"extra_content": {"google": {"thought_signature": "s"}}}
    seal = {"type": "reasoning", "summary": [], "encrypted_content": sealed((), {"c1": sign})}
    [message, _] = messages(call("c1"), seal, output("c1", "snow"))
    assert message.tool_calls[0].extra == sign
    assert message.reasoning == ()


@pytest.mark.parametrize(
    "foreign",
    [
        "gAAAAABk_of_another_server",
        "gateway-1:not base64",
        "gateway-1:" + "AAAA",
        sealed([Reasoning("x")])[:-8],
        "gateway-1:W10=",
        17,
    ],
)
def test_what_another_server_sealed_is_read_as_far_as_it_can_be(foreign: object) -> None:
    assert opened(foreign) is None
    content = [{"type": "reasoning_text", "text": "Hm."}]
    item = {"type": "reasoning", "summary": [], "content": content, "encrypted_content": foreign}
    [message] = messages(item, says("So.", "assistant"))
    assert message.reasoning == (Reasoning("Hm."),)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "input: is missing"),
        ({"input": 7}, "input: must be a string or a list of items"),
        ({"input": [7]}, "input[0]: must be an object"),
        ({"input": [{"type": "dream"}]}, "input[0].type: 'dream' is no item"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "'compaction' is no item"),
        ({"input": [says("x", "wizard")]}, "input[0].role: must be user"),
        ({"input": [{"role": "user"}]}, "input[0].content: must be a string"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "keeps no files",
        ),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "content[0].type: must be"),
        ({"input": [output("c9", "x")]}, "no call before it has the ID 'c9'"),
        ({"input": [allows("r9")]}, "no mcp_approval_request before it has the ID 'r9'"),
        ({"input": [asks_to("r1"), allows("r1")]}, "send its entry of the type mcp again"),
        ({"input": [{"type": "item_reference"}]}, "input[0].id: must be"),
        ({"input": "x", "background": True}, "background: is not offered"),
        ({"input": "x", "conversation": "c"}, "previous_response_id"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name: is missing"),
        ({"input": "x", "tools": [{"name": "x"}]}, "tools[0].type: is missing"),
        ({"input": "x", "tool_choice": {"type": "web_search_preview"}}, "is no tool"),
        ({"input": "x", "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name"),
        (
            {"input": "x", "tool_choice": {"type": "mcp", "server_label": "x"}},
            "tool_choice.server_label",
        ),
        (
            {"input": "x", "tools": [{**NOTES, "server_url": "https://example.org/mcp"}]},
            "tools[0].server_url: the gateway only calls servers",
        ),
        ({"input": "x", "tool_choice": "maybe"}, "tool_choice: must be auto"),
        ({"input": "x", "max_output_tokens": -1}, "max_output_tokens: must be a whole number"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type: must be"),
        ({"input": "x", "stream": "yes"}, "stream: must be true or false"),
        ({"input": "x", "model": ""}, "model: must be"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**body)
    assert said in str(refused.value)


KINDS = (
    "message reasoning function_call function_call_output custom_tool_call custom_tool_call_output "
    "mcp_call mcp_list_tools mcp_approval_request mcp_approval_response local_shell_call "
    "local_shell_call_output item_reference mcp function custom namespace allowed_tools"
).split()
NAMES = (
    "type id role content call_id name arguments input output error summary encrypted_content "
    "approve approval_request_id server_label namespace tools mode format action text phase"
).split()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([*KINDS, "user", "assistant", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)
ITEMS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), max_size=4)


@settings(max_examples=40, deadline=None)
@given(items=ITEMS, tools=ITEMS, tool_choice=VALUES, text=VALUES, reasoning=VALUES)
def test_whatever_a_client_sends_is_read_or_refused(**body: Any) -> None:
    try:
        asked = asked_from_json({"model": "auto", "input": body.pop("items"), **body})
        conversation(asked, (), {one: {"type": "program"} for one in asked.references})
    except InvalidRequest:
        return
