"""The dialect of Anthropic's Messages."""

from collections.abc import Mapping
from typing import Any

from gateway import clock
from gateway.errors import GatewayError
from gateway.llm.dialects.anthropic.request import request_to_json
from gateway.llm.dialects.anthropic.stream import AnthropicReader
from gateway.llm.dialects.dialect import Decoder
from gateway.llm.dialects.errors import provider_error
from gateway.llm.event_stream import ServerSentEvents
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model

_WHO = "Anthropic"


class Dialect:
    path = "/messages"

    def __init__(self, *, now: clock.Clock = clock.now) -> None:
        self._now = now

    def encode(self, request: ChatRequest, model: Model) -> dict[str, Any]:
        return request_to_json(request, model)

    def decoder(self) -> Decoder:
        return Decoder(ServerSentEvents(), AnthropicReader(_WHO, clock=self._now))

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return provider_error(status, headers, body=body, who=_WHO, clock=self._now)
