"""What providers say is left, in all the shapes in which they say it."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.errors import GatewayError
from gateway.llm.provider.quota import nanogpt_quotas, openrouter_quotas
from tests.llm.provider.conftest import Connect
from tests.stand_ins.llm.exchange import Received
from tests.stand_ins.llm.lists import documented_usage
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def test_nanogpt_counts_input_tokens_in_weeks(connect: Connect) -> None:
    async with (
        LlmStandIn("nanogpt") as stand_in,
        connect(stand_in, clock=lambda: AS_OF) as provider,
    ):
        quotas = {quota.name: quota for quota in await provider.quotas()}
    week = quotas["weeklyInputTokens"]
    assert (week.unit, week.window) == ("input_tokens", "week")
    assert (week.used, week.most, week.remaining) == (0, 60_000_000, 60_000_000)
    assert week.resets_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert week.as_of == AS_OF
    assert week.is_active
    assert (quotas["dailyImages"].unit, quotas["dailyImages"].most) == ("images", 100)
    assert set(quotas) == {"weeklyInputTokens", "dailyImages"}


async def test_nanogpt_counts_requests_as_it_documents(connect: Connect) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        stand_in.answers["/api/subscription/v1/usage"] = documented_usage(1250)
        quotas = {quota.name: quota for quota in await provider.quotas()}
    month = quotas["monthly"]
    assert (month.unit, month.window) == ("requests", "month")
    assert (month.used, month.most, month.remaining) == (1250, 60_000, 58_750)
    assert month.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert quotas["daily"].most == 5000


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, []),
        ([], []),
        (None, []),
        ({"limits": None, "daily": None}, []),
        ({"limits": {"dailyInputTokens": 9}, "dailyInputTokens": None}, [(None, 9, True)]),
        ({"daily": {"used": 3, "remaining": 2, "resetAt": "soon"}}, [(3, 5, True)]),
        ({"active": False, "daily": {"used": 3, "remaining": 2}}, [(3, 5, False)]),
        ({"state": "grace", "daily": {"used": 3, "remaining": 2}}, [(3, 5, True)]),
        ({"daily": {"used": True, "remaining": "2"}}, [(None, None, True)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_whatever_nanogpt_leaves_out_is_unknown(usage: object, expected: object) -> None:
    quotas = nanogpt_quotas(usage, as_of=AS_OF)
    assert [(quota.used, quota.most, quota.is_active) for quota in quotas] == expected


async def test_openrouter_tells_the_limit_of_the_key_and_the_credit(connect: Connect) -> None:
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in) as provider:
        stand_in.answers["/api/v1/key"] = {
            "data": {"limit": 10, "limit_reset": "monthly", "limit_remaining": 7.5, "usage": 400}
        }
        stand_in.answers["/api/v1/credits"] = {
            "data": {"total_credits": 20.1, "total_usage": 4.000001}
        }
        key, credit = await provider.quotas()
    assert (key.name, key.unit, key.window) == ("key", "microusd", "month")
    assert (key.used, key.most, key.remaining) == (2_500_000, 10_000_000, 7_500_000)
    assert (credit.used, credit.most, credit.remaining) == (4_000_001, 20_100_000, 16_099_999)


def test_a_key_of_openrouter_without_a_limit_has_no_quota() -> None:
    said = openrouter_quotas({"data": {"limit": None, "usage": 3}}, {"data": {}}, as_of=AS_OF)
    assert list(said) == []


async def test_who_says_nothing_of_quotas_has_none(connect: Connect) -> None:
    async with LlmStandIn("anthropic") as stand_in, connect(stand_in) as provider:
        assert await provider.quotas() == ()


async def test_what_a_call_cost_is_asked_until_it_is_known_and_of_openrouter_only(
    connect: Connect,
) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        assert await provider.billed("gen-1") is None
        assert stand_in.requests == []
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in) as provider:
        request = Received("/api/v1/chat/completions", {}, {"model": "small"})
        bill = stand_in.begin_bill(Answer(input_tokens=100, cached_tokens=40), request)
        bill.tokens.output = 7
        # It knows a call only after its end, and here that takes a while.
        asyncio.get_running_loop().call_later(0.1, lambda: setattr(bill, "is_final", True))
        usage = await provider.billed(bill.id)
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (100, 7, 40)
        assert usage.billed_usd == "6.4e-05"


async def test_a_quota_that_cannot_be_read_is_an_error(connect: Connect) -> None:
    async with LlmStandIn("nanogpt", key="another") as stand_in, connect(stand_in) as provider:
        with pytest.raises(GatewayError):
            await provider.quotas()
