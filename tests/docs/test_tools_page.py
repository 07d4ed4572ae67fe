"""What docs/tools.md and docs/clients.md show is what happens."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.config.settings import load
from gateway.config.tool_loop import LoopConfig
from gateway.config.tools_file import INHERITED, McpServerConfig
from gateway.conversations import MOST_MESSAGES
from gateway.llm.loop.offered import MOST_TOOLS
from gateway.llm.sessions import AUTOMATIC_TOKENS
from gateway.stored_responses import KEPT_FOR, MOST_BYTES, MOST_RESPONSES
from tests.stand_ins.gateway_process import GatewayProcess, own_environment, running_gateway

ROOT = Path(__file__).parents[2]
TOOLS = (ROOT / "docs" / "tools.md").read_text("utf-8")
CLIENTS = (ROOT / "docs" / "clients.md").read_text("utf-8")
KEY = "gw_0123456789abcdef"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def commands(page: str, beginning: str) -> list[list[str]]:
    """Each command of the page's shell blocks that begins so, as a shell would split it."""
    lines = "\n".join(blocks(page, "sh"))
    whole = re.split(rf"^(?={beginning})", lines, flags=re.MULTILINE)[1:]
    return [split_at_end(one) for one in whole]


def split_at_end(text: str) -> list[str]:
    """The first command of a text: as many lines as its quotes take."""
    taken = ""
    for line in text.splitlines(keepends=True):
        taken += line
        try:
            return shlex.split(taken, comments=True)
        except ValueError:
            continue
    raise ValueError(f"no quote is closed in {text!r}")


def write_settings(folder: Path) -> Path:
    """The settings that both pages print, but for what runs the demonstration server."""
    (settings,) = blocks(TOOLS, "yaml")
    tools = yaml.safe_load(settings)
    uv, run, *arguments = tools["servers"]["tasks"]["command"]
    assert (uv, run, arguments[0]) == ("uv", "run", "python")
    tools["servers"]["tasks"] |= {"command": [sys.executable, *arguments[1:]], "cwd": str(ROOT)}
    (folder / "tools.yaml").write_text(yaml.safe_dump(tools), "utf-8")
    aliases = yaml.safe_load(blocks(CLIENTS, "yaml")[0])
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump({**aliases, "tools_file": "tools.yaml"}), "utf-8")
    return file


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    settings = write_settings(tmp_path_factory.mktemp("settings"))
    keys = {"GATEWAY_API_KEYS": f"tester={KEY}"}
    with running_gateway("--demo-llm", "--config", str(settings), env=keys) as running:
        running.wait_until(lambda: "mcp=tasks state=up" in running.log())
        yield running


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(
        base_url=gateway.base_url, headers=headers, trust_env=False, timeout=30
    ) as one:
        yield one


