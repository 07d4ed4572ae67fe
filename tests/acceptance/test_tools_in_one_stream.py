"""Research, a task for each finding, and a report: in one answer, in every format, by every SDK."""

import asyncio
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic

from tests.acceptance.office import QUESTION, REPORT, Office, office

MODEL = "openrouter/small"
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
ALL_TOOLS = {"gateway_tools": True}
MCP_TOOL: Any = {"type": "mcp", "server_label": "gateway", "require_approval": "never"}


async def chat(at: Office) -> str:
    async with at.router.openai() as client:
        answer = await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, extra_body=ALL_TOOLS
        )
    return answer.choices[0].message.content or ""


async def chat_streamed(at: Office) -> str:
    async with at.router.openai() as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, tools=[MCP_TOOL], stream=True
        )
        chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def response(at: Office) -> str:
    async with at.router.openai() as client:
        answer = await client.responses.create(model=MODEL, input=QUESTION, tools=[MCP_TOOL])
    assert answer.status == "completed"
    kinds = [item.type for item in answer.output]
    assert kinds.count("mcp_call") == 6
    return answer.output_text


async def response_streamed(at: Office) -> str:
    async with (
        at.router.openai() as client,
        client.responses.stream(model=MODEL, input=QUESTION, tools=[MCP_TOOL]) as stream,
    ):
        kinds = [event.type async for event in stream]
        answer = await stream.get_final_response()
    assert kinds.count("response.mcp_call.completed") == 5
    assert kinds.count("response.mcp_call.failed") == 1
    return answer.output_text


def anthropic(at: Office) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=at.router.url, api_key=at.router.key, max_retries=0)


GATEWAY_SERVER: Any = {"type": "url", "url": "gateway", "name": "gateway"}
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 1_000,
    "messages": MESSAGES,
    "mcp_servers": [GATEWAY_SERVER],
    "betas": ["mcp-client-2025-11-20"],
}


async def messages(at: Office) -> str:
    async with anthropic(at) as client:
        answer = await client.beta.messages.create(**ASKED)
    assert answer.stop_reason == "end_turn"
    assert [block.type for block in answer.content].count("mcp_tool_use") == 6
    return "\n\n".join(block.text for block in answer.content if block.type == "text")


async def messages_streamed(at: Office) -> str:
    async with anthropic(at) as client, client.beta.messages.stream(**ASKED) as stream:
        answer = await stream.get_final_message()
    return "\n\n".join(block.text for block in answer.content if block.type == "text")


async def test_research_tasks_and_a_report_in_one_answer(tmp_path: Path) -> None:
    ways = (chat, chat_streamed, response, response_streamed, messages, messages_streamed)
    async with office(tmp_path) as at, asyncio.timeout(60):
        for done, asks in enumerate(ways):
            at.script()
            at.world.tasks.clear()
            text = await asks(at)
            for said in ("I look into it.", "Two findings.", REPORT):
                assert said in text, asks.__name__
            assert at.titles == ["Close the port", "Rotate the keys"], asks.__name__
            first, second = (str(at.model.requests[3 * done + one].body) for one in (1, 2))
            # A research, a fact from gRPC, and an error that the model could read.
            for result in ("What is known of Kubernetes security", "WIDGET-BLUE", "arithmetic"):
                assert result in first, asks.__name__
            assert "saved 14 characters" in second
        await at.router.settles(calls=3 * len(ways))
        assert await at.router.charged_microusd() == at.model.billed_microusd > 0
        calls = await at.tool_calls()
        assert calls["create_task"]["calls"] == 2 * len(ways)
        assert calls["execute_code"]["failed"] == len(ways)
        assert calls["inventory_get_item"]["server"] == "inventory"
