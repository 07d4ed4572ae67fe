"""What calls would have cost otherwise, without flattering."""

from datetime import UTC, date, datetime
from typing import Any

from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.savings import (
    FAILED,
    NO_CHAT,
    NO_COST,
    NO_PRICE,
    NO_TOKENS,
    OF_LOCAL,
    Alternative,
    Savings,
    savings,
)
from gateway.usage.savings_words import by_list, elsewhere, failed
from gateway.usage.workload import Workload
from tests.usage.ledgers import StoppedClock, call, costing, open_ledger

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def load(**changes: Any) -> Workload:
    facts: dict[str, Any] = {
        "provider": "p",
        "model": "p/small",
        "tier": "free",
        "request_type": "chat",
        "cost_source": "subscription",
        "is_ok": True,
        "is_counted": True,
        "input_step": 0,
        "calls": 10,
        "input_tokens": 10_000,
        "output_tokens": 2_000,
        "charged_microusd": 0,
        "list_microusd": 500_000,
    }
    return Workload(**(facts | changes))


def alternative(microusd_a_token: int | None = 100) -> Alternative:
    def cost(one: Workload) -> int | None:
        if microusd_a_token is None:
            return None
        return microusd_a_token * (one.input_tokens + one.output_tokens)

    return Alternative("q/large", "as asked", "a list", date(2026, 11, 1), cost)


def test_a_subscription_saves_what_its_calls_cost_by_the_list() -> None:
    found = savings([load()])
    assert (found.by_list.saved_microusd, found.by_list.calls) == (500_000, 10)
    assert found.elsewhere is None
    assert by_list(found) == (
        "At their own list prices, 10 calls would have cost $0.50, and cost $0.00: $0.50 saved."
    )


def test_both_figures_are_told_apart_and_dated() -> None:
    paid = load(tier="paid", cost_source="catalog", charged_microusd=500_000)
    found = savings([load(), paid], alternative())
    assert (found.by_list.saved_microusd, found.by_list.paid_microusd) == (500_000, 500_000)
    assert found.elsewhere is not None
    assert found.elsewhere.worth_microusd == 100 * 24_000
    assert elsewhere(found) == (
        "On q/large (as asked; list prices of 2026-11-01, from a list), the same tokens of 20 "
        "calls would have cost $2.40, and cost $0.50: $1.90 saved."
    )


def test_what_would_have_been_cheaper_is_said_to_have_cost_more() -> None:
    found = savings([load(charged_microusd=900_000)], alternative(10))
    assert found.elsewhere is not None
    assert found.elsewhere.saved_microusd == -780_000
    assert elsewhere(found).endswith("and cost $0.90: they cost $0.78 more.")
    assert by_list(found).endswith("they cost $0.40 more.")
    assert "saved" not in by_list(found) + elsewhere(found)


def test_failed_calls_save_nothing_and_what_they_cost_is_told() -> None:
    found = savings([load(), load(is_ok=False, calls=3, charged_microusd=40_000)], alternative())
    assert found.by_list == savings([load()]).by_list.__class__(10, 0, 500_000, {FAILED: 3})
    assert failed(found) == "$0.04 was charged for 3 failed calls, and is in neither."
    assert failed(savings([load()])) == ""


def test_what_cannot_be_valued_is_left_out_and_counted() -> None:
    loads = [
        load(),
        load(cost_source="local", list_microusd=None, calls=2),
        load(list_microusd=None, cost_source="unknown", calls=3, charged_microusd=None),
        load(request_type="embedding", calls=4),
        load(is_counted=False, input_tokens=0, output_tokens=0, calls=5),
    ]
    found = savings(loads, alternative())
    assert found.by_list.left_out == {OF_LOCAL: 2, NO_PRICE: 3}
    assert found.elsewhere is not None
    assert found.elsewhere.left_out == {NO_COST: 3, NO_CHAT: 4, NO_TOKENS: 5}
    # Local models are valued on the alternative only.
    assert (found.elsewhere.calls, found.elsewhere.worth_microusd) == (12, 100 * 24_000)
    assert "left out: 3 (no list price is known), 2 (models of one's own" in by_list(found)


def test_without_a_price_nothing_is_compared() -> None:
    found = savings([load()], alternative(None))
    assert found.elsewhere is not None
    assert (found.elsewhere.calls, found.elsewhere.left_out) == (0, {NO_PRICE: 10})
    assert elsewhere(found).startswith("No successful call can be compared with q/large")
    assert by_list(savings([])) == "No successful call has a known list price of its own."


def test_nothing_saved_is_nothing_saved() -> None:
    assert by_list(savings([load(charged_microusd=500_000)])).endswith("nothing saved.")


async def record(ledger: Ledger, settlement: Settlement, **about: str) -> None:
    await ledger.settle(await ledger.reserve(call(**about), costing(None)), settlement)


async def test_the_ledger_groups_calls_by_how_long_they_are_and_what_is_known(
    database_url: str,
) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        for tokens in (100, 200, 300_000):
            known = Settlement(
                tokens, 10, cached_tokens=50, billed_microusd=0, list_microusd=7,
                cost_source="subscription",
            )  # fmt: skip
            await record(ledger, known)
        await record(ledger, Settlement(100, 10, outcome="unavailable"))
        await record(ledger, Settlement(5, 5), caller="bob")
        loads = await ledger.workloads(START, END, above_tokens=(200, 250_000))
        bobs = await ledger.workloads(START, END, caller="bob")
        assert await ledger.workloads(END, END.replace(year=2027)) == []
    ok = {one.input_step: one for one in loads if one.cost_source == "subscription"}
    assert {step: (one.calls, one.input_tokens) for step, one in ok.items()} == {
        0: (2, 300),
        2: (1, 300_000),
    }
    assert (ok[0].list_microusd, ok[0].charged_microusd, ok[0].cached_tokens) == (14, 0, 100)
    assert [(one.calls, one.list_microusd, one.charged_microusd) for one in bobs] == [
        (1, None, None)
    ]
    found: Savings = savings(loads)
    assert found.by_list.left_out == {FAILED: 1, NO_PRICE: 1}
    assert found.by_list.saved_microusd == 21
