"""`POST /v1/embeddings`, passed through to the provider of the model that is named."""

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import request_id
from gateway.endpoints.answer_facts import cost_headers, model_headers
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.json_body import json_object
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.errors import InvalidRequest
from gateway.llm.completion import Completion
from gateway.llm.embedding import EmbeddingCall

LIMIT_BYTES = 32 * 1024 * 1024


def embedding_routes(completion: Completion) -> list[BaseRoute]:
    async def embed(request: Request) -> Response:
        who = spender(request.state.caller)
        body = await json_object(request)
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise InvalidRequest("model: must be the ID of a model that makes embeddings")
        if not body.get("input") or not isinstance(body["input"], str | list):
            raise InvalidRequest("input: must be a text, or a list of texts or of tokens")
        async with WhileConnected(request.receive):
            return _answer(await completion.embeddings(who, body))
        return CLIENT_LEFT

    return [
        Route(
            "/v1/embeddings",
            answering_as_openai(embed),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=openai_refusal),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
            ],
        )
    ]


def _answer(made: EmbeddingCall) -> Response:
    headers = {
        **model_headers(made.model),
        **cost_headers(made.cost_microusd),
        "x-request-id": request_id.current(),
    }
    return JSONResponse(dict(made.body), headers=headers)
