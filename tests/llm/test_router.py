"""The router is pure: the same request, models and policy give the same route, with reasons."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import (
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PaymentRequired,
    Unavailable,
)
from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model
from gateway.llm.policy import FallbackAction, Policy
from gateway.llm.route import Route
from gateway.llm.router import choose
from gateway.llm.scoring import Measured
from gateway.llm.walk import Condition, Conditions
from gateway.usage.limit import HELD_RETRY_SECONDS
from tests.llm.lineups import DAY, RESETS_AT, conditions, free, model, shortage

NOW = RESETS_AT - timedelta(hours=1)
ASKED = Features(input_tokens=1_000, most_input_tokens=4_000, needs=Needs(context_tokens=1_500))
PAYING = Policy(may_pay=True)
CHEAP = model("b/cheap", (0.1, 0.4))
DEAR = model("a/dear", (5, 25), has_reasoning=True, released=DAY)
FREE = free("c/free")


def chosen(*models: Model, policy: Policy = PAYING, wanted: str = "auto", **asked: Any) -> Route:
    return choose(replace(ASKED, wanted=wanted, **asked), Lineup(models), policy)


def ids(route: Route) -> list[str]:
    return [step.model.id for step in route.steps]


def refused(route: Route) -> GatewayError:
    assert not route.steps
    error = route.error(NOW)
    assert error is not None
    return error


def test_the_free_tier_comes_first_and_paid_models_follow_by_score() -> None:
    route = chosen(DEAR, CHEAP, FREE)
    assert ids(route) == ["c/free", "b/cheap", "a/dear"]
    assert route.steps[0].reason == "free tier first"
    assert (route.steps[0].expected_microusd, route.steps[0].worst_microusd) == (0, 0)


def test_without_a_budget_an_automatic_route_never_pays() -> None:
    route = chosen(DEAR, CHEAP, FREE, policy=Policy())
    assert ids(route) == ["c/free"]
    assert route.excluded_counts == {"unpaid": 2}


def test_a_step_says_what_it_is_expected_to_cost_and_what_at_most() -> None:
    step = chosen(CHEAP, output_tokens=100, most_output_tokens=2_000).steps[0]
    assert step.expected_microusd == 1_000 * 0.1 + 100 * 0.4
    assert step.worst_microusd is not None
    assert step.worst_microusd >= 4_000 * 0.1 + 2_000 * 0.4


@pytest.mark.parametrize(
    ("facts", "needs", "why"),
    [
        ({"has_tools": False}, {"tools": True}, "tools"),
        ({"input_modalities": frozenset({"text"})}, {"vision": True}, "vision"),
        ({}, {"audio": True}, "audio"),
        ({"has_structured_output": False}, {"json_schema": True}, "json_schema"),
        ({"output_modalities": frozenset({"image"})}, {}, "text"),
        ({"context_tokens": 1_499}, {"context_tokens": 1_500}, "context"),
        ({"max_input_tokens": 1_000}, {"context_tokens": 1_500}, "context"),
    ],
)
def test_a_model_that_lacks_a_need_is_left_out(
    facts: dict[str, Any], needs: dict[str, Any], why: str
) -> None:
    lacking = free("a/lacking", **facts)
    able = free("b/able", input_modalities=frozenset({"text", "image", "audio"}))
    route = chosen(lacking, able, needs=Needs(**needs))
    assert ids(route) == ["b/able"]
    assert [(one.model_id, one.why) for one in route.excluded] == [("a/lacking", why)]
    alone = refused(chosen(lacking, needs=Needs(**needs)))
    assert isinstance(alone, ContextTooLong if why == "context" else InvalidRequest)


def test_a_paid_model_of_unknown_price_is_left_out_unless_that_is_allowed() -> None:
    unpriced = model("a/new")
    route = chosen(unpriced)
    assert route.excluded_counts == {"price": 1}
    assert "price" in str(refused(route))
    assert "The price of a/new is not known" in str(refused(chosen(unpriced, wanted="a/new")))
    allowed = chosen(unpriced, policy=replace(PAYING, unknown_price="allow"))
    assert ids(allowed) == ["a/new"]
    assert (allowed.steps[0].expected_microusd, allowed.steps[0].worst_microusd) == (None, None)


def test_a_forced_provider_leaves_the_others_out() -> None:
    policy = replace(PAYING, forced_provider="b")
    route = chosen(FREE, CHEAP, policy=policy)
    assert ids(route) == ["b/cheap"]
    assert route.excluded[0].reason == "LLM_PROVIDER leaves only b"


def test_a_forced_provider_serves_a_model_that_is_named_with_another_one() -> None:
    here, there = model("openai/gpt-6", (1, 2)), model("openrouter/openai/gpt-6", (1, 2))
    policy = replace(PAYING, forced_provider="openrouter")
    assert ids(chosen(here, there, policy=policy, wanted="openai/gpt-6")) == [there.id]


@pytest.mark.parametrize(
    ("condition", "why", "error"),
    [
        (Condition(cooling_seconds=12), "cooling", Unavailable),
        (Condition(shortage=shortage()), "limit", LimitExceeded),
    ],
)
def test_what_holds_now_leaves_a_model_out(
    condition: Condition, why: str, error: type[GatewayError]
) -> None:
    now = conditions({"c/free": condition})
    route = choose(ASKED, Lineup([FREE, CHEAP]), PAYING, conditions=now)
    assert ids(route) == ["b/cheap"]
    assert [one.why for one in route.excluded] == [why]
    assert isinstance(refused(choose(ASKED, Lineup([FREE]), PAYING, conditions=now)), error)


def test_a_used_up_quota_says_which_limit_until_when_and_what_paying_would_cost() -> None:
    now = conditions({"c/free": Condition(shortage=shortage("nanogpt_free"))})
    error = refused(choose(ASKED, Lineup([FREE, CHEAP]), Policy(), conditions=now))
    assert isinstance(error, LimitExceeded)
    assert (error.limit, error.retry_after_seconds) == ("nanogpt_free", 3_600)
    assert "2026-12-01T00:00:00Z" in str(error)
    assert "b/cheap would cost about $0.0003, at most $0.051601" in str(error)
    assert "set a budget" in str(error)


def test_what_calls_under_way_only_hold_may_be_free_again_in_seconds() -> None:
    held = replace(shortage("held", unit="microusd"), held=50)
    spent = replace(shortage("spent"), resets_at=held.resets_at - timedelta(minutes=30))
    now = conditions({FREE.id: Condition(shortage=spent), CHEAP.id: Condition(shortage=held)})
    error = refused(choose(ASKED, Lineup([FREE, CHEAP]), PAYING, conditions=now))
    assert isinstance(error, LimitExceeded)
    assert (error.limit, error.is_only_held) == ("held", True)
    assert error.retry_after_seconds == HELD_RETRY_SECONDS
    assert str(error).index("'held'") < str(error).index("'spent'")


def test_only_paid_models_and_no_budget_is_payment_required() -> None:
    error = refused(chosen(CHEAP, policy=Policy()))
    assert isinstance(error, PaymentRequired)
    assert "b/cheap would cost about" in str(error)


def test_no_model_at_all_says_so() -> None:
    assert isinstance(refused(chosen()), Unavailable)


def test_a_model_that_perhaps_takes_tools_is_used_only_if_nothing_else_is_there() -> None:
    unsure, tools = free("c/unsure", has_tools=None), Needs(tools=True)
    route = chosen(unsure, CHEAP, needs=tools)
    assert ids(route) == ["b/cheap"]
    assert route.excluded[0].why == "doubtful"
    alone = chosen(unsure, needs=tools)
    assert ids(alone) == ["c/unsure"]
    assert "does not know whether it takes tools" in alone.reason


def test_priorities_weigh_cost_speed_and_quality() -> None:
    quick = model("d/quick", (0.5, 2))
    pace = {
        "d/quick": Measured(first_token_seconds=0.2, tokens_per_second=400),
        "a/dear": Measured(first_token_seconds=9, tokens_per_second=20),
        "b/cheap": Measured(first_token_seconds=3, tokens_per_second=30),
    }
    lineup, hard = Lineup([DEAR, CHEAP, quick]), replace(ASKED, complexity=0.8)
    first = {
        wanted: choose(replace(hard, wanted=wanted), lineup, PAYING, measured=pace).steps[0].model
        for wanted in ("auto:cheap", "auto:fast", "auto:best")
    }
    assert [one.id for one in first.values()] == ["b/cheap", "d/quick", "a/dear"]


def test_a_request_that_asks_for_the_best_may_pay_although_a_free_model_is_there() -> None:
    assert ids(chosen(DEAR, FREE, wanted="auto:best"))[0] == "a/dear"
    by_default = replace(PAYING, priority="quality")
    assert ids(chosen(DEAR, FREE, policy=by_default))[0] == "c/free"
    assert ids(chosen(DEAR, FREE, wanted="auto:best", policy=Policy())) == ["c/free"]


def test_complexity_moves_the_choice_to_quality() -> None:
    middle = model("d/middle", (0.9, 2), has_reasoning=True, released=DAY)
    assert ids(chosen(middle, DEAR, wanted="auto:best", complexity=0.0))[0] == "d/middle"
    assert ids(chosen(middle, DEAR, wanted="auto:best", complexity=1.0))[0] == "a/dear"


def test_a_call_that_costs_more_than_its_answer_is_worth_is_not_preferred() -> None:
    asked: dict[str, Any] = {"input_tokens": 100_000, "needs": Needs(context_tokens=100_500)}
    for wanted in ("auto:cheap", "auto:fast"):
        assert ids(chosen(CHEAP, DEAR, wanted=wanted, complexity=1.0, **asked))[0] == "b/cheap"


def test_auto_free_never_pays() -> None:
    assert ids(chosen(FREE, CHEAP, wanted="auto:free")) == ["c/free"]
    assert not chosen(CHEAP, wanted="auto:free").steps


def test_auto_with_a_task_is_that_task_whatever_the_classifier_says() -> None:
    route = chosen(FREE, wanted="auto:coding:cheap", task="creative")
    assert (route.features.task, route.features.priority) == ("coding", "cost")
    with pytest.raises(InvalidRequest, match="auto:codign"):
        chosen(FREE, wanted="auto:codign")


def test_an_alias_leads_to_a_model_or_to_an_automatic_route() -> None:
    policy = Policy(aliases={"smart": "best-one", "best-one": "a/dear", "gpt": "auto:free"})
    assert ids(chosen(DEAR, FREE, policy=policy, wanted="smart")) == ["a/dear"]
    assert ids(chosen(DEAR, FREE, policy=policy, wanted="gpt")) == ["c/free"]
    circle = Policy(aliases={"x": "y", "y": "x"})
    with pytest.raises(InvalidRequest, match="alias"):
        chosen(FREE, policy=circle, wanted="x")


def test_an_unknown_name_is_not_found_with_suggestions() -> None:
    with pytest.raises(NotFound) as caught:
        chosen(DEAR, CHEAP, wanted="b/cheep")
    assert caught.value.suggestions[0] == "b/cheap"
    assert "no model is called 'b/cheep'; GET /v1/models" in str(caught.value)
    with pytest.raises(NotFound, match="no model of ollama is known"):
        chosen(DEAR, CHEAP, wanted="ollama/cheep")


def test_who_names_a_paid_model_agrees_to_pay() -> None:
    assert ids(chosen(DEAR, CHEAP, FREE, policy=Policy(), wanted="a/dear")) == ["a/dear"]


def test_a_named_model_is_never_silently_another_one() -> None:
    resting = conditions({"a/dear": Condition(cooling_seconds=5)})
    asked = replace(ASKED, wanted="a/dear")
    route = choose(asked, Lineup([DEAR, CHEAP, FREE]), PAYING, conditions=resting)
    assert isinstance(refused(route), Unavailable)
    cheaper = FallbackAction("use_cheaper_model", alternative="b/cheap")
    policy = replace(PAYING, on_quota_exceeded=(cheaper,))
    route = choose(asked, Lineup([DEAR, CHEAP, FREE]), policy, conditions=resting)
    assert ids(route) == ["b/cheap"]
    assert route.steps[0].reason == "fallback to a cheaper model"


def test_a_wire_name_is_every_provider_that_has_it_cheapest_first() -> None:
    here, there = model("openai/gpt-6-sol", (2, 10)), model("openrouter/openai/gpt-6-sol", (1, 9))
    gratis = free("nanogpt/gpt-6-sol")
    assert ids(chosen(here, there, wanted="gpt-6-sol", policy=Policy())) == [there.id, here.id]
    assert ids(chosen(here, there, gratis, wanted="gpt-6-sol")) == [gratis.id, there.id, here.id]
    # A free one is there: the paid ones are no longer what was asked for.
    assert ids(chosen(here, gratis, wanted="gpt-6-sol", policy=Policy())) == [gratis.id]


def test_an_id_is_followed_by_the_same_model_elsewhere_within_the_budget() -> None:
    here, there = model("openai/gpt-6", (2, 10)), model("openrouter/openai/gpt-6", (1, 9))
    assert ids(chosen(here, there, wanted="openai/gpt-6")) == [here.id, there.id]
    assert ids(chosen(here, there, wanted="openai/gpt-6", policy=Policy())) == [here.id]


def test_an_included_model_does_not_turn_into_a_bill_when_its_quota_ends() -> None:
    included = model("nanogpt/glm", (0.5, 2), is_included=True)
    balance = model("nanogpt/glm", (0.5, 2))

    def ended(one: Model, _worst: int | None) -> Condition:
        return Condition(shortage=shortage() if one.is_included else None)

    asked, lineup = replace(ASKED, wanted="nanogpt/glm"), Lineup([included, balance])
    assert isinstance(refused(choose(asked, lineup, Policy(), conditions=ended)), LimitExceeded)
    assert choose(asked, lineup, PAYING, conditions=ended).steps[0].model is balance


@pytest.mark.parametrize("mapped", [False, True])
def test_a_name_that_is_free_pays_only_where_a_used_up_quota_may_lead_to_that(
    mapped: bool,
) -> None:
    included = model("c/twin", (1, 4), is_included=True)
    lineup = Lineup([included, replace(included, is_included=False)])
    wanted = "auto" if mapped else "c/twin"
    used_up = conditions_of_included(Condition(shortage=shortage()))

    def tiers(*actions: FallbackAction) -> list[str]:
        policy = Policy(
            may_pay=True,
            on_quota_exceeded=actions,
            task_models={"general": ("c/twin",)} if mapped else {},
        )
        route = choose(replace(ASKED, wanted=wanted), lineup, policy, conditions=used_up)
        return [step.model.tier for step in route.steps]

    assert tiers(FallbackAction("error")) == []
    assert tiers(FallbackAction("use_paid", max_cost_microusd=1)) == []
    assert tiers(FallbackAction("use_paid")) == ["paid"]
    assert tiers() == ["paid"]


def conditions_of_included(condition: Condition) -> Conditions:
    return lambda one, _worst: condition if one.is_included else Condition()


def test_the_operators_lists_are_what_automatic_routes_use() -> None:
    other, listed = free("c/other"), free("d/listed")
    policy = Policy(free_models=("d/listed",))
    assert ids(chosen(other, listed, CHEAP, policy=policy)) == ["d/listed"]
    # A model that costs money stays paid, whichever list it stands in.
    assert not chosen(CHEAP, policy=Policy(free_models=("b/cheap",))).steps


def test_a_model_whose_use_is_the_task_comes_first() -> None:
    coder, writer = free("a/one", use_cases=("code_review",)), free("b/two", use_cases=("stories",))
    assert ids(chosen(coder, writer, wanted="auto:coding"))[0] == "a/one"
    assert ids(chosen(coder, writer, wanted="auto:creative"))[0] == "b/two"


def test_a_task_mapping_is_tried_first_and_in_its_order() -> None:
    policy = replace(PAYING, task_models={"coding": ("a/dear", "cheap")})
    assert ids(chosen(DEAR, CHEAP, FREE, policy=policy, wanted="auto:coding")) == [
        "a/dear",
        "b/cheap",
        "c/free",
    ]
    assert ids(chosen(DEAR, CHEAP, FREE, policy=policy, wanted="auto:quick"))[0] == "c/free"
    to_tier = replace(PAYING, task_models={"complex": ("paid",)})
    assert ids(chosen(CHEAP, FREE, policy=to_tier, wanted="auto:complex")) == ["b/cheap", "c/free"]
    unpaid = replace(policy, may_pay=False)
    assert ids(chosen(DEAR, FREE, policy=unpaid, wanted="auto:coding")) == ["c/free"]


def test_round_robin_takes_the_listed_models_in_turn() -> None:
    models = [free(f"p{number}/m") for number in range(3)]
    policy = Policy(strategy="round_robin", free_models=tuple(one.id for one in models))
    firsts = [choose(ASKED, Lineup(models), policy, turn=turn).steps[0] for turn in range(6)]
    assert [one.model.id for one in firsts] == ["p0/m", "p1/m", "p2/m"] * 2


def test_least_cost_goes_by_the_expected_cost_of_this_request() -> None:
    # Cheap to read and dear to write, and the other way round.
    reader, writer = model("a/reader", (0.1, 9)), model("b/writer", (2, 1))
    policy = replace(PAYING, strategy="least_cost")
    long_input = chosen(reader, writer, policy=policy, input_tokens=50_000, output_tokens=10)
    long_output = chosen(reader, writer, policy=policy, input_tokens=10, output_tokens=5_000)
    assert (ids(long_input)[0], ids(long_output)[0]) == ("a/reader", "b/writer")


def test_max_cost_bounds_what_replaces_the_free_tier() -> None:
    policy = replace(PAYING, on_quota_exceeded=(FallbackAction("use_paid", 5_000),))
    assert ids(chosen(DEAR, CHEAP, policy=policy)) == ["b/cheap"]
    error = refused(chosen(DEAR, policy=policy))
    assert isinstance(error, PaymentRequired)
    assert "max_cost" in str(error)


def test_a_configured_error_ends_the_route_when_the_quota_is_used_up() -> None:
    policy = replace(PAYING, on_quota_exceeded=(FallbackAction("error", message="Wait."),))
    now = conditions({"c/free": Condition(shortage=shortage())})
    error = refused(choose(ASKED, Lineup([FREE, CHEAP]), policy, conditions=now))
    assert isinstance(error, LimitExceeded)
    assert str(error).startswith("Wait: the quota 'free' allows")


def test_no_more_than_three_steps_of_one_provider_stand_in_a_row() -> None:
    many = [free(f"a/m{number}", released=DAY) for number in range(9)]
    route = chosen(*many, FREE)
    assert sum(step.model.provider == "a" for step in route.steps) == 3
    assert "c/free" in ids(route)


def test_a_route_explains_itself_as_json_and_lists_only_so_many_exclusions() -> None:
    many = [model(f"a/m{number}", (1, 1)) for number in range(50)]
    told = chosen(*many, FREE, policy=Policy(), wanted="auto:coding").to_json()
    assert told["steps"][0]["model"] == "c/free"
    assert told["reason"].startswith("c/free, free: free tier first (coding")
    assert len(told["excluded"]) == 20
    assert told["excluded_counts"] == {"unpaid": 50}
    assert told["considered"] == 51


def test_the_same_arguments_give_the_same_route_in_whatever_order_the_models_come() -> None:
    models = [DEAR, CHEAP, FREE, free("d/x"), free("e/x")]
    assert chosen(*models) == chosen(*models) == chosen(*reversed(models))
