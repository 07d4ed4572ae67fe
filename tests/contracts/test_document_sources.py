"""The contract of every document source: what it lists it reads, and what it is told is true."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import yaml

from gateway import caller
from gateway.app.opening import Gateway, opened
from gateway.caller import LOCAL
from gateway.config.settings import load
from gateway.documents.document import Document
from gateway.documents.query import Query
from gateway.documents.source import DocumentSource
from gateway.errors import NotFound
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.sources.agents.sources import KINDS as AGENT_KINDS
from gateway.sources.market.kind import market_kinds
from gateway.sources.router import KINDS as ROUTER_KINDS
from gateway.tasks.task import drafted
from tests.stand_ins.inventory import InventoryServer
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Contract:
    """`near` is an ID that does not exist but is like one that does; `absent` is like none.

    `missed` is what the error must say of both. Without `near`, nobody lists what there is.
    """

    question: str
    listed: int
    near: str
    absent: str
    missed: str


def of_market(kind: str) -> Contract:
    interval = ":1h" if kind == "klines" else ""
    return Contract(
        "btc, doge and 1000cheems 4h candles and 1d",
        6 if kind == "klines" else 3,
        f"{kind}:BTCUSDTT{interval}",
        f"{kind}:NOSUCHUSDT{interval}",
        "BTCUSDTT|NOSUCHUSDT",
    )


MARKET = [kind.pattern.kind for kind in market_kinds()]
CONTRACTS = {
    **{kind: of_market(kind) for kind in MARKET},
    "model": Contract(
        "openai models with vision", 1, "model:openai/smal", "model:openai/qqqq", "no known model"
    ),
    "free_models": Contract(
        "which free models are there",
        1,
        "free_models:codin",
        "free_models:cooking",
        "there are all",
    ),
    "benchmark": Contract(
        "my last benchmark", 1, "benchmark:lost", "benchmark:zzz", "no benchmark"
    ),
    "provider": Contract(
        "is openai or openrouter up", 2, "provider:opena", "provider:zzz", "no provider"
    ),
    "usage": Contract(
        "what did I spend today, yesterday and last month",
        3,
        "usage:2026-13",
        "usage:once",
        "is no time",
    ),
    "quota": Contract("my quotas", 2, "quota:dail", "quota:zzz", "there are: daily, tokens"),
    # Two of each agent, for a run and for a day.
    "budget": Contract("budget left", 5, "budget:month", "budget:zzz", "there are: monthly"),
    "routing": Contract(
        "which model would you pick for coding and for research",
        2,
        "routing:codin",
        "routing:cooking",
        "the tasks are",
    ),
    "route": Contract("last route", 1, "route:lost", "route:zzz", "no request has this route"),
    "task": Contract("open tasks", 3, "task:task_0", "task:zzz", "there is no task"),
    "agent": Contract("which agents are on", 3, "agent:revew", "agent:zzz", "no agent is named"),
    "run": Contract(
        "the latest runs of the review agent", 2, "run:lost", "run:zzz", "no run is named"
    ),
    "event": Contract("latest events", 2, "event:lost", "event:zzz", "there is no event"),
    "item": Contract(
        "red and blue widgets in the warehouse",
        2,
        "item:WIDGET-BLEU",
        "item:qqqq",
        "warehouse has no such item",
    ),
    "reservation": Contract(
        "reservation R-1", 1, "", "reservation:R-99", "warehouse has no such reservation"
    ),
}
# Of the others there is something to list here.
WITHOUT_TABLE = ("avg_price", "usage", "reservation", "free_models")
SIMULATED = [*MARKET, "item", "reservation"]
SETTINGS: dict[str, Any] = {
    "limits": [
        {"name": "daily", "quota_requests": 50, "window": "day"},
        {"name": "tokens", "quota_tokens": 1_000_000, "window": "month"},
        {"name": "monthly", "budget_usd": 20, "window": "month"},
    ],
    "agents_file": "agents.yaml",
}
AGENTS: dict[str, Any] = {
    "agents": [
        {"name": name, "is_on": True, "model": "openai/small"} for name in ("review", "test")
    ]
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One that has answered a chat, so that there is a route and something spent.

    An agent was asked, whose run waits: nobody carries it out here.
    """
    folder = tmp_path_factory.mktemp("gateway")
    file = folder / "gateway.yaml"
    offers = [Offer("small", has_vision=True)]
    async with (
        InventoryServer() as warehouse,
        LlmStandIn("openrouter", offers=offers) as stand_in,
    ):
        warehouse.inventory.reserve("BOLT-M6", 1_500, customer="a customer")
        provider = {
            "kind": "openrouter",
            "name": "openai",
            "base_url": stand_in.base_url,
            "api_key": "sk-of-the-provider",
        }
        service = {"name": "warehouse", "address": warehouse.address}
        settings = {
            **SETTINGS,
            "providers": [provider],
            "grpc_services": [service],
            "data_dir": str(folder),
        }
        file.write_text(yaml.safe_dump(settings), "utf-8")
        (folder / "agents.yaml").write_text(yaml.safe_dump(AGENTS), "utf-8")
        async with opened(load(file, environment={})) as everything:
            await chat(everything)
            await benchmark(everything)
            for title in ("Say goodbye, too", "Ask for more"):
                await everything.router.tasks.create(drafted(title), by="olga")
            await everything.agents.ask("review", "Is the last commit fine?", by="olga")
            yield everything


