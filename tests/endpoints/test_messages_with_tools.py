"""Messages that use the gateway's tools: the connector's blocks, and what comes back of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest

from gateway.caller import LOCAL, Caller
from tests.endpoints.messages_door import CLAUDE, HELLO, MODELS, Door, opened
from tests.llm.loop.workshop import Workshop
from tests.stand_ins.llm.script import Answer, Tool

SERVER: Any = {"type": "url", "url": "gateway", "name": "all"}
BETA = ["mcp-client-2025-11-20"]
WINDOW: Any = {"name": "open_window", "input_schema": {"type": "object"}}
LOOK_UP = Tool("look_up", '{"title": "law"}', "call_law")
CREATE = Tool("create_task", '{"title": "one"}', "call_task")
THEIRS = Tool("open_window", "{}", "call_theirs")


@asynccontextmanager
async def door(
    folder: Path, *answers: Answer, kinds: Sequence[str] = ("anthropic",), **options: Any
) -> AsyncIterator[Door]:
    async with opened(folder, *kinds, tools=[Workshop().tools], **options) as at:
        at.script("anthropic", *answers)
        yield at


async def asked(at: Door, *, is_stream: bool = False, **options: Any) -> Any:
    """Through the SDK's beta, which knows the blocks of the connector."""
    body: Any = {"model": CLAUDE, "max_tokens": 999, "messages": HELLO, "betas": BETA, **options}
    if not is_stream:
        return await at.client.beta.messages.create(**body)
    async with at.client.beta.messages.stream(**body) as stream:
        return await stream.get_final_message()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_calls_of_the_gateways_tools_are_blocks_of_the_connector(
    tmp_path: Path, is_stream: bool
) -> None:
    answers = (Answer("Hm.", tools=(LOOK_UP, CREATE)), Answer("The law."))
    async with door(tmp_path, *answers) as at:
        answer = await asked(at, is_stream=is_stream, mcp_servers=[SERVER])
        kinds = [block.type for block in answer.content]
        by_id = {block.id: block for block in answer.content if block.type == "mcp_tool_use"}
        results = {
            block.tool_use_id: block for block in answer.content if block.type == "mcp_tool_result"
        }
        assert kinds[0] == kinds[-1] == "text"
        assert sorted(kinds[1:-1]) == ["mcp_tool_result"] * 2 + ["mcp_tool_use"] * 2
        assert (answer.content[0].text, answer.content[-1].text) == ("Hm.", "The law.")
        assert by_id["call_law"].name == "look_up"
        assert by_id["call_law"].server_name == "all"
        assert by_id["call_law"].input == {"title": "law"}
        assert results["call_law"].is_error is False
        assert '"done":"law"' in results["call_law"].content[0].text
        assert answer.stop_reason == "end_turn"
        assert answer.usage.output_tokens == sum(bill.tokens.output for bill in at.stand_in.bills)


async def test_what_an_answer_with_calls_said_is_said_again_to_the_model(tmp_path: Path) -> None:
    answers = (
        Answer("Hm.", reasoning=("I ask",), signature="s", tools=(LOOK_UP,)),
        Answer("The law."),
        Answer("Yes."),
    )
    async with door(tmp_path, *answers) as at:
        first = await asked(at, mcp_servers=[SERVER])
        history = [*HELLO, first.to_param(), {"role": "user", "content": "Sure?"}]
        await asked(at, mcp_servers=[SERVER], messages=history)
        before, after = (request.body["messages"] for request in at.stand_in.requests[1:])
        assert after[: len(before)] == before
        assert [one["role"] for one in after] == ["user", "assistant", "user", "assistant", "user"]
        assert after[1]["content"] == [
            {"type": "thinking", "thinking": "I ask", "signature": "s"},
            {"type": "text", "text": "Hm."},
            {"type": "tool_use", "id": "call_law", "name": "look_up", "input": {"title": "law"}},
        ]
        assert after[2]["content"][0]["tool_use_id"] == "call_law"


async def test_a_tool_that_fails_is_told_and_survived(tmp_path: Path) -> None:
    broken = Tool("break_it", '{"title": "cup"}', "call_cup")
    async with door(tmp_path, Answer(tools=(broken,)), Answer("Never mind.")) as at:
        answer = await asked(at, mcp_servers=[SERVER])
    [_, result, text] = answer.content
    assert result.is_error is True
    assert "the cup broke" in result.content[0].text
    assert text.text == "Never mind."


