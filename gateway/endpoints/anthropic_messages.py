"""`POST /v1/messages`: the door that every client of Anthropic's knows, Claude Code too."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import request_id
from gateway.caller import Caller
from gateway.endpoints.answer_facts import answer_headers, cost_headers, usd
from gateway.endpoints.anthropic_problems import (
    answering_as_anthropic,
    anthropic_refusal,
    error_body,
    refused_body,
)
from gateway.endpoints.authentication import MESSAGES_PATH, SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.hints import FIELD, hints_of
from gateway.endpoints.json_body import json_object
from gateway.endpoints.live_answer import LiveAnswer
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS, LiveStream
from gateway.endpoints.tool_events import rounds_to_json, wants_tool_events
from gateway.errors import GatewayError, NotFound
from gateway.llm.completion import Hints
from gateway.llm.doors.chat.tools import take_wish
from gateway.llm.doors.messages.format import (
    Envelope,
    GatheredMessage,
    MessageEvents,
    counted_tokens,
    event,
    is_stream_from_json,
    other_names,
    request_from_json,
    take_servers,
)
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.loop.turns import Turns
from gateway.llm.loop.wish import Wish
from gateway.llm.messages import ChatRequest

# Pictures come inside the body; Anthropic's own limit is the same.
LIMIT_BYTES = 32 * 1024 * 1024


def messages_routes(
    loop: ToolLoop, *, keepalive_seconds: float = KEEPALIVE_SECONDS
) -> list[BaseRoute]:
    """Messages, and how many tokens they would be, which is the gateway's own guess.

    A client that leaves cancels the call. An error after the first piece is told inside the
    stream, which then ends without `message_stop`.
    """

    async def messages(request: Request) -> Response:
        body = await json_object(request)
        is_stream = is_stream_from_json(body)
        asked = _asked(request, body)
        if is_stream:
            return LiveAnswer(
                partial(_write, loop, asked),
                refuse=anthropic_refusal,
                keepalive_seconds=keepalive_seconds,
            )
        async with WhileConnected(request.receive):
            return await _gathered(loop, asked)
        return CLIENT_LEFT

    async def count_tokens(request: Request) -> Response:
        body = await json_object(request)
        _take_wish(body)
        counted = counted_tokens(request_from_json(body, is_counted=True))
        headers = {"request-id": request_id.current()}
        return JSONResponse({"input_tokens": counted}, headers=headers)

    middleware = [
        Middleware(SpendersOnly, refuse=anthropic_refusal),
        Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
    ]
    handlers = {MESSAGES_PATH: messages, f"{MESSAGES_PATH}/count_tokens": count_tokens}
    return [
        Route(path, answering_as_anthropic(handler), methods=["POST"], middleware=middleware)
        for path, handler in handlers.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    who: Caller
    request: ChatRequest
    hints: Hints
    wish: Wish
    shows_calls: bool

    def events(self, turns: Turns) -> MessageEvents:
        return MessageEvents(
            Envelope(f"msg_{turns.route_id}", turns.model.id),
            input_tokens=counted_tokens(self.request),
            shows_calls=self.shows_calls,
            holds_calls=bool(turns.offered.by_name) and not self.shows_calls,
        )

    def ended(self, turns: Turns, events: MessageEvents) -> Iterator[dict[str, Any]]:
        """What is to be told once everything was said."""
        is_unseen = not self.shows_calls and any(one.calls for one in turns.rounds)
        work = turns.messages if is_unseen and turns.pending else ()
        return events.end(turns.usage, _facts(turns), work)


def _asked(request: Request, body: dict[str, Any]) -> _Asked:
    has_servers = bool(body.get("mcp_servers"))
    return _Asked(
        who=spender(request.state.caller),
        hints=hints_of(request.headers, body.pop(FIELD, None)),
        shows_calls=has_servers or wants_tool_events(request.headers, body),
        wish=_take_wish(body),
        request=request_from_json(body),
    )


def _take_wish(body: dict[str, Any]) -> Wish:
    wish, servers = take_wish(body), take_servers(body)
    return replace(wish, offers=(*wish.offers, *servers))


@asynccontextmanager
async def _answering(loop: ToolLoop, asked: _Asked) -> AsyncIterator[Turns]:
    """The answer of the model that is asked for, under whichever of its names somebody has it."""
    async with AsyncExitStack() as stack:
        yield await _begun(loop, asked, stack)


async def _begun(loop: ToolLoop, asked: _Asked, stack: AsyncExitStack) -> Turns:
    wanted = asked.request.model
    unknown: NotFound | None = None
    for name in (wanted, *other_names(wanted)):
        request = replace(asked.request, model=name)
        answering = loop.answering(asked.who, request, asked.hints, asked.wish)
        try:
            return await stack.enter_async_context(answering)
        except NotFound as error:
            unknown = unknown or error
    assert unknown is not None
    raise _with_advice(unknown)


def _with_advice(unknown: NotFound) -> NotFound:
    advised = NotFound(
        f"{unknown}; to have another model answer under this name, set aliases in gateway.yaml",
        what=unknown.what,
        suggestions=unknown.suggestions,
    )
    advised.route_id = unknown.route_id
    return advised


async def _gathered(loop: ToolLoop, asked: _Asked) -> Response:
    gathered = GatheredMessage()
    async with _answering(loop, asked) as turns:
        events = asked.events(turns)
        async for piece in turns:
            for said in events.add(piece):
                gathered.add(said)
    for said in asked.ended(turns, events):
        gathered.add(said)
    headers = {**_headers(turns), **cost_headers(turns.cost_microusd)}
    verbatim = events.verbatim if len(turns.rounds) == 1 else None
    return JSONResponse(gathered.message(verbatim), headers=headers)


async def _write(loop: ToolLoop, asked: _Asked, stream: LiveStream) -> None:
    async with (
        _answering(loop, asked) as turns,
        stream.open(_headers(turns)),
        stream.telling(_error_events),
    ):
        events = asked.events(turns)
        async for piece in turns:
            if written := b"".join(map(event, events.add(piece))):
                await stream.write(written)
        await stream.write(b"".join(map(event, asked.ended(turns, events))))


def _error_events(error: GatewayError) -> Iterator[bytes]:
    yield event(error_body(error))


def _headers(turns: Turns) -> dict[str, str]:
    return {**answer_headers(turns), "request-id": request_id.current()}


def _facts(turns: Turns) -> dict[str, Any]:
    """What Anthropic has no fields for; a cost that is not known is null."""
    rounds = rounds_to_json(turns.rounds) if turns.offered.by_name else {}
    return {
        "route_id": turns.route_id,
        "tier": turns.tier,
        "cost_usd": usd(turns.cost_microusd),
        "quota_remaining": turns.quota_remaining,
        **rounds,
    }
