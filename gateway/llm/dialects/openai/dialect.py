"""The dialect of OpenAI's chat completions, which most providers speak, each in its own way."""

from collections.abc import Mapping
from typing import Any

from gateway import clock
from gateway.errors import GatewayError
from gateway.llm.dialects.dialect import Decoder
from gateway.llm.dialects.errors import provider_error
from gateway.llm.dialects.openai.chunks import OpenAIReader
from gateway.llm.dialects.openai.request import Kind, request_to_json
from gateway.llm.event_stream import ServerSentEvents
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model

WHO: Mapping[Kind, str] = {
    "nanogpt": "NanoGPT",
    "openrouter": "OpenRouter",
    "openai": "OpenAI",
    "azure": "Azure",
    "lmstudio": "LM Studio",
    "vertex": "Vertex AI",
    "generic": "the provider",
}


class Dialect:
    path = "/chat/completions"

    def __init__(self, kind: Kind = "generic", *, now: clock.Clock = clock.now) -> None:
        self._kind = kind
        self._now = now

    def encode(self, request: ChatRequest, model: Model) -> dict[str, Any]:
        return request_to_json(request, model, self._kind)

    def decoder(self) -> Decoder:
        reader = OpenAIReader(self._kind, WHO[self._kind], clock=self._now)
        return Decoder(ServerSentEvents(), reader)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return provider_error(status, headers, body=body, who=WHO[self._kind], clock=self._now)
