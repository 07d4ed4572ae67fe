"""`POST /v1/chat/completions`: the door that every client of OpenAI's knows how to use."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.endpoints.answer_facts import answer_headers, body_facts, cost_headers
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.hints import FIELD, hints_of
from gateway.endpoints.json_body import json_object
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS, LiveStream
from gateway.endpoints.openai_problems import (
    answering_as_openai,
    error_fields,
    openai_refusal,
    refused_body,
)
from gateway.endpoints.problems import in_our_terms
from gateway.errors import GatewayError, Unavailable
from gateway.llm.answering import Answering
from gateway.llm.completion import Completion, Hints
from gateway.llm.dialects.openai_door import (
    DONE,
    Envelope,
    answer_to_json,
    chunk_to_json,
    delivery_from_json,
    error_chunk_to_json,
    event,
    request_from_json,
    usage_chunk_to_json,
)
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Chunk, Usage

# Pictures come inside the body.
LIMIT_BYTES = 32 * 1024 * 1024
_FAREWELL_SECONDS = 1.0
_STOPPING = Unavailable("the gateway is stopping", retry_after_seconds=5)


def chat_routes(
    completion: Completion,
    *,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
    clock: Clock = now,
) -> list[BaseRoute]:
    """A plain answer is a stream that was gathered, so both go the same way.

    A client that leaves cancels the call. An error after the first piece is told inside the
    stream, which then ends without `[DONE]`.
    """

    async def chat(request: Request) -> Response:
        who = spender(request.state.caller)
        body = await json_object(request)
        hints = hints_of(request.headers, body.pop(FIELD, None))
        is_stream, has_usage = delivery_from_json(body)
        asked = _Asked(who=who, request=request_from_json(body), hints=hints, has_usage=has_usage)
        if is_stream:
            return _Streamed(completion, asked, keepalive_seconds=keepalive_seconds, clock=clock)
        async with WhileConnected(request.receive):
            return await _gathered(completion, asked, clock)
        return CLIENT_LEFT

    return [
        Route(
            "/v1/chat/completions",
            answering_as_openai(chat),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=openai_refusal),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
            ],
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    who: Caller
    request: ChatRequest
    hints: Hints
    has_usage: bool


async def _gathered(completion: Completion, asked: _Asked, clock: Clock) -> Response:
    gathering = Gathering()
    async with completion.answering(asked.who, asked.request, asked.hints) as answering:
        async for chunk in answering:
            gathering.add(chunk)
    written = answer_to_json(
        gathering.answers,
        _envelope(answering, clock),
        usage=answering.usage,
        cost_microusd=answering.cost_microusd,
        frame=gathering.frame,
    )
    headers = {**answer_headers(answering), **cost_headers(answering.cost_microusd)}
    return JSONResponse(_with_facts(written, answering), headers=headers)


class _Streamed(Response):
    """Its headers go out with the first piece, so that until then an error has its own status."""

    def __init__(
        self, completion: Completion, asked: _Asked, *, keepalive_seconds: float, clock: Clock
    ) -> None:
        self._completion = completion
        self._asked = asked
        self._keepalive_seconds = keepalive_seconds
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = LiveStream(send, keepalive_seconds=self._keepalive_seconds)
        async with WhileConnected(receive):
            try:
                await self._answer(stream)
            except Exception as error:
                # Once the stream has begun, it has told the error itself.
                if not stream.has_begun:
                    await openai_refusal(error)(scope, receive, send)

    async def _answer(self, stream: LiveStream) -> None:
        asked = self._asked
        async with self._completion.answering(asked.who, asked.request, asked.hints) as answering:
            envelope = _envelope(answering, self._clock)
            async with stream.open(answer_headers(answering)):
                try:
                    await self._write(stream, answering, envelope)
                except asyncio.CancelledError:
                    await _say_farewell(stream, envelope)
                    raise
                except Exception as error:
                    await stream.write(_error_event(in_our_terms(error), envelope))
                    raise

    async def _write(self, stream: LiveStream, answering: Answering, envelope: Envelope) -> None:
        begun: set[int] = set()
        async for chunk in answering:
            if not _is_shown(chunk):
                continue
            is_first = chunk.choice not in begun
            begun.add(chunk.choice)
            await stream.write(event(chunk_to_json(chunk, envelope, is_first=is_first)))
        if self._asked.has_usage:
            usage, cost = answering.usage or Usage(), answering.cost_microusd
            written = usage_chunk_to_json(usage, envelope, cost_microusd=cost)
            await stream.write(event(_with_facts(written, answering)))
        await stream.write(DONE)


def _is_shown(chunk: Chunk) -> bool:
    """Others only carry the usage, which goes out once, at the end, if it was asked for."""
    return chunk.says_something or bool(chunk.extra or chunk.logprobs)


async def _say_farewell(stream: LiveStream, envelope: Envelope) -> None:
    """To a client that has left it is lost; but a gateway that stops is cancelled likewise."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await stream.write(_error_event(_STOPPING, envelope))


def _error_event(error: GatewayError, envelope: Envelope) -> bytes:
    return event(error_chunk_to_json(error_fields(error), envelope))


def _envelope(answering: Answering, clock: Clock) -> Envelope:
    return Envelope(f"chatcmpl-{answering.route_id}", int(clock().timestamp()), answering.model.id)


def _with_facts(written: dict[str, Any], answering: Answering) -> dict[str, Any]:
    """A cost that is not known is null: a reader who finds nothing might take it for 0."""
    if usage := written.get("usage"):
        usage.setdefault("cost", None)
    return {**written, **body_facts(answering)}
