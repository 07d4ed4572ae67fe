"""Limits: whom they bind, and how they say what is missing."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.usage.call import Amount, Settlement
from gateway.usage.limit import HELD_RETRY_SECONDS, Limit, Shortage, dollars, foremost
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
            "the quota 'free' allows 60,000 requests in a day, of which 60,000 requests are used; "
            "this call may need 1 request; it resets at 2026-12-01T00:00:00Z",
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
    shortage = Shortage(limit, "", limit.most, 0, needed, RESETS_AT, "nanogpt/glm")
    assert str(shortage) == said


@pytest.mark.parametrize(
    ("limit", "used", "held", "needed", "is_only_held"),
    [
        (budget(100), 100, 40, 40, True),
        (budget(100), 100, 39, 40, False),
        (budget(100), 120, 60, 40, True),
        (budget(100), 100, 100, 101, False),
        (budget(100), 90, 0, 20, False),
        (budget(100), 100, 100, None, False),
        (Limit("tokens", "tokens", 100, Window.parse("day")), 100, 100, 1, True),
        # A request that is under way is one that was made.
        (quota(100), 100, 100, 1, False),
    ],
)
def test_what_fits_once_all_is_given_back_that_is_held_is_only_held(
    limit: Limit, used: int, held: int, needed: int | None, is_only_held: bool
) -> None:
    shortage = Shortage(limit, "", used, held, needed, RESETS_AT, "nanogpt/glm")
    assert shortage.is_only_held == is_only_held
    seconds = shortage.retry_after_seconds(RESETS_AT - timedelta(hours=1))
    assert seconds == (HELD_RETRY_SECONDS if is_only_held else 3_600)


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (40_000, "this call may need $0.04; it resets at 2026-12-01T00:00:00Z"),
        (20_000, "this call may need $0.02; there may be room once they have ended"),
    ],
)
def test_a_shortage_says_what_is_held_and_whether_that_is_all(needed: int, said: str) -> None:
    limit = budget(60_000, name="mine", window="day")
    shortage = Shortage(limit, "", 50_000, 20_000, needed, RESETS_AT, "nanogpt/glm")
    assert str(shortage) == (
        "the budget 'mine' allows $0.06 in a day, of which $0.05 is used, and $0.02 of that is "
        f"held by calls under way; {said}"
    )


def test_of_what_one_call_meets_that_is_told_which_no_other_call_can_mend() -> None:
    held, spent, more = (
        Shortage(budget(100, name=name), "", 100, held, 40, RESETS_AT, "nanogpt/glm")
        for name, held in (("held", 40), ("spent", 0), ("more", 0))
    )
    assert foremost([held, spent, more]) is spent
    assert foremost([held]) is held
    assert foremost([]) is None


@pytest.mark.parametrize(
    ("billed", "listed", "charged"), [(5, 9, 5), (0, 9, 0), (None, 9, 9), (None, None, 60)]
)
def test_budgets_are_charged_what_is_known_best(
    billed: int | None, listed: int | None, charged: int
) -> None:
    settlement = Settlement(10, 4, billed_microusd=billed, list_microusd=listed)
    assert settlement.charged(Amount(1, 100, 60, 60)) == Amount(1, 14, 10, charged)
