"""The lists of models, as each kind of provider has them."""

import pytest
from starlette.responses import JSONResponse

from gateway.errors import GatewayError, KeyRefused
from gateway.llm.provider.presets import Addresses
from gateway.llm.provider.settings import ProviderKind, ProviderSettings
from tests.llm.provider.conftest import Connect
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nanogpt", ["nanogpt_detailed", "nanogpt_subscription", "nanogpt_personalized"]),
        ("openrouter", ["openrouter"]),
        ("openai", ["openai"]),
        ("anthropic", ["anthropic"]),
        ("lmstudio", ["lmstudio", "openai"]),
        ("ollama", ["ollama_tags", *["ollama_show"] * 3, "ollama_ps"]),
    ],
)
async def test_every_list_comes_with_its_label(
    kind: str, expected: list[str], connect: Connect
) -> None:
    async with LlmStandIn(kind) as stand_in, connect(stand_in) as provider:
        listings = await provider.listed()
    assert [listing.kind for listing in listings] == expected
    whole = [str(one.body) for one in listings if one.subject is None]
    assert all("small" in body or "included" in body for body in whole)
    assert [one.subject for one in listings if one.subject] in ([], ["small", "large", "included"])


async def test_the_subscription_of_nanogpt_lists_what_it_includes(connect: Connect) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        listings = {listing.kind: listing.body for listing in await provider.listed()}
    assert [row["id"] for row in listings["nanogpt_subscription"]["data"]] == ["included"]


async def test_a_list_that_fails_does_not_take_the_others_with_it(connect: Connect) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        refusal = JSONResponse({"error": {"message": "no key"}}, 401)
        stand_in.answers["/api/personalized/v1/models"] = refusal
        listings = await provider.listed()
    assert [one.kind for one in listings] == ["nanogpt_detailed", "nanogpt_subscription"]


async def test_where_no_list_comes_it_says_why(connect: Connect) -> None:
    async with LlmStandIn("nanogpt", key="another") as stand_in, connect(stand_in) as provider:
        with pytest.raises(KeyRefused):
            await provider.listed()


async def test_what_is_no_json_is_an_error(connect: Connect) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        page = JSONResponse(None)
        page.body = b"<html>"
        page.headers["content-length"] = "6"
        stand_in.answers["/v1/models"] = page
        with pytest.raises(GatewayError, match="answered no JSON"):
            await provider.listed()


async def test_a_long_list_comes_whole(connect: Connect) -> None:
    offers = [Offer(f"model-{number}") for number in range(2000)]
    async with LlmStandIn("openrouter", offers=offers) as stand_in, connect(stand_in) as provider:
        (listing,) = await provider.listed()
    assert len(listing.body["data"]) == 2000


async def test_azure_lists_its_deployments_without_being_asked(connect: Connect) -> None:
    async with (
        LlmStandIn("azure") as stand_in,
        connect(stand_in, deployments={"mine": "gpt-6-sol"}) as provider,
    ):
        (listing,) = await provider.listed()
    assert listing.body == {"data": [{"id": "mine", "model": "gpt-6-sol"}]}


@pytest.mark.parametrize(
    ("kind", "written", "base", "root"),
    [
        ("nanogpt", None, "https://nano-gpt.com/api/v1", "https://nano-gpt.com/api"),
        ("nanogpt", "https://nano-gpt.com/api/", "https://nano-gpt.com/api/v1", None),
        (
            "nanogpt",
            "https://nano-gpt.com/api/subscription/v1",
            "https://nano-gpt.com/api/subscription/v1",
            "https://nano-gpt.com/api",
        ),
        ("azure", "https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1", None),
        ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1", None),
        ("ollama", "http://desk:11434/v1", "http://desk:11434", None),
        ("lmstudio", "http://desk:1234", "http://desk:1234/v1", "http://desk:1234"),
        ("openai", "https://api.example.com/beta", "https://api.example.com/beta", None),
    ],
)
def test_a_base_url_may_be_written_in_more_than_one_way(
    kind: ProviderKind, written: str | None, base: str, root: str | None
) -> None:
    addresses = Addresses.of(ProviderSettings("p", kind, base_url=written))
    assert addresses.base == base
    assert root in (None, addresses.root)
