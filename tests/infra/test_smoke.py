"""The smoke script, run as an operator would: against a gateway, through nginx, and in trouble."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp

from tests.stand_ins.gateway_process import free_port, running_gateway
from tests.stand_ins.http_server import serve
from tests.stand_ins.machine import need
from tests.stand_ins.nginx_process import NginxProcess

SCRIPT = Path(__file__).parents[1] / "acceptance" / "curl_sse_smoke.sh"


async def smoke(*arguments: str, folder: Path | None = None) -> tuple[int | None, Sequence[str]]:
    """How the script ended, and the lines that it printed; its own files go into `folder`."""
    need("curl")
    environment = {**os.environ, "NO_PROXY": "*", **({"TMPDIR": str(folder)} if folder else {})}
    script = await asyncio.create_subprocess_exec(
        str(SCRIPT),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        # Ends only when nobody holds its output any more: a curl left behind would.
        output, _ = await script.communicate()
    return script.returncode, output.decode().splitlines()


async def test_a_gateway_with_embedded_defaults_passes() -> None:
    with running_gateway() as gateway:
        status, lines = await smoke(gateway.base_url)
    assert status == 0, "\n".join(lines)
    assert lines[-1] == f"all well: {gateway.base_url}"
    steps = lines[:-1]
    assert all(step.startswith("ok ") for step in steps)
    for door in ("sse", "mcp"):
        assert any(step.endswith(f"{door} search finds something") for step in steps)
        assert any(step.endswith("has its text") and f" {door} fetch" in step for step in steps)


async def test_a_gateway_behind_nginx_passes(front: NginxProcess) -> None:
    status, lines = await smoke(front.base_url, str(front.ca_file))
    assert status == 0, "\n".join(lines)


async def test_a_certificate_that_nobody_vouches_for_fails(front: NginxProcess) -> None:
    status, lines = await smoke(front.base_url)
    assert status == 1
    assert "certificate" in lines[-1]


async def test_nobody_there_fails_at_the_first_step_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    status, lines = await smoke(f"http://127.0.0.1:{free_port()}", folder=tmp_path)
    assert status == 1
    assert [line.split(":")[0] for line in lines] == ["FAILED  sse connect"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (RedirectResponse("/elsewhere/"), "HTTP 307"),
        (PlainTextResponse("Not Found", 404), "HTTP 404"),
        (PlainTextResponse("data: nonsense\n\n"), "HTTP 200"),
    ],
)
async def test_a_server_that_is_no_gateway_fails_with_the_reason(app: ASGIApp, reason: str) -> None:
    async with serve(app) as url:
        status, lines = await smoke(url)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith("FAILED  sse connect: the stream ended")
    assert reason in lines[0]


async def test_without_a_url_it_says_how_it_is_used() -> None:
    status, lines = await smoke()
    assert status == 2
    assert lines[0].startswith("usage: ")
