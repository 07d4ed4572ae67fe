"""The ledger: reserve the worst, settle the truth, and never more than a limit allows."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import ConfigurationError, InvalidRequest, LimitExceeded
from gateway.usage.call import Amount, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState
from tests.usage.ledgers import CALL, StoppedClock, budget, call, costing, open_ledger, quota

OK = Settlement(100, 50, billed_microusd=30, list_microusd=40, cost_source="provider")
LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


async def only_state(ledger: Ledger) -> LimitState:
    (state,) = await ledger.states()
    return state


async def test_a_call_that_settles_below_its_worst_case_gives_room_back(
    database_url: str,
) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        first = await ledger.reserve(CALL, costing(100))
        with pytest.raises(LimitExceeded):
            await ledger.reserve(CALL, costing(1))
        await ledger.settle(first, OK)
        await ledger.reserve(CALL, costing(70))
        state = await only_state(ledger)
        assert (state.settled, state.reserved, state.remaining) == (30, 70, 0)


async def test_a_refusal_says_which_limit_how_much_and_until_when(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(
        database_url, budget(10_000_000, name="mine", per=("caller",)), clock=clock
    ) as ledger:
        spent = await ledger.reserve(CALL, costing(9_990_000))
        await ledger.settle(spent, Settlement(billed_microusd=9_990_000))
        with pytest.raises(LimitExceeded) as refused:
            await ledger.reserve(CALL, costing(50_000))
    assert str(refused.value) == (
        "the budget 'mine' of caller=alice allows $10.00 in a month, of which $9.99 is used; "
        "this call may need $0.05; it resets at 2026-12-01T00:00:00Z"
    )
    assert refused.value.limit == "mine"
    assert refused.value.retry_after_seconds == timedelta(days=9, hours=11.5).total_seconds()


async def test_a_call_that_one_limit_refuses_holds_nothing_of_the_others(
    database_url: str,
) -> None:
    async with open_ledger(database_url, budget(1000), quota(1)) as ledger:
        await ledger.reserve(CALL, costing(10))
        for _ in range(3):
            with pytest.raises(LimitExceeded, match="requests"):
                await ledger.reserve(CALL, costing(10))
        assert {state.limit.name: state.used for state in await ledger.states()} == {
            "money": 10,
            "requests": 1,
        }


async def test_limits_bind_the_calls_that_they_name_and_each_key_for_itself(
    database_url: str,
) -> None:
    free = quota(1, where={"tier": "free", "model": "nanogpt/*"}, per=("caller", "context"))
    async with open_ledger(database_url, free) as ledger:
        await ledger.reserve(CALL, costing(0))
        with pytest.raises(LimitExceeded):
            await ledger.reserve(CALL, costing(0))
        await ledger.reserve(call(caller="bob"), costing(0))
        await ledger.reserve(call(context=None), costing(0))
        await ledger.reserve(call(tier="paid"), costing(0))
        await ledger.reserve(call(model="openrouter/x"), costing(0))
        keys = [state.key for state in await ledger.states()]
        assert keys == [
            "caller=alice&context=",
            "caller=alice&context=work",
            "caller=bob&context=work",
        ]


async def test_keys_that_look_alike_are_not_one(database_url: str) -> None:
    limit = quota(1, per=("caller", "context"))
    async with open_ledger(database_url, limit) as ledger:
        await ledger.reserve(call(caller="a&context=b", context="c"), costing(0))
        await ledger.reserve(call(caller="a", context="b&context=c"), costing(0))


async def test_an_unknown_price_is_refused_where_a_budget_binds_and_only_there(
    database_url: str,
) -> None:
    async with open_ledger(database_url, budget(100, where={"caller": "alice"})) as ledger:
        with pytest.raises(InvalidRequest, match="price of nanogpt/glm is unknown") as refused:
            await ledger.reserve(CALL, costing(None))
        assert "set its price in models.yaml" in str(refused.value)
        await ledger.reserve(call(caller="bob"), costing(None))


async def test_an_unknown_cost_is_counted_apart_and_never_as_nothing(database_url: str) -> None:
    soft = budget(100, is_hard=False)
    async with open_ledger(database_url, soft) as ledger:
        reservation = await ledger.reserve(CALL, costing(None))
        await ledger.settle(reservation, Settlement(100, 50))
        assert (await only_state(ledger)).unknown_costs == 1
        (line,) = await ledger.report(LONG_AGO, FAR)
        assert line.charged_microusd is None
        assert line.calls_with_unknown_cost == 1


async def test_a_call_whose_cost_is_never_told_is_charged_its_worst_case(
    database_url: str,
) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        reservation = await ledger.reserve(CALL, costing(60))
        await ledger.settle(reservation, Settlement(100, 5, outcome="client_left"))
        assert (await only_state(ledger)).settled == 60


async def test_a_free_call_passes_a_budget_that_is_used_up(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        await ledger.reserve(CALL, costing(100))
        await ledger.reserve(CALL, costing(0))


async def test_more_than_was_reserved_is_charged_as_it_is_and_logged(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        reservation = await ledger.reserve(CALL, costing(10))
        with caplog.at_level(logging.WARNING):
            await ledger.settle(reservation, Settlement(billed_microusd=250))
        state = await only_state(ledger)
        assert (state.settled, state.remaining) == (250, 0)
    assert "used=250 reserved=10" in caplog.text


async def test_a_call_that_never_began_leaves_nothing(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        await ledger.release(await ledger.reserve(CALL, costing(100)))
        assert (await only_state(ledger)).used == 0
        assert await ledger.report(LONG_AGO, FAR) == []


async def test_settling_twice_counts_once(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        reservation = await ledger.reserve(CALL, costing(100))
        await ledger.settle(reservation, OK)
        await ledger.settle(reservation, OK)
        await ledger.release(reservation)
        assert (await only_state(ledger)).used == 30
        (line,) = await ledger.report(LONG_AGO, FAR)
        assert line.calls == 1


@pytest.mark.parametrize(
    ("window", "still_full", "free_again"),
    [
        ("day", {"hours": 11, "minutes": 29}, {"minutes": 1}),
        ("month", {"days": 9, "hours": 11, "minutes": 29}, {"minutes": 1}),
        ("rolling_30_days", {"days": 30, "minutes": 29}, {"minutes": 1}),
    ],
)
async def test_a_limit_has_room_again_when_it_says_that_it_resets(
    database_url: str, window: str, still_full: dict[str, float], free_again: dict[str, float]
) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, budget(100, window=window), clock=clock) as ledger:
        await ledger.settle(
            await ledger.reserve(CALL, costing(100)), Settlement(billed_microusd=100)
        )
        with pytest.raises(LimitExceeded) as refused:
            await ledger.reserve(CALL, costing(1))
        resets_at = clock() + timedelta(seconds=refused.value.retry_after_seconds)
        clock.advance(**still_full)
        with pytest.raises(LimitExceeded):
            await ledger.reserve(CALL, costing(1))
        clock.advance(**free_again)
        assert clock() == resets_at
        await ledger.reserve(CALL, costing(100))


async def test_a_rolling_limit_says_when_enough_of_it_has_left(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, quota(3, window="rolling_7_days"), clock=clock) as ledger:
        for _ in range(3):
            await ledger.reserve(CALL, costing(0))
            clock.advance(days=1)
        with pytest.raises(LimitExceeded, match="2026-11-28T13:00:00Z"):
            await ledger.reserve(CALL, Amount(requests=1))
        with pytest.raises(LimitExceeded, match="2026-11-30T13:00:00Z"):
            await ledger.reserve(CALL, Amount(requests=3))


async def test_a_new_budget_knows_what_the_month_has_cost_so_far(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        await ledger.settle(await ledger.reserve(CALL, costing(90)), OK)
        await ledger.settle(await ledger.reserve(call(caller="bob"), costing(90)), OK)
        running = await ledger.reserve(CALL, costing(60))
    async with open_ledger(
        database_url, budget(100, per=("caller",)), quota(100, window="rolling_7_days"), clock=clock
    ) as ledger:
        with pytest.raises(LimitExceeded):
            await ledger.reserve(CALL, costing(11))
        used = {(state.limit.name, state.key): state.used for state in await ledger.states()}
        assert used == {
            ("money", "caller=alice"): 90,
            ("money", "caller=bob"): 30,
            ("requests", ""): 3,
        }
        await ledger.settle(running, OK)
        await ledger.reserve(CALL, costing(40))


async def test_what_was_used_is_still_used_after_a_restart_with_a_higher_limit(
    database_url: str,
) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        await ledger.settle(await ledger.reserve(CALL, costing(90)), OK)
    async with open_ledger(database_url, budget(200)) as ledger:
        assert (await only_state(ledger)).remaining == 170
        assert ledger.remaining(CALL, costing(170)) is None


async def test_the_hint_says_what_the_ledger_would_refuse(database_url: str) -> None:
    async with (
        open_ledger(database_url, budget(100)) as one,
        open_ledger(database_url, budget(100)) as other,
    ):
        assert other.remaining(CALL, costing(100)) is None
        await one.reserve(CALL, costing(70))
        shortage = one.remaining(CALL, costing(31))
        assert shortage is not None
        assert (shortage.used, shortage.needed) == (70, 31)
        await other.refresh()
        assert other.remaining(CALL, costing(30)) is None
        assert other.remaining(CALL, costing(31)) is not None
        (state,) = other.standing(CALL)
        assert state.remaining == 30


async def test_a_caller_that_leaves_while_it_waits_holds_nothing(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        for steps in range(12):
            task = asyncio.create_task(ledger.reserve(CALL, costing(100)))
            for _ in range(steps):
                await asyncio.sleep(0)
            if task.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:  # The database was quicker than its caller.
                await ledger.release(task.result())
        await ledger.release(await ledger.reserve(CALL, costing(0)))
        assert (await only_state(ledger)).used == 0


async def test_a_settlement_is_booked_though_its_caller_is_cancelled(database_url: str) -> None:
    async with open_ledger(database_url, budget(100)) as ledger:
        reservation = await ledger.reserve(CALL, costing(100))
        task = asyncio.create_task(ledger.settle(reservation, OK))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with open_ledger(database_url, budget(100)) as ledger:
        assert (await only_state(ledger)).used == 30


async def test_what_the_database_refuses_costs_only_the_call_that_brought_it(
    database_url: str,
) -> None:
    bad = call(caller="half a surrogate \ud800")
    async with open_ledger(database_url, budget(100, per=("caller",))) as ledger:
        answers = await asyncio.gather(
            ledger.reserve(CALL, costing(10)),
            ledger.reserve(bad, costing(10)),
            ledger.reserve(call(caller="bob"), costing(10)),
            return_exceptions=True,
        )
        assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]


async def test_a_route_is_kept_with_its_settlement(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        for number in range(3):
            reservation = await ledger.reserve(call(route_id=f"r{number}"), costing(1))
            await ledger.settle(reservation, Settlement(route={"chosen": f"model {number}"}))
            clock.advance(seconds=1)
        route = await ledger.route("r1")
        assert route == {
            "chosen": "model 1",
            "route_id": "r1",
            "time": "2026-11-21T12:30:01Z",
            "caller": "alice",
        }
        assert await ledger.route("r9") is None
        assert [found["route_id"] for found in await ledger.routes(2)] == ["r2", "r1"]


async def test_two_limits_of_one_name_stop_the_start(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="'money'"):
        async with open_ledger(database_url, budget(1), budget(2)):
            pass
