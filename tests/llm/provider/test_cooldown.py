"""When a provider or a model is left alone, for how long, and how it comes back."""

from datetime import UTC, datetime

import pytest

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    NotFound,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.provider.cooldown import Cooldown
from gateway.llm.provider.health import Health, Unreachable


class Moments:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def health_at(moments: Moments) -> Health:
    return Health("p", "openai", clock=moments.now, monotonic=moments.monotonic)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 0), (2, 0), (3, 5), (4, 10), (5, 20), (9, 300), (1000, 300)],
)
def test_it_rests_from_the_third_failure_in_a_row_longer_each_time(
    failures: int, seconds: float
) -> None:
    cooldown = Cooldown()
    for _ in range(failures):
        cooldown.fail("it is broken", 1000.0)
    assert cooldown.wait_seconds(1000.0) == seconds


def test_a_success_in_between_begins_the_count_again() -> None:
    cooldown = Cooldown()
    for _ in range(5):
        cooldown.fail("it is broken", 0.0)
        cooldown.fail("it is broken", 0.0)
        cooldown.succeed()
    assert cooldown.wait_seconds(0.0) == 0


@pytest.mark.parametrize(
    ("error", "model_seconds", "other_seconds"),
    [
        (RateLimited("slow down", retry_after_seconds=15), 15, 0),
        (RateLimited("slow down", retry_after_seconds=86_400), 300, 0),
        (NotFound("no such model"), 60, 0),
        (KeyRefused("wrong key"), 60, 60),
        (PaymentRequired("no balance"), 60, 60),
        (InvalidRequest("too many tools"), 0, 0),
        (Unavailable("overloaded", retry_after_seconds=1), 0, 0),
        (DeadlineExceeded("silent"), 0, 0),
        (BadAnswer("nonsense"), 0, 0),
        (Unreachable("not there", retry_after_seconds=1), 0, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else str(value),
)
def test_what_one_error_means_for_its_model_and_for_the_others(
    error: GatewayError, model_seconds: float, other_seconds: float
) -> None:
    health = health_at(Moments())
    health.admit("p/a").failed(error)
    assert health.cooling_seconds("p/a") == model_seconds
    assert health.cooling_seconds("p/b") == other_seconds


def test_three_failures_of_one_model_leave_the_others_alone() -> None:
    health = health_at(Moments())
    for _ in range(3):
        health.admit("p/a").failed(Unavailable("overloaded", retry_after_seconds=1))
    assert health.cooling_seconds("p/a") == 5
    assert health.cooling_seconds("p/b") == 0
    assert health.status.state == "up"
    assert health.status.cooling == {"p/a": 5}


def test_a_provider_that_cannot_be_reached_three_times_is_down_for_all_models() -> None:
    moments = Moments()
    health = health_at(moments)
    for model in ("p/a", "p/b", "p/c"):
        health.admit(model).failed(Unreachable("p cannot be reached", retry_after_seconds=5))
    assert health.status.state == "down"
    assert health.status.since == moments.now()
    assert health.status.error == "p cannot be reached"
    with pytest.raises(Unavailable, match="p is left alone for 5 s more: p cannot be") as raised:
        health.admit("p/d")
    assert raised.value.retry_after_seconds == 5


def test_after_the_rest_one_call_goes_and_the_others_wait_for_its_end() -> None:
    moments = Moments()
    health = health_at(moments)
    health.admit("p/a").failed(RateLimited("slow down", retry_after_seconds=15))
    moments.seconds += 15
    trial = health.admit("p/a")
    with pytest.raises(Unavailable):
        health.admit("p/a")
    trial.began()
    health.admit("p/a")
    assert health.status.cooling == {}


def test_a_trial_that_fails_means_a_longer_rest() -> None:
    moments = Moments()
    health = health_at(moments)
    overloaded = Unavailable("overloaded", retry_after_seconds=1)
    for _ in range(3):
        health.admit("p/a").failed(overloaded)
    moments.seconds += 5
    health.admit("p/a").failed(overloaded)
    assert health.cooling_seconds("p/a") == 10


def test_a_trial_whose_caller_leaves_makes_room_for_the_next() -> None:
    moments = Moments()
    health = health_at(moments)
    health.admit("p/a").failed(RateLimited("slow down", retry_after_seconds=15))
    moments.seconds += 15
    health.admit("p/a").abandoned()
    health.admit("p/a").succeeded()
    health.admit("p/a")


def test_a_trial_that_is_never_heard_of_again_does_not_block_for_ever() -> None:
    moments = Moments()
    health = health_at(moments)
    health.admit("p/a").failed(RateLimited("slow down", retry_after_seconds=15))
    moments.seconds += 15
    health.admit("p/a")
    moments.seconds += 30
    health.admit("p/a")


def test_names_of_models_that_do_not_exist_are_not_kept_for_ever() -> None:
    moments = Moments()
    health = health_at(moments)
    for number in range(3000):
        health.admit(f"p/{number}").failed(NotFound("no such model"))
        moments.seconds += 1
    assert len(health.status.cooling) <= 60
    assert len(health._models) <= 1000


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("p cannot be reached", retry_after_seconds=5),
        KeyRefused("wrong key"),
        PaymentRequired("no balance"),
        InvalidRequest("too many tools"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_trial_that_tells_nothing_of_its_model_makes_room_for_the_next(
    error: GatewayError,
) -> None:
    moments = Moments()
    health = health_at(moments)
    health.admit("p/a").failed(RateLimited("slow down", retry_after_seconds=15))
    moments.seconds += 15
    health.admit("p/a").failed(error)
    moments.seconds += health.cooling_seconds("p/a")
    health.admit("p/a").succeeded()
