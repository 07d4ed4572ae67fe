"""Which models answer a question, in which order, and what a person is told beside them."""

from datetime import date
from decimal import Decimal
from pathlib import Path

from gateway.documents.query import split
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.model import Model, Price, Rates
from gateway.sources.models.question import MOST_OFFERED, choose
from gateway.sources.router_reader import NO_SPEEDS, NONE_CONFIGURED, NONE_FITS, RouterReader
from tests.sources.router_world import World, opened_router

DAY = date(2026, 11, 1)
WORLD = World()


def model(
    model_id: str, usd: tuple[str | None, str | None] | None = None, **facts: object
) -> Model:
    provider, _, name = model_id.partition("/")
    rates = [None if one is None else Decimal(one) for one in usd or ()]
    price = Price(Rates(*rates), "a list", DAY) if usd else None
    return Model(model_id, provider, name, name, price=price, **facts)  # type: ignore[arg-type]


def chosen(text: str, *models: Model) -> list[str]:
    question = RouterReader(WORLD.catalog, clock=WORLD.clock).read(split(text))
    return [choice.model.id for choice in choose(question, models)]


SOL = model("openai/gpt-6-sol", ("2", "10"), context_tokens=1_000_000, has_tools=True)
LUNA = model("openai/gpt-6-luna", ("0.1", "20"), context_tokens=128_000, has_tools=True)
UNKNOWN = model("openrouter/zeta", context_tokens=200_000, has_tools=True)
HALF_KNOWN = model("openrouter/eta", ("0.01", None), has_tools=True)
FREE = model("openrouter/theta:free", ("0", "0"), context_tokens=64_000, has_tools=False)
LOCAL = model("ollama/iota", is_local=True, has_tools=None)
ALL = (SOL, LUNA, UNKNOWN, HALF_KNOWN, FREE, LOCAL)


def test_an_unknown_price_never_counts_as_cheapest() -> None:
    assert chosen("cheapest model with tools", *ALL) == [SOL.id, LUNA.id]
    assert chosen("cheapest model", UNKNOWN, HALF_KNOWN) == []


def test_free_is_what_never_sends_a_bill() -> None:
    assert set(chosen("free models", *ALL)) == {FREE.id, LOCAL.id}
    assert chosen("cheapest model", *ALL)[0] in {FREE.id, LOCAL.id}


def test_an_unknown_ability_is_not_claimed() -> None:
    assert chosen("free models that can call tools", *ALL) == []


def test_a_bound_on_the_price_holds_for_what_it_names() -> None:
    assert chosen("paid models under $1 per million", *ALL) == []
    assert chosen("paid models under $1 per million input tokens", *ALL) == [
        LUNA.id,
        HALF_KNOWN.id,
    ]
    assert chosen("paid models under 15 dollars output price", *ALL) == [SOL.id]


def test_a_bound_on_the_context_can_be_written_in_many_ways() -> None:
    for least in ("200k", "200,000 tokens of", "0.2m", "200 thousand tokens of"):
        assert set(chosen(f"models with at least {least} context", *ALL)) == {SOL.id, UNKNOWN.id}
    assert chosen("models with one million tokens of context", *ALL) == [SOL.id]


def test_an_order_is_taken_by_what_it_speaks_of() -> None:
    assert chosen("cheapest output price paid model", *ALL)[0] == SOL.id
    assert chosen("lowest input price paid model", *ALL)[0] == HALF_KNOWN.id
    assert chosen("model with the largest context", *ALL)[0] == SOL.id
    assert chosen("most expensive model", *ALL)[0] == LUNA.id


def test_the_same_model_elsewhere_is_listed_once_from_its_maker() -> None:
    reseller = model("openrouter/openai/gpt-6-sol", ("2", "10"))
    assert chosen("gpt-6-sol", reseller, SOL) == [SOL.id]


def test_no_more_than_a_few_are_offered() -> None:
    many = [model(f"openrouter/kappa-{place}x", ("1", "1")) for place in range(50)]
    assert len(chosen("cheapest model", *many)) == MOST_OFFERED


async def test_a_search_without_providers_says_that_none_is_configured(tmp_path: Path) -> None:
    async with opened_router(tmp_path, World()) as router:
        answer = await router.registry.search("cheapest model with vision")
        assert len(answer.results) == MOST_OFFERED
        assert answer.message == NONE_CONFIGURED


async def test_a_model_that_nobody_offers_here_is_found_by_its_name(tmp_path: Path) -> None:
    async with opened_router(tmp_path, World("openrouter")) as router:
        answer = await router.registry.search("gpt-6-sol price")
        assert answer.results[0].id == "model:openai/gpt-6-sol"


async def test_a_search_that_nothing_fits_says_so(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        answer = await router.registry.search("free models with 90m context")
        assert (answer.results, answer.message) == ((), NONE_FITS)


async def test_the_fastest_model_is_not_made_up(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        assert (await router.registry.search("fastest model")).message == NO_SPEEDS


async def test_what_the_user_wrote_of_a_model_is_what_is_found(tmp_path: Path) -> None:
    own = ModelOverride("openai/gpt-6-sol", input_usd=Decimal("0.001"), output_usd=Decimal("0.002"))
    async with opened_router(tmp_path, World("openai", overrides=(own,))) as router:
        answer = await router.registry.search("cheapest paid model")
        assert answer.results[0].id == "model:openai/gpt-6-sol"
        assert "$0.001 in, $0.002 out" in answer.results[0].title
