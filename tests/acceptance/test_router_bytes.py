"""What is on the wire: split letters, huge and broken bodies, odd names, clients that are slow."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.acceptance.router_processes import HELLO, RunningRouter, running_router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
LETTERS = ("Zürich ", "日本語 ", "🚀👩‍👩‍👧 ", "e\u0301 ", "\U0010ffff ", "קפה")
FOREIGN = "Zürich/日本"
ODD = "odd\r\nx-injected: yes\r\n\r\nZürich 日本"
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class World:
    router: RunningRouter
    client: openai.AsyncOpenAI
    stand_ins: dict[str, LlmStandIn]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    odd = [Offer("small", has_vision=True), Offer(ODD), Offer(FOREIGN)]
    async with (
        LlmStandIn("openrouter", offers=odd) as openrouter,
        LlmStandIn("anthropic", offers=[Offer("claude-haiku-4-5")]) as anthropic,
        LlmStandIn("ollama", offers=[Offer("at-home")]) as ollama,
        running_router(tmp_path_factory.mktemp("router"), openrouter, anthropic, ollama) as router,
        router.openai() as client,
    ):
        stand_ins = {one.kind: one for one in (openrouter, anthropic, ollama)}
        yield World(router, client, stand_ins)


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "model", ["openrouter/small", "anthropic/claude-haiku-4-5", "ollama/at-home"]
)
async def test_letters_that_are_split_at_every_byte_arrive_whole(
    world: World, model: str, is_stream: bool
) -> None:
    kind, _, name = model.partition("/")
    world.stand_ins[kind].script(name, Answer(pieces=LETTERS, bytes_at_once=1))
    answer: Any = await world.client.chat.completions.create(
        model=model, messages=HELLO, stream=is_stream
    )
    if is_stream:
        heard = "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
    else:
        heard = answer.choices[0].message.content
    assert heard == "".join(LETTERS)


async def test_a_picture_of_twenty_megabytes_passes_whole(world: World) -> None:
    url = "data:image/png;base64," + "A" * (20 * MEGABYTE)
    picture: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    answer = await world.client.chat.completions.create(model="openrouter/small", messages=picture)
    assert answer.choices[0].message.content
    sent = world.stand_ins["openrouter"].requests[-1].body["messages"]
    assert sent[0]["content"][0]["image_url"]["url"] == url


async def test_forty_megabytes_are_refused_in_openais_shape(world: World) -> None:
    before = len(world.stand_ins["openrouter"].requests)
    long: Any = [{"role": "user", "content": "A" * (40 * MEGABYTE)}]
    with pytest.raises(openai.APIStatusError) as caught:
        await world.client.chat.completions.create(model="openrouter/small", messages=long)
    assert caught.value.status_code == 413
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) >= {"message", "type", "param", "code"}
    assert len(world.stand_ins["openrouter"].requests) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"model": NaN}',
        b'{"model": "auto", "messages": ' + b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"model": "auto", "messages": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"model": "auto", "messages": [], "n": ' + b"9" * 5_000 + b"}",
        b'{"model": "auto", "messages": [], "n": 1e999}',
        b'{"model": {"a": 1}, "messages": [{"role": "user", "content": "Hello"}]}',
        b'{"model": "auto", "messages": [{"role": "user", "content": [[[["Hello"]]]]}]}',
        b'{"model": "auto", "messages": "Hello"}',
        b'{"model": "auto"}',
    ],
    ids=lambda body: body[:24].decode(errors="replace"),
)
async def test_a_body_that_is_wrong_is_answered_in_openais_shape(world: World, body: bytes) -> None:
    async with world.router.http() as client:
        answer = await client.post(CHAT, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert 10 < len(error["message"]) < 500
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("depth", [100, 900, 5_000])
async def test_deep_json_inside_a_good_request_never_breaks_the_gateway(
    world: World, depth: int
) -> None:
    schema = '{"a":' * depth + "1" + "}" * depth
    chat = json.dumps({"model": "openrouter/small", "messages": HELLO})
    for field in ("tools", "metadata", "response_format", "unknown_field"):
        body = f'{chat[:-1]}, "{field}": {schema}}}'
        async with world.router.http() as client:
            answer = await client.post(CHAT, content=body.encode(), headers=JSON)
        assert answer.status_code in (200, 400), (field, answer.text[:300])


@pytest.mark.parametrize("is_stream", [False, True])
async def test_no_models_name_writes_a_header(world: World, is_stream: bool) -> None:
    body = {"messages": HELLO, "stream": is_stream}
    async with world.router.http() as client:
        for model in (f"openrouter/{ODD}", "no\r\nx-injected: yes", "no\0\x1b[31m" + "x" * 9_000):
            answer = await client.post(CHAT, json={**body, "model": model})
            assert answer.status_code == 404
            assert "x-injected" not in answer.headers
        answer = await client.post(CHAT, json={**body, "model": f"openrouter/{FOREIGN}"})
        assert answer.status_code == 200
        assert answer.headers["x-gateway-model"] == "openrouter/Z?rich/??"
        for name in (ODD, "no\0", "no\r\nx-injected: yes"):
            embedding = {"model": f"openrouter/{name}", "input": "Hello"}
            answer = await client.post("/v1/embeddings", json=embedding)
            assert answer.status_code == 404
            assert "x-injected" not in answer.headers
    lines = world.router.process.log().splitlines()
    assert not [line for line in lines if line.startswith("x-injected")]


async def test_a_client_that_does_not_read_holds_neither_memory_nor_the_provider(
    world: World,
) -> None:
    stand_in = world.stand_ins["openrouter"]
    pieces = ("x" * 20_000,) * 10_000
    # The moment between two pieces lets the stand-in notice that its client left.
    stand_in.script("small", Answer(pieces=pieces, delay_seconds=1e-6))
    number = len(stand_in.requests) + 1
    host, _, port = world.router.url.removeprefix("http://").partition(":")
    before = resident_bytes(world.router.process.pid)
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"model": "openrouter/small", "messages": HELLO, "stream": True}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    received = await stand_in.has_received(number)
    await stands_still(received)
    assert received.bill is not None
    assert received.bill.tokens.output < len(pieces) / 4
    assert resident_bytes(world.router.process.pid) - before < 30 * MEGABYTE
    # Others are served meanwhile.
    answer = await world.client.chat.completions.create(model="openrouter/small", messages=HELLO)
    assert answer.choices[0].message.content
    writer.close()
    async with asyncio.timeout(5):
        await received.left.wait()


async def stands_still(received: Any) -> None:
    """Until the provider can send no more; nothing tells when that is."""
    sent = -1
    async with asyncio.timeout(20):
        while received.bill is None or received.bill.tokens.output != sent:
            sent = received.bill.tokens.output if received.bill else -1
            await asyncio.sleep(0.25)


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
