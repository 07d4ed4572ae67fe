"""What must hold for every route, whatever the models, the request and the policy are."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model
from gateway.llm.policy import FallbackAction, Policy
from gateway.llm.route import Route
from gateway.llm.router import choose
from gateway.llm.walk import Condition, Conditions
from tests.llm.lineups import model, shortage

PRICES = st.sampled_from([None, (0, 0), (0.1, 0.5), (3, 15)])
MAYBE = st.sampled_from([None, True, False])
CONDITIONS = st.sampled_from(
    [
        Condition(),
        Condition(),
        Condition(cooling_seconds=3),
        Condition(shortage=shortage()),
    ]
)


@st.composite
def models(draw: st.DrawFn) -> list[Model]:
    return [
        model(
            f"{draw(st.sampled_from('abc'))}/m{number}",
            draw(PRICES),
            has_tools=draw(MAYBE),
            has_structured_output=draw(MAYBE),
            context_tokens=draw(st.sampled_from([None, 4_000, 200_000])),
            input_modalities=frozenset(draw(st.sampled_from([["text"], ["text", "image"]]))),
        )
        for number in range(draw(st.integers(1, 12)))
    ]


@st.composite
def requests(draw: st.DrawFn) -> Features:
    return Features(
        wanted=draw(
            st.sampled_from(["auto", "auto:coding", "auto:cheap", "auto:best", "auto:free"])
        ),
        complexity=draw(st.floats(0, 1)),
        input_tokens=draw(st.integers(0, 50_000)),
        needs=Needs(
            tools=draw(st.booleans()),
            vision=draw(st.booleans()),
            json_schema=draw(st.booleans()),
            context_tokens=draw(st.sampled_from([100, 30_000])),
        ),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    actions: list[Any] = [FallbackAction("use_paid", 10_000), FallbackAction("use_cheaper_model")]
    return Policy(
        strategy=draw(st.sampled_from(["task_based", "round_robin", "least_cost"])),
        priority=draw(st.sampled_from(["cost", "speed", "quality"])),
        may_pay=draw(st.booleans()),
        unknown_price=draw(st.sampled_from(["refuse", "allow"])),
        on_quota_exceeded=tuple(draw(st.lists(st.sampled_from(actions), max_size=2))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Features, list[Model], Policy, Conditions]:
    known = draw(models())
    now = {one.id: draw(CONDITIONS) for one in known}
    return draw(requests()), known, draw(policies()), lambda one, _worst: now[one.id]


def routed(world: tuple[Features, list[Model], Policy, Conditions]) -> Route:
    features, known, policy, now = world
    return choose(features, Lineup(known), policy, conditions=now, turn=3)


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_a_step_never_lacks_a_need_and_is_never_one_that_may_not_be_used(world: Any) -> None:
    features, _, _, now = world
    needs = features.needs
    for step in routed(world).steps:
        one = step.model
        assert not (needs.tools and one.has_tools is False)
        assert not (needs.vision and not one.has_vision)
        assert not (needs.json_schema and one.has_structured_output is False)
        assert one.context_tokens is None or one.context_tokens >= needs.context_tokens
        assert now(one, None) == Condition()


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_nothing_is_paid_unless_paying_was_allowed(world: Any) -> None:
    features, _, policy, _ = world
    if not policy.may_pay or features.wanted == "auto:free":
        assert all(step.model.tier == "free" for step in routed(world).steps)


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_no_paid_model_comes_before_a_free_one_unless_the_request_asks_for_quality(
    world: Any,
) -> None:
    if world[0].wanted != "auto:best":
        tiers = [step.model.tier for step in routed(world).steps]
        assert tiers == sorted(tiers)


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_every_route_has_steps_or_says_why_not_and_is_the_same_again(world: Any) -> None:
    route = routed(world)
    assert route == routed(world)
    assert bool(route.steps) == (route.refusal is None)
    assert route.reason
    assert len({(step.model.id, step.model.tier) for step in route.steps}) == len(route.steps)
