"""`POST /v1/responses`: the door that OpenAI's newer clients, and Codex, know how to use."""

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.clock import Clock, now
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.hints import FIELD, hints_of
from gateway.endpoints.json_body import json_object
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.response_answer import Answers, Question, told
from gateway.endpoints.response_history import History
from gateway.endpoints.response_items import page_of
from gateway.errors import InvalidRequest
from gateway.llm.doors.responses.format import asked_from_json, conversation
from gateway.llm.loop.loop import ToolLoop
from gateway.llm.tokens import request_tokens
from gateway.stored_responses import StoredResponses

# Pictures come inside the body.
LIMIT_BYTES = 32 * 1024 * 1024
PATH = "/v1/responses"


def responses_routes(
    loop: ToolLoop,
    stored: StoredResponses,
    *,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
    clock: Clock = now,
) -> list[BaseRoute]:
    """A plain answer is a stream that was gathered, so both go the same way.

    A client that leaves cancels the call, and nothing is kept of it. An error after the first
    piece is told inside the stream, by `response.failed`.
    """
    answers = Answers(loop, stored, keepalive_seconds=keepalive_seconds, clock=clock)
    history = History(stored)

    async def create(request: Request) -> Response:
        who = spender(request.state.caller)
        body = await json_object(request)
        hints = hints_of(request.headers, body.pop(FIELD, None))
        asked = asked_from_json(body)
        before, items, referred = await history.of(who.name, asked)
        talk = conversation(asked, before, referred)
        question = Question(who, asked, talk, items, hints)
        if asked.is_stream:
            return answers.streamed(question)
        async with WhileConnected(request.receive):
            return await answers.gathered(question)
        return CLIENT_LEFT

    async def count(request: Request) -> Response:
        who = spender(request.state.caller)
        body = await json_object(request)
        body.pop(FIELD, None)
        asked = asked_from_json({"model": "auto", **body})
        before, _, referred = await history.of(who.name, asked)
        tokens = request_tokens(conversation(asked, before, referred).request)
        return JSONResponse({"object": "response.input_tokens", "input_tokens": tokens})

    async def retrieve(request: Request) -> Response:
        who, response_id = spender(request.state.caller), request.path_params["response_id"]
        if request.query_params.get("stream") == "true":
            raise InvalidRequest("stream: a response that is kept is whole; ask without stream")
        return told((await history.one(who.name, response_id)).answer)

    async def delete(request: Request) -> Response:
        who, response_id = spender(request.state.caller), request.path_params["response_id"]
        await history.forget(who.name, response_id)
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def input_items(request: Request) -> Response:
        who, response_id = spender(request.state.caller), request.path_params["response_id"]
        items = await history.input_of(who.name, response_id)
        return told(page_of(items, request.query_params))

    bodied = [
        Middleware(SpendersOnly, refuse=openai_refusal),
        Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
    ]
    one = f"{PATH}/{{response_id}}"
    return [
        Route(PATH, answering_as_openai(create), methods=["POST"], middleware=bodied),
        Route(
            f"{PATH}/input_tokens",
            answering_as_openai(count),
            methods=["POST"],
            middleware=bodied,
        ),
        Route(one, answering_as_openai(retrieve), methods=["GET"]),
        Route(one, answering_as_openai(delete), methods=["DELETE"]),
        Route(f"{one}/input_items", answering_as_openai(input_items), methods=["GET"]),
    ]
