"""The documents of models and providers: what is unknown is said, and every ID opens."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.llm.model import Model, Price, PriceTier, Rates
from gateway.sources.models import rendering
from tests.sources.router_world import World, opened_router


async def test_a_model_tells_its_limits_prices_and_where_they_are_from(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        document = await router.registry.fetch("model:openai/gpt-6-astra")
    assert "$10 in, $50 out per 1M tokens" in document.title
    assert "| Context | 1,050,000 tokens |" in document.text
    assert "| Longest input | 922,000 tokens |" in document.text
    assert "| input above 272,000 tokens | $20 | $75 | $2 | $25 |" in document.text
    assert "| Released | 2026-09-04 |" in document.text
    assert document.as_of.tzinfo is not None


async def test_a_model_with_slashes_and_a_colon_opens_at_its_url(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        answer = await router.registry.search("free openrouter models")
        result = next(one for one in answer.results if one.id.endswith(":free"))
        assert (await router.registry.fetch(result.url)).id.text == result.id
        assert (await router.registry.fetch(f"{result.url}.json")).id.text == result.id


async def test_a_model_tells_where_else_it_is_offered(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        document = await router.registry.fetch("model:openai/gpt-4o")
    assert "## The same model elsewhere" in document.text
    assert "`openrouter/openai/gpt-4o`" in document.text


async def test_an_unknown_model_is_not_found_with_suggestions(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        with pytest.raises(NotFound) as caught:
            await router.registry.fetch("model:openai/gpt-6-soll")
        assert "model:openai/gpt-6-sol" in caught.value.suggestions
        for suggestion in caught.value.suggestions:
            assert (await router.registry.fetch(suggestion)).id.text == suggestion


async def test_a_provider_tells_how_it_is_and_what_it_offers(tmp_path: Path) -> None:
    async with opened_router(tmp_path, World("openrouter")) as router:
        openrouter = await router.registry.fetch("provider:openrouter")
        assert openrouter.title.startswith("openrouter: answering, ")
        assert "not configured" in (await router.registry.fetch("provider:openai")).title
        with pytest.raises(NotFound):
            await router.registry.fetch("provider:nobody")


def test_what_is_not_known_is_called_unknown_and_never_free() -> None:
    bare = Model("openrouter/alpha", "openrouter", "alpha", "Alpha")
    assert rendering.title(bare) == "Alpha (openrouter): price unknown, context unknown"
    text = rendering.text([bare], [])
    assert "| Tool calling | unknown |" in text
    assert "| always | unknown | unknown |" in text
    assert "$0" not in text
    assert "None" not in text


def test_an_included_model_shows_both_of_its_prices() -> None:
    price = Price(Rates(Decimal("0.5"), Decimal("2")), "its list", date(2026, 11, 1))
    paid = Model("nanogpt/beta", "nanogpt", "beta", "Beta", price=price)
    included = Model("nanogpt/beta", "nanogpt", "beta", "Beta", price=price, is_included=True)
    text = rendering.text([included, paid], [])
    assert "| Tier | free or paid |" in text
    assert "| within the subscription | $0 |" in text
    assert "| always | $0.5 | $2 | as input | as input | none | its list, 2026-11-01 |" in text


def test_a_price_that_depends_on_the_input_shows_each_step() -> None:
    low, high = Rates(Decimal("1"), Decimal("2")), Rates(Decimal("3"), Decimal("4"))
    price = Price(low, "its list", date(2026, 11, 1), (PriceTier(200_000, high),))
    text = rendering.text([Model("openai/gamma", "openai", "gamma", "Gamma", price=price)], [])
    assert "| at first | $1 | $2 |" in text
    assert "| input above 200,000 tokens | $3 | $4 |" in text


def test_what_a_provider_says_of_a_model_cannot_speak_in_markup() -> None:
    loud = Model(
        "openrouter/x", "openrouter", "x", "<b>X</b> | [y](http://z)", description="a\n# b"
    )
    text = rendering.text([loud], [])
    assert "<b>" not in text
    assert "](http" not in text
    assert "\n# b" not in text
