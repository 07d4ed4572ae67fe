"""One call that turns texts into vectors: passed through, and counted like any other."""

import asyncio
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import BadAnswer, DeadlineExceeded, GatewayError, KeyRefused, NotFound
from gateway.llm.accounting import cost, worst_amount
from gateway.llm.answering import CANCELLED
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.messages import Usage
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider
from gateway.text import shown
from gateway.usage.call import Call, Settlement
from gateway.usage.ledger import Ledger

MOST_NAME_LETTERS = 200


class EmbeddingCall:
    """After `make`, `body` is the provider's answer and `cost_microusd` what it was charged."""

    def __init__(self, model: Model, provider: Provider, call: Call) -> None:
        self.model = model
        self.body: Mapping[str, Any] = {}
        self.cost_microusd: int | None = None
        self._provider = provider
        self._call = call
        self._began_at = time.perf_counter()

    async def make(self, body: Mapping[str, Any], ledger: Ledger) -> None:
        """Raises:
        GatewayError: a limit or the provider refuses.
        """
        # A token covers at least one byte of what is sent.
        most_tokens = len(json.dumps(body.get("input", "")).encode())
        worst = worst_amount(self.model, input_tokens=most_tokens, output_tokens=0)
        reservation = await ledger.reserve(self._call, worst)
        try:
            self.body = await self._provider.embeddings({**body, "model": self.model.name})
        except BaseException as error:
            await ledger.settle(reservation, self._failed(error, most_tokens))
            raise
        await ledger.settle(reservation, self._settlement(_usage(self.body, most_tokens), "ok"))

    def _failed(self, error: BaseException, most_tokens: int) -> Settlement:
        outcome = error.code if isinstance(error, GatewayError) else GatewayError.code
        if isinstance(error, asyncio.CancelledError):
            outcome = CANCELLED
        if _is_refusal(error):
            return Settlement(
                billed_microusd=0, cost_source="provider", outcome=outcome, requests=0
            )
        return self._settlement(Usage(input_tokens=most_tokens), outcome)

    def _settlement(self, usage: Usage, outcome: str) -> Settlement:
        costs = cost(usage, self.model, is_estimated=outcome != "ok")
        self.cost_microusd = costs.billed_microusd
        return Settlement(
            input_tokens=usage.input_tokens,
            billed_microusd=costs.billed_microusd,
            list_microusd=costs.listed_microusd,
            cost_source=costs.source,
            total_ms=(time.perf_counter() - self._began_at) * 1000,
            outcome=outcome,
        )


def _is_refusal(error: BaseException) -> bool:
    """Whether the provider will not bill; of an answer that nobody could read, it does."""
    is_unread = isinstance(error, BadAnswer | DeadlineExceeded) and not isinstance(
        error, KeyRefused
    )
    return isinstance(error, GatewayError) and not is_unread


def _usage(body: Mapping[str, Any], most_tokens: int) -> Usage:
    said = body.get("usage")
    counted = said if isinstance(said, dict) else {}
    tokens = counted.get("prompt_tokens", counted.get("total_tokens"))
    billed = counted.get("cost")
    return Usage(
        # Nothing is embedded for no tokens at all: such a count is none.
        input_tokens=tokens if isinstance(tokens, int) and tokens > 0 else most_tokens,
        billed_usd=None if billed is None else str(billed),
    )


def embedding_model(catalog: Catalog, providers: Collection[str], wanted: str) -> Model:
    """The model of this name, of one of the providers.

    Raises:
        NotFound: no configured provider is named, and the catalog knows no such model.
    """
    known = [one for one in catalog.named(wanted) if one.provider in providers]
    if known:
        # A subscription includes no embeddings: what makes them is billed.
        return replace(known[0], is_included=False)
    provider, _, name = wanted.partition("/")
    if provider in providers and name.isprintable() and 0 < len(name) <= MOST_NAME_LETTERS:
        return Model(wanted, provider, name, name)
    raise NotFound(
        f"no configured provider has the model {shown(wanted)!r}; name it with its provider, such "
        f"as {next(iter(providers))}/text-embedding-3-small",
        what="model",
        suggestions=catalog.near(wanted),
    )
