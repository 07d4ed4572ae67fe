import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.endpoints.origin import OriginGuard


async def welcome(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("welcome")(scope, receive, send)


async def status(guard: OriginGuard, host: str, origin: str | None = None) -> int:
    headers = {"host": host} | ({"origin": origin} if origin is not None else {})
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard), base_url="http://ignored"
    ) as client:
        return (await client.get("/", headers=headers)).status_code


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("gateway.example.com", 200),
        ("GATEWAY.example.com:443", 200),
        ("ported.example.com:8443", 200),
        ("ported.example.com", 421),
        ("ported.example.com:80", 421),
        ("localhost:3001", 200),
        ("127.0.0.1:3001", 200),
        ("[::1]:3001", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("gateway.example.com.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_only_the_hosts_named_and_this_machine_are_answered(host: str, expected: int) -> None:
    guard = OriginGuard(
        welcome,
        allowed_hosts=["Gateway.example.com", "ported.example.com:8443"],
        allowed_origins=[],
    )
    assert await status(guard, host) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 200),
        ("https://chatgpt.com", 200),
        ("https://ChatGPT.com", 200),
        ("https://gateway.example.com", 200),
        ("http://localhost:6274", 200),
        ("http://127.0.0.1", 200),
        ("http://chatgpt.com", 403),
        ("https://chatgpt.com.evil.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
async def test_only_pages_of_the_origins_named_and_our_own_may_call(
    origin: str | None, expected: int
) -> None:
    guard = OriginGuard(
        welcome, allowed_hosts=["gateway.example.com"], allowed_origins=["https://chatgpt.com/"]
    )
    assert await status(guard, "gateway.example.com", origin) == expected


async def test_a_star_allows_all() -> None:
    guard = OriginGuard(welcome, allowed_hosts=["*"], allowed_origins=["*"])
    assert await status(guard, "anything.example", "null") == 200


async def test_a_refusal_says_which_setting_would_allow_it() -> None:
    guard = OriginGuard(welcome, allowed_hosts=[], allowed_origins=[])
    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as client:
        wrong_host = await client.get("/")
        wrong_origin = await client.get("/", headers={"host": "localhost", "origin": "http://x.y"})
    assert "'evil.example'" in wrong_host.json()["error"]
    assert "allowed_hosts" in wrong_host.json()["error"]
    assert "'http://x.y'" in wrong_origin.json()["error"]
    assert "allowed_origins" in wrong_origin.json()["error"]


PREFLIGHT = {
    "host": "gateway.example.com",
    "origin": "https://ChatGPT.com",
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type, MCP-Param-Coin,x-other, mcp-param-b c",
}


def guard_of(app: ASGIApp) -> OriginGuard:
    return OriginGuard(
        app, allowed_hosts=["gateway.example.com"], allowed_origins=["https://chatgpt.com"]
    )


async def answer_of(app: ASGIApp, method: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard_of(app)), base_url="http://gateway.example.com"
    ) as client:
        return await client.request(method, "/mcp", headers=headers)


async def test_an_allowed_page_is_told_what_it_may_send() -> None:
    answer = await answer_of(welcome, "OPTIONS", **PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    # As it was sent: a browser compares the two letter by letter.
    assert answer.headers["access-control-allow-origin"] == "https://ChatGPT.com"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, DELETE, OPTIONS"
    assert answer.headers["access-control-allow-headers"].split(", ") == [
        "content-type",
        "accept",
        "authorization",
        "x-api-key",
        "api-key",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "last-event-id",
        "mcp-param-coin",
    ]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Access-Control-Request-Headers, Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 421),
    ],
)
async def test_a_foreign_preflight_is_permitted_nothing(
    changed: dict[str, str], expected: int
) -> None:
    answer = await answer_of(welcome, "OPTIONS", **(PREFLIGHT | changed))
    assert answer.status_code == expected
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_options_that_is_no_preflight_reaches_the_app() -> None:
    assert (await answer_of(welcome, "OPTIONS", origin="https://chatgpt.com")).text == "welcome"


async def test_an_allowed_page_may_read_answers_and_errors() -> None:
    async def away(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"vary": "Accept", "retry-after": "7", "access-control-allow-origin": "*"}
        await PlainTextResponse("away", 503, headers)(scope, receive, send)

    answer = await answer_of(away, "POST", origin="https://chatgpt.com")
    assert (answer.status_code, answer.text) == (503, "away")
    assert answer.headers.get_list("access-control-allow-origin") == ["https://chatgpt.com"]
    readable = answer.headers["access-control-expose-headers"].split(", ")
    assert {"mcp-session-id", "mcp-protocol-version", "retry-after"} < set(readable)
    assert {"x-gateway-route-id", "x-gateway-cost-usd", "x-request-id"} < set(readable)
    assert answer.headers["vary"] == "Accept, Origin"


async def test_an_allowed_page_may_read_a_stream_while_it_runs() -> None:
    start: Message = {"type": "http.response.start", "status": 200}
    bodies: list[Message] = [{"body": b"a"}, {"body": b"b"}]
    passed: list[Message] = []

    async def stream(_: Scope, __: Receive, send: Send) -> None:
        for event in [start, *bodies]:
            await send({"type": "http.response.body", "more_body": True, **event})
            # Each is passed on before the next is made.
            assert passed[-1].get("body") == event.get("body")

    async def collect(message: Message) -> None:
        passed.append(message)

    async def silence() -> Message:
        raise AssertionError("nothing is read")

    sent = [(b"host", b"localhost"), (b"origin", b"http://localhost:6274")]
    scope = {"type": "http", "method": "GET", "path": "/sse/", "headers": sent}
    await guard_of(stream)(scope, silence, collect)
    assert (b"access-control-allow-origin", b"http://localhost:6274") in passed[0]["headers"]
    assert [message.get("body") for message in passed] == [None, b"a", b"b"]


async def test_who_sends_no_origin_gets_the_answer_untouched() -> None:
    bare = await answer_of(welcome, "GET")
    assert bare.text == "welcome"
    assert set(bare.headers) == {"content-length", "content-type"}
