"""Alerts: once for each limit, key, window and percent, over all processes."""

import asyncio
import logging

import pytest

from gateway.errors import LimitExceeded
from gateway.usage.alerts import Alert
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from tests.usage.ledgers import CALL, StoppedClock, budget, call, costing, open_ledger, quota


async def spend(ledger: Ledger, microusd: int, *, caller: str = "alice") -> None:
    reservation = await ledger.reserve(call(caller=caller), costing(microusd))
    await ledger.settle(reservation, Settlement(billed_microusd=microusd))


async def test_an_alert_is_given_at_each_percent_and_once_by_all_ledgers(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[Alert] = []
    limit = budget(100)
    async with (
        open_ledger(database_url, limit, on_alert=[given.append]) as one,
        open_ledger(database_url, limit, on_alert=[given.append]) as other,
    ):
        await spend(one, 49)
        assert given == []
        with caplog.at_level(logging.WARNING):
            await asyncio.gather(spend(one, 1), spend(other, 1))
        await spend(other, 40)
        await asyncio.gather(spend(one, 1), spend(other, 8))
    assert [alert.percent for alert in given] == [50, 80, 100]
    assert "50 % of the budget 'money' is used" in caplog.text


async def test_each_caller_and_each_window_has_its_own_alerts(database_url: str) -> None:
    given: list[Alert] = []
    clock = StoppedClock()
    limit = budget(100, window="day", per=("caller",))
    async with open_ledger(database_url, limit, clock=clock, on_alert=[given.append]) as ledger:
        await spend(ledger, 60)
        await spend(ledger, 60, caller="bob")
        clock.advance(days=1)
        await spend(ledger, 60)
    assert [(alert.key, alert.at.day) for alert in given] == [
        ("caller=alice", 21),
        ("caller=bob", 21),
        ("caller=alice", 22),
    ]


async def test_a_rolling_limit_gives_an_alert_again_after_its_length(database_url: str) -> None:
    given: list[Alert] = []
    clock = StoppedClock()
    limit = quota(2, window="rolling_2_days")
    async with open_ledger(
        database_url, limit, clock=clock, on_alert=[given.append], alert_percents=(50,)
    ) as ledger:
        for _ in range(4):
            await spend(ledger, 0)
            clock.advance(days=1, hours=1)
    assert [alert.at.day for alert in given] == [21, 23]


async def test_what_is_only_reserved_gives_no_alert(database_url: str) -> None:
    given: list[Alert] = []
    async with open_ledger(database_url, budget(100), on_alert=[given.append]) as ledger:
        reservation = await ledger.reserve(CALL, costing(100))
        await ledger.settle(reservation, Settlement(billed_microusd=3))
    assert given == []


async def test_a_limit_that_is_not_hard_alerts_and_never_refuses(database_url: str) -> None:
    given: list[Alert] = []
    limits = (budget(10, is_hard=False), budget(1000, name="hard"))
    async with open_ledger(database_url, *limits, on_alert=[given.append]) as ledger:
        await spend(ledger, 500)
        with pytest.raises(LimitExceeded, match="hard"):
            await ledger.reserve(CALL, costing(501))
    assert {(alert.limit.name, alert.percent) for alert in given} == {
        ("money", 50),
        ("money", 80),
        ("money", 100),
        ("hard", 50),
    }


async def test_a_listener_that_fails_costs_only_its_own_alert(database_url: str) -> None:
    given: list[Alert] = []

    def fail(alert: Alert) -> None:
        raise KeyError(alert.percent)

    async with open_ledger(database_url, budget(100), on_alert=[fail, given.append]) as ledger:
        await spend(ledger, 55)
    assert [alert.percent for alert in given] == [50]
