from gateway.downstream.storm import FREE_RINGS, QUIET_SECONDS, Storm


def test_whoever_rings_all_the_time_is_looked_at_less_and_less() -> None:
    now = 100.0
    storm = Storm(most_seconds=10, monotonic=lambda: now)
    pauses = []
    for _ in range(FREE_RINGS + 12):
        pauses.append(storm.pause_seconds())
        now += pauses[-1] + 0.01
    assert pauses[:FREE_RINGS] == [0.0] * FREE_RINGS
    assert 0 < pauses[FREE_RINGS] <= 0.25
    assert 5 <= pauses[-1] <= 10
    now += QUIET_SECONDS
    assert storm.pause_seconds() == 0.0
