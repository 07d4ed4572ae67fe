"""The dialect of OpenAI's Responses API, where its reasoning models take tools."""

from collections.abc import Mapping
from typing import Any

from gateway import clock
from gateway.errors import GatewayError
from gateway.llm.dialects.dialect import Decoder
from gateway.llm.dialects.errors import provider_error
from gateway.llm.dialects.openai.dialect import WHO
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.dialects.responses.request import request_to_json
from gateway.llm.dialects.responses.stream import ResponsesReader
from gateway.llm.event_stream import ServerSentEvents
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model


class Dialect:
    """`issuer` is the provider's name: what it sealed, only it is sent back."""

    path = "/responses"

    def __init__(
        self, kind: Kind = "openai", issuer: str = "openai", *, now: clock.Clock = clock.now
    ) -> None:
        self.kind = kind
        self._issuer = issuer
        self._now = now

    def encode(self, request: ChatRequest, model: Model) -> dict[str, Any]:
        return request_to_json(request, model, self._issuer)

    def decoder(self) -> Decoder:
        reader = ResponsesReader(WHO[self.kind], self._issuer, clock=self._now)
        return Decoder(ServerSentEvents(), reader)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return provider_error(status, headers, body=body, who=WHO[self.kind], clock=self._now)
