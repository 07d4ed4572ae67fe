"""Limits: whom they bind, and how they say what is missing."""

from datetime import UTC, datetime

import pytest

from gateway.usage.call import Amount, Settlement
from gateway.usage.limit import Limit, Shortage, dollars
from gateway.usage.window import Window
from tests.usage.ledgers import budget, call, quota

RESETS_AT = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("microusd", "text"),
    [
        (0, "$0.00"),
        (42, "$0.000042"),
        (50_000, "$0.05"),
        (12_500_000, "$12.50"),
        (1_234_567_890, "$1,234.56789"),
        (-1_500_000, "-$1.50"),
    ],
)
def test_money_is_shown_in_full(microusd: int, text: str) -> None:
    assert dollars(microusd) == text


@pytest.mark.parametrize(
    ("where", "is_bound"),
    [
        ({}, True),
        ({"model": "nanogpt/*"}, True),
        ({"model": "NanoGPT/*"}, False),
        ({"caller": "alice", "tier": "paid"}, False),
        ({"context": "*"}, True),
        ({"task": "coding", "provider": "nanogpt"}, True),
    ],
)
def test_a_limit_binds_a_call_when_all_of_its_patterns_match(
    where: dict[str, str], is_bound: bool
) -> None:
    assert budget(1, where=where).binds(call()) == is_bound


def test_a_call_that_says_no_task_is_bound_by_every_pattern_that_takes_anything() -> None:
    assert budget(1, where={"task": "*"}).binds(call(task=None))
    assert not budget(1, where={"task": "?*"}).binds(call(task=None))


def test_what_was_counted_is_another_limits_when_what_it_counts_changes() -> None:
    limit = budget(100)
    assert budget(200).id == limit.id
    changed = (
        budget(100, window="day"),
        budget(100, per=("caller",)),
        budget(100, where={"tier": "paid"}),
        budget(100, name="other"),
        Limit("money", "tokens", 100, Window.parse("month")),
    )
    assert len({limit.id, *(other.id for other in changed)}) == 6


@pytest.mark.parametrize(
    ("limit", "needed", "said"),
    [
        (
            quota(60_000, name="free"),
            1,
            "the quota 'free' allows 60,000 requests in a day, of which 60,000 requests is used; "
            "this call may need 1 requests; it resets at 2026-12-01T00:00:00Z",
        ),
        (
            budget(1_000_000, window="rolling_30_days"),
            2_000_000,
            "the budget 'money' allows $1.00 in any 30 days; this call may need $2.00, which is "
            "more than all of it",
        ),
    ],
)
def test_a_shortage_says_what_is_allowed_used_and_needed(
    limit: Limit, needed: int, said: str
) -> None:
    shortage = Shortage(limit, "", limit.most, needed, RESETS_AT, "nanogpt/glm")
    assert str(shortage) == said


@pytest.mark.parametrize(
    ("billed", "listed", "charged"), [(5, 9, 5), (0, 9, 0), (None, 9, 9), (None, None, 60)]
)
def test_budgets_are_charged_what_is_known_best(
    billed: int | None, listed: int | None, charged: int
) -> None:
    settlement = Settlement(10, 4, billed_microusd=billed, list_microusd=listed)
    assert settlement.charged(Amount(1, 100, 60, 60)) == Amount(1, 14, 10, charged)
