"""A newcomer without any key: `gateway serve`, with a demo model or with none."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.stand_ins.gateway_process import GatewayProcess, running_gateway

SECONDS = 30


@pytest.fixture(scope="module")
def demo() -> Iterator[GatewayProcess]:
    with running_gateway("--demo-llm") as process:
        yield process


def test_it_says_that_answers_are_a_demo_and_how_to_get_one(demo: GatewayProcess) -> None:
    demo.wait_until(lambda: "ask a model:" in demo.log())
    log = demo.log()
    assert "answers of demo models are a DEMO" in log
    [command] = re.findall(r"^ +(curl .*)$", log, re.MULTILINE)
    said = subprocess.run(
        [*shlex.split(command), "--silent", "--fail-with-body", "--noproxy", "*"],
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    answer = json.loads(said.stdout)
    assert "This is a demo" in answer["answer"]
    assert answer["model"] == "demo/demo-free"
    assert (answer["tier"], answer["cost_usd"]) == ("free", 0)


def test_a_chat_is_streamed_and_counted(demo: GatewayProcess) -> None:
    body = {
        "model": "demo/demo-paid",
        "messages": [{"role": "user", "content": "Hello!"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with httpx.stream(
        "POST", f"{demo.base_url}/v1/chat/completions", json=body, timeout=SECONDS
    ) as answer:
        assert answer.headers["x-gateway-tier"] == "paid"
        lines = [line for line in answer.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert len(events) > 10
    cost = events[-1]["usage"]["cost"]
    assert cost > 0
    used = httpx.get(f"{demo.base_url}/v1/usage", params={"model": "demo/demo-paid"}).json()
    assert used["total"]["calls"] == 1
    assert used["total"]["charged_usd"] == pytest.approx(cost)


def test_without_any_provider_it_says_in_one_sentence_what_to_set() -> None:
    with running_gateway() as process:
        process.wait_until(lambda: "is ready" in process.log())
        lines = [line for line in process.log().splitlines() if "NANOGPT_API_KEY" in line]
        assert len(lines) == 1
        assert lines[0].startswith("no model provider is configured: set NANOGPT_API_KEY")
        assert "curl" not in process.log()
        refused = httpx.post(
            f"{process.base_url}/ask", json={"message": "Hello!"}, timeout=SECONDS
        ).json()
        assert "set NANOGPT_API_KEY" in refused["detail"]
        assert httpx.get(f"{process.base_url}/data/ticker:BTCUSDT.json").is_success
