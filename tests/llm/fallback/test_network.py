"""The network is gone when several providers have no connection, until one is reached again."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import GatewayError, Unavailable
from gateway.llm.fallback.network import AVOIDED, TOGETHER, Network
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings

LOST = Unreachable("cannot be reached", retry_after_seconds=5)
SECOND = timedelta(seconds=1)


class World:
    """A network whose clock can be set."""

    def __init__(self, *kinds: str) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        providers = {
            kind: Provider(
                ProviderSettings(kind, kind, base_url="http://127.0.0.1:9/v1")  # type: ignore[arg-type]  # one of the kinds
            )
            for kind in kinds
        }
        self.network = Network(providers, clock=lambda: self.now)

    def lost(self, *providers: str, error: GatewayError = LOST) -> None:
        for provider in providers:
            self.network.heard(provider, error, was_sent=False)


@pytest.fixture
def world() -> World:
    return World("openrouter", "nanogpt", "openai", "ollama")


def test_two_providers_without_a_connection_are_the_network(world: World) -> None:
    world.lost("openrouter")
    world.lost("openrouter")
    assert (world.network.is_gone, world.network.is_avoided) == (False, False)
    world.lost("nanogpt")
    assert (world.network.is_gone, world.network.is_avoided) == (True, True)
    assert "nanogpt and openrouter cannot be reached" in world.network.reason


def test_the_only_provider_elsewhere_is_enough() -> None:
    world = World("openrouter", "ollama", "lmstudio")
    world.lost("openrouter")
    assert world.network.is_gone


def test_what_runs_on_this_machine_says_nothing_of_the_network(world: World) -> None:
    world.lost("ollama", "openrouter")
    assert not world.network.is_gone
    world.lost("nanogpt")
    world.network.heard("ollama", None, was_sent=True)
    assert world.network.is_gone


def test_failures_far_apart_are_not_of_one_cause(world: World) -> None:
    world.lost("openrouter")
    world.now += TOGETHER + SECOND
    world.lost("nanogpt")
    assert not world.network.is_gone


def test_a_provider_that_is_left_alone_or_refuses_did_not_fail_to_connect(world: World) -> None:
    world.lost("openrouter", "nanogpt", error=Unavailable("rests", retry_after_seconds=5))
    assert not world.network.is_gone


def test_whoever_is_reached_brings_it_back_even_with_a_refusal(world: World) -> None:
    world.lost("openrouter", "nanogpt")
    world.network.heard("openai", Unavailable("busy", retry_after_seconds=1), was_sent=True)
    assert not world.network.is_gone
    world.lost("openrouter")
    assert not world.network.is_gone


def test_it_is_avoided_for_a_while_then_one_failure_renews_that(world: World) -> None:
    world.lost("openrouter", "nanogpt")
    world.now += AVOIDED
    assert world.network.is_gone
    assert not world.network.is_avoided
    world.now += TOGETHER
    world.lost("openai")
    assert world.network.is_avoided
