"""Documents about spending and limits, over a real ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.usage.call import Call, Settlement
from tests.sources.router_world import CONFIGURED, Router, World, opened_router


def call(model: str, tier: str, **changes: str) -> Call:
    facts = {"task": "coding", "context": "personal", **changes}
    provider = model.partition("/")[0]
    return Call("request", "alice", provider, model, tier, **facts)  # type: ignore[arg-type]


async def spend(router: Router) -> None:
    await router.call(
        call("openai/gpt-6-sol", "paid"),
        Settlement(1_000, 200, billed_microusd=12_300, list_microusd=12_300, cost_source="list"),
    )
    await router.call(
        call("nanogpt/glm", "free", task="quick"),
        Settlement(500, 100, billed_microusd=0, list_microusd=900, cost_source="list"),
    )
    await router.call(
        call("openai/gpt-6-sol", "paid", context="work"),
        Settlement(10, 0, billed_microusd=0, outcome="unavailable", requests=1),
    )


async def test_usage_tells_money_tokens_and_failures_with_breakdowns(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await spend(router)
        document = await router.registry.fetch("usage:today")
    assert document.title == "Spent today: $0.0123 for 3 calls"
    assert "3 calls, 1 of them failed; 1,510 tokens in, 300 out" in document.summary
    assert "| Worth by the list | $0.0132 |" in document.text
    for heading in ("model", "provider", "task", "tier", "caller", "day"):
        assert f"## By {heading}" in document.text
    assert "| openai/gpt-6-sol | $0.0123 |" in document.text
    assert "| free | $0.00 | 1 | 500 | 100 | $0.0009 |" in document.text


async def test_the_answer_of_a_search_carries_what_was_spent(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await spend(router)
        answer = await router.registry.search("what did I spend today")
        assert answer.results[0].title == "Spent today: $0.0123 for 3 calls"


async def test_a_day_without_calls_cost_nothing(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        document = await router.registry.fetch("usage:yesterday")
    assert document.title == "Spent yesterday: $0.00 for 0 calls"
    assert "No model was called yesterday" in document.text


async def test_yesterday_is_the_day_that_was(tmp_path: Path) -> None:
    world = World(*CONFIGURED)
    async with opened_router(tmp_path, world) as router:
        await spend(router)
        world.now += timedelta(days=1)
        assert (await router.registry.fetch("usage:yesterday")).title.startswith(
            "Spent yesterday: $0.01"
        )
        answer = await router.registry.search("usage last month")
        assert answer.results[0].id == "usage:2026-10"
        world.now = datetime(2026, 12, 2, tzinfo=UTC)
        again = await router.registry.search("usage last month")
        assert again.results[0].id == "usage:2026-11"


async def test_no_time_is_refused_with_an_example(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        with pytest.raises(NotFound, match="2026-11-20") as caught:
            await router.registry.fetch("usage:whenever")
    assert caught.value.suggestions == ("usage:today", "usage:7d", "usage:30d", "usage:2026-11")


async def test_a_quota_tells_what_is_left_and_when_it_resets(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await spend(router)
        answer = await router.registry.search("how many free nanogpt requests are left")
        assert answer.results[0].title == (
            "Quota nanogpt_free: 59,999 of 60,000 requests left, resets 1 Dec 2026, 00:00 UTC"
        )
        document = await router.registry.fetch("quota:nanogpt_free")
    assert "binds tier free, provider nanogpt" in document.text


async def test_what_the_provider_counted_beyond_ours_is_shown(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await router.ledger.observe("nanogpt_free", 18_800, at=router.world.now)
        document = await router.registry.fetch("quota:nanogpt_free")
    assert "41,200 of 60,000 requests left" in document.title
    assert "18,800 requests used, at 21 Nov 2026, 12:30 UTC" in document.text


async def test_a_budget_tells_money(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await spend(router)
        document = await router.registry.fetch("budget:monthly")
        assert "$19.9877 of $20.00 left" in document.title
        with pytest.raises(NotFound, match="monthly, work") as caught:
            await router.registry.fetch("budget:montly")
        assert caught.value.suggestions[0] == "budget:monthly"
        with pytest.raises(NotFound):
            await router.registry.fetch("quota:monthly")


def test_the_documents_that_tell_of_spending_can_be_told_apart() -> None:
    from gateway.sources import router

    public = {one.pattern.kind for one in router.KINDS if not getattr(one, "is_private", True)}
    assert public == {"model"}
