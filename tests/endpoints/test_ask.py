import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from gateway.caller import ANONYMOUS, Caller
from gateway.conversations import Conversations
from gateway.endpoints.ask import ask_routes
from gateway.endpoints.body_limit import LIMIT_BYTES
from gateway.llm.policy import Policy
from gateway.storage.database import Database
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.endpoints.doors import open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.script import Answer, Tool, broken
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.quotes import Quotes, registry_of

KEYS = {"gw_alice": Caller("alice"), "gw_bob": Caller("bob")}
SMALL = "openrouter/small"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Door:
    client: httpx.AsyncClient
    stand_in: LlmStandIn
    router: Router
    conversations: Conversations

    async def ask(self, *, key: str = "gw_alice", **question: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        return await self.client.post("/ask", json={"model": SMALL, **question}, headers=headers)

    def sent(self) -> list[tuple[str, str]]:
        """The messages of the last request to the provider."""
        messages = self.stand_in.requests[-1].body["messages"]
        return [(message["role"], message["content"]) for message in messages]


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    kind: str = "openrouter",
    limits: Sequence[Limit] = (),
    policy: Policy | None = None,
) -> AsyncIterator[Door]:
    url = f"sqlite:///{folder}/gateway.db"
    registry = registry_of(Quotes(), public_url="https://gateway.example")
    async with (
        LlmStandIn(kind) as stand_in,
        router(stand_in, database_url=url, limits=limits, policy=policy) as routed,
        Database(url) as database,
    ):
        conversations = Conversations(database)
        routes = ask_routes(routed.completion, conversations, lambda _: registry)
        async with (
            open_doors(routes, keys=KEYS, keyless=ANONYMOUS) as address,
            httpx.AsyncClient(base_url=address) as client,
        ):
            yield Door(client, stand_in, routed, conversations)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened(tmp_path_factory.mktemp("ask")) as door:
        yield door


async def test_one_message_has_one_answer_that_fits_the_published_schema(door: Door) -> None:
    schemas = (await door.client.get("/ask/schema")).json()
    asked = {"message": "Say hello.", "context": "work"}
    Draft202012Validator(schemas["request"]).validate(asked)
    answer = await door.ask(**asked)
    assert answer.status_code == 200
    body = answer.json()
    Draft202012Validator(schemas["answer"]).validate(body)

    bill = door.stand_in.bills[-1]
    assert body["answer"] == "This is what the stand-in answers."
    assert (body["model"], body["provider"], body["tier"]) == (SMALL, "openrouter", "paid")
    assert body["usage"]["output_tokens"] == bill.tokens.output
    assert body["cost_usd"] == bill.microusd / 1_000_000
    assert (body["finish_reason"], body["attempts"]) == ("stop", 1)
    assert answer.headers["x-gateway-route-id"] == body["route_id"]
    assert answer.headers["x-request-id"] == body["request_id"]
    route = await door.router.ledger.route(body["route_id"])
    assert route is not None
    assert (route["context"], route["caller"]) == ("work", "alice")
    assert door.sent() == [("user", "Say hello.")]


@pytest.mark.parametrize("kind", ["anthropic", "ollama", "nanogpt"])
async def test_the_answer_is_the_same_from_every_provider(
    kind: str, door: Door, tmp_path: Path
) -> None:
    usual = (await door.ask(message="Say hello.")).json()
    # The list of Anthropic has no prices.
    policy = Policy(unknown_price="allow")
    async with opened(tmp_path, kind=kind, policy=policy) as other:
        answer = await other.ask(message="Say hello.", model=f"{kind}/small")
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == usual.keys()
    assert answer.json()["answer"] == usual["answer"]
    assert answer.json()["usage"]["output_tokens"] > 0


async def test_what_was_said_under_an_identity_is_remembered(door: Door) -> None:
    door.stand_in.script("small", Answer("Hello Ann."), Answer("Your name is Ann."))
    first = await door.ask(message="I am Ann.", identity="ann")
    second = await door.ask(message="Who am I?", identity="ann")
    assert (first.json()["remembered_messages"], second.json()["remembered_messages"]) == (0, 2)
    assert door.sent() == [
        ("user", "I am Ann."),
        ("assistant", "Hello Ann."),
        ("user", "Who am I?"),
    ]
    kept = await door.conversations.last("alice", "ann", most=10)
    assert [one.content for one in kept] == [
        "I am Ann.",
        "Hello Ann.",
        "Who am I?",
        "Your name is Ann.",
    ]
    await door.ask(key="gw_bob", message="And I?", identity="ann")
    assert door.sent() == [("user", "And I?")]


async def test_without_memory_nothing_is_remembered_and_nothing_kept(door: Door) -> None:
    await door.ask(message="One.", identity="bea")
    await door.ask(message="Two.", identity="bea", memory=False)
    assert door.sent() == [("user", "Two.")]
    assert len(await door.conversations.last("alice", "bea", most=10)) == 2


