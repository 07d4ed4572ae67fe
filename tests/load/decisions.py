"""How long the two decisions of every call take by themselves: which model, and whether it may."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import get_args

from gateway.caller import LOCAL
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.completion import Completion
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import Policy
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderKind, ProviderSettings
from gateway.storage.database import Database
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.golden.prompts import TUNED, prompts
from tests.load.limits import one_by_one

LIMITS = (
    Limit("money", "microusd", 10**12, Window.parse("month")),
    Limit("tokens", "tokens", 10**12, Window.parse("rolling_30_days")),
)
WANTED = ("auto", "auto:coding", "auto:fast", "openrouter/openai/gpt-5.4-mini")
LEDGER_CALLS = 500


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided, and the seconds that each time of it took, in order of size."""

    name: str
    seconds: Sequence[float]


async def decisions() -> Sequence[Decision]:
    """Over all models of all kinds of providers, by the labelled prompts; and on SQLite."""
    settings = [
        ProviderSettings(kind, kind, base_url="http://127.0.0.1:1/v1", api_key="none")
        for kind in get_args(ProviderKind)
        if kind != "vertex"
    ]
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = await stack.enter_async_context(Database(f"sqlite:///{folder}/gateway.db"))
        ledger = await stack.enter_async_context(Ledger(database, LIMITS))
        catalog = Catalog([ConfiguredProvider(one.name, one.kind) for one in settings])
        providers = {one.name: Provider(one) for one in settings}
        completion = Completion(catalog, providers, ledger, Policy(may_pay=True))
        selecting = [
            Decision(
                f"selection of {wanted} among {len(catalog.callable_models):,} models",
                _selections(completion, wanted),
            )
            for wanted in WANTED
        ]
        await one_by_one(ledger, 50)
        reserving, settling = await one_by_one(ledger, LEDGER_CALLS)
        both = sorted(begin + end for begin, end in zip(reserving, settling, strict=True))
    return [*selecting, Decision("ledger, to reserve and to settle", both)]


def _selections(completion: Completion, wanted: str) -> list[float]:
    asked = [
        ChatRequest(wanted, (Message("user", (Text(prompt.text),)),), max_output_tokens=500)
        for prompt in prompts(TUNED)
    ]
    completion.plan(LOCAL, asked[0])
    seconds = []
    for request in asked * 2:
        began = time.perf_counter()
        completion.plan(LOCAL, request)
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)