def run_curl(command: list[str], url: str) -> str:
    filled = [word.replace("http://127.0.0.1:3001", url) for word in command]
    ran = subprocess.run(
        [*filled, "--fail-with-body", "-H", f"authorization: Bearer {KEY}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def run_gateway(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments, "--url", url],
        env={**own_environment(), "GATEWAY_API_KEY": KEY},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_every_request_of_the_page_is_answered(gateway: GatewayProcess) -> None:
    asked = commands(TOOLS, "curl")
    assert len(asked) >= 7
    answers = [run_curl(command, gateway.base_url) for command in asked]
    assert "The tools said: Result of search (gateway)" in answers[0]
    assert any("My name is Sam." in one and '"user_id":"plans"' in one for one in answers)
    assert any('"removed":4' in one for one in answers)


def test_the_events_are_those_that_are_printed(gateway: GatewayProcess) -> None:
    (command,) = (one for one in commands(TOOLS, "curl") if "x-gateway-events: tools" in one)
    printed = next(block for block in blocks(TOOLS, "") if "event: function_call" in block)
    assert shape(events(run_curl(command, gateway.base_url))) == shape(events(printed))


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = re.findall(r"^event: (\w+)\ndata: (.*)$", text, re.MULTILINE)
    return [(name, json.loads(told)) for name, told in found]


def shape(told: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str, str, list[str]]]:
    """Without what differs from call to call; calls that run at once end in any order."""
    return sorted((kind, one["name"], one["server"], list(one)) for kind, one in told)


def test_the_detail_of_each_round_is_as_printed(client: httpx.Client) -> None:
    (printed,) = (json.loads(one) for one in blocks(TOOLS, "json") if '"rounds"' in one)
    (command,) = (one for one in commands(TOOLS, "curl") if "x-gateway-events: tools" in one)
    body = {**json.loads(command[-1]), "stream": False}
    answer = client.post("/v1/chat/completions", json=body).json()
    assert answer["usage"].keys() >= printed["usage"].keys()
    first, shown = answer["gateway"]["rounds"][0], printed["gateway"]["rounds"][0]
    assert first.keys() == shown.keys()
    assert first["tool_calls"][0].keys() == shown["tool_calls"][0].keys()
    sums = [one["usage"]["total_tokens"] for one in answer["gateway"]["rounds"]]
    assert answer["usage"]["total_tokens"] == sum(sums)


def test_the_lines_of_tools_are_as_printed(client: httpx.Client) -> None:
    (printed,) = (json.loads(one) for one in blocks(TOOLS, "json") if "tool_usage" in one)
    answer = client.get("/v1/usage/tools").json()
    assert answer.keys() == printed.keys()
    assert all(line.keys() == printed["lines"][0].keys() for line in answer["lines"])


def test_a_call_that_is_approved_runs_and_one_that_is_not_does_not(client: httpx.Client) -> None:
    (shown,) = (json.loads(one) for one in blocks(TOOLS, "json") if "mcp_approval_response" in one)
    for approve, said in ((True, '"id":'), (False, "the user did not allow this call")):
        asked = {"model": "auto", "input": "Use create_task.", "tools": shown["tools"]}
        first = client.post("/v1/responses", json=asked).json()
        (request,) = (one for one in first["output"] if one["type"] == "mcp_approval_request")
        (reply,) = shown["input"]
        reply |= {"approval_request_id": request["id"], "approve": approve}
        body = {**shown, "previous_response_id": first["id"], "input": [reply]}
        second = client.post("/v1/responses", json=body).json()
        kinds = [item["type"] for item in second["output"]]
        assert kinds == (["mcp_call", "message"] if approve else ["message"])
        assert said in second["output"][-1]["content"][0]["text"]


def test_a_tool_that_destroys_is_offered_by_its_name_only(client: httpx.Client) -> None:
    calls = []
    for wish in (True, ["*"], ["delete_task"]):
        question = {"role": "user", "content": "Use delete_task."}
        body = {"model": "auto", "messages": [question], "gateway_tools": wish}
        answer = client.post("/v1/chat/completions", json=body).json()
        called = answer["gateway"]["rounds"][0]["tool_calls"]
        calls.append([one["name"] for one in called])
    assert calls[2] == ["delete_task"]
    assert "delete_task" not in (*calls[0], *calls[1])


def test_a_chat_in_the_terminal_shows_what_the_pages_promise(gateway: GatewayProcess) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    asked = 'uv run gateway chat --demo-llm "Please search for the price of bitcoin."'
    assert asked in readme
    assert asked in TOOLS
    said = run_gateway("chat", shlex.split(asked)[-1], url=gateway.base_url)
    assert "search (gateway)" in said.stderr
    assert "BTC/USDT" in said.stdout
    tasks = next(one for one in commands(TOOLS, "GATEWAY_TOOLS") if "chat" in one)
    said = run_gateway("chat", tasks[-1], url=gateway.base_url)
    assert "create_task (tasks)" in said.stderr
    assert "list_tasks (tasks)" in said.stderr


def test_the_variable_names_the_file_and_the_tools_are_listed(tmp_path: Path) -> None:
    write_settings(tmp_path)
    named = {"GATEWAY_TOOLS": str(tmp_path / "tools.yaml"), "MCP_DATABASE_DIR": str(tmp_path)}
    listed = subprocess.run(
        [sys.executable, "-m", "gateway", "tools"],
        env={**own_environment(), **named},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    effects = dict(re.findall(r"^(\w+)  \(tasks, (\w+)\)", listed.stdout, re.MULTILINE))
    assert effects == {
        "calculate": "read",
        "create_task": "write",
        "delete_task": "destroy",
        "list_tasks": "read",
    }


def test_the_numbers_are_those_of_the_program() -> None:
    loop, server = LoopConfig(), McpServerConfig(url="http://127.0.0.1")
    for said in (
        f"| rounds | {loop.max_rounds} |",
        f"| calls in all | {loop.max_calls};",
        f"| calls at once | {loop.max_parallel};",
        f"| a call | {loop.call_seconds:g} s,",
        f"| a result | {loop.max_result_characters:,} characters;",
        f"{server.deadline_seconds:g} s for a call with everything; {server.max_concurrent} calls",
        ", ".join(f"`{name}`" for name in INHERITED),
        f"may have {MOST_TOOLS} tools",
        f"into {AUTOMATIC_TOKENS:,} tokens",
        f"The last {MOST_MESSAGES:,} messages",
    ):
        assert said in " ".join(TOOLS.split()), said
    assert all(f"`{name}`" in TOOLS for name in LoopConfig.model_fields)
    for said in (f"{KEPT_FOR.days} days", f"{MOST_RESPONSES:,} answers", f"{MOST_BYTES >> 20} MiB"):
        assert said in CLIENTS, said


def test_codex_finds_the_door_that_its_settings_name(client: httpx.Client) -> None:
    codex = tomllib.loads(blocks(CLIENTS, "toml")[0])
    provider = codex["model_providers"][codex["model_provider"]]
    assert provider["wire_api"] == "responses"
    path = provider["base_url"].removeprefix("http://127.0.0.1:3001")
    body = {"model": codex["model"], "input": "Hello", "stream": True, "store": False}
    answer = client.post(f"{path}/responses", json=body)
    assert "event: response.completed" in answer.text


def test_claude_code_finds_the_door_and_the_models_that_its_settings_name(
    client: httpx.Client,
) -> None:
    exported = dict(re.findall(r"^export (\w+)=(\S+)$", CLIENTS, re.MULTILINE))
    assert exported["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:3001"
    aliases = yaml.safe_load(blocks(CLIENTS, "yaml")[0])["aliases"]
    named = [value for name, value in exported.items() if name.endswith("_MODEL")]
    dated = re.findall(r"`(claude-[\w-]+-\d{8})`", CLIENTS)
    assert dated
    assert len(named) == 2
    for model in (*aliases, *named, *dated):
        question = {"role": "user", "content": "Hello"}
        answer = client.post(
            "/v1/messages", json={"model": model, "max_tokens": 50, "messages": [question]}
        )
        assert answer.json()["content"][0]["text"].startswith("This is a demo"), model


def test_a_key_has_the_tools_that_its_settings_name(tmp_path: Path) -> None:
    (settings,) = (one for one in blocks(CLIENTS, "yaml") if "gateway_tools" in one)
    file = tmp_path / "gateway.yaml"
    file.write_text(settings.replace('"…"', f'"{"0" * 64}"'), "utf-8")
    (caller,) = load(file, environment={}).callers.values()
    assert caller.gateway_tools == ("search", "fetch", "list_*")
