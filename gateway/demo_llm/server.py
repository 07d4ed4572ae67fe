"""A provider that speaks as OpenAI does with no model behind it, for a try without keys."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.demo_llm.answer import LETTERS_PER_TOKEN, DemoAnswer, answer
from gateway.demo_llm.models import CREATED, MODELS, DemoModel

# Slow enough to be seen as a stream.
WORD_SECONDS = 0.02
DIMENSIONS = 32


class DemoLlm:
    """Listens on a free port of this machine; `base_url` is what a client is configured with."""

    def __init__(self, *, word_seconds: float = WORD_SECONDS) -> None:
        self.base_url = ""
        self._app = demo_app(word_seconds=word_seconds)
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio forgets this for sockets that it did not make: each piece would wait 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            ws="none",
        )
        self._server = _SignalFreeServer(config)
        # The port listens already: a request that comes before the server is ready waits for it.
        self._serving = asyncio.create_task(self._server.serve([listener]), name="demo llm")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server and self._serving:
            self._server.should_exit = True
            await self._serving


class _SignalFreeServer(uvicorn.Server):
    """Leaves SIGTERM and SIGINT to the program around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def demo_app(*, word_seconds: float = WORD_SECONDS) -> Starlette:
    desk = _Desk(word_seconds)
    return Starlette(
        routes=[
            Route("/v1/models", desk.models),
            Route("/v1/models/{name}", desk.model),
            Route("/v1/chat/completions", desk.chat, methods=["POST"]),
            Route("/v1/embeddings", desk.embeddings, methods=["POST"]),
        ]
    )


class _Desk:
    def __init__(self, word_seconds: float) -> None:
        self._word_seconds = word_seconds
        self._numbers = count(1)

    async def models(self, request: Request) -> Response:
        listed = [model.listed() for model in MODELS.values()]
        return JSONResponse({"object": "list", "data": listed})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(MODELS[name].listed()) if name in MODELS else _unknown(name)

    async def chat(self, request: Request) -> Response:
        body = await _body(request)
        if body is None or not isinstance(body.get("messages"), list):
            return _error(400, "the body must be a JSON object with messages", "invalid_request")
        model = MODELS.get(str(body.get("model")))
        if model is None:
            return _unknown(str(body.get("model")))
        completion = _Completion(f"demo-{next(self._numbers)}", model, answer(body))
        if not body.get("stream"):
            return JSONResponse(completion.whole())
        has_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        frames = self._paced(completion.chunks(has_usage=has_usage))
        return StreamingResponse(frames, media_type="text/event-stream")

    async def _paced(self, chunks: Iterator[Mapping[str, Any]]) -> AsyncIterator[str]:
        for chunk in chunks:
            yield f"data: {json.dumps(chunk)}\n\n"
            await asyncio.sleep(self._word_seconds)
        yield "data: [DONE]\n\n"

    async def embeddings(self, request: Request) -> Response:
        body = await _body(request)
        if body is None or not body.get("input"):
            return _error(400, "the body must be a JSON object with input", "invalid_request")
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        tokens = sum(max(len(str(text)) // LETTERS_PER_TOKEN, 1) for text in texts)
        return JSONResponse(
            {
                "object": "list",
                "model": str(body.get("model")),
                "data": [
                    {"object": "embedding", "index": number, "embedding": _vector(str(text))}
                    for number, text in enumerate(texts)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )


class _Completion:
    """One answer in the JSON of chat completions, whole or in chunks."""

    def __init__(self, identity: str, model: DemoModel, said: DemoAnswer) -> None:
        self._id = identity
        self._model = model
        self._said = said

    def whole(self) -> Mapping[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._said.text or None}
        if self._said.calls:
            message["tool_calls"] = [self._call(number) for number in range(len(self._said.calls))]
        choice = {"index": 0, "message": message, "finish_reason": self._said.finish_reason}
        return {**self._envelope("chat.completion"), "choices": [choice], "usage": self._usage()}

    def chunks(self, *, has_usage: bool) -> Iterator[Mapping[str, Any]]:
        yield self._chunk({"role": "assistant", "content": ""})
        for word in self._said.words:
            yield self._chunk({"content": word})
        for number in range(len(self._said.calls)):
            yield self._chunk({"tool_calls": [{"index": number, **self._call(number)}]})
        yield self._chunk({}, finish_reason=self._said.finish_reason)
        if has_usage:
            envelope = self._envelope("chat.completion.chunk")
            yield {**envelope, "choices": [], "usage": self._usage()}

    def _chunk(
        self, delta: Mapping[str, Any], *, finish_reason: str | None = None
    ) -> Mapping[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._envelope("chat.completion.chunk"), "choices": [choice]}

    def _call(self, number: int) -> Mapping[str, Any]:
        call = self._said.calls[number]
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": f"call_{self._id}_{number}", "type": "function", "function": function}

    def _envelope(self, kind: str) -> Mapping[str, Any]:
        return {"id": self._id, "object": kind, "created": CREATED, "model": self._model.name}

    def _usage(self) -> Mapping[str, Any]:
        input_tokens, output_tokens = self._said.input_tokens, self._said.output_tokens
        return {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }


async def _body(request: Request) -> dict[str, Any] | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _vector(text: str) -> list[float]:
    """The same for the same text; it means nothing."""
    numbers = [byte - 127.5 for byte in sha256(text.encode("utf-8", "replace")).digest()]
    length = sum(number * number for number in numbers) ** 0.5
    return [round(number / length, 6) for number in numbers[:DIMENSIONS]]


def _unknown(name: str) -> Response:
    known = ", ".join(MODELS)
    return _error(404, f"the demo has no model {name!r}; it has {known}", "model_not_found")


def _error(status: int, message: str, code: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)
