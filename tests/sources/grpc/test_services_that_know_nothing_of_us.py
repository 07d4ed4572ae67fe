"""gRPC's own example, unmodified, as documents: what it does not say, the configuration says."""

from collections.abc import AsyncIterator

import pytest

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import InvalidRequest
from gateway.sources.grpc.sources import GrpcSources
from tests.stand_ins.route_guide import RouteGuide

FEATURE = {
    "id": "feature:{latitude}:{longitude}",
    "title": "{name}",
    "summary": "{name} lies at {location.latitude:,}, {location.longitude:,}.",
    "words": ("feature", "landmark"),
}
EXPOSURE = MethodExposure(sayings={"routeguide.RouteGuide.GetFeature": Saying(document=FEATURE)})


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with (
        RouteGuide() as server,
        GrpcService("guide", server.address, exposure=EXPOSURE) as service,
        Freshness() as freshness,
        GrpcSources([service], freshness) as sources,
    ):
        await service.discovered(within_seconds=5)
        yield Registry([], freshness, public_url="https://g.example", later=sources.current)


async def test_fields_of_an_id_have_the_types_of_the_request(registry: Registry) -> None:
    document = await registry.fetch("feature:407838351:-746143763")
    assert document.title.startswith("Old Mill · as of ")
    assert document.summary == "Old Mill lies at 407,838,351, -746,143,763."
    assert "| location.latitude | 407838351 |" in document.text
    assert document.source == "guide"


async def test_a_field_that_should_be_a_number_and_is_none_is_told(registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="latitude is 'north', and should be a number"):
        await registry.fetch("feature:north:1")


async def test_an_id_of_two_fields_is_found_in_a_question(registry: Registry) -> None:
    answer = await registry.search("which landmark is at 413628156 -749015468")
    (result,) = answer.results
    assert result.id == "feature:413628156:-749015468"
    assert result.title.startswith("Orchard · as of ")
