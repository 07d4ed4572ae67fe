"""What bounds a route: the caller's key, what a call may cost, and what is not known of a price."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.caller import Caller
from gateway.errors import GatewayError, PermissionDenied
from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model, Price, PriceTier, Rates
from gateway.llm.policy import FallbackAction, Policy
from gateway.llm.prompting import NO_EXTRA, Extra
from gateway.llm.route import Route
from gateway.llm.router import choose
from gateway.llm.walk import Condition
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


def test_a_key_of_few_models_chooses_among_these_and_the_others_are_not_looked_at() -> None:
    looked_at: list[str] = []

    def conditions_of(one: Model, _worst: int | None) -> Condition:
        looked_at.append(one.id)
        return Condition()

    models = [free(f"a/free-{number}") for number in range(40)]
    bob = Caller("bob", models=("b/cheap", "x/*"))
    route = choose(
        ASKED, Lineup([*models, CHEAP, DEAR]), PAYING, caller=bob, conditions=conditions_of
    )
    assert ids(route) == looked_at == ["b/cheap"]
    assert route.excluded_counts["permission"] == 41
    eve = Caller("eve", models=("x/*",))
    route = choose(ASKED, Lineup([*models, CHEAP]), PAYING, caller=eve)
    assert isinstance(refused(route), PermissionDenied)
    named = choose(replace(ASKED, wanted="b/cheap"), Lineup([CHEAP]), PAYING, caller=eve)
    assert isinstance(refused(named), PermissionDenied)


def test_callers_with_different_keys_are_told_apart_on_one_lineup() -> None:
    lineup = Lineup([FREE, CHEAP])
    for models, chosen_ids in ((("c/*",), ["c/free"]), (("b/*",), ["b/cheap"])):
        who = Caller("bob", models=models)
        assert ids(choose(ASKED, lineup, PAYING, caller=who)) == chosen_ids


def test_a_key_is_not_offered_to_pay_for_what_it_may_not_use() -> None:
    now = conditions({"c/free": Condition(shortage=shortage())})
    bob = Caller("bob", models=("c/*",))
    route = choose(ASKED, Lineup([FREE, CHEAP]), Policy(), caller=bob, conditions=now)
    assert "would cost" not in str(refused(route))


def test_a_model_of_unknown_price_is_no_bargain() -> None:
    policy = replace(PAYING, unknown_price="allow")
    assert ids(chosen(model("a/new"), CHEAP, policy=policy)) == ["b/cheap", "a/new"]
    # Above 100 tokens its output costs nobody knows what: no less than below.
    tiers = (PriceTier(100, Rates(Decimal("0.01"), None)),)
    price = Price(Rates(Decimal("0.01"), Decimal("9")), "test", DAY, tiers)
    assert ids(chosen(model("a/tiers", price=price), CHEAP))[0] == "b/cheap"


def test_a_call_that_may_cost_nothing_is_answered_by_no_paid_model_even_if_it_is_named() -> None:
    policy = replace(PAYING, may_pay=False, never_pays=True)
    assert ids(chosen(FREE, CHEAP, policy=policy)) == ["c/free"]
    route = chosen(FREE, CHEAP, policy=policy, wanted="b/cheap")
    assert "this call may cost nothing" in str(refused(route))
    assert "set a budget" not in str(refused(route))


def test_what_a_caller_s_wording_adds_counts_for_the_cost_and_for_the_room() -> None:
    cap = FallbackAction("use_paid", max_cost_microusd=3_000)
    policy = replace(PAYING, on_quota_exceeded=(cap,))
    extras = {"b/cheap": Extra(9_000, 20_000), "c/free": Extra(130_000, 500_000)}
    lineup = Lineup([FREE, CHEAP])
    route = choose(ASKED, lineup, policy, extras=lambda one: extras.get(one.id, NO_EXTRA))
    assert route.excluded_counts == {"context": 1, "max_cost": 1}
    assert ids(choose(ASKED, lineup, policy)) == ["c/free", "b/cheap"]
    cheap = choose(ASKED, lineup, PAYING, extras=lambda one: extras.get(one.id, NO_EXTRA)).steps[0]
    plain = choose(ASKED, lineup, PAYING).steps[1]
    assert cheap.expected_microusd == (plain.expected_microusd or 0) + 9_000 * 0.1
    assert cheap.worst_microusd == (plain.worst_microusd or 0) + 20_000 * 0.1


def test_at_most_is_what_a_call_can_be_billed_within_max_cost() -> None:
    cap = FallbackAction("use_paid", max_cost_microusd=3_000)
    within = chosen(CHEAP, policy=replace(PAYING, on_quota_exceeded=(cap,))).steps[0]
    assert (within.worst_microusd, within.most_microusd) == (2_039, 3_000)
    # Without a bound the answer may be as long as the model's context.
    free_of_it = chosen(CHEAP).steps[0]
    assert (free_of_it.worst_microusd, free_of_it.most_microusd) == (51_601, None)


@pytest.mark.parametrize("wanted", ["auto", "auto:best"])
@pytest.mark.parametrize("strategy", ["task_based", "least_cost", "round_robin"])
def test_all_models_are_chosen_from_as_those_that_the_operator_lists(
    wanted: str, strategy: Any
) -> None:
    models = [model(f"{'abcdefgh'[at % 8]}/m{at}", (at % 7 / 3, 1 + at % 11)) for at in range(60)]
    lineup, asked = Lineup(models), replace(ASKED, wanted=wanted)
    policy = replace(PAYING, strategy=strategy)
    whole = choose(asked, lineup, policy)
    # Listed alike, one by one is compared; the bonus for the place changes who wins, not the price.
    if strategy == "least_cost" and wanted != "auto:best":
        listed = replace(policy, paid_models=tuple(one.id for one in models))
        assert ids(choose(asked, lineup, listed)) == ids(whole)
    turned = choose(asked, lineup, policy, turn=1)
    takes_turns = strategy == "round_robin" and wanted != "auto:best"
    assert ids(turned) == ([*ids(whole)[1:], ids(whole)[0]] if takes_turns else ids(whole))
