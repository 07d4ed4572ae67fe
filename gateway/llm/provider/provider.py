"""An API of language models: it streams answers, and says what it offers and what is left."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from gateway.clock import Clock, now
from gateway.errors import GatewayError, InvalidRequest
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.responses.request import is_for_responses
from gateway.llm.listing import Listing
from gateway.llm.messages import ChatRequest, Usage
from gateway.llm.model import Model
from gateway.llm.provider.channel import Channel
from gateway.llm.provider.generation import billed
from gateway.llm.provider.health import Health, ProviderStatus
from gateway.llm.provider.lists import listings
from gateway.llm.provider.pace import Pace, PaceRecord
from gateway.llm.provider.presets import Addresses, dialect_of, responses_of
from gateway.llm.provider.quota import ReportedQuota, quotas
from gateway.llm.provider.settings import ProviderSettings
from gateway.llm.provider.stream import ProviderStream


class Provider:
    """Open for as long as the gateway runs; it connects when it is first called.

    What it answers decides how it is treated: it, or one model of it, is left alone for a while
    after a 429 or several failures in a row, and tried again by one call.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises:
        ConfigurationError: the settings have no base URL where the kind has none of its own.
        """
        self.settings = settings
        self.name = settings.name
        self.kind = settings.kind
        self.addresses = Addresses.of(settings)
        self.dialect: Dialect = dialect_of(settings.kind)
        self._responses = responses_of(settings)
        self.health = Health(settings.name, settings.kind, clock=clock, monotonic=monotonic)
        self.channel = Channel(settings, self.dialect.error)
        self.slots = asyncio.Semaphore(settings.max_concurrent)
        self._clock = clock
        self._monotonic = monotonic
        self._paces: dict[str, PaceRecord] = {}

    async def __aenter__(self) -> Self:
        await self.channel.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.channel.__aexit__(exc_type, exc, traceback)

    def stream(self, request: ChatRequest, model: Model) -> ProviderStream:
        """`async with provider.stream(request, model) as chunks: async for chunk in chunks: …`"""
        return ProviderStream(self, request, model)

    async def embeddings(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What OpenAI's `/v1/embeddings` answers to the same body.

        Raises:
            InvalidRequest: this kind of provider makes no embeddings.
            GatewayError: as the provider refuses.
        """
        if self.addresses.embeddings is None:
            raise InvalidRequest(f"{self.name} makes no embeddings; ask another provider")
        model = f"{self.name}/{body.get('model', '')}"
        attempt = self.health.admit(model)
        try:
            answer = await self.channel.ask("POST", self.addresses.embeddings, body)
        except GatewayError as error:
            attempt.failed(error)
            raise
        finally:
            attempt.abandoned()
        attempt.succeeded()
        return answer if isinstance(answer, dict) else {"data": answer}

    async def listed(self) -> Sequence[Listing]:
        """Every list of models that it has; one that fails is left out while others come.

        Raises:
            GatewayError: none came.
        """
        return await listings(self.channel.ask, self.addresses, self.settings.deployments)

    async def quotas(self) -> Sequence[ReportedQuota]:
        """What the provider itself says is left; nothing where it does not say.

        Raises:
            GatewayError: it did not answer.
        """
        return await quotas(self.channel.ask, self.addresses, as_of=self._clock())

    async def billed(self, generation_id: str) -> Usage | None:
        """What a call cost whose stream did not get to its end; None where nobody says."""
        if self.kind != "openrouter":
            return None
        return await billed(self.channel.ask, self.addresses, generation_id)

    def cooling_seconds(self, model_id: str) -> float:
        """How long this model is left alone yet; 0 while it may be called."""
        return self.health.cooling_seconds(model_id)

    @property
    def status(self) -> ProviderStatus:
        return self.health.status

    def paces(self) -> Iterator[tuple[str, Pace]]:
        """How fast every model that was called has been of late."""
        at = self._monotonic()
        return ((model_id, record.pace(at)) for model_id, record in self._paces.items())

    def forget(self) -> None:
        """Drop what was measured of its models, and let all of them be called again."""
        self._paces.clear()
        self.health.forget()

    def dialect_for(self, request: ChatRequest, model: Model) -> Dialect:
        """Its usual one, but for what OpenAI's reasoning models answer only elsewhere."""
        responses = self._responses
        if responses and is_for_responses(request, model, responses.kind):
            return responses
        return self.dialect

    def record_first(self, model: Model, seconds: float) -> None:
        record = self._paces.setdefault(model.id, PaceRecord())
        record.first_token(seconds, self._monotonic())

    def record_end(self, model: Model, output_tokens: int, seconds: float) -> None:
        self._paces.setdefault(model.id, PaceRecord()).ended(
            output_tokens, seconds, self._monotonic()
        )
