"""`gateway stdio`, started by the official client as desktop clients start it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.stand_ins.gateway_process import own_environment
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import refused, said

SECONDS = 60
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@asynccontextmanager
async def session(folder: Path, **env: str) -> AsyncIterator[ClientSession]:
    """As the snippet in docs/mcp-clients.md says it, but with this Python."""
    page = Path(__file__).parents[2] / "docs" / "mcp-clients.md"
    [snippet] = re.findall(r"```json\n(\{.*?\"stdio\".*?\})\n```", page.read_text("utf-8"), re.S)
    server = json.loads(snippet)["mcpServers"]["gateway"]
    assert server["args"][-2:] == ["gateway", "stdio"]
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", *server["args"][-2:]],
        env={**own_environment(), "MCP_DATABASE_DIR": str(folder), **env},
    )
    with (folder / "errors.log").open("w") as log:
        async with (
            stdio_client(parameters, errlog=log) as (read, write),
            ClientSession(read, write) as session,
        ):
            yield session


async def test_the_official_client_uses_the_tools_as_an_owner(tmp_path: Path) -> None:
    async with (
        LlmStandIn("nanogpt", offers=[Offer("included", is_included=True)]) as stand_in,
        session(
            tmp_path, NANOGPT_API_KEY="sk-of-the-stand-in", NANOGPT_BASE_URL=stand_in.base_url
        ) as opened,
    ):
        assert (await opened.initialize()).server_info.name == "Gateway"
        names = [tool.name for tool in (await opened.list_tools()).tools]
        assert names[:2] == ["search", "fetch"]
        assert "create_chat_completion" in names
        found = said(await opened.call_tool("search", {"query": "bitcoin price"}))
        assert found["results"][0]["id"] == "ticker:BTCUSDT"
        answer = said(await opened.call_tool("create_chat_completion", {"prompt": "Hello!"}))
        assert answer["model"] == "nanogpt/included"
        spent = said(await opened.call_tool("fetch", {"id": "usage:today"}))
        assert "local" in spent["text"]
        unknown = await opened.call_tool("fetch", {"id": "ticker:BTCUSDTT"})
        assert "Did you mean: ticker:BTCUSDT" in refused(unknown)
    assert "sk-of-the-stand-in" not in (tmp_path / "errors.log").read_text()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Already answering; it said nothing before."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "stdio", "--log-level", "info"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**own_environment(), "MCP_DATABASE_DIR": str(tmp_path)},
    ) as process:
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"not JSON\n{json.dumps(INITIALIZE)}\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["result"]["serverInfo"]["name"] == "Gateway"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to_though_its_input_is_still_open(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    process.send_signal(number)
    assert process.wait(SECONDS) == 0


def test_it_ends_with_its_input_and_logs_to_standard_error_only(
    process: subprocess.Popen[str],
) -> None:
    rest, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert rest == ""
    assert "INFO gateway." in log
    assert "Traceback" not in log


def test_a_mistake_in_the_settings_is_said_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("prot: 4000")
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "stdio", "--config", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 78
    assert ended.stdout == ""
    assert ended.stderr.startswith("gateway: gateway.yaml: prot: unknown key")
