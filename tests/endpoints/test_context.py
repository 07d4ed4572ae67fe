from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from gateway.caller import ANONYMOUS, Caller
from gateway.conversations import Conversations
from gateway.endpoints.context import context_routes
from gateway.storage.database import Database
from tests.endpoints.doors import asking

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEYS = {"gw_alice": Caller("alice"), "gw_bob": Caller("bob")}
BOB = {"authorization": "Bearer gw_bob"}
HELLO = {"messages": [{"content": "Hi"}, {"role": "assistant", "content": "Hello 👋"}]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        routes = context_routes(Conversations(database, clock=lambda: NOON))
        async with asking(routes, keys=KEYS, keyless=ANONYMOUS, key="gw_alice") as client:
            yield client


async def test_what_is_added_is_read_until_it_is_forgotten(client: httpx.AsyncClient) -> None:
    added = await client.post("/context/u1@example.com", json=HELLO)
    assert (added.status_code, added.json()) == (201, {"user_id": "u1@example.com", "added": 2})
    assert (await client.get("/context/u1@example.com")).json() == {
        "user_id": "u1@example.com",
        "messages": [
            {"role": "user", "content": "Hi", "created": "2026-11-21T12:00:00Z"},
            {"role": "assistant", "content": "Hello 👋", "created": "2026-11-21T12:00:00Z"},
        ],
    }
    last = await client.get("/context/u1@example.com?most=1")
    assert [one["content"] for one in last.json()["messages"]] == ["Hello 👋"]
    removed = await client.delete("/context/u1@example.com")
    assert removed.json() == {"user_id": "u1@example.com", "removed": 2}
    assert (await client.get("/context/u1@example.com")).json()["messages"] == []


async def test_a_user_of_one_caller_is_not_that_of_another(client: httpx.AsyncClient) -> None:
    await client.post("/context/u1", json=HELLO)
    assert (await client.get("/context/u1", headers=BOB)).json()["messages"] == []
    assert (await client.delete("/context/u1", headers=BOB)).json()["removed"] == 0
    assert len((await client.get("/context/u1")).json()["messages"]) == 2


@pytest.mark.parametrize(
    ("path", "content", "at"),
    [
        ("/context/u1", "{}", "messages"),
        ("/context/u1", '{"messages": []}', "messages"),
        ("/context/u1", '{"messages": [{"content": ""}]}', "messages.0.content"),
        ("/context/u1", '{"messages": [{"content": 7}]}', "messages.0.content"),
        ("/context/u1", '{"messages": [{"role": "tool", "content": "x"}]}', "messages.0.role"),
        ("/context/u1", '{"messages": [{"content": "x"}], "x": 1}', "x"),
        ("/context/u1", "nonsense", "body"),
        ("/context/u 1", '{"messages": [{"content": "x"}]}', "user_id"),
        ("/context/" + "u" * 129, '{"messages": [{"content": "x"}]}', "user_id"),
    ],
)
async def test_bad_input_is_422_with_a_list_of_what_is_wrong(
    client: httpx.AsyncClient, path: str, content: str, at: str
) -> None:
    answer = await client.post(path, content=content)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["at"] for one in answer.json()["errors"]] == [at]
    assert answer.json()["errors"][0]["wrong"]


async def test_what_is_wrong_is_said_without_repeating_all_of_it(client: httpx.AsyncClient) -> None:
    said = {"messages": [{"content": "x"}]} | {f"{number:0500}": 1 for number in range(1_000)}
    answer = await client.post("/context/u1", json=said)
    assert answer.status_code == 422
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "most", ["0", "1001", "-1", "ten", "²", "000000001999", f"{1:09}" + "9" * 5_000]
)
async def test_a_wrong_number_of_messages_is_named(client: httpx.AsyncClient, most: str) -> None:
    answer = await client.get("/context/u1", params={"most": most})
    assert answer.status_code == 400
    assert "from 1 to 1000" in answer.json()["detail"]


async def test_nobody_without_a_key_has_a_conversation(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        routes = context_routes(Conversations(database))
        async with asking(routes, keyless=ANONYMOUS) as client:
            answer = await client.post("/context/u1", json=HELLO)
            endless = await client.post("/context/u1", headers={"content-length": f"{1 << 40}"})
            method = await client.put("/context/u1", json=HELLO)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert endless.status_code == 401
    assert set(method.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE"}
