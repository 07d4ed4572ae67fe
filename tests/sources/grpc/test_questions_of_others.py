"""Questions about markets and the router are answered as before, whatever services there are."""

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry, SearchSettings
from gateway.downstream.grpc.methods import MethodExposure, Saying
from tests.sources.grpc.warehouse import warehouse_of
from tests.sources.router_world import opened_router
from tests.stand_ins.inventory import Inventory, InventoryServer, Item

GOLDEN = Path(__file__).parents[2] / "golden"
QUESTIONS = [
    question["ask"]
    for name in ("questions", "paraphrases", "router_questions")
    for question in tomllib.loads((GOLDEN / f"{name}.toml").read_text("utf-8"))["question"]
][::5]
QUIET = SearchSettings(live_titles=0)
# Named like coins, tickers, models and the very words that people ask about them with.
NAMED_LIKE_OTHERS = {
    sku: Item(sku, name, 1, 1.0, "A")
    for sku, name in {
        "SOL": "Solana sticker", "BTCUSDT": "Bitcoin mug", "ETH": "eth", "24": "Best model",
        "X1": "Near", "X2": "Today", "X3": "Bitcoin", "X4": "Cheapest model", "X5": "GPT-5",
        "X6": "Link", "X7": "Order book", "X8": "Price", "X9": "Budget", "X10": "Whale",
    }.items()
}  # fmt: skip
WORDS_OF_OTHERS = MethodExposure(
    sayings={
        "inventory.v1.Inventory.GetItem": Saying(
            document={"words": "price order book model budget left trade cheapest".split()}
        )
    }
)


@asynccontextmanager
async def both(
    folder: Path, server: InventoryServer, exposure: MethodExposure | None = None
) -> AsyncIterator[tuple[Registry, Registry]]:
    """What an owner sees without the service, and with it."""
    async with opened_router(folder) as router:
        before = router.registry
        async with (
            Freshness() as freshness,
            warehouse_of(
                server,
                first=before.sources,
                lexicons=before.lexicons,
                exposure=exposure,
                settings=QUIET,
            ) as warehouse,
        ):
            alone = Registry(
                before.sources,
                freshness,
                public_url="https://gateway.example",
                lexicons=before.lexicons,
                settings=QUIET,
            )
            yield alone, warehouse.registry


async def test_a_warehouse_changes_no_answer(tmp_path: Path) -> None:
    async with both(tmp_path, InventoryServer()) as (alone, beside):
        for question in QUESTIONS:
            assert await beside.search(question) == await alone.search(question), question


async def test_a_service_that_speaks_as_markets_do_takes_no_answer_from_them(
    tmp_path: Path,
) -> None:
    server = InventoryServer(Inventory(items=NAMED_LIKE_OTHERS))
    async with both(tmp_path, server, WORDS_OF_OTHERS) as (alone, beside):
        answers = {one: (await alone.search(one), await beside.search(one)) for one in QUESTIONS}
    others = {one: before for one, (before, after) in answers.items() if before != after}
    # Whatever it adds, such as its "Budget" for "wedding budget left", found nothing before.
    assert not any(before.results for before in others.values()), others
    assert len(others) <= 8, others


async def test_each_question_is_answered_by_whom_it_is_about(tmp_path: Path) -> None:
    expected = {
        "how many blue widgets are left": ["item:WIDGET-BLUE"],
        "price of the blue widget": ["item:WIDGET-BLUE"],
        "bitcoin price": ["ticker:BTCUSDT"],
        "blue widget and bitcoin price": ["item:WIDGET-BLUE", "ticker:BTCUSDT"],
        "red widgets in stock": ["item:WIDGET-RED"],
        "sol order book": ["orderbook:SOLUSDT"],
        "budget left": ["budget:monthly"],
    }
    async with both(tmp_path, InventoryServer()) as (_, beside):
        for question, ids in expected.items():
            answer = await beside.search(question)
            assert sorted(result.id for result in answer.results[: len(ids)]) == ids
            assert answer.message == "", question
