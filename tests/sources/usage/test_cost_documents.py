"""Forecasts, unusual days and savings in documents, over a real ledger."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.documents.document import Document
from gateway.sources.router_reader import RouterReader
from gateway.sources.usage.source import UsageSource
from gateway.usage.call import Call, Settlement
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.sources.router_world import CONFIGURED, LIMITS, Router, World, opened_router

SOL = "openai/gpt-6-sol"
EACH = Limit("each", "requests", 40, Window.parse("month"), per=("caller",))


async def spend(router: Router, model: str, tier: str, *, caller: str, microusd: int) -> None:
    about = Call("r", caller, model.partition("/")[0], model, tier, task="coding")
    settlement = Settlement(
        2_000, 500, billed_microusd=microusd, list_microusd=microusd or 900, cost_source="list"
    )
    await router.call(about, settlement)


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    """Twelve days of a paid and two free calls; yesterday alice spent $12."""
    world = World(*CONFIGURED)
    now = world.now
    async with opened_router(tmp_path, world, limits=(*LIMITS, EACH)) as router:
        for days_ago in range(12, -1, -1):
            world.now = now - timedelta(days=days_ago)
            cost = 12_000_000 if days_ago == 1 else 400_000
            await spend(router, SOL, "paid", caller="alice", microusd=cost)
            for _ in range(2):
                await spend(router, "nanogpt/glm", "free", caller="bob", microusd=0)
        yield router


async def usage_with_prices(router: Router, window: str) -> Document:
    """As the app opens the source, with the catalog."""
    catalog, clock = router.world.catalog, router.world.clock
    reader = RouterReader(catalog, clock=clock)
    source = UsageSource(router.ledger, reader, catalog=catalog, clock=clock)
    return await source.read(source.pattern.format(window=window))


async def test_a_quota_says_how_long_it_lasts_in_title_summary_and_text(router: Router) -> None:
    document = await router.registry.fetch("quota:nanogpt_free")
    assert document.title.endswith("resets 1 Dec 2026, 00:00 UTC; at this pace it lasts")
    assert "At this pace it lasts until it resets on 1 Dec 2026, with about 60," in document.summary
    assert "| Pace | 2 requests a day |" in document.text
    assert "| Seen | 26 calls in 12.0 days |" in document.text
    assert "ends_at" not in document.metadata


async def test_a_budget_says_when_it_ends(router: Router) -> None:
    document = await router.registry.fetch("budget:monthly")
    assert "; at this pace it ends " in document.title
    assert "At this pace it ends " in document.summary
    assert "before it resets." in document.summary
    assert "| Likely end | " in document.text
    assert document.metadata["ends_at"].startswith("2026-11-2")


async def test_a_quota_of_each_caller_has_a_forecast_for_each(router: Router) -> None:
    document = await router.registry.fetch("quota:each")
    assert "of caller=bob" in document.title
    assert "| caller=alice | At this pace it lasts" in document.text
    assert "| caller=bob | At this pace it " in document.text


async def test_too_little_use_is_said_to_be_too_little(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        document = await router.registry.fetch("budget:monthly")
    assert document.title == "Budget monthly: $20.00 of $20.00 left, resets 1 Dec 2026, 00:00 UTC"
    assert "Too little was used to tell how long it lasts" in document.summary


async def test_a_quota_of_each_caller_that_nobody_used_is_whole(tmp_path: Path) -> None:
    async with opened_router(tmp_path, limits=(EACH,)) as router:
        document = await router.registry.fetch("quota:each")
    assert document.title == ("Quota each: 40 of 40 requests left, resets 1 Dec 2026, 00:00 UTC")


async def test_a_window_that_holds_an_unusual_day_tells_it(router: Router) -> None:
    for window in ("yesterday", "7d", "30d", "2026-11"):
        document = await router.registry.fetch(f"usage:{window}")
        assert "Unusual: Spent on 20 Nov 2026: $12.00, where a day usually costs $0.40" in (
            document.summary
        )
        assert f"## Unusual\n\n- Spent on 20 Nov 2026: $12.00, where {'a day'}" in document.text
        assert f"Most of it: model {SOL} and caller alice." in document.text
    today = await router.registry.fetch("usage:today")
    assert "Unusual" not in today.summary + today.text


async def test_savings_stand_in_the_usage_of_a_time(router: Router) -> None:
    document = await usage_with_prices(router, "2026-11")
    assert "Savings: $0.0234 saved compared with their own list prices;" in document.summary
    assert "## Savings" in document.text
    assert f"On {SOL} (the paid model that was used most in this time; list prices of 20" in (
        document.text
    )
    assert "Another model cuts the same text into other tokens" in document.text
    # More was paid than that list says: it is no negative saving.
    assert "they cost $" in document.text
    assert "-$" not in document.text


async def test_without_a_price_list_it_says_how_to_name_an_alternative(router: Router) -> None:
    reader = RouterReader(router.world.catalog, clock=router.world.clock)
    source = UsageSource(router.ledger, reader, clock=router.world.clock)
    document = await source.read(source.pattern.format(window="today"))
    assert "/v1/usage/savings?alternative=MODEL" in document.text


async def test_a_time_without_calls_saved_nothing(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        document = await usage_with_prices(router, "today")
    assert "aving" not in document.summary
