"""Which model savings are told against, and what the same tokens cost there."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import InvalidRequest, NotFound
from gateway.llm.alternative import saved, usual
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.messages import Usage
from gateway.llm.model import Model
from gateway.llm.prior import Priors
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.workload import Workload
from tests.usage.ledgers import StoppedClock, call, costing, open_ledger

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
# Its prices double above 272,000 tokens of input.
TIERED = "openai/gpt-5.6-sol"
CATALOG = Catalog(
    [ConfiguredProvider(name, name) for name in ("openai", "anthropic", "openrouter", "ollama")],
    [
        ModelOverride("ollama/own"),
        ModelOverride(
            "openai/with-a-fee",
            input_usd=Decimal(2),
            output_usd=Decimal(10),
            cost_per_request_microusd=300,
        ),
    ],
)


async def record(
    ledger: Ledger, model: str, input_tokens: int, output_tokens: int, *, cached: int = 0
) -> None:
    """A call of the free tier."""
    reservation = await ledger.reserve(call(model=model, tier="free"), costing(0))
    for_nothing = Settlement(input_tokens, output_tokens, cached_tokens=cached, billed_microusd=0)
    await ledger.settle(reservation, for_nothing)


def load(model: str, tier: str, tokens: int, *, request_type: str = "chat") -> Workload:
    return Workload(
        "p",
        model,
        tier,
        request_type,
        "subscription",
        is_ok=True,
        is_counted=True,
        input_step=0,
        calls=1,
        input_tokens=tokens,
        output_tokens=tokens,
    )


async def test_each_call_is_valued_by_the_step_of_the_price_that_it_reaches(tmp_path: Path) -> None:
    async with open_ledger(f"sqlite:///{tmp_path}/l.db", clock=StoppedClock()) as ledger:
        # Together they would be above the step, each of them is not.
        for _ in range(3):
            await record(ledger, "openrouter/x:free", 100_000, 1_000, cached=50_000)
        await record(ledger, "openrouter/x:free", 300_000, 1_000)
        found = await saved(ledger, CATALOG, START, END, alternative=TIERED)
    model = CATALOG.get(TIERED)
    assert model is not None
    assert model.price is not None
    assert model.price.tiers
    short = model.price.cost_microusd(Usage(100_000, 1_000, 50_000))
    long = model.price.cost_microusd(Usage(300_000, 1_000))
    assert short is not None
    assert long is not None
    assert found.elsewhere is not None
    assert found.elsewhere.worth_microusd == 3 * short + long
    assert found.alternative is not None
    assert (found.alternative.source, found.alternative.as_of) == (
        model.price.source,
        model.price.as_of,
    )
    assert found.alternative.why == "as asked"


async def test_what_each_call_costs_besides_its_tokens_counts_for_each(tmp_path: Path) -> None:
    async with open_ledger(f"sqlite:///{tmp_path}/l.db", clock=StoppedClock()) as ledger:
        for _ in range(3):
            await record(ledger, "openrouter/x:free", 1_000, 100)
        found = await saved(ledger, CATALOG, START, END, alternative="openai/with-a-fee")
    assert found.elsewhere is not None
    assert found.elsewhere.worth_microusd == 3 * (2_000 + 1_000 + 300)


async def test_what_cannot_be_an_alternative_is_refused(tmp_path: Path) -> None:
    async with open_ledger(f"sqlite:///{tmp_path}/l.db", clock=StoppedClock()) as ledger:
        with pytest.raises(NotFound) as caught:
            await saved(ledger, CATALOG, START, END, alternative="gpt-6-sool")
        assert caught.value.suggestions
        with pytest.raises(InvalidRequest, match="name a paid model"):
            await saved(ledger, CATALOG, START, END, alternative="ollama/own")
        nothing = await saved(ledger, CATALOG, START, END)
    assert nothing.alternative is None
    assert nothing.elsewhere is None


def test_the_paid_model_that_was_used_most_is_the_usual_alternative() -> None:
    loads = [
        load("openrouter/x:free", "free", 9_000),
        load("openai/gpt-6-luna", "paid", 100),
        load("openai/gpt-6-sol", "paid", 500),
        load("openai/gpt-6-astra", "paid", 900, request_type="embedding"),
        load("openai/gone", "paid", 800),
    ]
    found = usual(CATALOG, loads)
    assert found is not None
    model, why = found
    assert model.id == "openai/gpt-6-sol"
    # Another paid model was used more, of which no price is known any more.
    assert why == "the paid model that, of those whose price is known, was used most in this time"
    found = usual(CATALOG, loads[:-1])
    assert found is not None
    assert found[1] == "the paid model that was used most in this time"


def test_the_reason_names_the_model_that_the_alternative_is_as_good_as() -> None:
    free = _free_of_openrouter()
    found = usual(CATALOG, [load("openai/gone", "paid", 900), load(free.id, "free", 100)])
    assert found is not None
    assert found[1].endswith(f"is expected to be as good as {free.id}")


def test_who_calls_only_free_models_is_compared_with_the_cheapest_that_is_as_good() -> None:
    priors = Priors(CATALOG.models)
    free = _free_of_openrouter()
    alternative = usual(CATALOG, [load(free.id, "free", 1_000)])
    assert alternative is not None
    found, _ = alternative
    assert found.tier == "paid"
    assert priors.quality(found) >= priors.quality(free)
    as_good = [
        one.price.rates.input + one.price.rates.output
        for one in CATALOG.callable_models
        if one.tier == "paid" and one.price and one.price.rates.input and one.price.rates.output
        if priors.quality(one) >= priors.quality(free) and "text" in one.output_modalities
    ]
    price = found.price
    assert price is not None
    assert price.rates.input is not None
    assert price.rates.output is not None
    assert price.rates.input + price.rates.output == min(as_good)


def test_without_any_call_there_is_no_usual_alternative() -> None:
    assert usual(CATALOG, []) is None


def _free_of_openrouter() -> Model:
    return next(
        one
        for one in CATALOG.callable_models
        if one.tier == "free" and one.provider == "openrouter" and "text" in one.output_modalities
    )
