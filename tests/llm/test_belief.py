"""Beliefs about models: benchmarks move them, chance does not, and what is old fades."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.evidence.observation import Kind, Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs, expected, told
from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.policy import Policy
from gateway.llm.route import Route
from gateway.llm.router import choose
from tests.llm.lineups import DAY, model

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PAYING = Policy(may_pay=True)
# Alike in all but a little of the price, by which the first is expected to be a little better.
KNOWN, RIVAL = (
    model("a/known", (1.0, 4.0), released=DAY),
    model("b/rival", (0.9, 3.6), released=DAY),
)
ASKED = Features(
    wanted="auto:best",
    task="coding",
    complexity=0.5,
    input_tokens=200,
    needs=Needs(context_tokens=700),
)


def looks(
    model_id: str,
    quality: float,
    count: int = 1,
    *,
    task: str = "coding",
    kind: Kind = "benchmark",
    weight: float = 1.0,
    age: timedelta = timedelta(),
) -> list[tuple[Observation, int]]:
    one = Observation(model_id, task, kind, quality, weight, "benchmark:b1", NOW - age)
    return [(one, 1)] * count


def beliefs(*seen: list[tuple[Observation, int]]) -> Beliefs:
    return Beliefs(summed([one for those in seen for one in those], NOW))


def chosen(known: Beliefs, **asked: Any) -> Route:
    return choose(replace(ASKED, **asked), Lineup([KNOWN, RIVAL]), PAYING, beliefs=known)


def first(known: Beliefs, **asked: Any) -> str:
    return chosen(known, **asked).steps[0].model.id


def test_benchmarks_that_make_another_model_better_change_the_choice_and_say_so() -> None:
    assert first(beliefs()) == "a/known"
    route = chosen(beliefs(looks("b/rival", 1.0, 20), looks("a/known", 0.5, 20)))
    assert route.steps[0].model.id == "b/rival"
    belief = route.steps[0].to_json()["belief"]
    assert belief["quality"] > belief["expected"]
    [evidence] = belief["evidence"]
    assert (evidence["kind"], evidence["looks"], evidence["quality"]) == ("benchmark", 20, 1.0)
    assert (evidence["newest"], evidence["source"]) == ("2026-11-21T00:00:00Z", "benchmark:b1")
    assert "20 benchmarks at 100%" in told(route.steps[0].score.belief, NOW)


@pytest.mark.parametrize("kind", ["benchmark", "thumb"])
def test_one_lucky_look_does_not_win(kind: Kind) -> None:
    assert first(beliefs(looks("b/rival", 1.0, kind=kind))) == "a/known"


def test_old_results_fade() -> None:
    results = (1.0, 12)
    assert first(beliefs(looks("b/rival", *results))) == "b/rival"
    year = timedelta(days=360)
    assert first(beliefs(looks("b/rival", *results, age=year))) == "a/known"


def test_what_is_new_outweighs_what_is_old() -> None:
    old, new = looks("b/rival", 1.0, 12, age=timedelta(days=120)), looks("b/rival", 0.2, 12)
    assert beliefs(old, new).of("b/rival", "coding", prior=0.5).quality < expected(0.5)


def test_results_of_one_task_say_little_of_another() -> None:
    seen = beliefs(looks("b/rival", 0.0, 100))
    here = seen.of("b/rival", "coding", prior=0.5).quality
    elsewhere = seen.of("b/rival", "creative", prior=0.5).quality
    assert here < elsewhere < expected(0.5)
    assert here < 0.15
    assert expected(0.5) - elsewhere < 0.25


def test_use_counts_by_its_distance_from_that_of_other_models() -> None:
    def used(model_id: str, quality: float) -> list[tuple[Observation, int]]:
        return looks(model_id, quality, 100, kind="use", weight=0.5)

    alike = beliefs(used("a/known", 0.97), used("b/rival", 0.97))
    assert alike.of("b/rival", "coding", prior=0.5).quality == pytest.approx(expected(0.5))
    apart = beliefs(used("a/known", 0.99), used("b/rival", 0.70))
    assert apart.of("b/rival", "coding", prior=0.5).quality < expected(0.5) - 0.08
    assert apart.of("a/known", "coding", prior=0.5).quality > expected(0.5)


def test_more_looks_make_a_belief_surer() -> None:
    spreads = [
        beliefs(looks("b/rival", 0.5, count)).of("b/rival", "coding", prior=0.4).spread
        for count in (0, 5, 50)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[2] < spreads[0] / 2


def test_a_hard_request_sets_models_further_apart_than_an_easy_one() -> None:
    seen = beliefs(looks("a/known", 0.95, 30), looks("b/rival", 0.6, 30))
    easy, hard = (chosen(seen, strength=strength) for strength in (0.0, 1.0))
    apart = [route.steps[0].score.quality - route.steps[1].score.quality for route in (easy, hard)]
    assert apart[0] < apart[1]
    assert hard.steps[0].score.quality < easy.steps[0].score.quality
