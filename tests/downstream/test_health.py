"""Services with `grpc.health.v1` are believed; those without are asked for their capabilities."""

from collections.abc import AsyncIterator

import pytest

from gateway.downstream.status import State
from gateway.errors import Unavailable
from tests.downstream.conftest import Connect, States
from tests.stand_ins.provider import StandInProvider, echoes


@pytest.fixture
async def healthy() -> AsyncIterator[StandInProvider]:
    async with StandInProvider(has_health=True) as stand_in:
        stand_in.offer("tool", echoes())
        yield stand_in


async def test_a_service_that_says_it_is_not_serving_is_down_until_it_says_otherwise(
    healthy: StandInProvider, connect: Connect, states: States
) -> None:
    # Only Watch can tell within the test.
    provider = await connect(healthy, probe_seconds=1000)
    assert await states.next() == "up"

    await healthy.set_serving(False)
    assert await states.next() == "down"
    assert provider.status.error == "it says that it is not serving"
    assert provider.capabilities is not None

    await healthy.set_serving(True)
    assert await states.next() == "up"
    assert await provider.invoke("tool", {}) == {}


async def test_a_service_that_does_not_serve_from_the_start_is_not_called(
    healthy: StandInProvider, connect: Connect, states: States
) -> None:
    await healthy.set_serving(False)
    provider = await connect(healthy)
    assert await states.next() == "down"
    assert provider.capabilities is None
    assert healthy.listings == 0


async def test_a_service_with_health_that_dies_comes_back(
    healthy: StandInProvider, connect: Connect, states: States
) -> None:
    provider = await connect(healthy, probe_seconds=1000)
    assert await states.next() == "up"
    await healthy.stop()
    assert await states.next() == "down"
    with pytest.raises(Unavailable):
        await provider.invoke("tool", {})
    await healthy.start()
    assert await states.next() == "up"
    assert await provider.invoke("tool", {}) == {}


async def test_a_service_without_health_is_up_when_it_lists_what_it_can(
    service: StandInProvider, connect: Connect, states: States
) -> None:
    provider = await connect(service, probe_seconds=0.01)
    assert await states.next() == "up"
    await service.asked(4)
    assert provider.status.state is State.UP
