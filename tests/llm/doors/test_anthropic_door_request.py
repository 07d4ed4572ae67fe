"""What a caller of Anthropic's Messages asks, as our messages have it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic.blocks import FIELDS, FORMAT, turns
from gateway.llm.doors.messages.format import (
    counted_tokens,
    is_stream_from_json,
    other_names,
    request_from_json,
    take_servers,
)
from gateway.llm.doors.messages.thinking import signature_of
from gateway.llm.doors.messages.work import work_block
from gateway.llm.loop.piece import labelled
from gateway.llm.loop.wish import Offer
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

CACHED = {"cache_control": {"type": "ephemeral"}}
PICTURE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def asked(*messages: Any, **fields: Any) -> ChatRequest:
    given = list(messages) or [{"role": "user", "content": "Hello"}]
    return request_from_json({"model": "m", "max_tokens": 9, "messages": given, **fields})


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def test_a_plain_request_is_read() -> None:
    request = asked(
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        stop_sequences=["END"],
        stream=True,
        seed=7,
    )
    assert request == ChatRequest(
        "m",
        (
            Message("system", (Text("Be brief."),)),
            Message("user", (Text("Hello"),)),
            Message("assistant", (Text("Hi"),)),
        ),
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        extra={"seed": 7},
    )
    assert is_stream_from_json({"stream": True})
    assert not is_stream_from_json({})


def test_what_only_anthropic_knows_is_kept_apart() -> None:
    request = asked(
        metadata={"user_id": "u"},
        service_tier="auto",
        container="c",
        context_management={"edits": []},
        top_k=5,
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
    )
    assert request.extra == {
        FIELDS: {
            "thinking": {"type": "adaptive"},
            "metadata": {"user_id": "u"},
            "service_tier": "auto",
            "top_k": 5,
        }
    }


def test_where_to_cache_is_kept_on_texts_tools_and_messages() -> None:
    picture = {"type": "image", "source": PICTURE, **CACHED}
    tool = {"name": "find", "input_schema": {"type": "object"}, **CACHED}
    request = asked(
        user({"type": "text", "text": "a", **CACHED}, {"type": "text", "text": "b"}),
        user({"type": "text", "text": "c"}, picture),
        system=[{"type": "text", "text": "s", **CACHED}],
        tools=[tool],
    )
    assert request.messages == (
        Message("system", (Text("s", extra=CACHED),)),
        Message("user", (Text("a", extra=CACHED), Text("b"))),
        Message("user", (Text("c"), Image("data:image/png;base64,iVBORw0KGgo=")), extra=CACHED),
    )
    assert request.tools == (ToolDefinition("find", "", {"type": "object"}, extra=CACHED),)


def test_to_cache_the_whole_request_is_to_cache_its_last_message() -> None:
    request = asked(**CACHED)
    assert request.messages[-1].extra == CACHED
    assert request.extra == {}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "source": PICTURE}, Image("data:image/png;base64,iVBORw0KGgo=")),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            Image("https://a.example/b.png"),
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            Other({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            },
            Other(
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBE",
                    },
                }
            ),
        ),
        (
            {
                "type": "document",
                "title": "Notes",
                "source": {"type": "text", "media_type": "text/plain", "data": "It snows."},
            },
            Text("Notes\n\nIt snows."),
        ),
        (
            {
                "type": "document",
                "citations": {"enabled": True},
                "source": {"type": "text", "media_type": "text/plain", "data": "It snows."},
            },
            Other(
                {
                    "type": "document",
                    "citations": {"enabled": True},
                    "source": {"type": "text", "media_type": "text/plain", "data": "It snows."},
                }
            ),
        ),
        (
            {"type": "search_result", "source": "a", "title": "b", "content": []},
            Other({"type": "search_result", "source": "a", "title": "b", "content": []}),
        ),
    ],
)
def test_a_part_of_a_message_is_what_most_providers_know(block: Any, part: Any) -> None:
    [message] = asked(user(block)).messages
    assert message.parts == (part,)


def test_results_of_tools_are_messages_of_their_own_before_what_is_said() -> None:
    picture = {"type": "image", "source": PICTURE}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "-3 °C", **CACHED}
    shown = [{"type": "text", "text": "see"}, picture]
    failed = {"type": "tool_result", "tool_use_id": "call_2", "content": shown, "is_error": True}
    empty = {"type": "tool_result", "tool_use_id": "call_3"}
    request = asked(user({"type": "text", "text": "And now?"}, result, failed, empty))
    assert request.messages == (
        Message("tool", (Text("-3 °C"),), tool_call_id="call_1", extra=CACHED),
        Message(
            "tool",
            (Text("see"), Image("data:image/png;base64,iVBORw0KGgo=")),
            tool_call_id="call_2",
            is_error=True,
        ),
        Message("tool", (), tool_call_id="call_3"),
        Message("user", (Text("And now?"),)),
    )


def test_an_answer_with_thoughts_text_and_calls_goes_back_as_it_came() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sealed by Anthropic"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "ü"}},
    ]
    [message] = asked(assistant(*blocks)).messages
    assert message == Message(
        "assistant",
        (Text("I look."),),
        tool_calls=(ToolCall("toolu_1", "find", '{"q": "ü"}'),),
        reasoning=(
            Reasoning("Hm.", "sealed by Anthropic", extra={"format": FORMAT}),
            Reasoning(redacted="secret", extra={"format": FORMAT}),
        ),
    )
    assert turns([message]) == [{"role": "assistant", "content": blocks}]


def test_an_order_that_our_messages_cannot_tell_is_kept_for_anthropic() -> None:
    blocks = [
        {"type": "text", "text": "I search."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": "a"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "Found.", "citations": [{"type": "web_search_result_location"}]},
    ]
    [message] = asked(assistant(*blocks)).messages
    assert message.parts == (Text("I search."), Text("Found."))
    assert turns([message]) == [{"role": "assistant", "content": blocks}]


def test_thoughts_under_our_own_seal_are_never_shown_to_anthropic() -> None:
    thought = Reasoning("Let me", extra={"id": "rs_1", "format": "openai-responses-v1"})
    signature = signature_of((thought,))
    block = {"type": "thinking", "thinking": "Let me", "signature": signature}
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    [plain] = asked(assistant(block, {"type": "text", "text": "Yes."})).messages
    [other] = asked(assistant(block, {"type": "text", "text": "Yes."}, search)).messages
    for message in (plain, other):
        assert message.reasoning == (thought,)
        assert signature not in json.dumps(turns([message]))
        assert "Let me" not in json.dumps(turns([message]))


@given(
    st.builds(
        Reasoning,
        st.text(),
        st.none() | st.text(min_size=1),
        st.none() | st.text(),
        st.dictionaries(st.sampled_from(["index", "id", "issuer"]), st.integers()),
    )
)
def test_whatever_others_thought_survives_the_way_through_a_client(thought: Reasoning) -> None:
    block = {"type": "thinking", "thinking": thought.text, "signature": signature_of((thought,))}
    [message] = asked(assistant(block)).messages
    assert message.reasoning == (thought,)


def test_an_answer_in_which_our_tools_ran_is_several_messages() -> None:
    request = asked(
        assistant(
            {"type": "thinking", "thinking": "Hm.", "signature": "s1"},
            {"type": "text", "text": "I look."},
            ours("call_1", "search", {"q": "a"}),
            ours("call_2", "search", {"q": "b"}),
            result("call_2", "two"),
            result("call_1", "one", is_error=True),
            {"type": "thinking", "thinking": "So.", "signature": "s2"},
            {"type": "text", "text": "Done."},
        )
    )
    assert request.messages == (
        Message(
            "assistant",
            (Text("I look."),),
            tool_calls=(
                ToolCall("call_1", "search", '{"q": "a"}'),
                ToolCall("call_2", "search", '{"q": "b"}'),
            ),
            reasoning=(Reasoning("Hm.", "s1", extra={"format": FORMAT}),),
        ),
        Message(
            "tool",
            (Text(labelled("search", "gateway", "two")),),
            tool_call_id="call_2",
            name="search",
        ),
        Message(
            "tool",
            (Text("Error: one"),),
            tool_call_id="call_1",
            name="search",
            is_error=True,
        ),
        Message(
            "assistant",
            (Text("Done."),),
            reasoning=(Reasoning("So.", "s2", extra={"format": FORMAT}),),
        ),
    )


def test_a_call_of_ours_whose_answer_broke_off_is_forgotten() -> None:
    [message] = asked(assistant({"type": "text", "text": "I"}, ours("call_1", "search"))).messages
    assert message == Message("assistant", (Text("I"),))


def test_a_call_of_ours_beside_one_of_the_callers_own_is_answered_with_it() -> None:
    messages = asked(
        assistant(
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}},
            ours("call_2", "search"),
            result("call_2", "found"),
        ),
        user({"type": "tool_result", "tool_use_id": "call_1", "content": "snow"}),
    ).messages
    assert [message.role for message in messages] == ["assistant", "tool", "tool"]
    assert [call.id for call in messages[0].tool_calls] == ["call_1", "call_2"]


def test_what_was_done_unseen_comes_back_as_the_messages_that_it_was() -> None:
    messages = (
        Message(
            "assistant",
            (Text("Both."),),
            tool_calls=(ToolCall("call_1", "search", "{}"), ToolCall("call_2", "weather", "{}")),
        ),
        Message("tool", (Text("no"),), tool_call_id="call_1", name="search", is_error=True),
    )
    work = work_block(messages)
    call = {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}}
    said = {"type": "text", "text": "Both."}
    assert asked(assistant(said, work, call)).messages == messages
    for data in (work["data"][:-8], work["data"][:15], f"{work['data']}!"):
        [message] = asked(assistant(said, {**work, "data": data}, call)).messages
        assert message.reasoning == ()
        assert turns([message])[0]["content"] == [said, call]


def test_tools_of_the_caller_and_of_anthropic_are_told_apart() -> None:
    schema = {"type": "object", "properties": {}}
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    request = asked(
        tools=[
            {"type": "custom", "name": "find", "description": "Finds.", "input_schema": schema},
            {"name": "keep", "input_schema": schema, "strict": True, "defer_loading": True},
            search,
        ]
    )
    assert request.tools == (
        ToolDefinition("find", "Finds.", schema),
        ToolDefinition("keep", "", schema, strict=True, extra={"defer_loading": True}),
    )
    assert request.other_tools == (search,)


@pytest.mark.parametrize(
    ("choice", "read", "is_parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any"}, ToolChoice("required"), None),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "tool", "name": "find"}, ToolChoice("named", "find"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice("auto"), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice("required"), None),
    ],
)
def test_a_choice_of_tools_is_read(choice: Any, read: ToolChoice, is_parallel: bool | None) -> None:
    request = asked(tool_choice=choice)
    assert (request.tool_choice, request.parallel_tool_calls) == (read, is_parallel)


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, None),
        ({"thinking": {"type": "adaptive"}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
    ],
)
def test_how_much_to_think_is_one_word(fields: Any, effort: str | None) -> None:
    assert asked(**fields).reasoning_effort == effort


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_a_schema_for_the_answer_is_read_in_both_betas(field: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    request = asked(**{field: {"format": wanted} if field == "output_config" else wanted})
    assert request.answer_format == AnswerFormat(
        "json_schema", schema={"type": "object"}, strict=True
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"messages": []}, "model: is missing"),
        ({"model": "m", "messages": [user()]}, "max_tokens: is missing"),
        ({"model": "m", "max_tokens": 0, "messages": [user()]}, "max_tokens: must be a whole"),
        ({"model": "m", "max_tokens": 1}, "messages: is missing"),
        ({"model": "m", "max_tokens": 1, "messages": []}, "messages: must have at least one"),
        (
            {"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": "a"}]},
            "messages[0].role: must be user, assistant or system, not 'tool'",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": 7}]},
            "messages[0].content: must be a string or a list of blocks",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user({"type": "text"})]},
            "messages[0].content[0].text: is missing",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user({"type": "tool_result"})]},
            "messages[0].content[0].tool_use_id: is missing",
        ),
        (
            {
                "model": "m",
                "max_tokens": 1,
                "messages": [assistant({"type": "mcp_tool_result", "tool_use_id": "x"})],
            },
            "messages[0].content[0].tool_use_id: no mcp_tool_use has this ID",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user()], "thinking": {"type": "much"}},
            "thinking.type: must be adaptive, enabled or disabled",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user()], "tools": [{"name": "a"}]},
            "tools[0].input_schema: is missing",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user()], "tool_choice": {"type": "all"}},
            "tool_choice.type: must be auto, any, tool or none",
        ),
        (
            {"model": "m", "max_tokens": 1, "messages": [user()], "system": [{"type": "image"}]},
            "system[0].type: must be text",
        ),
    ],
)
def test_what_is_wrong_is_named(body: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request_from_json(body)
    assert said in str(caught.value)


def test_without_servers_nothing_is_offered() -> None:
    assert take_servers({"tools": [], "mcp_servers": []}) == ()


def test_servers_of_the_gateway_are_offered_under_the_callers_names() -> None:
    body: dict[str, Any] = {
        "mcp_servers": [
            {"type": "url", "url": "gateway", "name": "all"},
            {
                "type": "url",
                "url": "gateway/market",
                "name": "prices",
                "authorization_token": "not needed",
                "tool_configuration": {"enabled": True, "allowed_tools": ["get_ticker"]},
            },
            {
                "type": "url",
                "url": "gateway",
                "name": "off",
                "tool_configuration": {"enabled": False},
            },
        ]
    }
    assert take_servers(body) == (
        Offer("all"),
        Offer("prices", "market", ("get_ticker",)),
    )
    assert body == {}


@pytest.mark.parametrize(
    ("toolset", "allowed"),
    [
        ({}, None),
        ({"default_config": {"enabled": True}}, None),
        (
            {"default_config": {"enabled": False}, "configs": {"search": {"enabled": True}}},
            ("search",),
        ),
    ],
)
def test_a_toolset_of_the_newer_beta_says_what_of_a_server_is_used(
    toolset: Any, allowed: Any
) -> None:
    own = {"name": "find", "input_schema": {"type": "object"}}
    body: dict[str, Any] = {
        "mcp_servers": [{"type": "url", "url": "gateway", "name": "g"}],
        "tools": [own, {"type": "mcp_toolset", "mcp_server_name": "g", **toolset}],
    }
    assert take_servers(body) == (Offer("g", None, allowed),)
    assert body == {"tools": [own]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"mcp_servers": [{"type": "url", "url": "https://a.example/mcp", "name": "a"}]},
            "mcp_servers[0].url: the gateway only calls servers that its configuration names",
        ),
        ({"mcp_servers": [{"type": "url", "url": "gateway"}]}, "mcp_servers[0].name: is missing"),
        (
            {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]},
            "tools[0].mcp_server_name: no entry of mcp_servers is named 'x'",
        ),
        (
            {
                "mcp_servers": [{"type": "url", "url": "gateway", "name": "g"}],
                "tools": [
                    {
                        "type": "mcp_toolset",
                        "mcp_server_name": "g",
                        "configs": {"delete": {"enabled": False}},
                    }
                ],
            },
            "tools[0].configs: the gateway cannot leave single tools out",
        ),
    ],
)
def test_a_server_that_is_not_the_gateways_is_refused(body: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        take_servers(body)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("claude-sonnet-5-5-20261001", ("claude-sonnet-5-5", "claude-sonnet-5.5")),
        ("claude-sonnet-5-5", ("claude-sonnet-5.5",)),
        ("claude-sonnet-5", ()),
        ("claude-sonnet-4-20250514", ("claude-sonnet-4",)),
        ("claude-3-5-haiku-latest", ("claude-3-5-haiku",)),
        ("gpt-5-20260101", ()),
    ],
)
def test_a_claude_has_other_names(model: str, names: tuple[str, ...]) -> None:
    assert other_names(model) == names


def test_counting_needs_no_limit_and_counts_all_that_is_read() -> None:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    plain = counted_tokens(request_from_json(body, is_counted=True))
    tool = {"name": "find", "description": "Finds " * 500, "input_schema": {"type": "object"}}
    with_tool = counted_tokens(request_from_json({**body, "tools": [tool]}, is_counted=True))
    thought = {"type": "thinking", "thinking": "Hm. " * 400, "signature": "s"}
    longer = {**body, "messages": [*body["messages"], assistant(thought)]}
    with_thought = counted_tokens(request_from_json(longer, is_counted=True))
    assert 0 < plain < 30
    assert with_tool > plain + 500
    assert with_thought > plain + 200


def ours(call_id: str, name: str, given: Any = None) -> dict[str, Any]:
    about = {"id": call_id, "name": name, "server_name": "gateway", "input": given or {}}
    return {"type": "mcp_tool_use", **about}


def result(call_id: str, text: str, *, is_error: bool = False) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    about = {"tool_use_id": call_id, "is_error": is_error, "content": content}
    return {"type": "mcp_tool_result", **about}
