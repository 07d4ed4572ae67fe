from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from gateway.caller import ANONYMOUS, Caller
from gateway.endpoints.models import model_routes
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings
from tests.endpoints.doors import asking, open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

BOB = Caller("bob", models=("openrouter/*",))
KEYS = {"gw_alice": Caller("alice"), "gw_bob": BOB}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def routed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Router]:
    folder = tmp_path_factory.mktemp("models")
    async with (
        LlmStandIn("openrouter", offers=[Offer("small", has_vision=True)]) as one,
        LlmStandIn("nanogpt") as other,
        router(one, other, database_url=f"sqlite:///{folder}/gateway.db") as routed,
    ):
        yield routed


async def listed(routed: Router, key: str) -> dict[str, Any]:
    async with asking(model_routes(routed.catalog), keys=KEYS, key=key) as client:
        answer = (await client.get("/v1/models")).json()
    assert answer["object"] == "list"
    return {one["id"]: one for one in answer["data"]}


async def test_the_sdk_lists_models_and_reads_one_whose_id_has_slashes(routed: Router) -> None:
    routes = model_routes(routed.catalog, automatic=["auto", "auto:coding"])
    async with (
        open_doors(routes) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        models = [model async for model in await client.models.list()]
        one = await client.models.retrieve("openrouter/small")
        auto = await client.models.retrieve("auto:coding")
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("openrouter/smal")
    assert [model.id for model in models[:2]] == ["auto", "auto:coding"]
    assert len({model.id for model in models}) == len(models)
    assert one in models
    assert (one.object, one.owned_by) == ("model", "openrouter")
    assert auto.owned_by == "gateway"
    assert caught.value.code == "model_not_found"
    assert "openrouter/small" in caught.value.message


async def test_a_model_has_its_limits_its_tier_and_its_dated_price(routed: Router) -> None:
    model = (await listed(routed, "gw_alice"))["openrouter/small"]
    assert model["tier"] == "paid"
    assert (model["context_length"], model["max_output_tokens"]) == (128_000, 16_384)
    assert model["capabilities"]["tools"] is True
    assert model["capabilities"]["vision"] is True
    price = model["pricing"]
    assert (price["prompt"], price["completion"]) == (0.5, 2.0)
    assert (price["currency"], price["unit"]) == ("USD", "per_million_tokens")
    assert price["source"]
    assert price["as_of"] == datetime.now(UTC).date().isoformat()


async def test_what_a_subscription_includes_is_free_and_one_entry_with_what_can_be_paid(
    routed: Router,
) -> None:
    model = (await listed(routed, "gw_alice"))["nanogpt/included"]
    assert (model["tier"], model["included_in_subscription"]) == ("free", True)
    assert model["tiers"][0] == "free"


async def test_a_caller_sees_the_models_that_it_may_use_and_no_others(routed: Router) -> None:
    names = set(await listed(routed, "gw_bob")) - {"auto"}
    assert "openrouter/small" in names
    assert all(name.startswith("openrouter/") for name in names)
    routes = model_routes(routed.catalog)
    async with asking(routes, keys=KEYS, key="gw_bob") as client:
        hidden = await client.get("/v1/models/nanogpt/included")
    assert hidden.status_code == 404
    assert not any(
        name.startswith("nanogpt/") for name in hidden.json()["error"].get("suggestions", ())
    )


async def test_a_list_is_remembered_until_the_catalog_changes(routed: Router) -> None:
    routes = model_routes(routed.catalog)
    async with asking(routes, keys=KEYS, key="gw_alice") as client:
        before = (await client.get("/v1/models")).content
        assert (await client.get("/v1/models")).content == before
        async with LlmStandIn("openrouter", offers=[Offer("brand-new")]) as later:
            settings = ProviderSettings("openrouter", "openrouter", base_url=later.base_url)
            async with Provider(settings) as provider:
                listings = await provider.listed()
        today = datetime.now(UTC).date()
        routed.catalog.learn("openrouter", [DatedListing(one, today) for one in listings])
        after = (await client.get("/v1/models")).json()
    assert "openrouter/brand-new" in {one["id"] for one in after["data"]}


async def test_whoever_has_no_key_is_asked_for_one(routed: Router) -> None:
    async with asking(model_routes(routed.catalog), keys=KEYS, keyless=ANONYMOUS) as client:
        for path in ("/v1/models", "/v1/models/openrouter/small"):
            assert (await client.get(path)).status_code == 401
