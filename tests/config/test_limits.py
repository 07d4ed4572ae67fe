from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.settings import load
from gateway.errors import ConfigurationError
from gateway.usage.limit import Dimension, Limit
from gateway.usage.window import Window
from tests.config.written import written


def test_limits_count_one_unit_in_a_window_for_the_calls_that_they_bind(tmp_path: Path) -> None:
    text = """
limits:
  - {name: spend, budget_usd: 0.1, window: month, where: {tier: paid, model: "openrouter/*"}}
  - {name: requests, quota_requests: 10, window: day, per: [caller, task]}
  - {name: tokens, quota_tokens: 20, window: week, alert_only: true}
  - {name: inputs, quota_input_tokens: 30, window: rolling_7_days, where: {context: work}}
alerts: [90]
"""
    config = load(written(tmp_path, text), environment={})
    where: Mapping[Dimension, str] = {"tier": "paid", "model": "openrouter/*"}
    assert config.limits == (
        Limit("spend", "microusd", 100_000, Window("month"), where=where),
        Limit("requests", "requests", 10, Window("day"), per=("caller", "task")),
        Limit("tokens", "tokens", 20, Window("week"), is_hard=False),
        Limit("inputs", "input_tokens", 30, Window("rolling", 7), where={"context": "work"}),
    )
    assert config.alerts == (90,)


def test_budgets_of_the_environment_are_limits_beside_those_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "limits: [{name: mine, quota_requests: 1, window: day}]")
    environment = {
        "GATEWAY_MONTHLY_BUDGET_USD": "12.34",
        "TOKEN_BUDGET": "1000000",
        "COST_ALERT_THRESHOLD": "5",
    }
    assert load(file, environment=environment).limits[1:] == (
        Limit("monthly-budget", "microusd", 12_340_000, Window("month"), where={"tier": "paid"}),
        Limit("token-budget", "tokens", 1_000_000, Window("rolling", 30)),
        Limit("cost-alert", "microusd", 5_000_000, Window("month"), is_hard=False),
    )


def test_a_caller_s_own_limits_bind_that_caller_alone(tmp_path: Path) -> None:
    text = f"""
callers:
  - {{name: alice, key_sha256: "{"a" * 64}", budget_usd: 5, requests: 10, window: week}}
  - {{name: bob, key_sha256: "{"b" * 64}", tokens: 7}}
"""
    alice: Mapping[Dimension, str] = {"caller": "alice"}
    bob: Mapping[Dimension, str] = {"caller": "bob"}
    assert load(written(tmp_path, text), environment={}).limits == (
        Limit("alice-budget", "microusd", 5_000_000, Window("week"), where=alice),
        Limit("alice-requests", "requests", 10, Window("week"), where=alice),
        Limit("bob-tokens", "tokens", 7, Window("month"), where=bob),
    )


@pytest.mark.parametrize(
    ("text", "may_pay"),
    [
        ("", False),
        ("limits: [{name: a, budget_usd: 1, window: month}]", True),
        ("limits: [{name: a, budget_usd: 1, window: month, where: {tier: paid}}]", True),
        ("limits: [{name: a, budget_usd: 1, window: month, per: [caller]}]", True),
        ("limits: [{name: a, budget_usd: 0, window: month}]", False),
        ("limits: [{name: a, budget_usd: 1, window: month, where: {tier: free}}]", False),
        ("limits: [{name: a, budget_usd: 1, window: month, where: {caller: alice}}]", False),
        ("limits: [{name: a, budget_usd: 1, window: month, where: {model: 'a/*'}}]", False),
        ("limits: [{name: a, budget_usd: 1, window: month, alert_only: true}]", False),
        ("limits: [{name: a, quota_tokens: 1, window: month}]", False),
        ("models: {tiers: {paid: {budget_limit: 1}}}", True),
        ("models: {tiers: {paid: {budget_limit: 0}}}", False),
        ("models: {tiers: {free: {budget_limit: 1}}}", False),
        ("models: {tiers: {paid: {models: [a]}}}", True),
        ("models: {tiers: {free: {models: [a]}}}", False),
    ],
)
def test_automatic_routes_pay_only_when_all_that_is_paid_is_bounded_or_listed(
    tmp_path: Path, text: str, may_pay: bool
) -> None:
    assert load(written(tmp_path, text), environment={}).policy.may_pay is may_pay


