"""Every example in docs/examples is run against the gateway as a newcomer starts it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from tests.docs.http_file import HttpRequest, requests_in
from tests.stand_ins.gateway_process import GatewayProcess, running_gateway
from tests.stand_ins.http_server import serve
from tests.stand_ins.machine import need

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.sh"))
HTTP_FILES = sorted(EXAMPLES.glob("*.http"))
KEY = "gw_0123456789abcdef"
SAID = {
    "ask.sh": "BTC/USDT",
    "benchmarks.sh": "is done: 2 of 2 answers",
    "chat.sh": "demo/demo-free (free)",
    "context.sh": "1 messages forgotten",
    "feedback.sh": "thumb up",
    "gateway_tools.sh": "calls  search of gateway",
    "json.sh": "born 1",
    "messages.sh": "calls  search of documents",
    "models.sh": "demo/demo-large",
    "responses.sh": "Your question was: And at night?",
    "routing.sh": "models are free",
    "stream.sh": "This is a demo",
    "tools.sh": "The tools said: 8 degrees, rain; 14:05",
    "usage.sh": "calls since",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with running_gateway("--demo-llm", env={"GATEWAY_API_KEYS": f"tester={KEY}"}) as running:
        yield running


def run(script: Path, url: str, *, key: str = KEY) -> subprocess.CompletedProcess[str]:
    need("curl")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [need("bash"), str(script)],
        env={"PATH": path, "GATEWAY_URL": url, "GATEWAY_KEY": key},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_there_are_examples_and_it_is_known_what_each_script_says() -> None:
    assert {script.name for script in SCRIPTS} == SAID.keys()
    assert len(HTTP_FILES) >= 8


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_shows_what_it_promises(script: Path, gateway: GatewayProcess) -> None:
    ran = run(script, gateway.base_url)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert SAID[script.name] in ran.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_fails_and_says_why_when_the_key_is_wrong(
    script: Path, gateway: GatewayProcess
) -> None:
    ran = run(script, gateway.base_url, key="gw_not_this_one")
    assert ran.returncode != 0
    assert "does not know the key" in ran.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
async def test_a_script_fails_when_the_answer_is_not_what_it_asked_for(script: Path) -> None:
    async def empty(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await JSONResponse({})(scope, receive, send)

    async with serve(empty) as url:
        # In a thread: the server is in this process.
        ran = await asyncio.to_thread(run, script, url)
    assert ran.returncode != 0, ran.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_can_be_started_and_stops_at_the_first_error(script: Path) -> None:
    assert script.stat().st_mode & 0o111 == 0o111
    text = script.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


@pytest.mark.parametrize("file", HTTP_FILES, ids=lambda file: file.name)
def test_every_request_of_a_file_is_answered_as_it_says(
    file: Path, gateway: GatewayProcess
) -> None:
    asked = list(requests_in(file, given={"url": gateway.base_url, "key": KEY}))
    assert asked
    with httpx.Client(trust_env=False, timeout=30) as client:
        for request in asked:
            answer = client.request(
                request.method, request.url, headers=request.headers, content=request.body
            )
            assert answer.status_code == request.status, f"{request.name}: {answer.text[:500]}"


@pytest.mark.parametrize("page", ["README.md", "docs/router.md", "docs/clients.md"])
def test_the_python_of_a_page_runs_as_it_stands(page: str, gateway: GatewayProcess) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        assert "http://127.0.0.1:3001" in block
        program = block.replace("http://127.0.0.1:3001", gateway.base_url)
        ran = subprocess.run(
            [sys.executable, "-c", program.replace('"none"', f'"{KEY}"')],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert "This is a demo" in ran.stdout, ran.stderr


def test_a_file_is_read_as_editors_read_it(tmp_path: Path) -> None:
    file = tmp_path / "one.http"
    file.write_text(
        "# about\n@url = http://here\n@key = mine\n\n"
        "### First\n# answers 201\n# a remark\nPOST {{url}}/a?b=c\nX-Key: {{key}}\n\n"
        '{"a": "# no comment"}\n\n'
        "###\nGET {{url}}/d\n"
    )
    assert list(requests_in(file, given={"key": "yours"})) == [
        HttpRequest(
            "First", "POST", "http://here/a?b=c", {"X-Key": "yours"}, '{"a": "# no comment"}', 201
        ),
        HttpRequest("", "GET", "http://here/d", {}, ""),
    ]
    assert json.loads(next(requests_in(file, given={})).body)


@pytest.mark.parametrize("text", ["### A\nGET {{url}}/a\n", "### A\nnothing\n", "### A\n"])
def test_a_file_that_cannot_be_meant_is_an_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "one.http"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"is not set|no request line"):
        list(requests_in(file, given={}))
