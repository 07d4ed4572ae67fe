import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import caller
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.endpoints.authentication import SpendersOnly
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.validated import problem_answer
from gateway.keys import new_key
from tests.endpoints.doors import asking, open_doors

ALICE, BOB = Caller("alice", is_owner=True), Caller("bob", models=("*:free",))
ALICES, BOBS = new_key(), new_key()
KEYS = {ALICES: ALICE, BOBS: BOB}


async def who(request: Request) -> Response:
    assert request.state.caller is caller.current()
    return JSONResponse(caller.current().name)


ROUTES = [Route("/v1/who", who), Route("/who", who)]


async def answer(
    headers: Mapping[str, str], path: str = "/v1/who", keyless: Caller = ANONYMOUS
) -> httpx.Response:
    async with asking(ROUTES, keys=KEYS, keyless=keyless) as client:
        # As bytes: a key of a stranger may have any letters.
        raw = {name.encode(): value.encode() for name, value in headers.items()}
        return await client.get(path, headers=raw)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Authorization": f"Bearer {ALICES}"}, "alice"),
        ({"Authorization": f"bearer  {BOBS} "}, "bob"),
        ({"x-api-key": ALICES}, "alice"),
        ({"api-key": BOBS}, "bob"),
        ({"api-key": BOBS, "x-api-key": " "}, "bob"),
        ({}, "anonymous"),
        ({"Authorization": ""}, "anonymous"),
        ({"Authorization": "Bearer "}, "anonymous"),
        ({"Authorization": "Basic YWxpY2U6c2VjcmV0"}, "anonymous"),
    ],
)
async def test_a_key_says_who_asks_in_whichever_header_a_client_sends_it(
    headers: dict[str, str], name: str
) -> None:
    for path in ("/v1/who", "/who"):
        assert (await answer(headers, path)).json() == name


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {ALICES}x"},
        {"Authorization": f"Bearer {ALICES[:-1]}"},
        {"x-api-key": new_key()},
        {"api-key": "ü"},
    ],
)
async def test_a_wrong_key_is_refused_and_not_repeated(headers: dict[str, str]) -> None:
    wrong = next(iter(headers.values()))
    refused = await answer(headers)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert wrong.removeprefix("Bearer ") not in refused.text


async def test_a_wrong_key_is_refused_elsewhere_as_a_problem() -> None:
    refused = await answer({"x-api-key": "gw_wrong"}, "/who")
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["code"] == "unauthenticated"


async def test_a_key_that_does_not_count_does_not_let_in_whoever_has_a_right_one_too() -> None:
    both = {"Authorization": "Bearer gw_wrong", "x-api-key": ALICES}
    assert (await answer(both)).status_code == 401


@pytest.mark.parametrize("keyless", [LOCAL, ANONYMOUS])
async def test_where_no_keys_are_configured_none_is_looked_at(keyless: Caller) -> None:
    async with asking(ROUTES, keyless=keyless, key="sk-any") as client:
        assert (await client.get("/v1/who")).json() == keyless.name


async def test_one_request_does_not_leave_its_caller_to_the_next() -> None:
    async with asking(ROUTES, keys=KEYS, keyless=ANONYMOUS) as client:
        first = await client.get("/who", headers={"x-api-key": ALICES})
        second = await client.get("/who")
    assert (first.json(), second.json()) == ("alice", "anonymous")
    assert caller.current() is ANONYMOUS


async def test_who_may_not_spend_is_refused_before_a_byte_of_the_body() -> None:
    guards = [Middleware(SpendersOnly, refuse=problem_answer), Middleware(BodyLimit)]
    routes = [Route("/dear", who, methods=["POST"], middleware=guards)]
    async with open_doors(routes, keys=KEYS, keyless=ANONYMOUS) as url, asyncio.timeout(5):
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"POST /dear HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
        writer.close()
        async with httpx.AsyncClient(headers={"x-api-key": BOBS}) as client:
            assert (await client.post(f"{url}/dear", content=b"x")).json() == "bob"
