"""The file that ships with the gateway."""

import gc
import time
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files

from gateway.llm.catalog import embedded
from gateway.llm.catalog.catalog import Catalog

MOST_KILOBYTES = 4_000
MOST_SECONDS = 1.0


def clock() -> datetime:
    return datetime(2026, 11, 21, tzinfo=UTC)


def test_it_comes_with_its_sources_their_days_and_the_licence() -> None:
    shipped = embedded.read()
    assert shipped.as_of >= date(2026, 10, 1)
    assert {one.name: one.licence for one in shipped.sources}["models.dev"] == "MIT"
    notice = files("gateway.llm.catalog").joinpath("NOTICE").read_text("utf-8")
    assert "Permission is hereby granted, free of charge" in notice
    assert all(one.as_of.isoformat() in notice for one in shipped.sources[:2])


def test_it_has_the_newest_prices() -> None:
    catalog = Catalog(clock=clock)
    for model_id, read, write, cached in (
        ("openai/gpt-6-sol", "2", "10", "0.2"),
        ("anthropic/claude-opus-5-5", "4", "20", "0.2"),
        ("anthropic/claude-sonnet-5-5", "2", "10", "0.1"),
        ("vertex/google/gemini-3.8-flash", "0.75", "3.75", "0.075"),
    ):
        model = catalog.get(model_id)
        assert model is not None, model_id
        assert model.price is not None
        rates = model.price.rates
        assert [rates.input, rates.output, rates.cache_read] == [
            Decimal(read),
            Decimal(write),
            Decimal(cached),
        ], model_id


def test_what_no_list_says_is_none() -> None:
    opus = Catalog(clock=clock).get("anthropic/claude-opus-5-5")
    assert opus is not None
    assert opus.has_tools is None
    assert opus.has_structured_output
    assert opus.knowledge is None


def test_only_what_openrouter_gives_away_is_free() -> None:
    catalog = Catalog(clock=clock)
    free = [model for model in catalog.models if model.tier == "free"]
    assert 10 < len(free) < 40
    assert all(
        model.name.endswith(":free") or model.id == "openrouter/openrouter/free" for model in free
    )


def test_no_price_carries_the_dirt_of_floating_point() -> None:
    for model in Catalog(clock=clock).models:
        if model.price and model.price.rates.input:
            assert len(str(model.price.rates.input)) <= 11, model.id


def test_ids_lead_back_to_their_models() -> None:
    catalog = Catalog(clock=clock)
    assert len(catalog.models) > 1_000
    for model in catalog.models:
        assert model.id == f"{model.provider}/{model.name}"
        assert catalog.get(model.id) is not None
        assert model in catalog.named(model.id)


def test_it_is_read_quickly_and_fits_into_little_memory() -> None:
    Catalog(clock=clock)
    started = time.perf_counter()
    Catalog(clock=clock)
    # Measured: 0.04 s and 1.7 MB; the bounds only stop what would be something else.
    assert time.perf_counter() - started < MOST_SECONDS
    gc.collect()
    tracemalloc.start()
    try:
        kept = Catalog(clock=clock)
        gc.collect()
        kilobytes = tracemalloc.get_traced_memory()[0] / 1024
    finally:
        tracemalloc.stop()
    assert kept.models
    assert kilobytes < MOST_KILOBYTES
