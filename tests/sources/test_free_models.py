"""What is told of the models that cost nothing, and which questions find it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.documents.source import DocumentSource
from gateway.errors import NotFound
from gateway.evidence.observation import Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs
from gateway.sources.free_models import FreeModelSource
from gateway.usage.call import Call, Settlement
from tests.sources.router_world import Router, World, opened_router

LOW, HIGH = "openrouter/google/gemma-4-31b-it:free", "openrouter/poolside/laguna-s-2.1:free"


@asynccontextmanager
async def world(
    folder: Path, known: World | None = None, **beliefs: Any
) -> AsyncIterator[tuple[Registry, Router]]:
    async with opened_router(folder, known) as router, Freshness() as freshness:
        source = FreeModelSource(
            router.world.catalog,
            router.ledger,
            router.sources.reader,
            clock=router.world.clock,
            **beliefs,
        )
        registry = Registry(
            [*_others(router), source],
            freshness,
            public_url="https://gateway.example",
            lexicons=router.sources.lexicons(),
        )
        yield registry, router


def _others(router: Router) -> list[DocumentSource]:
    return [one for one in router.sources.documents if not isinstance(one, FreeModelSource)]


async def test_questions_about_free_models_find_them(tmp_path: Path) -> None:
    questions = {
        "which free models are there": "free_models:all",
        "free models": "free_models:all",
        "kostenlose modelle": "free_models:all",
        "modelos gratis": "free_models:all",
        "which models cost nothing": "free_models:all",
        "which llms can I use for free?": "free_models:all",
        "free coding models": "free_models:coding",
        "best free model for coding": "free_models:coding",
        "kostenloses Modell fürs Programmieren": "free_models:coding",
        "modèles gratuits pour le code": "free_models:coding",
    }
    async with world(tmp_path) as (registry, _):
        for ask, found in questions.items():
            ids = [one.id for one in (await registry.search(ask)).results]
            assert found in ids[:3], ask


async def test_other_questions_do_not(tmp_path: Path) -> None:
    async with world(tmp_path) as (registry, _):
        for ask in (
            "free models that can call tools",
            "newest free model",
            "free models on openrouter",
            "is gpt 6 sol free",
            "how many free requests are left",
            "cheapest model with vision",
            "free parking near the station",
            "best model for coding",
        ):
            answer = await registry.search(ask)
            assert not [one.id for one in answer.results if one.id.startswith("free_models:")], ask


async def test_the_list_comes_first_and_models_of_it_behind(tmp_path: Path) -> None:
    async with world(tmp_path) as (registry, _):
        first, second, *_ = (await registry.search("free models")).results
    assert first.id == "free_models:all"
    assert first.title.endswith("free models")
    assert second.id.startswith("model:")


async def test_free_models_are_told_with_abilities_and_what_is_left(tmp_path: Path) -> None:
    async with world(tmp_path) as (registry, router):
        call = Call("r", "alice", "openrouter", LOW, "free", task="coding")
        await router.call(call, Settlement(10, 10, billed_microusd=0))
        document = await registry.fetch("free_models:all")
        free = [
            one
            for one in router.world.catalog.callable_models
            if one.tier == "free" and "text" in one.output_modalities
        ]
    assert document.metadata == {"task": "all", "models": str(len(free))}
    assert document.title.startswith(f"{len(free):,} free models; first ")
    assert f"`{LOW}`" in document.text
    assert "49 requests (openrouter_daily)" in document.text
    assert "| openrouter_daily | 49 requests | 50 requests |" in document.text
    assert "monthly" not in document.text
    assert "None" not in document.text
    assert str(router.world.catalog.as_of) in document.text


def benchmark(model: str, task: str, quality: float) -> tuple[Observation, int]:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Observation(model, task, "benchmark", quality, 40.0, "benchmark:b1", at), 40


async def test_the_best_believed_for_the_task_come_first_and_it_says_why(tmp_path: Path) -> None:
    looks = [benchmark(HIGH, "coding", 1.0), benchmark(LOW, "research", 1.0)]
    beliefs = Beliefs(summed(looks, datetime(2026, 11, 21, tzinfo=UTC)))
    async with world(tmp_path, beliefs=lambda: beliefs) as (registry, _):
        coding = await registry.fetch("free_models:coding")
        research = await registry.fetch("free_models:research")
    assert coding.title.endswith(f"free models for coding; first {HIGH}")
    assert research.title.endswith(f"first {LOW}")
    first, second = [line for line in coding.text.splitlines() if line.startswith("| `")][:2]
    assert first.startswith(f"| `{HIGH}` |")
    assert "good answers (40 benchmarks at 100%, the last 1 days ago)" in first
    assert "only what its catalog tells" in second


async def test_an_unknown_task_is_not_found_with_what_there_is(tmp_path: Path) -> None:
    async with world(tmp_path) as (registry, _):
        with pytest.raises(NotFound, match="there are all, coding") as caught:
            await registry.fetch("free_models:cooking")
    assert caught.value.suggestions[0] == "free_models:all"


async def test_where_nothing_is_free_it_says_what_would_be(tmp_path: Path) -> None:
    async with world(tmp_path, World("anthropic")) as (registry, _):
        document = await registry.fetch("free_models:all")
    assert document.title == "No model is free here now"
    assert "a subscription includes it" in document.text


async def test_without_a_provider_the_known_ones_are_told_and_how_to_call_them(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, World()) as (registry, _):
        document = await registry.fetch("free_models:all")
    assert "NANOGPT_API_KEY" in document.text
    assert ":free`" in document.text
