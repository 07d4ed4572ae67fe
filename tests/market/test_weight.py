import pytest

from gateway.errors import RateLimited
from gateway.market.weight import WeightBudget
from tests.market.moments import StoppedClock


def test_calls_are_held_back_before_the_reserve_is_touched() -> None:
    clock = StoppedClock()
    clock.pass_seconds(20)
    budget = WeightBudget(clock, limit=100)
    with budget.spend(90):
        pass
    with pytest.raises(RateLimited, match="90 of 90") as refused, budget.spend(1):
        pass
    assert refused.value.retry_after_seconds == 40


def test_calls_under_way_count_before_they_are_answered() -> None:
    budget = WeightBudget(StoppedClock(), limit=100)
    with budget.spend(50), pytest.raises(RateLimited), budget.spend(50):
        pass


def test_a_new_minute_has_a_new_budget() -> None:
    clock = StoppedClock()
    budget = WeightBudget(clock, limit=100)
    with budget.spend(90):
        pass
    clock.pass_seconds(60)
    with budget.spend(90):
        assert budget.used == 90


def test_the_exchanges_own_count_replaces_ours() -> None:
    budget = WeightBudget(StoppedClock(), limit=100)
    with budget.spend(5) as permit:
        # Another program at the same address has used the rest.
        budget.settle(permit, {"x-mbx-used-weight-1m": "88"})
    assert budget.used == 88
    with pytest.raises(RateLimited), budget.spend(5):
        pass


def test_an_answer_from_the_minute_before_says_nothing_of_this_one() -> None:
    clock = StoppedClock()
    budget = WeightBudget(clock, limit=100)
    with budget.spend(5) as permit:
        clock.pass_seconds(60)
        assert budget.used == 5
        budget.settle(permit, {"x-mbx-used-weight-1m": "80"})
    assert budget.used == 0


@pytest.mark.parametrize("header", ["", "many", "-3", "²"])
def test_a_count_that_is_no_number_is_not_believed(header: str) -> None:
    budget = WeightBudget(StoppedClock())
    with budget.spend(5) as permit:
        budget.settle(permit, {"x-mbx-used-weight-1m": header})
    assert budget.used == 5


def test_a_pause_holds_for_every_call_until_it_has_passed() -> None:
    clock = StoppedClock()
    budget = WeightBudget(clock)
    budget.pause(90)
    budget.pause(10)
    clock.pass_seconds(89)
    with pytest.raises(RateLimited) as refused, budget.spend(1):
        pass
    assert refused.value.retry_after_seconds == 1
    clock.pass_seconds(1)
    with budget.spend(1):
        pass
