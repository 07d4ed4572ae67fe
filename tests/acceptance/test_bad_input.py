"""What people, programs and attackers send by mistake or on purpose, and what they are told."""

import json
from urllib.parse import quote

import httpx
import pytest

from tests.stand_ins.gateway_process import GatewayProcess
from tests.stand_ins.mcp_clients import over_sse, refused, said

TRACES = ("Traceback", "pydantic", 'File "', "Error:", "Exception")
NOTHING = (
    "",
    "   ",
    "\n\t",
    "x" * 10_000,
    "🚀🌕💎🙌",
    "'; DROP TABLE documents; --",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} ${7*7} %s %n",
    "\0\x07\x1b[31m\x7f",
    "\u202edrowssap\u202c",
    "../../../../etc/passwd",
)
LONG = (
    "bitcoin price " + "really " * 2_000,
    "btc " * 3_000,
    "What is the price of Bitcoin?" + "\0" * 500,
)
BAD_IDS = (
    "",
    " ",
    "ticker",
    "ticker:",
    ":BTCUSDT",
    "ticker:NOSUCHCOIN",
    "ticker:../../etc/passwd",
    "ticker:BTCUSDT:extra",
    "klines:BTCUSDT",
    "klines:BTCUSDT:7x",
    "klines:BTCUSDT:1h:extra",
    "klines:BTCUSDT:" + "A" * 1_900,
    "klines:" + "A" * 1_900,
    "A" * 60_000,
    "nosuchkind:BTCUSDT",
    "ticker:<script>alert(1)</script>",
    "ticker:" + "A" * 10_000,
    "ticker:\0\x1b[31m",
    "https://evil.example/data/ticker:BTCUSDT",
    "file:///etc/passwd",
    "🚀",
)


@pytest.mark.parametrize("query", NOTHING, ids=lambda query: repr(query[:20]))
async def test_a_query_that_asks_nothing_finds_nothing(gateway: GatewayProcess, query: str) -> None:
    async with over_sse(gateway.base_url) as call:
        assert said(await call("search", {"query": query})) == {"results": []}


@pytest.mark.parametrize("query", LONG, ids=lambda query: repr(query[:20]))
async def test_a_long_query_is_answered_by_its_beginning(
    gateway: GatewayProcess, query: str
) -> None:
    async with over_sse(gateway.base_url) as call:
        found = said(await call("search", {"query": query}))
    assert found["results"][0]["id"] == "ticker:BTCUSDT"


@pytest.mark.parametrize("document_id", BAD_IDS, ids=lambda one: repr(one[:20]))
async def test_a_bad_id_is_a_tool_error_in_plain_words(
    gateway: GatewayProcess, document_id: str
) -> None:
    async with over_sse(gateway.base_url) as call:
        error = refused(await call("fetch", {"id": document_id}))
    assert len(error) < 1_000
    assert not any(trace in error for trace in TRACES), error
    async with httpx.AsyncClient() as browser:
        page = await browser.get(f"{gateway.base_url}/data/{quote(document_id, safe='')}")
    assert page.status_code in (400, 404)
    assert "<script>alert" not in page.text
    assert not any(trace in page.text for trace in TRACES)


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("search", {}, "query"),
        ("search", {"query": 7}, "query"),
        ("search", {"query": None}, "query"),
        ("search", {"query": "btc", "limit": 5}, "limit"),
        ("fetch", {"document_id": "ticker:BTCUSDT"}, "id is missing"),
        ("binance_get_klines", {"symbol": "BTCUSDT", "interval": "7x"}, "interval"),
        ("binance_get_klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": 9_999}, "limit"),
        ("binance_get_ticker", {"symbol": "NOSUCHCOIN"}, "NOSUCHCOIN"),
        ("binance_place_order", {"symbol": "BTCUSDT"}, "binance_place_order"),
        ("no_such_tool", {}, "no_such_tool"),
    ],
)
async def test_bad_arguments_are_a_tool_error_that_names_them(
    gateway: GatewayProcess, tool: str, arguments: dict[str, object], named: str
) -> None:
    async with over_sse(gateway.base_url) as call:
        error = refused(await call(tool, arguments))
    assert named in error
    assert not any(trace in error for trace in TRACES), error


def test_a_body_over_the_limit_is_refused(gateway: GatewayProcess) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x" * 5_000_000})
    for path in ("/mcp", "/sse/", "/messages/"):
        answer = httpx.post(gateway.base_url + path, content=body)
        assert answer.status_code == 413, path


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"', b"[" * 9_000])
def test_a_body_that_is_no_message_is_refused(gateway: GatewayProcess, body: bytes) -> None:
    for path in ("/mcp", "/sse/"):
        answer = httpx.post(
            gateway.base_url + path, content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400, (path, answer.text)
        assert not any(trace in answer.text for trace in TRACES)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)],
)
def test_a_request_that_a_page_was_tricked_into_is_refused(
    gateway: GatewayProcess, headers: dict[str, str], status: int
) -> None:
    for path in ("/mcp", "/sse/", "/data/ticker:BTCUSDT", "/"):
        assert httpx.get(gateway.base_url + path, headers=headers).status_code == status, path


def test_an_unknown_path_is_answered_as_json_never_as_a_page(gateway: GatewayProcess) -> None:
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/x/mcp", "/nothing/here"):
        answer = httpx.get(gateway.base_url + path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("application/json")


def test_the_log_never_holds_a_query_or_an_argument(gateway: GatewayProcess) -> None:
    secret = "what-nobody-may-read-7731"
    for tool, argument in (("search", "query"), ("fetch", "id")):
        params = {"name": tool, "arguments": {argument: f"bitcoin {secret}"}}
        httpx.post(
            f"{gateway.base_url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        )
    httpx.get(f"{gateway.base_url}/search", params={"q": secret})
    httpx.get(f"{gateway.base_url}/data/ticker:{secret}")
    log = gateway.log()
    assert "tool=search outcome=ok" in log
    assert secret not in log.lower()
    assert "Traceback" not in log
