import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

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
