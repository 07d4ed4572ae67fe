"""`GET /v1/notifications`: told as it happens, resumed without loss or repetition."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.types import Receive, Scope, Send

from gateway.endpoints.notifications import notification_routes
from tests.endpoints.agents_door import GUEST, OWNER, Door, door, message
from tests.endpoints.doors import open_doors
from tests.stand_ins.http_server import serve

PATH = "/v1/notifications"


async def paused_and_resumed(here: Door, times: int) -> None:
    for _ in range(times):
        await here.agents.pause("helper", by="ann")
        await here.agents.resume("helper")


async def events(answer: httpx.Response) -> AsyncIterator[tuple[int, Mapping[str, Any]]]:
    position = 0
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            position = int(line.removeprefix("id: "))
        elif line.startswith("data: "):
            yield position, json.loads(line.removeprefix("data: "))


async def positions(told: AsyncIterator[tuple[int, Any]], number: int) -> list[int]:
    async with asyncio.timeout(5):
        return [(await anext(told))[0] for _ in range(number)]


async def test_what_happens_is_told_at_once_in_order(tmp_path: Path) -> None:
    async with (
        door(tmp_path) as here,
        here.on_a_port() as client,
        client.stream("GET", f"{PATH}?after=0") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer)
        async with asyncio.timeout(5):
            for kind in ("agent.paused", "agent.resumed"):
                verb = "pause" if kind == "agent.paused" else "resume"
                assert (await client.post(f"/v1/agents/helper/{verb}")).status_code == 200
                position, said = await anext(told)
                assert (said["kind"], said["title"]) == (kind, "helper")
                assert said["position"] == position
                assert said["data"] == {"agent": "helper", "by": "local"}


async def test_who_comes_back_misses_nothing_and_hears_nothing_twice(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.on_a_port() as client:
        await paused_and_resumed(here, 2)
        async with client.stream("GET", f"{PATH}?after=1") as answer:
            assert await positions(events(answer), 2) == [2, 3]
        await paused_and_resumed(here, 1)
        # As a browser does it: the address of the beginning, and the last that it saw.
        last = {"last-event-id": "3"}
        async with client.stream("GET", f"{PATH}?after=1", headers=last) as answer:
            told = events(answer)
            assert await positions(told, 3) == [4, 5, 6]
            waiting = asyncio.create_task(positions(told, 2))
            await paused_and_resumed(here, 1)
            assert await waiting == [7, 8]


async def test_a_stream_without_a_place_begins_now(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.on_a_port() as client:
        await paused_and_resumed(here, 2)
        async with client.stream("GET", PATH) as answer:
            waiting = asyncio.create_task(positions(events(answer), 1))
            # When it begins nobody is told: what comes after some moment is heard.
            while not waiting.done():
                await paused_and_resumed(here, 1)
            assert (await waiting)[0] > 4


async def test_a_page_is_read_on_from_its_end(tmp_path: Path) -> None:
    json_please = {"accept": "application/json"}
    async with door(tmp_path) as here, here.as_(**json_please) as client:
        empty = await client.get(PATH)
        assert empty.json() == {"object": "list", "data": [], "last": 0, "has_more": False}
        await paused_and_resumed(here, 2)
        first = (await client.get(f"{PATH}?limit=3")).json()
        assert [one["position"] for one in first["data"]] == [1, 2, 3]
        assert (first["last"], first["has_more"]) == (3, True)
        rest = (await client.get(f"{PATH}?after={first['last']}&limit=3")).json()
        assert [one["position"] for one in rest["data"]] == [4]
        assert (rest["last"], rest["has_more"]) == (4, False)


async def test_silence_is_filled_with_comments(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        routes = notification_routes(here.agents, keepalive_seconds=0.01)
        async with (
            open_doors(routes) as url,
            httpx.AsyncClient(base_url=url) as client,
            client.stream("GET", PATH) as answer,
            asyncio.timeout(5),
        ):
            lines = answer.aiter_lines()
            assert await anext(lines) == ": keep-alive"


async def test_a_client_that_leaves_is_no_longer_listened_for(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        ended = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await here.app(scope, receive, send)
            ended.set()

        async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
            async with client.stream("GET", PATH):
                assert not ended.is_set()
            async with asyncio.timeout(5):
                await ended.wait()


async def test_a_gateway_that_stops_ends_its_streams_properly(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        await paused_and_resumed(here, 1)
        async with httpx.AsyncClient() as client:
            async with open_doors(notification_routes(here.agents), grace_seconds=0) as url:
                answer = await client.send(
                    client.build_request("GET", f"{url}{PATH}?after=0"), stream=True
                )
                told = events(answer)
                async with asyncio.timeout(5):
                    assert [(await anext(told))[0] for _ in range(2)] == [1, 2]
            # Without its last chunk httpx would say that the answer is incomplete.
            async with asyncio.timeout(5):
                assert [one async for one in told] == []
            await answer.aclose()


async def test_notifications_are_for_owners(tmp_path: Path) -> None:
    async with door(tmp_path, has_keys=True) as here:
        for key, status in ((None, 401), (GUEST, 403), (OWNER, 200)):
            async with here.as_(key, accept="application/json") as client:
                assert (await client.get(PATH)).status_code == status
            async with here.as_(key) as client:
                assert (await client.head(PATH)).status_code == status


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        for query, headers, words in (
            ("after=-1", {}, "after is '-1'; it takes the position of a notification"),
            ("after=x", {"accept": "application/json"}, "after is 'x'"),
            ("", {"last-event-id": "9" * 19}, "last-event-id is '999"),
            ("limit=5", {}, "there is no 'limit' here; it takes after"),
            ("limit=0", {"accept": "application/json"}, "limit is '0'; it takes 1 to 100"),
        ):
            async with here.as_() as client:
                answer = await client.get(f"{PATH}?{query}", headers=headers)
                assert (answer.status_code, words in message(answer)) == (400, True), answer.text