async def test_a_plain_client_whose_key_has_tools_sees_only_text(tmp_path: Path) -> None:
    keyless = Caller("small", gateway_tools=("look_up",), is_owner=LOCAL.is_owner)
    answers = (Answer("Hm.", tools=(LOOK_UP,)), Answer("The law."))
    async with door(tmp_path, *answers, keyless=keyless) as at:
        answer = await at.ask()
    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Hm.\n\nThe law."
    facts: Any = (answer.model_extra or {})["gateway"]
    assert [len(one["tool_calls"]) for one in facts["rounds"]] == [1, 0]


async def test_a_header_shows_the_calls_too(tmp_path: Path) -> None:
    async with door(tmp_path, Answer(tools=(LOOK_UP,)), Answer("The law.")) as at:
        answer = await asked(
            at,
            extra_body={"gateway_tools": True},
            extra_headers={"x-gateway-events": "tools"},
        )
    assert [block.type for block in answer.content] == [
        "mcp_tool_use",
        "mcp_tool_result",
        "text",
    ]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("is_shown", [False, True])
async def test_the_callers_own_call_comes_back_and_what_was_done_before_it_is_not_lost(
    tmp_path: Path, is_shown: bool, is_stream: bool
) -> None:
    answers = (Answer("Both.", tools=(CREATE, THEIRS)), Answer("Fresh air."))
    own: Any = {"extra_body": {"gateway_tools": True}}
    wish: Any = {"mcp_servers": [SERVER]} if is_shown else own
    async with door(tmp_path, *answers) as at:
        first = await asked(at, is_stream=is_stream, tools=[WINDOW], **wish)
        assert first.stop_reason == "tool_use"
        [theirs] = [block for block in first.content if block.type == "tool_use"]
        assert (theirs.id, theirs.name) == ("call_theirs", "open_window")
        result = {"type": "tool_result", "tool_use_id": "call_theirs", "content": "opened"}
        history = [*HELLO, first.to_param(), {"role": "user", "content": [result]}]
        second = await asked(at, tools=[WINDOW], messages=history, **wish)
        assert second.content[-1].text == "Fresh air."
        [_, said, given] = at.sent()["messages"]
        assert {block["id"] for block in said["content"] if block["type"] == "tool_use"} == {
            "call_task",
            "call_theirs",
        }
        assert [block["tool_use_id"] for block in given["content"]] == [
            "call_task",
            "call_theirs",
        ]


async def test_an_answer_with_calls_may_go_on_with_a_model_of_another_kind(tmp_path: Path) -> None:
    async with door(
        tmp_path, Answer("Hm.", tools=(LOOK_UP,)), Answer("The law."), kinds=("anthropic", "openai")
    ) as at:
        first = await asked(at, mcp_servers=[SERVER])
        history = [*HELLO, first.to_param(), {"role": "user", "content": "Sure?"}]
        await asked(at, model=MODELS["openai"], messages=history)
        sent = at.sent("openai")["messages"]
    roles = ["user", "assistant", "tool", "assistant", "user"]
    assert [one["role"] for one in sent] == roles
    assert sent[1]["tool_calls"][0]["function"] == {
        "name": "look_up",
        "arguments": '{"title": "law"}',
    }


async def test_only_tools_that_are_allowed_are_offered(tmp_path: Path) -> None:
    limited = {"default_config": {"enabled": False}, "configs": {"look_up": {"enabled": True}}}
    toolset: Any = {"type": "mcp_toolset", "mcp_server_name": "all", **limited}
    async with door(tmp_path, Answer("No.")) as at:
        await asked(at, mcp_servers=[SERVER], tools=[toolset])
        assert [tool["name"] for tool in at.sent()["tools"]] == ["look_up"]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"url": "https://mcp.example/sse"}, "only calls servers that its configuration names"),
        ({"url": "gateway/nowhere"}, "has no tools of 'nowhere'"),
        ({"tool_configuration": {"allowed_tools": ["fly"]}}, "is named 'fly'"),
    ],
)
async def test_a_server_or_tool_that_is_not_there_is_named(
    tmp_path: Path, server: Any, said: str
) -> None:
    async with door(tmp_path) as at:
        with pytest.raises(anthropic.BadRequestError) as caught:
            await asked(at, mcp_servers=[{**SERVER, **server}])
        assert said in str(caught.value)
        assert at.stand_in.requests == []
