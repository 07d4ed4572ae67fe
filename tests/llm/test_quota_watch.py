"""What a provider counts of its quota and what we count are one number."""

from pathlib import Path

import pytest

from gateway.errors import LimitExceeded
from gateway.llm.quota_watch import QuotaWatch
from gateway.usage.call import Amount, Call
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.routers import router
from tests.stand_ins.llm.server import LlmStandIn

USAGE = "/api/subscription/v1/usage"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


def weekly(used: int, *, most: int = 60_000_000, active: bool = True) -> dict[str, object]:
    return {
        "active": active,
        "limits": {"weeklyInputTokens": most, "dailyInputTokens": None, "dailyImages": 100},
        "weeklyInputTokens": {"used": used, "remaining": most - used, "resetAt": None},
        "dailyImages": {"used": 0, "remaining": 100},
    }


def call(tier: str = "free") -> Call:
    return Call("one", "local", "nanogpt", "nanogpt/included", tier)


async def test_a_quota_that_nobody_configured_becomes_a_limit_of_the_free_tier(
    database_url: str,
) -> None:
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.answers[USAGE] = weekly(59_999_000)
        async with router(stand_in, database_url=database_url) as routed:
            watch = QuotaWatch(routed.providers.values(), routed.ledger)
            assert await watch.once(routed.providers["nanogpt"])
            (state,) = await routed.ledger.states()
            assert state.limit.name == "nanogpt_weekly_input_tokens"
            assert (state.used, state.remaining) == (59_999_000, 1_000)
            await routed.ledger.reserve(call(), Amount(input_tokens=1_000))
            with pytest.raises(LimitExceeded, match="nanogpt_weekly_input_tokens"):
                await routed.ledger.reserve(call(), Amount(input_tokens=1))
            # What is paid from the balance is not the subscription's business.
            await routed.ledger.reserve(call("paid"), Amount(input_tokens=5_000))


async def test_what_the_provider_says_next_replaces_what_it_said_before(
    database_url: str,
) -> None:
    async with (
        LlmStandIn("nanogpt") as stand_in,
        router(stand_in, database_url=database_url) as routed,
    ):
        watch = QuotaWatch(routed.providers.values(), routed.ledger)
        for used, most in ((500, 1_000), (200, 1_000), (200, 2_000)):
            stand_in.answers[USAGE] = weekly(used, most=most)
            await watch.once(routed.providers["nanogpt"])
            (state,) = await routed.ledger.states()
            assert (state.used, state.limit.most) == (used, most)


async def test_a_limit_of_the_configuration_takes_what_the_provider_counts(
    database_url: str,
) -> None:
    mine = Limit(
        "mine",
        "input_tokens",
        1_000,
        Window.parse("week"),
        {"provider": "nanogpt", "tier": "free"},
    )
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.answers[USAGE] = weekly(900)
        async with router(stand_in, database_url=database_url, limits=[mine]) as routed:
            watch = QuotaWatch(routed.providers.values(), routed.ledger)
            await watch.once(routed.providers["nanogpt"])
            (state,) = await routed.ledger.states()
            assert (state.limit.name, state.remaining) == ("mine", 100)


async def test_a_limit_of_the_configuration_is_never_replaced_though_it_has_the_same_name(
    database_url: str,
) -> None:
    name = "nanogpt_weekly_input_tokens"
    mine = Limit(name, "input_tokens", 500, Window.parse("day"), {"provider": "nanogpt"})
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.answers[USAGE] = weekly(900)
        async with router(stand_in, database_url=database_url, limits=[mine]) as routed:
            watch = QuotaWatch(routed.providers.values(), routed.ledger)
            for _ in range(2):
                await watch.once(routed.providers["nanogpt"])
            assert {one.name: one.most for one in routed.ledger.limits} == {
                name: 500,
                f"{name}_reported": 60_000_000,
            }


async def test_a_subscription_that_has_ended_leaves_nothing(database_url: str) -> None:
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.answers[USAGE] = weekly(0, active=False)
        async with router(stand_in, database_url=database_url) as routed:
            watch = QuotaWatch(routed.providers.values(), routed.ledger)
            await watch.once(routed.providers["nanogpt"])
            (state,) = await routed.ledger.states()
            assert state.remaining == 0


async def test_a_provider_that_does_not_answer_keeps_its_last_word(database_url: str) -> None:
    async with LlmStandIn("nanogpt") as stand_in:
        stand_in.answers[USAGE] = weekly(900)
        async with router(stand_in, database_url=database_url) as routed:
            watch = QuotaWatch(routed.providers.values(), routed.ledger)
            await watch.once(routed.providers["nanogpt"])
            stand_in.answers[USAGE] = "no JSON object"
            await watch.once(routed.providers["nanogpt"])
            (state,) = await routed.ledger.states()
            assert state.used == 900
