"""When a limit ends at its pace, or what is left of it when it resets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.usage.call import Settlement
from gateway.usage.forecast import Forecast, forecast
from gateway.usage.forecast_words import clause, sentence
from gateway.usage.history import DayOfUse, Leaving
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit, LimitState
from gateway.usage.pace import midnight
from tests.usage.ledgers import StoppedClock, budget, call, costing, open_ledger, quota

# A Saturday.
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def alike(a_day: int, *, days: int = 14, now: datetime = NOW) -> list[DayOfUse]:
    """So much on each of the days before, and half of it by noon."""
    dates = [now.date() - one * DAY for one in range(days, -1, -1)]
    part = (now - midnight(now.date())) / DAY
    return [
        DayOfUse(day, a_day if day < now.date() else round(a_day * part), 20, midnight(day))
        for day in dates
    ]


EVEN = alike(100)


def state(
    limit: Limit, settled: int, *, now: datetime = NOW, reserved: int = 0, others: int = 0
) -> LimitState:
    return LimitState(limit, "", settled, reserved, others, limit.window.resets_at(now))


def told(limit: Limit, settled: int, a_day: int, *, now: datetime = NOW, **more: int) -> Forecast:
    return forecast(state(limit, settled, now=now, **more), alike(a_day, now=now), now=now)


def test_a_quota_that_is_used_too_fast_says_when_it_ends_and_how_sure_that_is() -> None:
    uneven = [replace(day, used=day.used * (1 + (-1) ** at)) for at, day in enumerate(EVEN)]
    found = forecast(state(quota(1_000, window="month"), 700), uneven, now=NOW)
    assert found.ends_at is not None
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest < found.ends_at < found.latest
    assert sentence(found) == (
        "At this pace it ends on 24 Nov 2026 (in about 3 days, between 22 Nov and 28 Nov), "
        "7 days before it resets."
    )
    assert clause(found) == "at this pace it ends on 24 Nov 2026"


def test_days_that_are_alike_leave_little_doubt() -> None:
    found = told(quota(1_000, window="month"), 700, 100)
    assert found.ends_at == NOW + 3 * DAY
    assert "(in about 3 days, 24 Nov in any case)" in sentence(found)


def test_a_quota_that_lasts_says_what_will_be_left_of_it() -> None:
    found = told(quota(10_000, window="month"), 2_000, 100)
    assert found.ends_at is None
    assert found.earliest is None
    assert found.left is not None
    assert found.left.least < found.left.likely == 10_000 - 2_000 - 950 < found.left.most
    assert sentence(found).startswith(
        "At this pace it lasts until it resets on 1 Dec 2026, with about 7,050 requests left "
        "(between 6,"
    )
    assert clause(found) == "at this pace it lasts"


def test_what_lasts_only_just_may_end_before() -> None:
    found = told(quota(3_000, window="month"), 2_000, 100)
    assert found.ends_at is None
    assert found.earliest is not None
    assert "It may end on 30 Nov 2026 already." in sentence(found)


def test_money_is_told_in_dollars() -> None:
    found = told(budget(20_000_000), 15_000_000, 1_000_000)
    assert sentence(found).startswith("At this pace it ends on 26 Nov 2026 (in about 5 days")
    assert "about $13.00 left" in sentence(told(budget(20_000_000), 2_000_000, 526_315))


@pytest.mark.parametrize(
    ("now", "resets"),
    [
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 28, 12, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 1, 31, 0, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_when_it_ends(now: datetime, resets: datetime) -> None:
    found = told(quota(100_000, window="month"), 1_000, 100, now=now)
    assert found.until == resets
    assert found.left is not None
    days = (resets - now) / DAY
    assert found.left.likely == pytest.approx(99_000 - 100 * days, abs=1)


def test_a_quota_of_a_day_ends_by_the_clock() -> None:
    found = told(quota(70), 50, 100)
    assert found.ends_at == NOW + 0.2 * DAY
    assert sentence(found).startswith("At this pace it ends today at about 16:48 UTC (in about 5 h")


def test_of_an_empty_ledger_nothing_is_said_but_what_is_missing() -> None:
    found = forecast(state(quota(100), 0), [], now=NOW)
    assert not found.is_known
    assert sentence(found) == (
        "Too little was used to tell how long it lasts: no calls in the last 28 days; it takes "
        "at least 5 calls over 24 hours."
    )
    assert clause(found) == ""


def test_a_burst_of_the_first_hours_is_no_pace_yet() -> None:
    first = DayOfUse(NOW.date(), 40, 40, NOW - timedelta(hours=3))
    found = forecast(state(quota(50), 40), [first], now=NOW)
    assert found.ends_at is None
    assert "40 calls in 3 hours" in sentence(found)


def test_one_burst_among_quiet_days_widens_the_range() -> None:
    quiet, burst = alike(100), alike(100)
    burst[-3] = DayOfUse(burst[-3].day, 1_000, 20, burst[-3].first)
    of_month = state(quota(100_000, window="month"), 1_000)
    narrow, wide = (forecast(of_month, used, now=NOW).left for used in (quiet, burst))
    assert narrow is not None
    assert wide is not None
    assert wide.most - wide.least > 2 * (narrow.most - narrow.least)


def test_what_is_used_up_says_until_when() -> None:
    found = told(quota(100, window="month"), 100, 10)
    assert found.is_used_up
    assert sentence(found) == "It is used up; it resets on 1 Dec 2026."


def test_what_running_calls_hold_is_not_used_yet() -> None:
    assert told(quota(1_000, window="month"), 700, 100, reserved=300).ends_at == NOW + 3 * DAY


def test_what_others_use_counts_and_goes_on() -> None:
    alone = told(quota(10_000, window="month"), 2_000, 100)
    # 4,100 in the 20.5 days of this month are 200 a day.
    shared = told(quota(10_000, window="month"), 2_000, 100, others=4_100)
    assert alone.left is not None
    assert shared.left is not None
    assert shared.others == pytest.approx(200)
    assert shared.left.likely == alone.left.likely - 4_100 - 1_900
    assert shared.left.most - shared.left.least > alone.left.most - alone.left.least


def test_a_quota_that_only_others_use_is_forecast_by_their_count() -> None:
    only_others = state(quota(6_100, window="month"), 0, others=4_100)
    assert forecast(only_others, [], now=NOW).ends_at is None
    less = state(quota(5_100, window="month"), 0, others=4_100)
    assert forecast(less, [], now=NOW).ends_at == NOW + 5 * DAY


def test_what_leaves_a_rolling_window_makes_room() -> None:
    limit = quota(3_400, window="rolling_30_days")
    # A hundred a day: each day as much leaves as comes.
    leaving = [Leaving(NOW + one * DAY, 100) for one in range(1, 31)]
    steady = forecast(state(limit, 3_000), alike(100), now=NOW, leaving=leaving)
    assert steady.ends_at is None
    assert steady.left is not None
    assert steady.left.likely == pytest.approx(400, abs=1)
    assert "before it resets" not in sentence(steady)
    # Without that, it would end in four days; and so it does where all of it is young.
    young = [Leaving(NOW + 29 * DAY, 3_000)]
    assert forecast(state(limit, 3_000), alike(100), now=NOW, leaving=young).ends_at == (
        NOW + 4 * DAY
    )


def test_a_rolling_window_that_is_full_says_when_there_is_room_again() -> None:
    found = told(quota(100, window="rolling_30_days"), 100, 10)
    assert sentence(found).startswith("It is used up; the first of it is free again on ")


async def use(ledger: Ledger, clock: StoppedClock, caller: str, *, days: int, a_day: int) -> None:
    for _ in range(days):
        for _ in range(a_day):
            reservation = await ledger.reserve(call(caller=caller), costing(10))
            await ledger.settle(reservation, Settlement(10, 5, billed_microusd=10))
        clock.advance(days=1)


async def test_each_caller_has_its_own_pace_and_its_own_end(database_url: str) -> None:
    clock = StoppedClock()
    clock.moment = datetime(2026, 11, 3, 12, tzinfo=UTC)
    each = quota(60, window="month", per=("caller",))
    async with open_ledger(database_url, each, clock=clock) as ledger:
        await use(ledger, clock, "alice", days=6, a_day=5)
        clock.moment -= 6 * DAY
        await use(ledger, clock, "bob", days=6, a_day=1)
        found = {one.state.key: one for one in await ledger.forecasts()}
    alices, bobs = found["caller=alice"], found["caller=bob"]
    assert alices.ends_at is not None
    assert 5 <= (alices.ends_at - clock.moment) / DAY <= 7
    assert bobs.ends_at is None
    assert bobs.left is not None
    assert 25 <= bobs.left.likely <= 35


async def test_the_ledger_tells_what_leaves_a_rolling_window(database_url: str) -> None:
    clock = StoppedClock()
    limits = (quota(100, window="rolling_7_days"), budget(400, window="rolling_7_days"))
    async with open_ledger(database_url, *limits, clock=clock) as ledger:
        # By the eighth day the first has left: as much leaves as comes, for ever.
        await use(ledger, clock, "alice", days=10, a_day=5)
        found = {one.state.limit.name: one for one in await ledger.forecasts()}
    assert found["requests"].ends_at is None
    left = found["requests"].left
    assert left is not None
    assert 60 <= left.likely <= 70
    assert found["money"].ends_at is None


async def test_a_limit_that_nobody_used_is_among_the_forecasts(database_url: str) -> None:
    async with open_ledger(database_url, quota(10), clock=StoppedClock()) as ledger:
        [found] = await ledger.forecasts()
    assert not found.is_known


async def test_what_a_provider_counts_beyond_ours_is_forecast_too(database_url: str) -> None:
    clock = StoppedClock()
    limit = quota(8_300, window="month")
    async with open_ledger(database_url, limit, clock=clock) as ledger:
        # 20.5 days of this month are over.
        await ledger.observe("requests", 4_100, at=clock.moment)
        [found] = await ledger.forecasts()
    assert found.others == pytest.approx(200, rel=0.01)
    assert found.ends_at is None
    assert found.left is not None
    assert found.left.likely == pytest.approx(2_300, abs=20)
