"""Signed messages, as the official package of Standard Webhooks verifies them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.downstream.webhook import WebhookSender, check_url, signature, signing_key
from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unavailable,
)
from tests.stand_ins.http_server import serve

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
BODY = json.dumps({"type": "run.done", "data": {"title": "Prüfung"}}).encode()
Heard = tuple[dict[str, str], bytes]


@asynccontextmanager
async def listening(
    answer: Callable[[Request], Response], heard: list[Heard]
) -> AsyncIterator[str]:
    async def hear(request: Request) -> Response:
        heard.append((dict(request.headers), await request.body()))
        return answer(request)

    async with serve(Starlette(routes=[Route("/{rest:path}", hear, methods=["POST"])])) as url:
        yield url


async def send(sender: WebhookSender, url: str, body: bytes = BODY) -> None:
    await sender.send(url, message_id="ntf_1", time=datetime.now(UTC), body=body, secret=SECRET)


async def test_a_message_is_verified_by_the_official_package() -> None:
    heard: list[Heard] = []
    async with (
        listening(lambda _: Response(status_code=204), heard) as url,
        WebhookSender() as sender,
    ):
        await send(sender, f"{url}/hook?to=team")
    ((headers, body),) = heard
    assert Webhook(SECRET).verify(body, headers) == json.loads(BODY)
    assert headers["webhook-id"] == "ntf_1"
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another" * 5).decode()).verify(body, headers)


def test_a_signature_is_that_of_the_official_package() -> None:
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    headers = signature("ntf_1", time=moment, body=BODY, key=signing_key(SECRET))
    assert headers["webhook-timestamp"] == str(int(moment.timestamp()))
    assert headers["webhook-signature"] == Webhook(SECRET).sign("ntf_1", moment, BODY.decode())


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after_seconds"),
    [
        (500, {}, Unavailable, 0),
        (503, {"retry-after": "120"}, Unavailable, 120),
        (503, {"retry-after": "99999999"}, Unavailable, 3600),
        (429, {"retry-after": "30"}, RateLimited, 30),
        (429, {"retry-after": "Fri, 27 Nov 2026 00:00:00 GMT"}, RateLimited, 0),
        (404, {}, BadAnswer, None),
        (410, {}, BadAnswer, None),
        (302, {"location": "/elsewhere"}, BadAnswer, None),
        (307, {"location": "/elsewhere"}, BadAnswer, None),
    ],
)
async def test_what_is_not_taken_is_an_error_that_tells_no_secret(
    status: int,
    headers: dict[str, str],
    error: type[GatewayError],
    retry_after_seconds: float | None,
) -> None:
    heard: list[Heard] = []

    def answer(_: Request) -> Response:
        return PlainTextResponse("s3cret of its own", status, headers)

    async with listening(answer, heard) as url, WebhookSender() as sender:
        with_login = url.replace("http://", "http://user:pa55@") + "/t0ken?key=k3y"
        with pytest.raises(error) as caught:
            await send(sender, with_login)
    said = str(caught.value)
    assert f"it answers HTTP {status}" in said
    assert url in said
    assert not any(secret in said for secret in ("pa55", "t0ken", "k3y", "s3cret", SECRET))
    assert len(heard) == 1
    if retry_after_seconds is not None:
        assert isinstance(caught.value, RateLimited | Unavailable)
        assert caught.value.retry_after_seconds == retry_after_seconds


async def test_where_nobody_listens_it_is_unavailable() -> None:
    async with listening(lambda _: Response(), []) as url:
        pass
    async with WebhookSender() as sender:
        with pytest.raises(Unavailable, match=rf"{url} cannot be reached: ConnectError"):
            await send(sender, f"{url}/t0ken")


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """A server that says what it likes, to one client."""
    is_over = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        is_over.set()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server, asyncio.timeout(5):
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await is_over.wait()


async def test_one_that_never_answers_is_left_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talking(silent) as url, WebhookSender(deadline_seconds=0.05) as sender:
        with pytest.raises(DeadlineExceeded, match=rf"{url} has not .* within 0\.05 s"):
            await send(sender, f"{url}/t0ken")


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with talking(endless) as url, WebhookSender() as sender:
        await send(sender, url)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_###", SECRET.removeprefix("whsec_"), "whsec_YWJj", "whsec_" + "A" * 200],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="24 to 64 bytes in base64") as caught:
        signing_key(secret)
    assert not secret or secret not in str(caught.value).replace("whsec_ and", "")


@pytest.mark.parametrize("url", ["", "hooks.example.com", "ftp://a/b", "http://", "http://[", "/x"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the URL of a webhook is like https://host/path"):
        check_url(url)
