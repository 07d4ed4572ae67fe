"""Streamable HTTP on the wire, with a client that does exactly what the test says."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio
from mcp.server import _streamable_http_modern
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from sse_starlette import EventSourceResponse

from tests.stand_ins.gadgets import Gadgets, serve_doors

FOUR_SPELLINGS = ("/mcp", "/mcp/", "/sse", "/sse/")
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


# One server for the whole file: starting one takes longer than any of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve_doors(Gadgets(), deadline_seconds=0.5) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


def request(method: str, **params: Any) -> Mapping[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def call(tool: str, **arguments: Any) -> Mapping[str, Any]:
    return request("tools/call", name=tool, arguments=arguments)


def modern(message: Mapping[str, Any], **headers: str) -> Mapping[str, Any]:
    """What httpx posts for a request of 2026-07-28, which carries all that a session would know."""
    params = message["params"]
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "openai-mcp", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    sent = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": message["method"]}
    if "name" in params:
        sent["Mcp-Name"] = params["name"]
    return {
        "json": {**message, "params": {**params, "_meta": meta}},
        "headers": {**sent, **headers},
    }


def error_of(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error"]["code"]


def refusal_of(answer: httpx.Response) -> str:
    """The plain words of a tool error, after checking that it is nothing else."""
    result = answer.json()["result"]
    assert answer.status_code == 200
    assert result["isError"] is True
    [item] = result["content"]
    for telling in ("pydantic", "Traceback", "validation error", "input_value"):
        assert telling not in item["text"]
    return str(item["text"])


async def test_discovery_answers_json_with_all_that_a_client_may_cache(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/mcp", **modern(request("server/discover")))
    result = answer.json()["result"]
    assert answer.headers["content-type"] == "application/json"
    assert result["resultType"] == "complete"
    assert result["supportedVersions"] == ["2026-07-28"]
    assert "tools" in result["capabilities"]
    assert result["ttlMs"] > 0
    assert result["cacheScope"] == "private"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "gateway"


async def test_discovery_without_a_version_is_a_clean_error_and_the_connection_goes_on(
    client: httpx.AsyncClient,
) -> None:
    refused = await client.post("/mcp", json=request("server/discover"))
    assert refused.json()["error"] == {
        "code": -32601,
        "message": "Method not found",
        "data": "server/discover",
    }
    assert (await client.post("/mcp", json=PING)).json()["result"] == {}


@pytest.mark.parametrize(
    ("proposed", "agreed"),
    [*((known, known) for known in HANDSHAKE_PROTOCOL_VERSIONS), ("2099-01-01", "2025-11-25")],
)
async def test_initialize_agrees_on_the_proposed_version_or_the_newest(
    client: httpx.AsyncClient, proposed: str, agreed: str
) -> None:
    hello = request(
        "initialize",
        protocolVersion=proposed,
        capabilities={},
        clientInfo={"name": "openai-mcp", "version": "1.0.0"},
    )
    answer = await client.post("/mcp", json=hello)
    assert answer.json()["result"]["protocolVersion"] == agreed
    assert "mcp-session-id" not in answer.headers


async def test_a_modern_call_needs_nothing_before_it_and_gets_no_session(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/mcp", **modern(call("search", query="ether")))
    assert answer.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in answer.headers
    assert answer.json()["result"]["structuredContent"]["results"][0]["id"] == "note:2"


async def test_what_contradicts_itself_or_does_not_exist_is_refused_with_its_code(
    client: httpx.AsyncClient,
) -> None:
    contradiction = modern(call("search", query="ether"), **{"Mcp-Name": "fetch"})
    assert error_of(await client.post("/mcp", **contradiction)) == (400, -32020)
    assert error_of(await client.post("/mcp", **modern(request("no/such")))) == (404, -32601)
    future = json.loads(json.dumps(modern(request("tools/list"))).replace("2026-07", "2099-07"))
    answer = await client.post("/mcp", **future)
    assert error_of(answer) == (400, -32022)
    assert answer.json()["error"]["data"]["supported"] == ["2026-07-28"]


@pytest.mark.parametrize("session", [{}, {"Mcp-Session-Id": "never-given-out"}])
async def test_a_call_needs_no_session_and_may_name_any(
    client: httpx.AsyncClient, session: Mapping[str, str]
) -> None:
    headers = {"MCP-Protocol-Version": "2025-11-25", "User-Agent": "openai-mcp/1.0.0", **session}
    answer = await client.post("/mcp", json=call("fetch", id="note:1"), headers=headers)
    assert answer.json()["result"]["structuredContent"]["text"] == "Bitcoin — €60 000"


async def test_the_text_is_compact_json_equal_to_the_structured_content(
    client: httpx.AsyncClient,
) -> None:
    result = (await client.post("/mcp", json=call("fetch", id="note:1"))).json()["result"]
    assert result["content"] == [
        {"type": "text", "text": '{"id":"note:1","text":"Bitcoin — €60 000"}'}
    ]
    assert result["isError"] is False


async def test_the_list_of_tools_is_the_same_bytes_every_time(client: httpx.AsyncClient) -> None:
    listings = {(await client.post("/mcp", json=request("tools/list"))).content for _ in range(5)}
    assert len(listings) == 1


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (call("serch", query="x"), "no tool is named 'serch'; there are: search, fetch, "),
        (call("fetch"), "fetch: id is missing, a string; fetch takes id (required)."),
        (call("fetch", id=5), "fetch: id must be a string, not the whole number 5; "),
        (call("fetch", id="note:1", x=1), "fetch: x is not one of its arguments; "),
        (call("count", count=10), "count: count must be at most 9, not 10; "),
        (call("fetch", id="note:9"), "Did you mean: note:1, note:2?"),
        (call("pause"), "Retry in 7 s."),
        (call("slow"), "slow did not answer within 0.5 s; try again, or ask for less."),
    ],
)
async def test_a_failed_call_says_in_plain_words_what_to_do(
    client: httpx.AsyncClient, message: Mapping[str, Any], said: str
) -> None:
    assert said in refusal_of(await client.post("/mcp", json=message))
    assert said in refusal_of(await client.post("/mcp", **modern(message)))


async def test_an_accident_is_logged_whole_and_told_by_reference_only(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    said = refusal_of(await client.post("/mcp", json=call("break")))
    assert "something went wrong inside the gateway" in said
    assert "innermost secret" not in said
    reference = said.rstrip(".").split()[-1]
    [record] = [record for record in caplog.records if reference in record.getMessage()]
    assert record.exc_info is not None
    assert "innermost secret" in str(record.exc_info[1])


async def test_the_log_tells_of_a_call_but_never_what_was_asked(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await client.post("/mcp", json=call("search", query="my-private-question"))
        await client.post("/mcp", json=call("my-private-tool", query="x"))
    lines = [record.getMessage() for record in caplog.records if "outcome=" in record.getMessage()]
    assert [line.partition(" milliseconds=")[0] for line in lines] == [
        "tool=search outcome=ok",
        "tool=unknown outcome=not_found",
    ]
    assert all(" client=python-httpx request_id=" in line for line in lines)
    assert "my-private" not in caplog.text


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "*/*", "a/b", None])
async def test_whatever_a_client_accepts_it_is_served(
    client: httpx.AsyncClient, accept: str | None
) -> None:
    for posted in ({"json": call("fetch", id="note:1")}, modern(call("fetch", id="note:1"))):
        asked = client.build_request("POST", "/mcp", **posted)
        del asked.headers["accept"]
        if accept:
            asked.headers["accept"] = accept
        answer = await client.send(asked)
        assert answer.json()["result"]["structuredContent"]["id"] == "note:1"


async def test_no_spelling_ever_redirects_whatever_the_method(client: httpx.AsyncClient) -> None:
    statuses = {
        f"{method} {path}": (await client.request(method, f"{prefix}{path}?a=1")).status_code
        for method in ("HEAD", "OPTIONS", "DELETE", "PUT", "POST")
        for path in FOUR_SPELLINGS
        for prefix in ("", "/research")
    }
    expected = {"HEAD": 200, "OPTIONS": 204, "DELETE": 405, "PUT": 405, "POST": 415}
    assert statuses == {line: expected[line.split()[0]] for line in statuses}


@pytest.mark.parametrize(
    ("path", "opening"), [("/mcp", [": open"]), ("/sse/", ["event: endpoint", "data: "])]
)
async def test_a_get_is_a_stream_that_stays_open_and_pings_every_fifteen_seconds(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str, opening: list[str]
) -> None:
    assert EventSourceResponse.DEFAULT_PING_INTERVAL == 15
    monkeypatch.setattr(EventSourceResponse, "DEFAULT_PING_INTERVAL", 0.05)
    async with asyncio.timeout(5), client.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in _first(stream.aiter_lines(), 7) if line]
    expected = [*opening, *[": ping"] * (len(lines) - len(opening))]
    assert len(lines) > len(opening)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True))


async def test_a_modern_call_that_takes_long_turns_into_a_stream_with_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _streamable_http_modern._SSE_PING_INTERVAL == 15
    monkeypatch.setattr(_streamable_http_modern, "_SSE_PING_INTERVAL", 0.05)
    gadgets = Gadgets()
    async with (
        asyncio.timeout(5),
        serve_doors(gadgets) as url,
        httpx.AsyncClient() as client,
        client.stream("POST", f"{url}/mcp", **modern(call("slow"))) as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == ": ping"
        gadgets.may_end.set()
        rest = [line async for line in lines]
    [answer] = [line for line in rest if line.startswith("data: ")]
    result = json.loads(answer.removeprefix("data: "))["result"]
    assert result["structuredContent"] == {"waited": True}


async def _first(lines: AsyncIterator[str], count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield await anext(lines)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"5", -32600),
        (b'{"id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": 7}', -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
    ],
)
async def test_a_body_that_is_no_message_is_refused_in_plain_words_and_without_noise(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, body: bytes, code: int
) -> None:
    for version in ({}, {"MCP-Protocol-Version": "2026-07-28"}):
        headers = {"Content-Type": "application/json", **version}
        answer = await client.post("/mcp", content=body, headers=headers)
        assert error_of(answer) == (400, code)
        assert "pydantic" not in answer.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_body_over_4_mib_is_refused_declared_or_chunked(
    client: httpx.AsyncClient,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1024 * 1024

    for content in (b" " * (4 * 1024 * 1024 + 1), chunks()):
        answer = await client.post(
            "/mcp", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert "4194304 bytes" in answer.json()["error"]


@pytest.mark.parametrize("is_modern", [False, True])
async def test_a_client_that_goes_away_cancels_its_call(is_modern: bool) -> None:
    gadgets = Gadgets()
    posted = modern(call("slow")) if is_modern else {"json": call("slow")}
    async with serve_doors(gadgets) as url, asyncio.timeout(5), httpx.AsyncClient() as client:
        calling = asyncio.create_task(client.post(f"{url}/mcp", **posted), name="call")
        await gadgets.slow_began.wait()
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
        async with asyncio.timeout(1):
            await gadgets.slow_was_cancelled.wait()
