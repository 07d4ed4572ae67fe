"""The table of what was tried for one request says all that is known of each attempt."""

from typing import Any

from gateway.sources.attempts import attempts_text
from gateway.usage.report import UsageLine

FIRST: Any = {
    "model": "openrouter/one",
    "provider": "openrouter",
    "tier": "paid",
    "strategy": None,
    "why": "paid, within the budget",
}
FAILED: Any = {
    **FIRST,
    "outcome": "unavailable",
    "error": "openrouter answers 503",
    "was_sent": True,
    "milliseconds": 1_234.5,
    "cost_microusd": 40,
    "spent_microusd": 40,
}
NEVER_SENT: Any = {
    **FAILED,
    "model": "openrouter/two",
    "strategy": "next_model",
    "outcome": "limit_exceeded",
    "error": "the budget allows no more",
    "was_sent": False,
    "milliseconds": 0.4,
    "cost_microusd": 0,
}
TRYING: Any = {**FIRST, "model": "ollama/three", "strategy": "cheaper", "spent_microusd": 40}
ROUTE: Any = {
    "tried": [FAILED, NEVER_SENT],
    "trying": TRYING,
    "tried_last": "ollama/three",
    "tier": "free",
    "outcome": "ok",
    "cost_microusd": 2,
    "warnings": ["the model was not offered the tools"],
}


def test_each_attempt_has_its_strategy_outcome_time_and_cost() -> None:
    group = {"model": "ollama/three", "tier": "free", "outcome": "ok"}
    text = attempts_text(ROUTE, [UsageLine(group, total_ms=87.4)])
    head, _, first, second, third = [line for line in text.splitlines() if line.startswith("|")]
    assert head == (
        "| Model | Provider | Tier | Strategy | Why | Outcome | Error | Milliseconds | Cost | "
        "Cost so far |"
    )
    assert first.startswith("| `openrouter/one` | openrouter | paid |  | paid, within the budget")
    assert first.endswith("| unavailable | openrouter answers 503 | 1,234 | $0.00004 | $0.00004 |")
    assert "| limit_exceeded, not sent | the budget allows no more | 0 | $0.00 |" in second
    assert third.startswith("| `ollama/three` |")
    assert "| cheaper |" in third
    assert third.endswith("| ok |  | 87 | $0.000002 | $0.000042 |")
    assert text.endswith("The answer is degraded: the model was not offered the tools.")


def test_a_cost_that_is_not_known_is_not_added_up() -> None:
    route = {**ROUTE, "trying": {**TRYING, "spent_microusd": None}}
    assert attempts_text(route, []).splitlines()[6].endswith("| $0.000002 | unknown |")


def test_routes_of_older_versions_have_a_table_of_what_they_kept() -> None:
    route = {
        "tried": [{"model": "a/one", "outcome": "unavailable", "error": "down"}],
        "tried_last": "a/two",
        "outcome": "ok",
    }
    text = attempts_text(route, [])
    assert "| Model | Outcome | Error |" in text
    assert "| `a/one` | unavailable | down |" in text
    assert attempts_text({}, []) == ""
