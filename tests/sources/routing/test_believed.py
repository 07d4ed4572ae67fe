"""A route tells which measurements its models are chosen by, how old they are and how sure."""

from datetime import UTC, datetime, timedelta

from gateway.evidence.observation import Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs
from gateway.sources.believed import believed_text

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_each_model_is_told_with_what_was_seen_of_it() -> None:
    old = Observation(
        "a/one", "coding", "benchmark", 0.75, 20, "benchmark:b7", NOW - timedelta(days=30)
    )
    thumb = Observation("a/one", "coding", "thumb", 1.0, 1, "route:r1", NOW)
    beliefs = Beliefs(summed([(old, 20), (thumb, 1)], NOW))
    steps = [
        {"model": name, "belief": beliefs.of(name, "coding", prior=0.5).to_json()}
        for name in ("a/one", "b/two")
    ]
    text = believed_text(steps)
    assert "20 benchmarks at 75%, counting as 10, the last on 2026-10-22 (`benchmark:b7`)" in text
    assert "1 thumb at 100%" in text
    assert "| `b/two` |" in text
    assert "nothing yet" in text


def test_a_route_that_was_kept_before_has_no_such_section() -> None:
    assert believed_text([{"model": "a/one", "score": 0.5}]) == ""
