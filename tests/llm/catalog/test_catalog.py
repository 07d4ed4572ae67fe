"""The catalog: what can be called, what it costs, and how it is found."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadAnswer
from gateway.llm.catalog import embedded
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.build import built
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.embedded import Embedded
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.listing import Listing, ListingKind
from gateway.llm.model import Model

RECORDED = Path(__file__).parent / "recorded"
TODAY = date(2026, 11, 21)
NANOGPT = ConfiguredProvider("nanogpt", "nanogpt")
OPENROUTER = ConfiguredProvider("openrouter", "openrouter")
OPENAI = ConfiguredProvider("openai", "openai")
OLLAMA = ConfiguredProvider("ollama", "ollama")
PRICE = {"prompt": 1, "completion": 2, "currency": "USD", "unit": "per_million_tokens"}


def clock() -> datetime:
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    file = tmp_path_factory.mktemp("built") / "catalog.jsonl.gz"
    file.write_bytes(built(RECORDED))
    return embedded.read(file)


def dated(kind: ListingKind, *rows: dict[str, Any]) -> DatedListing:
    return DatedListing(Listing(kind, {"data": list(rows)}), TODAY)


def ids(models: Sequence[Model]) -> list[str]:
    return [model.id for model in models]


def only(models: Sequence[Model]) -> Model:
    (model,) = models
    return model


def test_without_providers_all_is_known_and_nothing_callable(excerpt: Embedded) -> None:
    catalog = Catalog(embedded=excerpt, clock=clock)
    assert catalog.callable_models == ()
    assert catalog.get("openai/gpt-6-sol") is not None
    assert catalog.providers == ()
    assert catalog.as_of == date(2026, 10, 1)


def test_until_its_list_comes_a_provider_offers_what_is_embedded(excerpt: Embedded) -> None:
    anthropic = ConfiguredProvider("anthropic", "anthropic")
    catalog = Catalog([OPENAI, anthropic, OLLAMA], embedded=excerpt, clock=clock)
    assert {"openai/gpt-6-sol", "openai/gpt-5.4"} <= set(ids(catalog.callable_models))
    assert not [one for one in catalog.callable_models if one.provider == "ollama"]
    # Its maker is about to turn it off, or did so since.
    assert "anthropic/claude-3-opus-20240229" not in ids(catalog.callable_models)
    assert catalog.get("anthropic/claude-3-opus-20240229") is not None
    assert catalog.providers == ("openai", "anthropic", "ollama")


def test_once_its_list_came_a_provider_offers_that_and_nothing_else(excerpt: Embedded) -> None:
    catalog = Catalog([OPENAI], embedded=excerpt, clock=clock)
    before = catalog.revision
    catalog.learn("openai", [dated("openai", {"id": "gpt-6-sol"}, {"id": "gpt-7"})])
    assert ids(catalog.callable_models) == ["openai/gpt-6-sol", "openai/gpt-7"]
    assert catalog.get("openai/gpt-5.4") is None
    assert catalog.revision is not before
    assert catalog.as_of == TODAY


def test_what_a_list_does_not_say_comes_from_the_embedded_model(excerpt: Embedded) -> None:
    catalog = Catalog([OPENAI], embedded=excerpt, clock=clock)
    catalog.learn("openai", [dated("openai", {"id": "gpt-6-sol"}, {"id": "gpt-7"})])
    sol, unknown = catalog.callable_models
    assert sol.context_tokens == 1_050_000
    assert sol.price is not None
    assert sol.price.rates.output == 10
    assert sol.price.as_of == date(2026, 10, 1), "the day of the price, not of the list"
    assert (unknown.title, unknown.context_tokens, unknown.price) == ("gpt-7", None, None)


def test_the_same_model_elsewhere_tells_what_it_is_but_not_its_terms(excerpt: Embedded) -> None:
    catalog = Catalog([NANOGPT], embedded=excerpt, clock=clock)
    catalog.learn("nanogpt", [dated("nanogpt_detailed", {"id": "openai/gpt-6-sol"})])
    sol = only(catalog.callable_models)
    assert sol.has_vision
    assert sol.released == date(2026, 9, 22)
    assert (sol.price, sol.context_tokens, sol.has_tools) == (None, None, None)


def test_an_unknown_live_price_is_not_filled_with_an_old_one_at_openrouter(
    excerpt: Embedded,
) -> None:
    catalog = Catalog([OPENROUTER], embedded=excerpt, clock=clock)
    row = {"id": "qwen/qwen3-coder", "pricing": {"prompt": "-1", "completion": "-1"}}
    catalog.learn("openrouter", [dated("openrouter", row)])
    assert only(catalog.callable_models).price is None


def test_a_model_that_a_subscription_includes_is_there_twice(excerpt: Embedded) -> None:
    catalog = Catalog([NANOGPT], embedded=excerpt, clock=clock)
    row = {"id": "qwen/qwen3-14b", "pricing": PRICE}
    catalog.learn("nanogpt", [dated("nanogpt_detailed", row), dated("nanogpt_subscription", row)])
    free, paid = catalog.named("qwen3-14b")
    assert (free.id, paid.id) == ("nanogpt/qwen/qwen3-14b",) * 2
    assert (free.tier, paid.tier) == ("free", "paid")
    assert free.price is not None
    assert free.price.rates.output == 2
    assert catalog.get("nanogpt/qwen/qwen3-14b") is free


def test_what_runs_at_home_is_free_and_has_the_facts_of_its_name(excerpt: Embedded) -> None:
    catalog = Catalog([OLLAMA], embedded=excerpt, clock=clock)
    body = {"models": [{"name": "gpt-oss:20b"}, {"name": "own:7b"}]}
    catalog.learn("ollama", [DatedListing(Listing("ollama_tags", body), TODAY)])
    known, own = catalog.callable_models
    assert (known.tier, own.tier) == ("free", "free")
    assert known.has_tools
    assert (own.has_tools, own.context_tokens) == (None, None)


def test_a_plain_list_of_what_runs_at_home_is_free_too(excerpt: Embedded) -> None:
    catalog = Catalog([ConfiguredProvider("lmstudio", "lmstudio")], embedded=excerpt, clock=clock)
    catalog.learn("lmstudio", [dated("openai", {"id": "any"})])
    assert only(catalog.callable_models).tier == "free"


def test_the_demo_has_free_models_and_paid_ones_to_try_budgets_with(excerpt: Embedded) -> None:
    catalog = Catalog([ConfiguredProvider("demo", "demo")], embedded=excerpt, clock=clock)
    rows = [
        {"id": "demo-free", "pricing": {"prompt": 0, "completion": 0}},
        {"id": "demo-paid", "pricing": {"prompt": 0.5, "completion": 2}},
    ]
    catalog.learn("demo", [dated("demo", *rows)])
    assert [model.tier for model in catalog.callable_models] == ["free", "paid"]


def test_a_deployment_has_the_facts_of_its_model(excerpt: Embedded) -> None:
    deployments = {"fast": "gpt-5.4", "newest": "openai/gpt-6-sol", "bare": "gpt-6-sol"}
    azure = ConfiguredProvider("azure", "azure", deployments)
    catalog = Catalog([azure], embedded=excerpt, clock=clock)
    for _ in range(2):
        fast, newest, bare = catalog.callable_models
        assert ids([fast, newest, bare]) == ["azure/fast", "azure/newest", "azure/bare"]
        assert fast.name == "fast"
        assert fast.price is not None
        assert fast.price.rates.input == Decimal("2.5")
        assert newest.price is not None, "the configuration says whose price it is"
        assert bare.price is None, "Azure's price of it is not known"
        assert bare.context_tokens == 1_050_000
        assert {"azure/newest", "azure/bare"} <= set(ids(catalog.named("gpt-6-sol")))
        rows = [{"id": name, "model": model} for name, model in deployments.items()]
        catalog.learn("azure", [dated("azure", *rows)])


def test_a_provider_may_have_another_name_than_its_kind(excerpt: Embedded) -> None:
    work = ConfiguredProvider("work", "openai")
    own = ConfiguredProvider("own", "openai", known_as="")
    catalog = Catalog([work, own], embedded=excerpt, clock=clock)
    assert {one.provider for one in catalog.callable_models} == {"work"}
    catalog.learn("own", [dated("openai", {"id": "gpt-6-sol"})])
    mine, works = catalog.get("own/gpt-6-sol"), catalog.get("work/gpt-6-sol")
    assert mine is not None
    assert works is not None
    assert (mine.price, works.price is None) == (None, False)


def test_a_model_is_found_by_id_wire_name_bare_name_and_both_spellings(
    excerpt: Embedded,
) -> None:
    catalog = Catalog([OPENROUTER, OPENAI], embedded=excerpt, clock=clock)
    row = {"id": "openai/gpt-6-sol"}
    catalog.learn("openrouter", [dated("openrouter", row, {"id": "anthropic/claude-opus-4.8"})])
    assert set(ids(catalog.named("gpt-6-sol"))) == {
        "openai/gpt-6-sol",
        "openrouter/openai/gpt-6-sol",
    }
    # An ID of one is the wire name of the other, and the ID comes first.
    assert ids(catalog.named("openai/gpt-6-sol")) == [
        "openai/gpt-6-sol",
        "openrouter/openai/gpt-6-sol",
    ]
    assert ids(catalog.named("OpenRouter/openai/GPT-6-Sol")) == ["openrouter/openai/gpt-6-sol"]
    assert set(ids(catalog.named("claude-opus-4-8"))) == {
        "anthropic/claude-opus-4-8",
        "openrouter/anthropic/claude-opus-4.8",
    }
    assert ids(catalog.named("claude-opus-4.8"))[0] == "openrouter/anthropic/claude-opus-4.8", (
        "it can be called"
    )
    assert list(catalog.named("gpt-99")) == []
    assert list(catalog.named("")) == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gpt-6-soll", "openai/gpt-6-sol"),
        ("GPT 6 Sol", "openai/gpt-6-sol"),
        ("openai/gpt6sol", "openai/gpt-6-sol"),
        ("cluade-opus-4-8", "anthropic/claude-opus-4-8"),
        ("nanogpt/qwen3-14", "nanogpt/qwen/qwen3-14b"),
    ],
)
def test_a_mistyped_name_is_answered_with_what_was_meant(
    excerpt: Embedded, typed: str, meant: str
) -> None:
    near = Catalog(embedded=excerpt, clock=clock).near(typed)
    assert meant in near
    assert len(near) <= 5


def test_what_is_like_nothing_gets_no_suggestions(excerpt: Embedded) -> None:
    assert Catalog(embedded=excerpt, clock=clock).near("zzzzzz") == []


def test_nobody_waits_until_a_name_without_end_is_compared_with_all_others(
    excerpt: Embedded,
) -> None:
    began = time.perf_counter()
    assert Catalog(embedded=excerpt, clock=clock).near("gpt-" * 5_000_000) == []
    assert time.perf_counter() - began < 1


def test_nonsense_changes_nothing(excerpt: Embedded) -> None:
    catalog = Catalog([OPENAI], embedded=excerpt, clock=clock)
    before = catalog.revision
    with pytest.raises(BadAnswer):
        catalog.learn("openai", [DatedListing(Listing("openai", {"error": "no"}), TODAY)])
    catalog.learn("openai", [])
    assert catalog.revision is before


def test_the_same_list_again_is_no_new_revision(excerpt: Embedded) -> None:
    catalog = Catalog([OPENAI], embedded=excerpt, clock=clock)
    catalog.learn("openai", [dated("openai", {"id": "gpt-6-sol"})])
    before = catalog.revision
    catalog.learn("openai", [dated("openai", {"id": "gpt-6-sol"})])
    assert catalog.revision is before


def test_the_user_has_the_last_word_on_a_model(excerpt: Embedded) -> None:
    override = ModelOverride(
        "openai/gpt-6-sol",
        max_output_tokens=4_096,
        input_usd=Decimal("1.5"),
        use_cases=("coding",),
        aliases=("boss",),
    )
    catalog = Catalog([OPENAI], [override], embedded=excerpt, clock=clock)
    catalog.learn("openai", [dated("openai", {"id": "gpt-6-sol"})])
    sol = only(catalog.callable_models)
    assert sol.max_output_tokens == 4_096
    assert sol.context_tokens == 1_050_000
    assert sol.use_cases == ("coding",)
    assert sol.source.startswith("models.yaml, ")
    assert sol.price is not None
    assert (sol.price.source, sol.price.as_of) == ("models.yaml", TODAY)
    assert (sol.price.rates.input, sol.price.rates.output) == (Decimal("1.5"), Decimal(10))
    assert ids(catalog.named("boss")) == ["openai/gpt-6-sol"]


def test_a_model_that_only_the_user_knows_can_be_called(excerpt: Embedded) -> None:
    overrides = [
        ModelOverride("ollama/own:7b", context_tokens=8_192),
        ModelOverride("openai/secret", cost_per_request_microusd=5_000),
        ModelOverride("elsewhere/model"),
    ]
    catalog = Catalog([OPENAI, OLLAMA], overrides, embedded=excerpt, clock=clock)
    own, secret = catalog.get("ollama/own:7b"), catalog.get("openai/secret")
    assert own in catalog.callable_models
    assert secret in catalog.callable_models
    assert own is not None
    assert (own.tier, own.context_tokens, own.source) == ("free", 8_192, "models.yaml")
    assert secret is not None
    assert secret.price is not None
    assert secret.price.worst_microusd(1_000, 1_000) == 5_001
    assert secret.tier == "paid"
    assert catalog.get("elsewhere/model") is not None
    assert "elsewhere/model" not in ids(catalog.callable_models)


def test_the_users_free_tier_is_the_subscription(excerpt: Embedded) -> None:
    overrides = [
        ModelOverride("nanogpt/qwen/qwen3-14b", "free", cost_per_request_microusd=0),
        ModelOverride("nanogpt/qwen/qwen3-14b", "paid", cost_per_request_microusd=700),
    ]
    catalog = Catalog([NANOGPT], overrides, embedded=excerpt, clock=clock)
    free, paid = catalog.named("nanogpt/qwen/qwen3-14b")
    assert (free.tier, free.is_included) == ("free", True)
    assert free.price is not None
    assert free.price.source == "models.dev", "the list price tells what it saves"
    assert (paid.tier, paid.is_included) == ("paid", False)
    assert paid.price is not None
    assert paid.price.rates.request == 700


def test_a_request_that_costs_nothing_makes_an_unknown_price_free(excerpt: Embedded) -> None:
    override = ModelOverride("nanogpt/auto-model", cost_per_request_microusd=0)
    catalog = Catalog([NANOGPT], [override], embedded=excerpt, clock=clock)
    model = catalog.get("nanogpt/auto-model")
    assert model is not None
    assert model.price is not None
    assert (model.price.source, model.tier) == ("models.yaml", "free")
