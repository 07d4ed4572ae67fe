"""The shipped nginx configuration, in the real nginx: before stand-ins, and before the gateway."""

import asyncio
import json
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
import openai
import pytest
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.stand_ins.certificates import Authority
from tests.stand_ins.gadgets import Gadgets, serve_doors
from tests.stand_ins.gateway_process import free_port, running_gateway
from tests.stand_ins.http_server import serve
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.machine import need
from tests.stand_ins.nginx_process import NginxProcess, adapt, running_nginx

STREAM_PATHS = ("/sse", "/sse/", "/mcp", "/mcp/")
ALL_STREAM_PATHS = (*STREAM_PATHS, *(f"/research{path}" for path in STREAM_PATHS))
ASKING_PATHS = ("/v1/chat/completions", "/ask", "/context/alex")
PATIENCE_SECONDS = 2


@asynccontextmanager
async def behind_nginx(folder: Path, app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as url:
        with running_nginx(folder, upstream_url=url, https_port=free_port()) as nginx:
            async with client_of(nginx) as client:
                yield client


def client_of(nginx: NginxProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=nginx.base_url, verify=nginx.trust(), trust_env=False)


def openais_client_of(nginx: NginxProcess) -> httpx2.AsyncClient:
    """What OpenAI's own SDK sends its requests with."""
    return httpx2.AsyncClient(verify=nginx.trust(), trust_env=False)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what reached it, behind nginx."""
    request = Request(scope, receive)
    seen = {
        "method": request.method,
        "path": f"{scope['raw_path'].decode()}?{request.url.query}",
        "headers": dict(request.headers),
        "body_bytes": len(await request.body()),
    }
    await JSONResponse(seen)(scope, receive, send)


class PatientStream:
    """Sends its second event only once its first was seen, and no header against buffering."""

    def __init__(self) -> None:
        self.first_was_seen = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = StreamingResponse(self._events(), media_type="text/event-stream")
        await stream(scope, receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await self.first_was_seen.wait()
        yield b"data: second\n\n"


def test_nginx_accepts_the_shipped_file(tmp_path: Path) -> None:
    identity = Authority(tmp_path).issue("127.0.0.1")
    adapted = adapt(
        tmp_path,
        identity=identity,
        upstream_url="http://127.0.0.1:3001",
        https_port=free_port(),
        http_port=free_port(),
    )
    tried = subprocess.run(
        [need("nginx"), "-t", "-p", str(tmp_path), "-e", "stderr", "-c", str(adapted)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr


async def test_an_event_passes_at_once_and_uncompressed_on_every_stream(tmp_path: Path) -> None:
    upstream = PatientStream()
    async with behind_nginx(tmp_path, upstream) as client:
        for path in (*ALL_STREAM_PATHS, *ASKING_PATHS):
            upstream.first_was_seen.clear()
            async with asyncio.timeout(5), client.stream("GET", path) as answer:
                assert answer.status_code == 200, path
                assert "content-encoding" not in answer.headers, path
                events = answer.aiter_raw()
                assert await anext(events) == b"data: first\n\n", path
                upstream.first_was_seen.set()
                assert await anext(events) == b"data: second\n\n", path


async def test_pages_are_compressed_where_the_operator_wants_it(tmp_path: Path) -> None:
    # So that the test above proves something: gzip is on, but for streams.
    async with behind_nginx(tmp_path, echo) as client:
        assert (await client.get("/data/ticker:BTCUSDT")).headers["content-encoding"] == "gzip"


async def test_no_spelling_of_a_path_redirects(tmp_path: Path) -> None:
    bare = (*ALL_STREAM_PATHS, *ASKING_PATHS, "/messages", "/messages/", "/research/messages/",
            "/data", "/health", "/v1/", "/ask/", "/context")  # fmt: skip
    async with behind_nginx(tmp_path, echo) as client:
        for path in bare:
            for method in ("GET", "POST"):
                answer = await client.request(method, path)
                assert answer.status_code == 200, f"{method} {path}"
                assert answer.json()["path"] == f"{path}?", f"{method} {path}"


async def test_paths_and_queries_pass_as_they_were_written(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, echo) as client:
        for path in (
            "/data/klines%3ABTCUSDT%3A4h?as=json%20please",
            "/data/a%2Fb?",
            "/messages/?session_id=0123456789abcdef",
        ):
            assert (await client.get(path)).json()["path"] == path


async def test_the_gateway_learns_who_asks_and_nobody_can_pretend(tmp_path: Path) -> None:
    forged = {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/evil",
        "forwarded": "for=203.0.113.9",
    }
    async with behind_nginx(tmp_path, echo) as client:
        headers = (await client.post("/mcp", headers=forged)).json()["headers"]
        asked = urlsplit(str(client.base_url)).netloc
    assert headers["host"] == asked
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == asked
    assert headers["x-forwarded-proto"] == "https"
    assert headers.keys().isdisjoint({"x-forwarded-prefix", "forwarded", "connection"})


async def test_headers_of_the_protocol_reach_the_gateway(tmp_path: Path) -> None:
    sent = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "search",
        "mcp-session-id": "one",
        "last-event-id": "7",
        "authorization": "Bearer key",
        "origin": "https://chatgpt.com",
    }
    async with behind_nginx(tmp_path, echo) as client:
        seen = (await client.post("/mcp", headers=sent)).json()["headers"]
    assert sent.items() <= seen.items()


async def test_a_body_over_4_mib_is_refused_before_it_reaches_the_gateway(tmp_path: Path) -> None:
    limit_bytes = 4 * 1024 * 1024
    async with behind_nginx(tmp_path, echo) as client:
        for path in ("/mcp", "/sse/", "/messages/"):
            allowed = await client.post(path, content=b"x" * limit_bytes)
            assert allowed.json()["body_bytes"] == limit_bytes, path
            refused = await client.post(path, content=b"x" * 5_000_000)
            assert refused.status_code == 413, path


async def test_a_picture_of_20_mb_passes_and_more_than_32_mib_does_not(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, echo) as client:
        passed = await client.post("/v1/chat/completions", content=b"x" * 20_000_000)
        assert passed.json()["body_bytes"] == 20_000_000
        refused = await client.post("/v1/chat/completions", content=b"x" * (32 * 1024**2 + 1))
        assert refused.status_code == 413


async def test_metrics_are_not_for_those_outside(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, echo) as client:
        for path in ("/metrics", "/metrics/", "/metrics?x=y", "/%6Detrics", "/v1/../metrics"):
            answer = await client.get(path, headers={"authorization": "Bearer gw_key"})
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), path


async def test_no_log_of_nginx_holds_a_query_a_document_id_or_a_user(tmp_path: Path) -> None:
    secrets = (
        "/messages/?session_id=sesame",
        "/context/sesame?most=sesame",
        "/v1/usage?caller=sesame",
        "/data/sesame?q=sesame",
        "/?q=sesame",
        "/mcp?key=sesame",
    )
    async with behind_nginx(tmp_path, echo) as client:
        for path in secrets:
            await client.get(path)
            await client.post(path, content=b"x" * 5_000_000)
    nowhere = f"http://127.0.0.1:{free_port()}"
    with running_nginx(tmp_path / "away", upstream_url=nowhere, https_port=free_port()) as nginx:
        async with client_of(nginx) as client:
            for path in secrets:
                assert (await client.get(path)).status_code == 503
                await client.get(f"{nginx.plain_url}{path}")
    logs = _logs_in(tmp_path)
    assert 'path="/messages/"' in logs
    assert 'path="/data/..."' in logs
    assert 'path="/context/..."' in logs
    assert "sesame" not in logs


async def test_plain_http_is_sent_to_https_with_its_method_kept(tmp_path: Path) -> None:
    with running_nginx(
        tmp_path, upstream_url=f"http://127.0.0.1:{free_port()}", https_port=free_port()
    ) as nginx:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{nginx.plain_url}/sse/?a=b", headers={"host": "evil"})
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://127.0.0.1/sse/?a=b"


async def test_a_gateway_that_is_away_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    with running_nginx(
        tmp_path, upstream_url=f"http://127.0.0.1:{free_port()}", https_port=free_port()
    ) as nginx:
        async with client_of(nginx) as client:
            for path in ("/mcp", "/messages/?session_id=1", "/data/ticker:BTCUSDT", "/health"):
                answer = await client.post(path)
                assert answer.status_code == 503, path
                assert answer.headers["content-type"] == "application/problem+json", path
                seconds = answer.json()["retry_after_seconds"]
                assert answer.headers["retry-after"] == str(seconds), path


async def test_openais_client_understands_a_gateway_that_is_away(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with running_nginx(tmp_path, upstream_url=nowhere, https_port=free_port()) as nginx:
        async with openais_client_of(nginx) as http:
            client = openai.AsyncOpenAI(
                base_url=f"{nginx.base_url}/v1", api_key="gw_key", http_client=http, max_retries=0
            )
            with pytest.raises(openai.InternalServerError) as refused:
                await client.models.list()
    assert refused.value.status_code == 503
    assert refused.value.code == "unavailable"


async def test_an_error_of_the_gateway_passes_as_it_is(tmp_path: Path) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"code": "bad_answer"}, 502)(scope, receive, send)

    async with behind_nginx(tmp_path, failing) as client:
        answer = await client.get("/data/ticker:BTCUSDT")
    assert (answer.status_code, answer.json()) == (502, {"code": "bad_answer"})


def test_it_speaks_http_2_over_modern_tls(front: NginxProcess) -> None:
    address = urlsplit(front.base_url)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = front.trust()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection((address.hostname, address.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=address.hostname) as secure,
        ):
            assert secure.selected_alpn_protocol() == "h2", version


def test_over_http_2_the_first_event_of_a_stream_arrives_within_300_ms(
    front: NginxProcess,
) -> None:
    # The best of three: this machine may be busy with something else.
    assert min(_seconds_to_first_event(front) for _ in range(3)) < 0.3


def _seconds_to_first_event(front: NginxProcess) -> float:
    command = [need("curl"), "--http2", "--silent", "--no-buffer", "--max-time", "10"]
    command += ["--compressed", "--cacert", str(front.ca_file), f"{front.base_url}/sse/"]
    started_at = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        first = curl.stdout.readline()
        seconds = time.monotonic() - started_at
        curl.terminate()
    assert first == b"event: endpoint\r\n"
    return seconds


async def test_the_gateway_answers_on_every_spelling_behind_nginx(front: NginxProcess) -> None:
    async with client_of(front) as client:
        for path in ALL_STREAM_PATHS:
            answer = await client.post(path, json=_request(1, "tools/list"))
            assert answer.status_code == 200, path
            assert answer.json()["result"]["tools"], path
            async with client.stream("GET", path) as stream:
                assert stream.status_code == 200, path
                assert stream.headers["content-type"].startswith("text/event-stream"), path


async def test_a_chat_streams_piece_by_piece_behind_nginx(tmp_path: Path) -> None:
    first_was_seen, port = asyncio.Event(), free_port()
    text = Answer(pieces=("first ", "second"), hold_after=1, hold=first_was_seen)
    async with LlmStandIn("nanogpt") as provider, AsyncExitStack() as stack:
        provider.always("*", text)
        key = {"NANOGPT_API_KEY": "sk-one", "GATEWAY_API_KEYS": "tester=gw_0123456789abcdef"}
        gateway = running_gateway(
            "--public-url", f"https://127.0.0.1:{port}",
            env={**key, "NANOGPT_BASE_URL": provider.base_url},
        )  # fmt: skip
        # In a thread: while it starts, it asks the provider here for its models.
        running = await asyncio.to_thread(stack.enter_context, gateway)
        nginx = stack.enter_context(
            running_nginx(tmp_path, upstream_url=running.base_url, https_port=port)
        )
        client = openai.AsyncOpenAI(
            base_url=f"{nginx.base_url}/v1",
            api_key="gw_0123456789abcdef",
            http_client=await stack.enter_async_context(openais_client_of(nginx)),
            max_retries=0,
        )
        async with asyncio.timeout(10):
            chunks = await client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            said = [chunk.choices[0].delta.content or "" async for chunk in _seen(chunks, text)]
    assert "".join(said) == "first second"


async def test_what_is_cited_opens_behind_nginx(front: NginxProcess) -> None:
    search = {"name": "search", "arguments": {"query": "price of bitcoin"}}
    async with client_of(front) as client:
        answer = await client.post("/mcp", json=_request(1, "tools/call", **search))
        url = answer.json()["result"]["structuredContent"]["results"][0]["url"]
        assert url.startswith(f"{front.base_url}/data/")
        page = await client.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


async def test_no_header_is_sent_by_nginx_and_by_the_gateway(front: NginxProcess) -> None:
    async with client_of(front) as client:
        for path in ("/", "/data/ticker:BTCUSDT", "/data/nothing:here", "/health"):
            answer = await client.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000", path
            counted = Counter(name for name, _ in answer.headers.multi_items())
            assert counted == dict.fromkeys(counted, 1), path


async def test_a_foreign_host_is_refused_behind_nginx_too(front: NginxProcess) -> None:
    async with client_of(front) as client:
        answer = await client.post("/mcp", headers={"host": "evil.example"})
    assert answer.status_code == 421


async def test_a_stream_that_is_idle_beyond_nginxs_patience_gets_its_pings_and_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both much shorter than as shipped: a ping in 15 s, and an hour.
    assert EventSourceResponse.DEFAULT_PING_INTERVAL == 15
    monkeypatch.setattr(EventSourceResponse, "DEFAULT_PING_INTERVAL", PATIENCE_SECONDS / 4)
    impatient = {"proxy_read_timeout 3600s;": f"proxy_read_timeout {PATIENCE_SECONDS}s;"}
    async with serve_doors(Gadgets()) as url:
        with running_nginx(
            tmp_path, upstream_url=url, https_port=free_port(), changed=impatient
        ) as nginx:
            async with (
                asyncio.timeout(30),
                client_of(nginx) as client,
                client.stream("GET", "/sse/") as answer,
            ):
                lines = answer.aiter_lines()
                messages = await _next_of(lines, "data: ")
                for _ in range(10):
                    await _next_of(lines, ":")
                sent = await client.post(messages, json=_request(1, "ping"))
                assert sent.status_code == 202
                result = await _next_of(lines, "data: ")
    assert json.loads(result) == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def _next_of(lines: AsyncIterator[str], beginning: str) -> str:
    """What follows the beginning, in the next line that has it."""
    async for line in lines:
        if line.startswith(beginning):
            return line.removeprefix(beginning)
    raise EOFError(f"the stream ended before a line with {beginning!r}")


async def _seen(chunks: AsyncIterator[Any], held: Answer) -> AsyncIterator[Any]:
    """The chunks; once the first was seen, the provider may say more."""
    async for chunk in chunks:
        yield chunk
        if held.hold:
            held.hold.set()


def _logs_in(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.rglob("*.log"))


def _request(id_: int, method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


async def test_a_flood_of_posts_is_refused_but_reading_is_not(tmp_path: Path) -> None:
    # Nobody is behind it, so that the flood is as fast as nginx: 503 is what it let pass.
    nowhere = f"http://127.0.0.1:{free_port()}"
    with running_nginx(tmp_path, upstream_url=nowhere, https_port=free_port()) as nginx:
        assert await _flood(nginx, "GET") == {"503": 1500}
        posted = await _flood(nginx, "POST")
    assert posted["503"] >= 500
    assert posted["429"] > 0
    assert posted.total() == 1500


async def _flood(nginx: NginxProcess, method: str) -> Counter[str]:
    """The statuses that 1500 requests were answered with; all say when to come back."""
    flood = await asyncio.create_subprocess_exec(
        need("curl"), "--http2", "--parallel", "--silent", "--cacert", str(nginx.ca_file),
        "--request", method, "--output", "/dev/null",
        "--write-out", "%{http_code} %header{retry-after}\n", f"{nginx.base_url}/mcp?[1-1500]",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await flood.communicate()
    answers = [line.split() for line in said.decode().splitlines()]
    assert all(seconds == "5" for _, seconds in answers)
    return Counter(status for status, _ in answers)
