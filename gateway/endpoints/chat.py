"""`POST /v1/chat/completions`: the door that every client of OpenAI's knows how to use."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.endpoints.answer_facts import answer_headers, body_facts, cost_headers
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.hints import FIELD, hints_of
from gateway.endpoints.json_body import json_object
from gateway.endpoints.live_answer import LiveAnswer
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS, LiveStream
from gateway.endpoints.openai_problems import (
    answering_as_openai,
    error_fields,
    openai_refusal,
    refused_body,
)
from gateway.endpoints.session_id import take_session_id
from gateway.endpoints.tool_events import call_event, rounds_to_json, wants_tool_events
from gateway.errors import GatewayError
from gateway.llm.completion import Hints
from gateway.llm.doors.chat.format import (
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
from gateway.llm.doors.chat.tools import WORK, take_wish, work_to_json
from gateway.llm.gathering import Gathering
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.loop.turns import Turns
from gateway.llm.loop.wish import Wish
from gateway.llm.messages import ChatRequest, Chunk
from gateway.llm.sessions import Sessions

logger = logging.getLogger(__name__)

# Pictures come inside the body.
LIMIT_BYTES = 32 * 1024 * 1024


def chat_routes(
    loop: ToolLoop,
    sessions: Sessions,
    *,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
    clock: Clock = now,
) -> list[BaseRoute]:
    """A plain answer is a stream that was gathered, so both go the same way.

    A client that leaves cancels the call. An error after the first piece is told inside the
    stream, which then ends without `[DONE]`.
    """
    door = _Door(loop, sessions, clock)

    async def chat(request: Request) -> Response:
        body = await json_object(request)
        is_stream, has_usage = delivery_from_json(body)
        asked = _Asked(
            who=spender(request.state.caller),
            has_usage=has_usage,
            has_tool_events=wants_tool_events(request.headers, body),
            hints=hints_of(request.headers, body.pop(FIELD, None)),
            session_id=take_session_id(request.headers, body),
            wish=take_wish(body),
            request=request_from_json(body),
        )
        if is_stream:
            return LiveAnswer(
                partial(_write, door, asked),
                refuse=openai_refusal,
                keepalive_seconds=keepalive_seconds,
            )
        async with WhileConnected(request.receive):
            return await _gathered(door, asked)
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
    wish: Wish
    session_id: str | None
    has_usage: bool
    has_tool_events: bool


@dataclass(frozen=True, slots=True)
class _Door:
    loop: ToolLoop
    sessions: Sessions
    clock: Clock

    @asynccontextmanager
    async def answering(self, asked: _Asked) -> AsyncIterator[Turns]:
        """What was said before comes along, and an answer that came whole is remembered."""
        request, session_id = asked.request, asked.session_id
        if session_id is not None:
            request = await self.sessions.continued(asked.who.name, session_id, request)
        async with self.loop.answering(
            asked.who, request, asked.hints, asked.wish, is_kept=session_id is not None
        ) as turns:
            yield turns

    async def keep(self, asked: _Asked, turns: Turns) -> dict[str, Any]:
        """What is to be told of it: an answer that cannot be kept was paid for all the same."""
        if asked.session_id is None:
            return {}
        try:
            await self.sessions.keep(
                asked.who.name, asked.session_id, asked.request, turns.messages
            )
        except GatewayError as error:
            logger.warning("route_id=%s could not be kept: %s", turns.route_id, error)
            return {"session_kept": False}
        return {"session_kept": True}

    def envelope(self, turns: Turns) -> Envelope:
        created = int(self.clock().timestamp())
        return Envelope(f"chatcmpl-{turns.route_id}", created, turns.model.id)


async def _gathered(door: _Door, asked: _Asked) -> Response:
    gathering = Gathering()
    async with door.answering(asked) as turns:
        async for piece in turns:
            if isinstance(piece, Chunk):
                gathering.add(_with_work(piece, turns))
        kept = await door.keep(asked, turns)
    written = answer_to_json(
        gathering.answers,
        door.envelope(turns),
        usage=turns.usage,
        cost_microusd=turns.cost_microusd,
        frame=gathering.frame,
    )
    headers = {**answer_headers(turns), **cost_headers(turns.cost_microusd)}
    return JSONResponse(_with_facts(written, turns) | kept, headers=headers)


async def _write(door: _Door, asked: _Asked, stream: LiveStream) -> None:
    async with door.answering(asked) as turns:
        envelope = door.envelope(turns)
        told = partial(_error_events, envelope)
        async with stream.open(answer_headers(turns)), stream.telling(told):
            await _write_pieces(stream, asked, turns, envelope=envelope)
            kept = await door.keep(asked, turns)
            if asked.has_usage:
                cost = turns.cost_microusd
                written = usage_chunk_to_json(turns.usage, envelope, cost_microusd=cost)
                await stream.write(event(_with_facts(written, turns) | kept))
            await stream.write(DONE)


async def _write_pieces(
    stream: LiveStream, asked: _Asked, turns: Turns, *, envelope: Envelope
) -> None:
    begun: set[int] = set()
    async for piece in turns:
        if not isinstance(piece, Chunk):
            if asked.has_tool_events:
                await stream.write(call_event(piece))
            continue
        if not _is_shown(piece):
            continue
        is_first = piece.choice not in begun
        begun.add(piece.choice)
        chunk = _with_work(piece, turns)
        await stream.write(event(chunk_to_json(chunk, envelope, is_first=is_first)))


def _is_shown(chunk: Chunk) -> bool:
    """Others only carry the usage, which goes out once, at the end, if it was asked for."""
    return chunk.says_something or bool(chunk.extra or chunk.logprobs)


def _with_work(chunk: Chunk, turns: Turns) -> Chunk:
    """A call that goes back brings along what was done before it, to be sent back with it."""
    if chunk.finish_reason is None or not any(one.calls for one in turns.rounds):
        return chunk
    if not turns.pending:
        return chunk
    return replace(chunk, extra={**chunk.extra, WORK: work_to_json(turns.messages)})


def _error_events(envelope: Envelope, error: GatewayError) -> Iterator[bytes]:
    yield event(error_chunk_to_json(error_fields(error), envelope))


def _with_facts(written: dict[str, Any], turns: Turns) -> dict[str, Any]:
    """A cost that is not known is null: a reader who finds nothing might take it for 0."""
    if usage := written.get("usage"):
        usage.setdefault("cost", None)
    rounds = {"gateway": rounds_to_json(turns.rounds)} if turns.offered.by_name else {}
    return {**written, **body_facts(turns), **rounds}
