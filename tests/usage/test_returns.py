"""What calls hold and give back: who needs it is told, and what a dead process held is lost."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.errors import LimitExceeded
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState
from gateway.usage.returns import Returns
from tests.usage.ledgers import CALL, StoppedClock, budget, call, costing, open_ledger

BILLED = Settlement(billed_microusd=10)
LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


async def refused(ledger: Ledger, microusd: int, caller: str = "alice") -> LimitExceeded:
    with pytest.raises(LimitExceeded) as refusal:
        await ledger.reserve(call(caller=caller), costing(microusd))
    return refusal.value


async def only_state(ledger: Ledger) -> LimitState:
    (state,) = await ledger.states()
    return state


async def test_a_return_is_heard_by_who_waits_and_by_who_comes_a_moment_later() -> None:
    returns = Returns()
    before = returns.count
    waits = asyncio.create_task(returns.wait("money", after=before))
    await asyncio.sleep(0)
    returns.tell(["requests"])
    returns.tell([])
    await asyncio.sleep(0)
    assert not waits.done()
    returns.tell(["tokens", "money"])
    async with asyncio.timeout(5):
        await waits
        # It came after the count that was seen.
        await returns.wait("money", after=before)
    again = asyncio.create_task(returns.wait("money", after=returns.count))
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


@pytest.mark.parametrize("how", ["settled", "released"])
async def test_a_refusal_says_whether_it_is_only_held_and_there_is_room_when_it_was_given_back(
    database_url: str, how: str
) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        running = await ledger.reserve(CALL, costing(80))
        error, seen = await refused(ledger, 60), ledger.returns.count
        assert error.is_only_held
        assert error.retry_after_seconds < 10
        hint = ledger.remaining(CALL, costing(60))
        assert hint is not None
        assert hint.is_only_held
        waits = asyncio.create_task(ledger.returns.wait("money", after=seen))
        if how == "settled":
            await ledger.settle(running, BILLED)
        else:
            await ledger.release(running)
        async with asyncio.timeout(5):
            await waits
        await ledger.reserve(CALL, costing(60))


async def test_what_one_limit_has_spent_is_told_before_what_another_one_only_holds(
    database_url: str,
) -> None:
    spent, held = budget(100, name="spent", where={"caller": "bob"}), budget(200, name="held")
    async with open_ledger(database_url, held, spent) as ledger:
        await ledger.settle(
            await ledger.reserve(call(caller="bob"), costing(90)), Settlement(billed_microusd=90)
        )
        await ledger.reserve(CALL, costing(100))
        error = await refused(ledger, 20, "bob")
        assert (error.limit, error.is_only_held) == ("spent", False)
        assert (await refused(ledger, 20)).is_only_held
        hint = ledger.remaining(call(caller="bob"), costing(20))
        assert hint is not None
        assert hint.limit.name == "spent"


@pytest.mark.parametrize(("was_sent", "charged"), [(True, 10), (False, 0)])
async def test_what_a_dead_process_held_is_charged_in_full_before_its_lease_is_over(
    database_url: str, was_sent: bool, charged: int
) -> None:
    clock = StoppedClock()
    async with (
        open_ledger(database_url, budget(100), clock=clock) as dead,
        open_ledger(database_url, budget(100), clock=clock) as ledger,
    ):
        held, _ = await dead.reserve(CALL, costing(60)), await ledger.reserve(CALL, costing(20))
        await ledger.expire(dead.owner, in_seconds=0)
        state = await only_state(ledger)
        assert (state.settled, state.reserved) == (60, 20)
        # It was not dead after all.
        await (dead.settle(held, BILLED) if was_sent else dead.release(held))
        state = await only_state(ledger)
        assert (state.settled, state.reserved) == (charged, 20)
        lines = await ledger.report(LONG_AGO, FAR)
        assert sum(one.calls for one in lines) == was_sent


@pytest.mark.parametrize("is_alive", [True, False])
async def test_a_process_that_may_be_dead_has_so_long_to_vouch_for_its_calls(
    database_url: str, is_alive: bool
) -> None:
    clock = StoppedClock()
    async with (
        open_ledger(database_url, budget(100), clock=clock) as doubted,
        open_ledger(database_url, budget(100), clock=clock) as ledger,
    ):
        await doubted.reserve(CALL, costing(60))
        await ledger.expire(doubted.owner, in_seconds=120)
        # Doubted again, it has no longer.
        clock.advance(seconds=60)
        await ledger.expire(doubted.owner, in_seconds=120)
        assert (await only_state(ledger)).reserved == 60
        if is_alive:
            await doubted.renew()
        clock.advance(seconds=60)
        await ledger.sweep()
        state = await only_state(ledger)
        assert (state.settled, state.reserved) == ((0, 60) if is_alive else (60, 0))