@pytest.mark.parametrize(
    ("environment", "may_pay"),
    [
        ({"GATEWAY_MONTHLY_BUDGET_USD": "1"}, True),
        ({"GATEWAY_MONTHLY_BUDGET_USD": "0"}, False),
        ({"COST_ALERT_THRESHOLD": "1", "TOKEN_BUDGET": "1"}, False),
    ],
)
def test_an_alert_and_a_count_of_tokens_are_no_consent_to_pay(
    environment: dict[str, str], may_pay: bool
) -> None:
    assert load(environment=environment).policy.may_pay is may_pay


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{name: a, window: day}]", r"limits\[0\]: takes exactly one of budget_usd, quota_requ"),
        ("[{name: a, budget_usd: 1, quota_tokens: 1, window: day}]", r"takes exactly one of"),
        ("[{name: a, budget_usd: 1}]", r"limits\[0\].window: is missing"),
        ("[{name: a, budget_usd: 1, window: year}]", r"limits\[0\].window: takes day, week, month"),
        ("[{name: a, budget_usd: -1, window: day}]", r"limits\[0\].budget_usd: .*, not -1"),
        ("[{name: a, budget_usd: .inf, window: day}]", r"budget_usd: should be a finite number"),
        ("[{name: a, quota_tokens: 0, window: day}]", r"quota_tokens: .*, not 0"),
        ("[{name: a, quota_tokens: 1.5, window: day}]", r"quota_tokens: .*integer, not 1.5"),
        (
            "[{name: a, quota_tokens: 1, window: day, where: {modle: x}}]",
            r"limits\[0\].where.modle: should be 'caller', 'tier', .*, not 'modle'",
        ),
        ("[{name: a, quota_tokens: 1, window: day, per: [x]}]", r"limits\[0\].per\[0\]: should be"),
        ("[{name: A b, quota_tokens: 1, window: day}]", r"limits\[0\].name: .*, not 'A b'"),
        (
            "[{name: a, quota_tokens: 1, window: day}, {name: a, quota_tokens: 1, window: week}]",
            r"gateway.yaml: limits: two have the name a; rename one",
        ),
    ],
)
def test_a_mistake_in_a_limit_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(written(tmp_path, f"limits: {text}"), environment={})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TOKEN_BUDGET", "many", r"quota_tokens: should be a valid integer; TOKEN_BUDGET gives"),
        ("TOKEN_BUDGET", "0", r"quota_tokens: should be greater .*; TOKEN_BUDGET gives another"),
        ("GATEWAY_MONTHLY_BUDGET_USD", "$20", r"valid number; GATEWAY_MONTHLY_BUDGET_USD gives"),
        ("GATEWAY_MONTHLY_BUDGET_USD", "nan", r"finite number; GATEWAY_MONTHLY_BUDGET_USD gives"),
        ("COST_ALERT_THRESHOLD", "-1", r"greater than .*; COST_ALERT_THRESHOLD gives another"),
        ("DEFAULT_PRIORITY", "cheap", r"should be 'speed', .*; DEFAULT_PRIORITY gives another"),
        ("MAX_PARALLEL_TASKS", "0", r"max_parallel_tasks: .*; MAX_PARALLEL_TASKS gives another"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(environment={variable: value})


def test_what_requests_go_by_may_come_from_the_environment() -> None:
    environment = {"DEFAULT_PRIORITY": "Quality", "MAX_PARALLEL_TASKS": "8"}
    config = load(environment=environment)
    assert (config.policy.priority, config.max_parallel_tasks) == ("quality", 8)
    assert load(environment={}).policy.priority == "cost"


def test_what_a_limit_looks_back_on_is_kept(tmp_path: Path) -> None:
    limits = "limits: [{name: long, quota_requests: 1, window: rolling_60_days}]"
    assert load(written(tmp_path, f"retention_days: 61\n{limits}"), environment={})
    with pytest.raises(ConfigurationError, match=r"retention_days: 60 is less .* long looks back"):
        load(written(tmp_path, f"retention_days: 60\n{limits}"), environment={})
