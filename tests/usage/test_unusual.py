"""Days that stand out, and those that do not."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.history import DayOfCalls
from gateway.usage.pace import midnight
from gateway.usage.unusual import Unusual, unusual
from gateway.usage.unusual_words import sentence
from tests.usage.ledgers import StoppedClock, call, costing, open_ledger

# A Saturday.
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = midnight(NOW.date())
DAY = timedelta(days=1)
DOLLAR = 1_000_000


def day(
    days_ago: int,
    microusd: int | None = 0,
    *,
    calls: int = 10,
    failed: int = 0,
    model: str = "p/small",
    caller: str = "alice",
    is_early: bool = True,
) -> DayOfCalls:
    on = NOW.date() - days_ago * DAY
    about = Call("", caller, "p", model, "paid")
    used = Amount(calls, 100 * calls, 90 * calls, microusd)
    return DayOfCalls(on, is_early, about, calls, failed, used, midnight(on))


def usual(
    microusd: int = DOLLAR, *, days: int = 28, calls: int = 10, failed: int = 0
) -> list[DayOfCalls]:
    """Days that differ by a tenth to each side, as 9, 10, 11, 9, 10, …"""
    return [
        day(days_ago, microusd * (9 + days_ago % 3) // 10, calls=calls, failed=failed)
        for days_ago in range(days + 1, 1, -1)
    ]


def flags(history: list[DayOfCalls], *, days: int = 7) -> list[Unusual]:
    """Of the last days, today among them."""
    start = TODAY - (days - 1) * DAY
    return list(unusual(history, start, TODAY + DAY, now=NOW))


def test_a_day_that_costs_far_more_is_told_with_what_is_usual_and_since_when() -> None:
    [flag] = flags([*usual(), day(1, 5 * DOLLAR, calls=12)])
    assert (flag.what, flag.dimension, flag.value, flag.usual) == ("spend", "all", 5_000_000, 1e6)
    assert flag.mostly == ("model p/small", "caller alice")
    assert sentence(flag) == (
        "Spent on 20 Nov 2026: $5.00, where a day usually costs $1.00, hardly ever over $1.59. "
        "Most of it: model p/small and caller alice."
    )


@pytest.mark.parametrize(
    ("history", "why"),
    [
        ([*usual(), day(1, DOLLAR)], "a day like the others"),
        ([*usual(), day(1, 1_900_000)], "not even twice as much"),
        ([*usual(20_000), day(1, 400_000)], "cents"),
        ([*usual(days=5), day(1, 50 * DOLLAR)], "too few days to know what is usual"),
        ([*usual(calls=4), day(1, DOLLAR, calls=30)], "a handful of calls"),
        ([day(8, None), *usual(), day(1, None)], "an unknown cost"),
    ],
)
def test_what_is_not_unusual(history: list[DayOfCalls], why: str) -> None:
    assert flags(history) == [], why


def test_one_odd_day_before_does_not_hide_another() -> None:
    history = [*usual(), day(10, 20 * DOLLAR), day(1, 6 * DOLLAR)]
    assert [(one.what, one.usual) for one in flags(history, days=2)] == [("spend", 1e6)]


def test_what_is_used_once_a_week_is_usual_once_a_week() -> None:
    weekly = [day(days_ago, 3 * DOLLAR) for days_ago in (22, 15, 8, 1)]
    often = [day(days_ago, DOLLAR // 100, model="p/cheap") for days_ago in range(28, 0, -1)]
    assert flags([*often, *weekly], days=3) == []


def test_the_day_that_runs_is_compared_with_the_same_hours() -> None:
    mornings = usual(DOLLAR // 4)
    evenings = [day(one, DOLLAR * 3 // 4, is_early=False) for one in range(29, 1, -1)]
    [flag] = flags([*mornings, *evenings, day(0, 2 * DOLLAR)], days=1)
    assert flag.is_so_far
    assert (flag.value, flag.usual) == (2_000_000, 250_000)
    assert "Spent on 21 Nov 2026 so far: $2.00" in sentence(flag)
    # As much by midnight would be usual.
    whole = [*mornings, *evenings, day(1, DOLLAR // 4), day(1, DOLLAR * 3 // 4, is_early=False)]
    assert flags(whole) == []


def test_days_that_follow_each_other_are_one_story_since_the_first() -> None:
    history = [*usual()[:-2], *(day(one, 5 * DOLLAR) for one in (3, 2, 1))]
    for days in (7, 2):
        [flag] = flags(history, days=days)
        assert (flag.days, flag.value) == (3, 15 * DOLLAR)
    assert "since 18 Nov 2026, until 20 Nov 2026 (3 days)" in sentence(flag)
    assert flags(history, days=1) == []


def test_a_model_that_nobody_called_before_and_that_takes_most_of_the_money_is_told() -> None:
    history = [*usual(), day(1, DOLLAR), day(1, 9 * DOLLAR, model="p/dear", calls=3)]
    spend, new = flags(history)
    assert (spend.what, spend.mostly) == ("spend", ("model p/dear", "caller alice"))
    assert (new.what, new.name, new.value) == ("new model", "p/dear", 9 * DOLLAR)
    assert sentence(new).startswith("New model p/dear took most of what was spent on 20 Nov 2026")


def test_one_caller_may_be_unusual_where_all_together_are_not() -> None:
    rest = usual(100 * DOLLAR)
    bobs = [day(days_ago, DOLLAR, caller="bob") for days_ago in range(28, 1, -1)]
    [flag] = flags([*rest, *bobs, day(1, 100 * DOLLAR), day(1, 20 * DOLLAR, caller="bob")])
    assert (flag.dimension, flag.name) == ("caller", "bob")
    assert sentence(flag).startswith("Spent by bob on 20 Nov 2026: $20.00")


def test_many_more_calls_are_told_though_they_cost_nothing() -> None:
    [flag] = flags([*usual(0), day(1, 0, calls=400)])
    assert (flag.what, flag.value, flag.usual) == ("calls", 400, 10)


def test_calls_that_fail_far_more_often_are_told() -> None:
    before = usual(0, calls=40, failed=1)
    [flag] = flags([*before, day(1, 0, calls=40, failed=20)])
    assert (flag.what, flag.value, flag.calls) == ("failures", 20, 40)
    assert sentence(flag).startswith(
        "Failed on 20 Nov 2026: 50% of 40 calls, where 2% usually fail."
    )
    assert flags([*before, day(1, 0, calls=40, failed=5)]) == []
    # A few calls that fail are no jump.
    assert flags([*before, day(1, 0, calls=6, failed=6)]) == []


def test_ordinary_life_is_rarely_called_unusual() -> None:
    """Work by day, hardly any at the weekend, with a scatter of a third: 200 days, one caller."""
    luck = random.Random(7)

    def spent(days_ago: int) -> int:
        is_weekend = (NOW.date() - days_ago * DAY).weekday() >= 5
        return int((DOLLAR // 5 if is_weekend else 3 * DOLLAR) * luck.lognormvariate(0, 0.35))

    history = [day(days_ago, spent(days_ago)) for days_ago in range(228, 0, -1)]
    assert len(flags(history, days=200)) <= 2


def days_of(clock: StoppedClock, days: int) -> Iterator[None]:
    for _ in range(days):
        yield
        clock.advance(days=1)


async def test_a_ledger_splits_its_days_at_the_time_of_day_that_it_is(database_url: str) -> None:
    clock = StoppedClock()
    clock.moment = NOW - 10 * DAY - timedelta(hours=2)
    async with open_ledger(database_url, clock=clock) as ledger:
        for _ in days_of(clock, 11):
            for hours, cost in ((0, 60_000), (8, 300_000)):
                clock.advance(hours=hours)
                if clock.moment > NOW:
                    break
                is_odd = clock.moment.date() == NOW.date()
                reservation = await ledger.reserve(call(), costing(10))
                settlement = Settlement(10, 5, billed_microusd=cost + is_odd * 2 * DOLLAR)
                await ledger.settle(reservation, settlement)
            clock.moment = clock.moment.replace(hour=10)
        clock.moment = NOW
        [flag] = await ledger.unusual(TODAY, TODAY + DAY)
        assert await ledger.unusual(TODAY, TODAY + DAY, caller="bob") == []
        assert await ledger.unusual(TODAY - 5 * DAY, TODAY) == []
    # The evenings before, which cost more, are not compared with this noon.
    assert (flag.is_so_far, flag.value, flag.usual) == (True, 2_060_000, 60_000)
