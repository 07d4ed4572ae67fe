"""What a provider reports of a quota is reconciled with what we count."""

from datetime import timedelta

import pytest

from gateway.errors import LimitExceeded, NotFound
from gateway.usage.alerts import Alert
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from tests.usage.ledgers import CALL, StoppedClock, costing, open_ledger, quota


async def use(ledger: Ledger, times: int = 1) -> None:
    for _ in range(times):
        await ledger.settle(await ledger.reserve(CALL, costing(0)), Settlement())


async def test_what_a_provider_counts_beyond_ours_is_used_by_others(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, quota(10), clock=clock) as ledger:
        await use(ledger, 2)
        await ledger.observe("requests", 7, at=clock())
        (state,) = await ledger.states()
        assert (state.settled, state.others, state.remaining, state.reported) == (2, 5, 3, 7)
        await use(ledger, 3)
        with pytest.raises(LimitExceeded):
            await use(ledger)
        await ledger.observe("requests", 5, at=clock())
        await use(ledger, 5)
        assert ledger.remaining(CALL, costing(0)) is not None


async def test_a_provider_that_counts_less_gives_no_room_back(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, quota(3), clock=clock) as ledger:
        await use(ledger, 3)
        await ledger.observe("requests", 0, at=clock())
        with pytest.raises(LimitExceeded):
            await use(ledger)


async def test_what_was_reported_is_forgotten_when_the_window_resets(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, quota(10), clock=clock) as ledger:
        await ledger.observe("requests", 10, at=clock(), resets_at=clock() + timedelta(minutes=5))
        with pytest.raises(LimitExceeded):
            await use(ledger)
        clock.advance(minutes=5)
        await use(ledger)
        (state,) = await ledger.states()
        assert (state.used, state.reported) == (1, None)


async def test_all_processes_know_what_one_was_told(database_url: str) -> None:
    clock = StoppedClock()
    given: list[Alert] = []
    async with (
        open_ledger(database_url, quota(10), clock=clock, on_alert=[given.append]) as one,
        open_ledger(database_url, quota(10), clock=clock) as other,
    ):
        await one.observe("requests", 10, at=clock())
        await other.refresh()
        with pytest.raises(LimitExceeded):
            await use(other)
    assert [alert.percent for alert in given] == [50, 80, 100]
    async with open_ledger(database_url, quota(10), clock=clock) as third:
        with pytest.raises(LimitExceeded):
            await use(third)


async def test_a_limit_that_is_not_there_cannot_be_observed(database_url: str) -> None:
    async with open_ledger(database_url, quota(10)) as ledger:
        with pytest.raises(NotFound) as refused:
            await ledger.observe("request", 1, at=StoppedClock()())
    assert refused.value.suggestions == ("requests",)
