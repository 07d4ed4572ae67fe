"""Real clients ask what people ask; the right document comes first, and every one opens."""

import asyncio
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.stand_ins.gateway_process import GatewayProcess
from tests.stand_ins.mcp_clients import Call, Connect, over_http, over_sse, said

GOLDEN = Path(__file__).parents[1] / "golden"
QUESTIONS = [
    question
    for name in ("questions.toml", "paraphrases.toml")
    for question in tomllib.loads((GOLDEN / name).read_text("utf-8"))["question"]
]
VERSIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, "2026-07-28")
WAYS: dict[str, Connect] = {
    "SSE": over_sse,
    **{f"HTTP {version}": over_http(version) for version in VERSIONS},
}
AT_ONCE = 8


async def asked(call: Call, questions: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The IDs that each question finds."""
    may_ask = asyncio.Semaphore(AT_ONCE)

    async def ask(question: dict[str, Any]) -> list[str]:
        async with may_ask:
            answer = said(await call("search", {"query": question["ask"]}))
        assert list(answer) == ["results"]
        return [result["id"] for result in answer["results"]]

    return await asyncio.gather(*(ask(question) for question in questions))


def is_within(found: list[str], question: dict[str, Any], places: int) -> bool:
    """Whether what must come first is found within so many places, and nothing forbidden is."""
    if question.get("nothing"):
        return not found
    first = set(question["first"])
    is_there = first <= set(found[: max(places, len(first))])
    return is_there and not set(question.get("not", ())) & set(found)


@pytest.fixture(scope="module")
def found(gateway: GatewayProcess) -> list[list[str]]:
    """The IDs that each question finds, in the order of the questions."""

    async def ask() -> list[list[str]]:
        async with asyncio.timeout(240), over_sse(gateway.base_url) as call:
            return await asked(call, QUESTIONS)

    return asyncio.run(ask())


def test_the_right_document_comes_first(found: list[list[str]]) -> None:
    pairs = list(zip(found, QUESTIONS, strict=True))
    not_first = [question["ask"] for ids, question in pairs if not is_within(ids, question, 1)]
    not_third = [question["ask"] for ids, question in pairs if not is_within(ids, question, 3)]
    assert len(not_first) <= 0.05 * len(QUESTIONS), not_first
    assert len(not_third) <= 0.01 * len(QUESTIONS), not_third


@pytest.mark.parametrize("way", WAYS)
async def test_the_same_question_gives_the_same_order_every_time_and_every_way(
    gateway: GatewayProcess, found: list[list[str]], way: str
) -> None:
    step = 5 if way == "SSE" else 20
    async with asyncio.timeout(120), WAYS[way](gateway.base_url) as call:
        assert await asked(call, QUESTIONS[::step]) == found[::step]


def some_of_each_kind(ids: set[str]) -> list[str]:
    """Documents of one kind are read alike: twenty, from the whole of its list, stand for all."""
    of_kind: dict[str, list[str]] = {}
    for document_id in sorted(ids):
        of_kind.setdefault(document_id.partition(":")[0], []).append(document_id)
    return [one for those in of_kind.values() for one in those[:: len(those) // 20 + 1]]


async def test_every_listed_document_can_be_fetched_and_opens_at_its_url(
    gateway: GatewayProcess, found: list[list[str]]
) -> None:
    ids = some_of_each_kind({document_id for listed in found for document_id in listed})
    async with (
        asyncio.timeout(240),
        over_sse(gateway.base_url) as call,
        httpx.AsyncClient(timeout=30) as browser,
    ):
        may_read = asyncio.Semaphore(AT_ONCE)

        async def read(document_id: str) -> None:
            async with may_read:
                document = said(await call("fetch", {"id": document_id}))
                page = await browser.get(document["url"])
            assert document["id"] == document_id
            assert set(map(type, document["metadata"].values())) == {str}
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert document_id in page.text

        await asyncio.gather(*(read(document_id) for document_id in ids))
    kinds = {document_id.partition(":")[0] for document_id in ids}
    assert len(kinds) == 15, kinds
