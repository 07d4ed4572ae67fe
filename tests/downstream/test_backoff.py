"""Waits grow, stay under their limit, and differ."""

from gateway.downstream.backoff import Backoff


def test_waits_double_up_to_the_most_and_are_spread() -> None:
    backoff = Backoff(first_seconds=0.5, most_seconds=4)
    for failures, most in [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 4), (100_000, 4)]:
        waits = [backoff.pause_seconds(failures) for _ in range(50)]
        assert most / 2 <= min(waits) < max(waits) <= most
