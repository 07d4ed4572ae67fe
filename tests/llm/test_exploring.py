"""Now and then a model is tried to learn more of it: at no more cost, and never with work."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.evidence.observation import Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs
from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.policy import Policy
from gateway.llm.route import Route
from gateway.llm.router import choose
from tests.llm.lineups import DAY, free, model

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ASKED = Features(task="coding", complexity=0.5, input_tokens=200, needs=Needs(context_tokens=700))
KNOWN, UNKNOWN = free("a/known", released=DAY), free("b/unknown")
DEAR = model("c/dear", (3, 15), released=DAY)
# Of the first model much was seen: it is good, and that is sure.
SEEN = Beliefs(
    summed([(Observation("a/known", "coding", "benchmark", 0.7, 60, "benchmark:b1", NOW), 60)], NOW)
)


def explored(policy: Policy | None = None, seen: Beliefs = SEEN, **asked: object) -> Route:
    return choose(
        replace(ASKED, **asked),  # type: ignore[arg-type]
        Lineup([KNOWN, UNKNOWN, DEAR]),
        policy or Policy(may_pay=True),
        beliefs=seen,
        explores=True,
    )


def test_a_model_of_which_little_is_known_takes_the_first_place_and_the_reason_says_so() -> None:
    plain = choose(ASKED, Lineup([KNOWN, UNKNOWN, DEAR]), Policy(may_pay=True), beliefs=SEEN)
    assert plain.steps[0].model.id == "a/known"
    route = explored()
    assert [step.model.id for step in route.steps] == ["b/unknown", "a/known", "c/dear"]
    assert "to learn more of it, in place of a/known" in route.reason


def test_nobody_pays_for_what_the_gateway_learns() -> None:
    lineup = Lineup([KNOWN, DEAR])
    route = choose(ASKED, lineup, Policy(may_pay=True), beliefs=SEEN, explores=True)
    assert route.steps[0].model.id == "a/known"


def test_work_is_not_experimented_with_unless_that_is_allowed() -> None:
    assert explored(context="work").steps[0].model.id == "a/known"
    allowed = Policy(explores_work=True)
    assert explored(allowed, context="work").steps[0].model.id == "b/unknown"


@pytest.mark.parametrize("wanted", ["a/known", "known"])
def test_a_model_that_is_named_is_not_swapped(wanted: str) -> None:
    assert explored(wanted=wanted).steps[0].model.id == "a/known"


def test_a_model_that_is_surely_worse_is_not_tried() -> None:
    both = [
        (Observation(one, "coding", "benchmark", quality, 60, "benchmark:b1", NOW), 60)
        for one, quality in (("a/known", 0.9), ("b/unknown", 0.1))
    ]
    assert explored(seen=Beliefs(summed(both, NOW))).steps[0].model.id == "a/known"


@pytest.mark.parametrize(
    "policy",
    [
        Policy(may_pay=True, task_models={"coding": ("a/known",)}),
        Policy(may_pay=True, strategy="least_cost"),
        Policy(may_pay=True, strategy="round_robin"),
        Policy(may_pay=True, tier_order=("paid", "free")),
    ],
    ids=["mapped", "least cost", "in turn", "paid first"],
)
def test_what_the_operator_put_in_an_order_stays_in_it(policy: Policy) -> None:
    lineup = Lineup([KNOWN, UNKNOWN, DEAR])
    plain = choose(ASKED, lineup, policy, beliefs=SEEN)
    assert choose(ASKED, lineup, policy, beliefs=SEEN, explores=True) == plain
