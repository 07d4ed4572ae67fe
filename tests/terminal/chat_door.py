"""A gateway's chat door that says what a test tells it to, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.stand_ins.http_server import serve

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"x-gateway-tier", b"paid"),
    (b"x-gateway-provider", b"stand-in"),
    (b"x-gateway-route-id", b"r0123456789abcdef"),
]
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
CALL = {"round": 1, "id": "call_1", "name": "create_task", "server": "task-orchestrator"}


def text(said: str) -> bytes:
    return _chunk([{"index": 0, "delta": {"content": said}, "finish_reason": None}])


def finish(reason: str = "stop", **delta: Any) -> bytes:
    return _chunk([{"index": 0, "delta": delta, "finish_reason": reason}])


def begun(arguments: str = '{"title": "Log in"}', **changed: Any) -> bytes:
    return _event("function_call", {**CALL, "arguments": arguments, **changed})


def ended(content: str = '{"id": 1}', **changed: Any) -> bytes:
    told = {**CALL, "content": content, "error": None, "milliseconds": 12.3, **changed}
    return _event("function_result", told)


def usage(cost: float | None = 0.0012, *, left: int | None = 98, rounds: int = 2) -> bytes:
    one: dict[str, Any] = {"model": "large", "tier": "paid", "route_id": "r1", "tool_calls": []}
    return _chunk(
        [],
        usage={"prompt_tokens": 1_200, "completion_tokens": 34, "cost": cost},
        x_quota_remaining=left,
        gateway={"rounds": [{**one, "cost_usd": cost, "usage": {}}] * rounds},
    )


def failure(message: str, code: str = "unavailable") -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": "error"}
    return _chunk([choice], error={"message": message, "code": code})


@dataclass
class ChatDoor:
    """Answers each request with the next of its scripts; the last one is not closed, but held,
    if it says so, and then `left` is set when the client leaves.
    """

    scripts: list[Sequence[bytes]]
    is_held: bool = False
    url: str = ""
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        script = self.scripts.pop(0)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        for frame in script:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        if self.is_held and not self.scripts:
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def chat_door(*scripts: Sequence[bytes], is_held: bool = False) -> AsyncIterator[ChatDoor]:
    door = ChatDoor(list(scripts), is_held)

    class Answer:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await door.answer(scope, receive, send)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ready", "version": "1"})

    routes = [Route("/v1/chat/completions", Answer(), methods=["POST"]), Route("/health", health)]
    async with serve(Starlette(routes=routes)) as door.url:
        yield door


def _chunk(choices: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    chunk = {"object": "chat.completion.chunk", "id": "c1", "created": 1, "model": "large"}
    return b"data: " + json.dumps({**chunk, "choices": choices, **more}).encode() + b"\n\n"


def _event(name: str, told: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told)}\n\n".encode()