async def test_a_long_past_is_remembered_from_its_end(door: Door) -> None:
    await door.conversations.add(
        "alice", "cid", messages=[("user", f"{number} " + "x" * 20_000) for number in range(5)]
    )
    await door.ask(message="Now.", identity="cid")
    assert [content[:2] for _, content in door.sent()] == ["3 ", "4 ", "No"]


async def test_documents_are_given_to_the_model_and_cited(door: Door) -> None:
    answer = await door.ask(message="What does it cost?", docs=["ticker:btcusdt", "ticker:ETHUSDT"])
    [(role, given), asked] = door.sent()
    assert (role, asked) == ("system", ("user", "What does it cost?"))
    read = json.loads(given.partition("\n\n")[2])
    assert [one["id"] for one in read] == ["ticker:BTCUSDT", "ticker:ETHUSDT"]
    assert "67,890.12 USDT" in read[0]["text"]
    assert answer.json()["docs"][0] == {
        "id": "ticker:BTCUSDT",
        "title": "BTCUSDT 67,890.12 USDT (+1.24 % in 24 h), 12:03Z",
        "url": "https://gateway.example/data/ticker:BTCUSDT",
        "as_of": "2026-11-21T12:03:04Z",
    }


async def test_a_document_that_is_not_there_is_named_and_no_model_asked(door: Door) -> None:
    before = len(door.stand_in.requests)
    answer = await door.ask(message="What does it cost?", docs=["ticker:NOPE"])
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["suggestions"] == ["ticker:BTCUSDT"]
    assert len(door.stand_in.requests) == before


async def test_a_tool_that_the_model_calls_comes_back_with_its_arguments_read(door: Door) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    calls = Tool("weather", '{"city": "Oslo"}', "call_1"), Tool("weather", "{oops", "call_2")
    door.stand_in.script("small", Answer(tools=calls))
    answer = await door.ask(
        message="Weather?", tools=[{"name": "weather", "parameters": parameters}], identity="dan"
    )
    body = answer.json()
    assert (body["finish_reason"], body["answer"]) == ("tool_calls", "")
    assert body["tool_calls"] == [
        {"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}},
        {"id": "call_2", "name": "weather", "arguments": "{oops"},
    ]
    sent = door.stand_in.requests[-1].body["tools"]
    assert sent[0]["function"]["parameters"] == parameters
    assert await door.conversations.last("alice", "dan", most=10) == []


@pytest.mark.parametrize(
    ("question", "at"),
    [
        ({}, ["message"]),
        ({"message": ""}, ["message"]),
        ({"message": 7}, ["message"]),
        ({"message": "x", "context": "home"}, ["context"]),
        ({"message": "x", "identity": "a b"}, ["identity"]),
        ({"message": "x", "memory": "yes"}, ["memory"]),
        ({"message": "x", "memory": True}, ["body"]),
        ({"message": "x", "tools": [{"name": "no spaces"}]}, ["tools.0.name"]),
        ({"message": "x", "docs": "ticker:BTCUSDT"}, ["docs"]),
        ({"message": "x", "massage": "y"}, ["massage"]),
        ({"context": "home", "docs": [""]}, ["message", "context", "docs.0"]),
    ],
)
async def test_bad_input_is_422_with_all_that_is_wrong(
    door: Door, question: dict[str, Any], at: list[str]
) -> None:
    before = len(door.stand_in.requests)
    answer = await door.ask(**question)
    assert answer.status_code == 422
    assert [one["at"] for one in answer.json()["errors"]] == at
    assert all(one["wrong"] for one in answer.json()["errors"])
    assert len(door.stand_in.requests) == before


async def test_what_is_no_json_is_422_too(door: Door) -> None:
    headers = {"authorization": "Bearer gw_alice"}
    for content in (b"", b"hello", b"[]", b"\xff"):
        answer = await door.client.post("/ask", content=content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["at"] == "body"


async def test_whoever_has_no_key_may_not_spend(door: Door) -> None:
    answer = await door.client.post("/ask", json={"message": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    too_big = await door.client.post("/ask", content=bytes(LIMIT_BYTES + 1))
    assert too_big.status_code == 401
    assert (await door.client.get("/ask/schema")).status_code == 200


async def test_a_provider_that_fails_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        door.stand_in.script("small", broken(), Answer(tokens=9, ends="eof", ends_after=3))
        for status in (503, 502):
            answer = await door.ask(message="Say hello.", identity="eve")
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
        assert await door.conversations.last("alice", "eve", most=10) == []


async def test_a_limit_says_when_to_come_back(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=[Limit("none", "requests", 0, Window.parse("day"))]) as door:
        answer = await door.ask(message="Say hello.")
    assert (answer.status_code, answer.json()["code"]) == (429, "limit_exceeded")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_client_that_leaves_ends_the_call(door: Door) -> None:
    door.stand_in.script("small", Answer(before_headers=asyncio.Event()))
    count = len(door.stand_in.requests)
    asking = asyncio.create_task(door.ask(message="Say hello."))
    received = await door.stand_in.has_received(count + 1)
    asking.cancel()
    await door.stand_in.rests()
    assert received.has_left
