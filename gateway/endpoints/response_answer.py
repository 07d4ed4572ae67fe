"""Answers of `/v1/responses`, whole or as a stream of events, kept before they are told whole."""

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from gateway.caller import Caller
from gateway.clock import Clock
from gateway.endpoints.answer_facts import answer_headers, cost_headers, headed, usd
from gateway.endpoints.live_answer import LiveAnswer
from gateway.endpoints.live_stream import LiveStream
from gateway.endpoints.openai_problems import error_fields, openai_refusal
from gateway.endpoints.tool_events import rounds_to_json
from gateway.errors import BadAnswer, GatewayError
from gateway.llm.completion import Hints
from gateway.llm.doors.responses.format import (
    AnswerStream,
    Asked,
    Conversation,
    Envelope,
    Event,
    body,
    event,
    kept_items,
    usage_to_json,
)
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.loop.turns import Turns
from gateway.stored_responses import Stored, StoredResponses

logger = logging.getLogger(__name__)

# Types of tools that no model here can use, and that were not offered to any.
_LEFT_OUT = "x-gateway-left-out-tools"


@dataclass(frozen=True, slots=True)
class Question:
    """`items` are those of the request itself, to be kept with its answer."""

    who: Caller
    asked: Asked
    talk: Conversation
    items: Sequence[Mapping[str, Any]]
    hints: Hints


class Answers:
    def __init__(
        self, loop: ToolLoop, stored: StoredResponses, *, keepalive_seconds: float, clock: Clock
    ) -> None:
        self._loop = loop
        self._stored = stored
        self._keepalive_seconds = keepalive_seconds
        self._clock = clock

    async def gathered(self, question: Question) -> Response:
        async with self._answering(question) as turns:
            telling = self._telling(question, turns)
            last: Event = {}
            async for one in self._events(question, turns, telling):
                last = one
        headers = {**_headers(question, turns), **cost_headers(turns.cost_microusd)}
        return told(last["response"], headers)

    def streamed(self, question: Question) -> Response:
        return LiveAnswer(
            partial(self._write, question),
            refuse=openai_refusal,
            keepalive_seconds=self._keepalive_seconds,
        )

    async def _write(self, question: Question, stream: LiveStream) -> None:
        """An error after the first piece is told inside of the stream, and raised."""
        async with self._answering(question) as turns:
            telling = self._telling(question, turns)
            told = partial(_failure_events, telling)
            async with (
                stream.open(_headers(question, turns)),
                stream.telling(told),
                aclosing(self._events(question, turns, telling)) as events,
            ):
                async for one in events:
                    await stream.write(event(one))

    def _answering(self, question: Question) -> AbstractAsyncContextManager[Turns]:
        talk = question.talk
        return self._loop.answering(question.who, talk.request, question.hints, talk.wish)

    def _telling(self, question: Question, turns: Turns) -> AnswerStream:
        created = int(self._clock().timestamp())
        envelope = Envelope(turns.route_id, created, turns.model.id, question.asked.echo)
        approved = question.talk.wish.approved
        return AnswerStream(envelope, question.asked, offered=turns.offered, approved=approved)

    async def _events(
        self, question: Question, turns: Turns, telling: AnswerStream
    ) -> AsyncGenerator[Event, None]:
        """The last of them holds the whole response, which is kept by then."""
        for one in telling.begin(question.talk.listed):
            yield one
        async for piece in turns:
            for one in telling.tell(piece):
                yield one
        for one in telling.end_items():
            yield one
        if telling.finish_reason == "error":
            raise BadAnswer(f"{turns.provider} ended its answer with an error")
        facts = _facts(question, turns)
        yield telling.end(await self._kept(question, telling, telling.response(**facts)))

    async def _kept(
        self, question: Question, telling: AnswerStream, response: dict[str, Any]
    ) -> dict[str, Any]:
        """An answer that cannot be kept is told all the same: it was paid for."""
        asked = question.asked
        if not asked.is_stored:
            return response
        items = kept_items(question.items, telling.envelope)
        stored = Stored(telling.envelope.id, items, response)
        try:
            await self._stored.add(question.who.name, stored, previous_id=asked.previous_id)
        except GatewayError as error:
            logger.warning("response=%s could not be kept: %s", telling.envelope.id, error)
            return {**response, "store": False}
        return response


def told(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """What clients sent may be in it, half characters too."""
    return Response(body(document), headers=headers, media_type="application/json")


def _failure_events(telling: AnswerStream, error: GatewayError) -> Iterator[bytes]:
    return map(event, telling.fail(error_fields(error)))


def _headers(question: Question, turns: Turns) -> dict[str, str]:
    """What is known before the answer is whole."""
    headers = answer_headers(turns)
    if left_out := question.asked.tools.left_out:
        headers[_LEFT_OUT] = ", ".join(headed(name[:60]) for name in left_out)
    return headers


def _facts(question: Question, turns: Turns) -> dict[str, Any]:
    """What only this gateway tells; a cost that is not known is null."""
    ours = {
        "route_id": turns.route_id,
        "provider": turns.provider,
        "tier": turns.tier,
        "cost_usd": usd(turns.cost_microusd),
        "quota_remaining": turns.quota_remaining,
        **rounds_to_json(turns.rounds),
        "left_out_tools": list(question.asked.tools.left_out),
    }
    return {"usage": usage_to_json(turns.usage), "gateway": ours}
