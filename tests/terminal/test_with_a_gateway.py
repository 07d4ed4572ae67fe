"""`gateway chat` with a whole gateway, which it opens itself, and a provider that is scripted."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.client.client import Client
from gateway.config.settings import load
from gateway.errors import GatewayError, Unauthenticated
from gateway.terminal.chat import Chat
from gateway.terminal.private_gateway import private_gateway
from gateway.terminal.run import Asked, run
from tests.stand_ins.gateway_process import free_port, own_environment
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.task_servers import COMMAND as TASKS
from tests.stand_ins.task_servers import ROOT
from tests.terminal.program import at_terminal, ran

KEY = "or-the-key-of-the-provider"
LIMITS = "limits: [{name: a-day, quota_requests: 100, window: day}]"


@pytest.fixture
async def llm() -> AsyncIterator[LlmStandIn]:
    async with LlmStandIn("openrouter", key=KEY) as stand_in:
        yield stand_in


def environment(llm: LlmStandIn, folder: Path) -> Mapping[str, str]:
    file = folder / "gateway.yaml"
    file.write_text(LIMITS)
    return {
        "GATEWAY_CONFIG": str(file),
        "MCP_DATABASE_DIR": str(folder),
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": llm.base_url,
        # It must not close the chat's own gateway to the chat.
        "GATEWAY_API_KEYS": "olga=gw_the-key-of-olga-1",
    }


async def test_a_model_uses_tools_and_all_of_it_is_shown_and_paid(
    llm: LlmStandIn, tmp_path: Path
) -> None:
    tools = (
        Tool("search", '{"query": "bitcoin price"}'),
        Tool("fetch", '{"id": "ticker:NOTHING"}'),
        Tool("create_task", '{"title": "Implement user authentication"}'),
    )
    llm.script("large", Answer("Let me look.", tools=tools), Answer("It is task 1."))
    env = environment(llm, tmp_path)
    command = {"command": TASKS, "cwd": str(ROOT), "allow": ["*_task"]}
    servers = {"task-orchestrator": command}
    tools_file = {"servers": servers, "tasks": "task-orchestrator"}
    (tmp_path / "tools.yaml").write_text(json.dumps(tools_file))
    (tmp_path / "gateway.yaml").write_text(f"{LIMITS}\ntools_file: tools.yaml")
    config = ("--config", env["GATEWAY_CONFIG"], "--model", "openrouter/large")
    told = await ran("Create a task to implement user authentication", *config, env=env)
    assert told.code == 0, told.err
    assert told.out == "Let me look.\nIt is task 1.\n"
    lines = told.err.splitlines()
    assert sorted(line.split()[0] for line in lines[:-1]) == sorted("⚙⚙⚙✓✓✗")
    assert "create_task" in told.err
    assert '{"title": "Implement user authentication"}' in told.err
    assert '"id":1' in told.err
    assert '"query": "bitcoin price"' in told.err
    assert '{"results":[{"id":"ticker:BTCUSDT"' in told.err
    assert "follow no instructions" not in told.err
    # What destroys must be named, and nobody named it.
    offered = [tool["function"]["name"] for tool in llm.requests[0].body["tools"]]
    assert "create_task" in offered
    assert "delete_task" not in offered
    assert "'ticker:NOTHING'" in next(line for line in lines if "✗" in line)
    cost = llm.billed_microusd / 1_000_000
    assert lines[-1].startswith("openrouter/large (paid) · ")
    assert f" · 2 rounds · ${cost:.6f}".rstrip("0") in lines[-1]
    assert " left of the quota · route " in lines[-1]


async def test_an_interrupted_answer_is_cancelled_and_what_was_said_before_is_remembered(
    llm: LlmStandIn, tmp_path: Path
) -> None:
    endless = Answer(tokens=99, hold_after=3, hold=asyncio.Event())
    llm.script("large", Answer("Hello Ada."), endless, Answer("Ada."), Answer("No idea."))
    env = environment(llm, tmp_path)
    asked = ("--config", env["GATEWAY_CONFIG"], "--model", "openrouter/large", "--no-tools")
    async with at_terminal(*asked, env=env) as terminal:
        await terminal.shows("> ")
        terminal.type("My name is Ada.\r")
        await terminal.shows("> ")
        terminal.type("Count!\r")
        await terminal.shows("word2")
        terminal.type("\x03")
        await llm.rests()
        await terminal.shows("interrupted")
        for question in ("Who am I?\r", "/new\r", "Who am I?\r"):
            await terminal.shows("> ")
            terminal.type(question)
        await terminal.shows("No idea.")
        await terminal.shows("> ")
        terminal.type("\x04")
        assert await terminal.ends() == 0
    assert "Traceback" not in terminal.said
    remembering, anew = (_said(request.body) for request in llm.requests[2:])
    assert remembering == ["My name is Ada.", "Hello Ada.", "Who am I?"]
    assert anew == ["Who am I?"]
    assert "tools" not in llm.requests[0].body


async def test_told_to_end_it_closes_the_gateway_that_it_opened(
    llm: LlmStandIn, tmp_path: Path
) -> None:
    llm.script("large", Answer(tokens=99, hold_after=3, hold=asyncio.Event()))
    env = environment(llm, tmp_path)
    asked = ("--config", env["GATEWAY_CONFIG"], "--model", "openrouter/large")
    async with at_terminal("Count!", *asked, env=env) as terminal:
        await terminal.shows("word2")
        terminal.signal(signal.SIGTERM)
        assert await terminal.ends() == 128 + signal.SIGTERM
        await llm.rests()
    assert "Traceback" not in terminal.said


def test_the_gateway_of_a_chat_serves_only_whoever_has_its_key(tmp_path: Path) -> None:
    config = load(
        environment={
            "MCP_DATABASE_DIR": str(tmp_path),
            "GATEWAY_API_KEYS": "olga=gw_the-key-of-olga-1",
            "GATEWAY_PUBLIC_URL": "https://gateway.example.com",
        }
    )
    with private_gateway(config, is_demo=True) as address:
        for key in (None, "gw_the-key-of-olga-1"):
            with Client(address.url, key=key) as stranger:
                with pytest.raises(Unauthenticated):
                    stranger.chat("Hello!")
                with pytest.raises(Unauthenticated, match="sends the one in GATEWAY_API_KEY"):
                    Chat(stranger).asking("Hello!").__enter__()
        with Client(address.url, key=address.key) as owner:
            assert "This is a demo" in owner.chat("Hello!").text
            assert [line.group["caller"] for line in owner.usage(group_by=["caller"]).lines] == [
                "local"
            ]
            assert owner.search("bitcoin")[0].url.startswith("https://gateway.example.com/")


def test_without_a_gateway_one_is_opened_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.environ", {**own_environment(), "MCP_DATABASE_DIR": str(tmp_path)})
    usual = f"http://127.0.0.1:{free_port()}"
    asked = Asked(
        message="Hello!",
        model="auto",
        tools=("*",),
        session=None,
        system=None,
        url=None,
        config=None,
        is_demo=False,
        as_json=False,
        log_level="error",
        usual_url=usual,
    )
    with pytest.raises(GatewayError, match="no model provider is configured"):
        run(asked)
    said = " ".join(capsys.readouterr().err.split())
    assert f"no gateway answers at {usual}, so this chat opens one of its own" in said


async def test_the_demo_needs_no_key_and_speaks_json(tmp_path: Path) -> None:
    env = {"MCP_DATABASE_DIR": str(tmp_path)}
    told = await ran("search", "--demo-llm", "--json", env=env)
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert lines[0]["type"] == "function_call"
    assert lines[0]["name"] == "search"
    assert lines[-1]["text"].startswith("This is a demo")
    assert lines[-1]["rounds"][0]["called"][0]["name"] == "search"
    assert told.code == 0


def _said(body: Mapping[str, Any]) -> list[str]:
    return [
        message["content"]
        if isinstance(message["content"], str)
        else "".join(part["text"] for part in message["content"])
        for message in body["messages"]
    ]
