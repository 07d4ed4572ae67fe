"""The embedded file, built from excerpts of the recorded lists."""

import gzip
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.llm.catalog import embedded
from gateway.llm.catalog.build import built, newest
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.embedded import Embedded
from gateway.llm.model import Model, Rates

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    file = tmp_path_factory.mktemp("built") / "catalog.jsonl.gz"
    file.write_bytes(built(RECORDED))
    return embedded.read(file)


@pytest.fixture(scope="module")
def catalog(excerpt: Embedded) -> Catalog:
    return Catalog(embedded=excerpt, clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))


def rates(model: Model | None) -> Rates:
    assert model is not None
    assert model.price is not None
    return model.price.rates


def usd(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def test_the_same_records_give_the_same_bytes() -> None:
    assert built(RECORDED) == built(RECORDED)
    assert gzip.decompress(built(RECORDED)).startswith(b'{"format":1,"sources":[')


def test_the_newest_file_of_each_kind_is_taken(tmp_path: Path) -> None:
    for name in ("list_2026-07-02.json", "list_2026-10.json", "list_notes.json"):
        (tmp_path / name).write_text(f'"{name}"')
    assert newest(tmp_path, "list_").body == "list_2026-10.json"
    assert newest(tmp_path, "list_").as_of == date(2026, 10, 1)
    with pytest.raises(ConfigurationError, match="prices_YYYY"):
        newest(tmp_path, "prices_")


def test_openrouters_own_newer_list_wins_for_its_models(catalog: Catalog) -> None:
    coder = catalog.get("openrouter/qwen/qwen3-coder")
    assert coder is not None
    assert coder.price is not None
    assert rates(coder).input == Decimal("0.3"), "and 0.22 was the older price"
    assert (coder.price.source, coder.price.as_of) == ("OpenRouter", date(2026, 8, 1))
    assert catalog.get("openrouter/aion-labs/aion-1.0") is None, "which it no longer lists"


def test_the_newer_facts_win_over_the_older_and_keep_what_they_do_not_say(
    catalog: Catalog,
) -> None:
    sol = catalog.get("openai/gpt-5.6-sol")
    assert sol is not None
    assert [rates(sol).input, rates(sol).output] == usd("2", "10")
    resold = catalog.get("openrouter/openai/gpt-5.6-sol")
    assert [rates(resold).input, rates(resold).output] == usd("5", "30"), "it has its own price"
    assert sol.context_tokens == 1_050_000
    assert sol.has_tools
    assert sol.has_vision


def test_every_price_names_its_source_and_its_day(catalog: Catalog) -> None:
    prices = [model.price for model in catalog.models if model.price is not None]
    assert len(prices) > 10
    assert all(price.source and price.as_of >= date(2026, 7, 2) for price in prices)
    astra = catalog.get("openai/gpt-6-astra")
    assert astra is not None
    assert astra.price is not None
    assert astra.price.source == "models.dev, newer (high confidence)"
    assert astra.price.as_of == date(2026, 10, 1)


@pytest.mark.parametrize(
    "model_id",
    [
        "openrouter/openrouter/auto",  # "-1": it costs what it picks
        "openrouter/google/lyria-3-pro-preview",  # 0 for tokens, and songs have a price
        "nanogpt/auto-model",  # models.dev says 0, the account is billed
    ],
)
def test_a_price_that_is_not_known_is_none_and_never_free(catalog: Catalog, model_id: str) -> None:
    model = catalog.get(model_id)
    assert model is not None
    assert model.price is None
    assert model.tier == "paid"


@pytest.mark.parametrize(
    "model_id", ["openrouter/openai/gpt-oss-20b:free", "openrouter/openrouter/free"]
)
def test_what_openrouter_gives_away_is_free(catalog: Catalog, model_id: str) -> None:
    model = catalog.get(model_id)
    assert model is not None
    assert model.price is not None
    assert model.price.is_free
    assert model.tier == "free"


def test_long_inputs_have_the_prices_of_their_tier(catalog: Catalog) -> None:
    def tiers(model_id: str) -> Sequence[tuple[int, Decimal | None, Decimal | None]]:
        model = catalog.get(model_id)
        assert model is not None
        assert model.price is not None
        return [(one.above_tokens, one.rates.input, one.rates.output) for one in model.price.tiers]

    assert tiers("openrouter/qwen/qwen3.7-flash") == [
        (32_000, *usd("0.1", "0.4")),
        (256_000, *usd("0.2", "0.8")),
    ]
    assert tiers("openai/gpt-5.4") == [(272_000, *usd("5", "22.5"))]
    assert tiers("openai/gpt-6-astra") == [(272_000, *usd("20", "75"))]
    # What an override does not name is as it was below it.
    gemini = catalog.get("openrouter/google/gemini-2.5-pro")
    assert gemini is not None
    assert gemini.price is not None
    (tier,) = gemini.price.tiers
    assert tier.rates.cache_write == gemini.price.rates.cache_write == Decimal("0.375")


def test_an_announced_price_holds_from_its_first_day(excerpt: Embedded) -> None:
    today = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    catalog = Catalog(embedded=excerpt, clock=lambda: today)
    before = catalog.revision
    assert rates(catalog.get("vertex/google/gemini-3.8-flash")).input == Decimal("0.75")
    today = datetime(2027, 1, 1, tzinfo=UTC)
    assert rates(catalog.get("vertex/google/gemini-3.8-flash")).input == Decimal("1.5")
    assert rates(catalog.get("vertex/google/gemini-3.8-flash")).output == Decimal("7.5")
    assert catalog.revision is not before


def test_vertex_names_the_maker_and_has_no_claude_at_its_openai_endpoint(
    catalog: Catalog,
) -> None:
    names = {model.name for model in catalog.models if model.provider == "vertex"}
    assert "google/gemini-2.5-pro" in names
    assert not any("claude" in name for name in names)


def test_what_does_not_write_text_says_so(catalog: Catalog) -> None:
    embedding = catalog.get("openai/text-embedding-3-small")
    painter = catalog.get("openai/gpt-image-1")
    assert embedding is not None
    assert painter is not None
    assert embedding.output_modalities == {"embedding"}
    assert "text" not in painter.output_modalities
    assert painter.context_tokens is None, "0 in the list"


def test_models_that_run_at_home_are_facts_and_not_an_offer(
    excerpt: Embedded, catalog: Catalog
) -> None:
    assert [one.name for one in excerpt.models["ollama"]] == ["gpt-oss:20b"]
    assert not [one for one in catalog.models if one.provider in {"ollama", "lmstudio"}]
