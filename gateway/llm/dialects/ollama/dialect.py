"""The dialect of Ollama's own chat."""

from collections.abc import Mapping
from typing import Any

from gateway import clock
from gateway.errors import GatewayError
from gateway.llm.dialects.dialect import Decoder
from gateway.llm.dialects.errors import provider_error
from gateway.llm.dialects.ollama.request import request_to_json
from gateway.llm.dialects.ollama.stream import OllamaReader
from gateway.llm.event_stream import JsonLines
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model

_WHO = "Ollama"


class Dialect:
    path = "/api/chat"

    def __init__(self, *, now: clock.Clock = clock.now) -> None:
        self._now = now

    def encode(self, request: ChatRequest, model: Model) -> dict[str, Any]:
        return request_to_json(request, model)

    def decoder(self) -> Decoder:
        return Decoder(JsonLines(), OllamaReader(_WHO, clock=self._now))

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return provider_error(status, headers, body=body, who=_WHO, clock=self._now)
