"""The contract of every document source: what it lists it reads, and what it is told is true."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.app.opening import Gateway, opened
from gateway.config.settings import Config
from gateway.documents.document import Document
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.sources.market.kind import market_kinds

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = [kind.pattern.kind for kind in market_kinds()]
QUESTION = "btc, doge and 1000cheems 4h candles and 1d"
UNKNOWN = {"symbol": "NOSUCHUSDT", "interval": "1h"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with opened(Config()) as everything:
        yield everything


async def offered(gateway: Gateway, kind: str) -> list[Document]:
    """What one source lists for the question, read."""
    source = next(one for one in gateway.registry.sources if one.pattern.kind == kind)
    query = Query.read(QUESTION, gateway.registry.lexicons)
    entries = source.entries(query)
    assert not asyncio.iscoroutine(entries)
    return await asyncio.gather(*(gateway.registry.fetch(entry.id.text) for entry in entries))


async def test_every_source_is_under_this_contract(gateway: Gateway) -> None:
    assert sorted(source.pattern.kind for source in gateway.registry.sources) == sorted(KINDS)
    assert len(KINDS) == 15


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_is_listed_is_read_and_says_what_it_is(gateway: Gateway, kind: str) -> None:
    documents = await offered(gateway, kind)
    assert len(documents) == (6 if kind == "klines" else 3)
    for document in documents:
        assert document.id.kind == kind
        assert document.as_of.tzinfo is not None
        assert document.is_simulated
        assert "simulated" in document.title
        assert "simulated" in document.source.lower()
        assert 20 < len(document.title) < 200
        assert document.text.startswith(("**", "## "))
        assert "| " in document.text or kind == "avg_price"
        assert not re.search(r"\{\{|None|nan|Undefined", document.title + document.text)
        assert json.dumps(dict(document.metadata))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_id_round_trips(gateway: Gateway, kind: str) -> None:
    for document in await offered(gateway, kind):
        source, parsed = gateway.registry.find(gateway.registry.url(document.id))
        assert parsed == document.id
        assert source.pattern.parse(document.id.text) == document.id
        assert source.pattern.format(**document.id.values) == document.id


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_value_is_not_found_with_suggestions(gateway: Gateway, kind: str) -> None:
    source = next(one for one in gateway.registry.sources if one.pattern.kind == kind)
    near = source.pattern.format(**{**UNKNOWN, "symbol": "BTCUSDTT"}).text
    with pytest.raises(NotFound, match="BTCUSDTT") as caught:
        await gateway.registry.fetch(near)
    assert caught.value.suggestions
    for suggestion in caught.value.suggestions:
        assert (await gateway.registry.fetch(suggestion)).id.text == suggestion
    with pytest.raises(NotFound, match="NOSUCHUSDT"):
        await gateway.registry.fetch(source.pattern.format(**UNKNOWN).text)