async def chat(gateway: Gateway) -> None:
    request = ChatRequest("openai/small", (Message("user", (Text("Say hello."),)),))
    async with gateway.router.completion.answering(LOCAL, request) as answering:
        assert [chunk async for chunk in answering]


async def benchmark(gateway: Gateway) -> None:
    task = {"task_id": "hello", "task": "Say hello.", "context_length": 10, "runs_per_task": 1}
    caller.begin(LOCAL)
    await gateway.owners.toolbox.call("benchmark_task", {**task, "paid_model": "openai/small"})


def source_of(gateway: Gateway, kind: str) -> DocumentSource:
    return next(one for one in gateway.owners.registry.sources if one.pattern.kind == kind)


async def offered(gateway: Gateway, kind: str) -> list[Document]:
    """What one source lists for its question, read."""
    registry = gateway.owners.registry
    query = Query.read(CONTRACTS[kind].question, registry.lexicons)
    entries = source_of(gateway, kind).entries(query)
    if isinstance(entries, Awaitable):
        entries = await entries
    return await asyncio.gather(*(registry.fetch(entry.id.text) for entry in entries))


async def test_every_source_is_under_this_contract(gateway: Gateway) -> None:
    kinds = [source.pattern.kind for source in gateway.owners.registry.sources]
    assert sorted(kinds) == sorted(CONTRACTS)
    assert len(MARKET) == 15
    own = [one.pattern.kind for one in (*ROUTER_KINDS, *AGENT_KINDS)]
    assert sorted(CONTRACTS) == sorted([*MARKET, *own, "item", "reservation"])


async def test_who_is_no_owner_sees_markets_and_models_only(gateway: Gateway) -> None:
    kinds = [source.pattern.kind for source in gateway.others.registry.sources]
    assert sorted(kinds) == sorted([*MARKET, "model"])


@pytest.mark.parametrize("kind", CONTRACTS)
async def test_whatever_is_listed_is_read_and_says_what_it_is(gateway: Gateway, kind: str) -> None:
    documents = await offered(gateway, kind)
    assert len(documents) == CONTRACTS[kind].listed
    for document in documents:
        assert document.id.kind == kind
        assert document.as_of.tzinfo is not None
        assert document.is_simulated == (kind in SIMULATED)
        assert ("simulated" in document.title) == (kind in SIMULATED)
        assert ("simulated" in document.source.lower()) == (kind in MARKET)
        assert 20 < len(document.title) < 200
        assert document.summary
        assert document.text.startswith(("**", "## "))
        assert "| " in document.text or kind in WITHOUT_TABLE
        assert not re.search(r"\{\{|None|\bnan\b|Undefined", document.title + document.text)
        assert json.dumps(dict(document.metadata))


@pytest.mark.parametrize("kind", CONTRACTS)
async def test_every_id_round_trips(gateway: Gateway, kind: str) -> None:
    registry = gateway.owners.registry
    for document in await offered(gateway, kind):
        source, parsed = registry.find(registry.url(document.id))
        assert parsed == document.id
        assert source.pattern.parse(document.id.text) == document.id
        assert source.pattern.format(**document.id.values) == document.id


@pytest.mark.parametrize("kind", CONTRACTS)
async def test_an_unknown_value_is_not_found_with_suggestions(gateway: Gateway, kind: str) -> None:
    registry, contract = gateway.owners.registry, CONTRACTS[kind]
    with pytest.raises(NotFound, match=contract.missed):
        await registry.fetch(contract.absent)
    if not contract.near:
        return
    with pytest.raises(NotFound, match=contract.missed) as caught:
        await registry.fetch(contract.near)
    assert caught.value.suggestions
    for suggestion in caught.value.suggestions:
        assert (await registry.fetch(suggestion)).id.text == suggestion
