"""Chat completions that use the gateway's tools, through the official SDK and as raw events."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import BadRequestError, InternalServerError
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionToolMessageParam

from gateway.caller import LOCAL, Caller
from tests.endpoints.chat_door import HELLO, SMALL, Door, opened
from tests.llm.loop.workshop import Workshop
from tests.stand_ins.llm.script import Answer, Refusal, Scripted, Tool

ALL = {"gateway_tools": True}
WINDOW: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {"name": "open_window", "parameters": {}},
}
LOOK_UP = Tool("look_up", '{"title": "law"}', id="call_law")


@asynccontextmanager
async def door(folder: Path, *answers: Answer, **options: Any) -> AsyncIterator[Door]:
    async with opened(folder, tools=[Workshop().tools], **options) as opened_door:
        opened_door.stand_in.script("small", *answers)
        yield opened_door


async def asked(at: Door, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=at.url) as client:
        return await client.post(
            "/v1/chat/completions",
            json={"model": SMALL, "messages": HELLO, **body},
            headers=body.pop("headers", {}),
        )


async def test_a_plain_answer_tells_its_rounds_and_what_they_cost(tmp_path: Path) -> None:
    async with door(tmp_path, Answer("Hm.", tools=(LOOK_UP,)), Answer("The law.")) as at:
        answer = await at.client.chat.completions.create(
            model=SMALL, messages=HELLO, extra_body=ALL
        )
        assert answer.choices[0].message.content == "Hm.\n\nThe law."
        assert answer.choices[0].finish_reason == "stop"
        assert not answer.choices[0].message.tool_calls
        first, second = (answer.model_extra or {})["gateway"]["rounds"]
        assert first["tool_calls"][0]["name"] == "look_up"
        assert second["tool_calls"] == []
        assert answer.usage is not None
        cost = (answer.usage.model_extra or {})["cost"]
        assert cost == pytest.approx(first["cost_usd"] + second["cost_usd"])
        assert answer.usage.prompt_tokens == sum(
            one["usage"]["prompt_tokens"] for one in (first, second)
        )


async def test_a_stream_has_only_standard_chunks_unless_it_is_asked_for_more(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, Answer("Hm.", tools=(LOOK_UP,)), Answer("The law.")) as at:
        stream = await at.stream(extra_body=ALL, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(texts) == "Hm.\n\nThe law."
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert [reason for reason in reasons if reason] == ["stop"]
        assert len((chunks[-1].model_extra or {})["gateway"]["rounds"]) == 2


@pytest.mark.parametrize("how", ["header", "option"])
async def test_named_events_say_what_is_called_and_what_it_answered(
    tmp_path: Path, how: str
) -> None:
    headers = {"x-gateway-events": "tools"} if how == "header" else {}
    options = {} if how == "header" else {"stream_options": {"include_tool_events": True}}
    async with door(tmp_path, Answer("Hm.", tools=(LOOK_UP,)), Answer("The law.")) as at:
        async with httpx.AsyncClient(base_url=at.url) as client:
            answer = await client.post(
                "/v1/chat/completions",
                json={"model": SMALL, "messages": HELLO, "stream": True, **ALL, **options},
                headers=headers,
            )
        frames = [frame.split("\n") for frame in answer.text.split("\n\n") if frame]
        named = {
            frame[0].removeprefix("event: "): json.loads(frame[1].removeprefix("data: "))
            for frame in frames
            if frame[0].startswith("event:")
        }
        assert named["function_call"] == {
            "round": 1,
            "id": "call_law",
            "name": "look_up",
            "server": "library",
            "arguments": '{"title": "law"}',
        }
        assert '"done":"law"' in named["function_result"]["content"]
        assert named["function_result"]["error"] is None
        assert answer.text.endswith("data: [DONE]\n\n")


async def test_what_was_done_before_a_call_went_back_comes_along_and_is_understood(
    tmp_path: Path,
) -> None:
    theirs = Tool("open_window", "{}", id="call_theirs")
    async with door(
        tmp_path, Answer("Both.", tools=(LOOK_UP, theirs)), Answer("Fresh air, by law.")
    ) as at:
        create = at.client.chat.completions.create
        first = await create(model=SMALL, messages=HELLO, tools=[WINDOW], extra_body=ALL)
        # The SDK takes its own message back, which its types do not say.
        message: Any = first.choices[0].message
        assert [call.id for call in message.tool_calls] == ["call_theirs"]
        result: ChatCompletionToolMessageParam = {
            "role": "tool",
            "tool_call_id": "call_theirs",
            "content": "opened",
        }
        second = await create(
            model=SMALL, messages=[*HELLO, message, result], tools=[WINDOW], extra_body=ALL
        )
        assert second.choices[0].message.content == "Fresh air, by law."
        sent = at.stand_in.requests[1].body["messages"]
        assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool"]
        assert [call["id"] for call in sent[1]["tool_calls"]] == ["call_law", "call_theirs"]
        assert [one["tool_call_id"] for one in sent[2:]] == ["call_law", "call_theirs"]
        assert "gateway_work" not in json.dumps(sent)


async def test_tools_of_the_type_mcp_run_here_only_if_they_never_need_approval(
    tmp_path: Path,
) -> None:
    entry = {"type": "mcp", "server_label": "library", "allowed_tools": ["look_up"]}
    async with door(
        tmp_path, Answer(tools=(LOOK_UP,)), Answer("The law."), Answer(tools=(LOOK_UP,))
    ) as at:
        ran = await asked(at, tools=[{**entry, "require_approval": "never"}])
        assert ran.json()["choices"][0]["message"]["content"] == "The law."
        back = await asked(at, tools=[entry])
        (choice,) = back.json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["tool_calls"][0]["function"]["name"] == "look_up"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"gateway_tools": ["lookup"]}, "no tool of this caller is named 'lookup'"),
        ({"gateway_tools": "all"}, "gateway_tools: must be true, false, or a list of names"),
        (
            {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x.example"}]},
            "only calls servers that its configuration names",
        ),
        ({"tools": [{"type": "mcp", "server_label": "shop"}]}, "no tools of 'shop'"),
        ({"tools": [{"type": "mcp", "server_label": "a\nb"}]}, "a name in printable letters"),
        ({"max_tool_calls": 0}, "max_tool_calls: must be a whole number from 1 on"),
        ({"session_id": "a b"}, "session_id is 'a b'"),
    ],
)
async def test_a_wrong_wish_is_refused_with_what_would_be_right(
    tmp_path: Path, body: dict[str, Any], said: str
) -> None:
    async with door(tmp_path) as at:
        with pytest.raises(BadRequestError, match=said):
            await at.client.chat.completions.create(model=SMALL, messages=HELLO, extra_body=body)
        assert not at.stand_in.requests


async def test_other_events_than_those_of_tools_are_refused(tmp_path: Path) -> None:
    async with door(tmp_path) as at, httpx.AsyncClient(base_url=at.url) as client:
        answer = await client.post(
            "/v1/chat/completions",
            json={"model": SMALL, "messages": HELLO},
            headers={"x-gateway-events": "all"},
        )
        assert answer.status_code == 400
        assert "it takes tools" in answer.text


async def test_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    async with door(
        tmp_path, Answer("Hm.", tools=(LOOK_UP,)), Answer("The law."), Answer("As I said.")
    ) as at:
        session = {"session_id": "mine", **ALL}
        await asked(at, **session)
        again: Any = [{"role": "user", "content": "Again?"}]
        stream = await at.client.chat.completions.create(
            model=SMALL, messages=again, stream=True, extra_headers={"x-session-id": "mine"}
        )
        async for _ in stream:
            pass
        sent = at.stand_in.requests[2].body["messages"]
        assert [one["role"] for one in sent] == ["user", "assistant", "tool", "assistant", "user"]
        assert sent[1]["tool_calls"][0]["id"] == "call_law"


async def test_sessions_of_two_callers_never_meet(tmp_path: Path) -> None:
    for who in (LOCAL, Caller("other")):
        async with door(tmp_path, Answer("Hello."), keyless=who) as at:
            await asked(at, session_id="same")
            assert len(at.stand_in.requests[0].body["messages"]) == 1


async def test_a_session_keeps_nothing_of_an_answer_that_failed(tmp_path: Path) -> None:
    async with door(tmp_path, Answer(ends="eof", ends_after=2), Answer("Hello.")) as at:
        await asked(at, session_id="mine", stream=True)
        await asked(at, session_id="mine")
        assert len(at.stand_in.requests[1].body["messages"]) == 1


async def test_an_answer_that_no_session_can_keep_is_told_all_the_same(tmp_path: Path) -> None:
    async with door(tmp_path, Answer("Hello."), Answer("Hello.")) as at:
        kept = await asked(at, session_id="mine")
        assert kept.json()["session_kept"] is True
        with sqlite3.connect(tmp_path / "gateway.db") as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON conversation_messages "
                "BEGIN INSERT INTO nowhere VALUES (1); END"
            )
        database.close()
        answer = await asked(at, session_id="mine")
        assert answer.status_code == 200
        assert answer.json()["session_kept"] is False
        assert answer.json()["choices"][0]["message"]["content"] == "Hello."


@pytest.mark.parametrize(("tool", "times"), [("create_task", 1), ("look_up", 3)])
async def test_what_was_written_is_not_written_again_by_a_client_that_retries(
    tmp_path: Path, tool: str, times: int
) -> None:
    workshop = Workshop()
    call = Answer(tools=(Tool(tool, '{"title": "x"}'),))
    async with opened(tmp_path, tools=[workshop.tools], max_retries=2) as at:
        replies: list[Scripted] = [call, Refusal(503)]
        at.stand_in.script("small", *replies * 3)
        with pytest.raises(InternalServerError):
            await at.client.chat.completions.create(model=SMALL, messages=HELLO, extra_body=ALL)
        assert len(workshop.made) == times
