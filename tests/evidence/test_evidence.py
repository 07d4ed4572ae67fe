"""What was seen of models is kept, summed up, shared by processes, and fades."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.evidence.evidence import KEPT, Evidence
from gateway.evidence.observation import Kind, Observation
from gateway.evidence.sums import HALF_LIFE
from gateway.storage.database import Database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(url: str, clock: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[Evidence]:
    async with Database(url) as database, Evidence(database, clock=clock) as evidence:
        yield evidence


def look(
    quality: float = 1.0, *, kind: Kind = "benchmark", weight: float = 1.0, at: datetime = NOW
) -> Observation:
    return Observation("a/model", "coding", kind, quality, weight, "benchmark:b1", at)


async def test_what_is_recorded_counts_at_once_and_after_a_restart(database_url: str) -> None:
    async with opened(database_url) as evidence:
        before = evidence.revision
        await evidence.record([look(1.0), look(0.5), look(0.0, kind="thumb")])
        assert evidence.revision is not before
    async with opened(database_url) as evidence:
        seen = evidence.seen("a/model", "coding")
        assert seen.of_kind["benchmark"].looks == 2
        assert seen.of_kind["benchmark"].quality == pytest.approx(0.75)
        assert seen.of_kind["thumb"].quality == 0.0
        assert seen.weight == pytest.approx(3)
        assert evidence.seen("a/model", "creative").weight == 0


async def test_what_was_seen_a_half_life_ago_counts_half(database_url: str) -> None:
    async with opened(database_url) as evidence:
        await evidence.record([look(at=NOW - HALF_LIFE), look(0.0)])
        benchmark = evidence.seen("a/model", "coding").of_kind["benchmark"]
        assert benchmark.weight == pytest.approx(1.5)
        assert benchmark.quality == pytest.approx(1 / 3)
        assert (benchmark.looks, benchmark.newest) == (2, NOW)


async def test_notes_are_written_together_when_it_closes(database_url: str) -> None:
    async with opened(database_url) as evidence:
        for quality in (1.0, 1.0, 0.0):
            evidence.note(look(quality, kind="use", weight=0.2))
        assert evidence.seen("a/model", "coding").weight == 0
    async with opened(database_url) as evidence:
        used = evidence.seen("a/model", "coding").of_kind["use"]
        assert (used.looks, used.weight) == (3, pytest.approx(0.6))
        assert used.quality == pytest.approx(2 / 3)


async def test_another_process_sees_it_when_it_looks_again(database_url: str) -> None:
    async with opened(database_url) as one, opened(database_url) as other:
        one.note(look(kind="use"))
        await one.refresh()
        assert other.seen("a/model", "coding").weight == 0
        await other.refresh()
        assert other.seen("a/model", "coding").weight == 1


async def test_a_second_thumb_on_one_answer_takes_the_place_of_the_first(database_url: str) -> None:
    async with opened(database_url) as evidence:
        await evidence.replace(look(1.0, kind="thumb"))
        await evidence.replace(look(0.0, kind="thumb"))
        thumb = evidence.seen("a/model", "coding").of_kind["thumb"]
        assert (thumb.looks, thumb.quality) == (1, 0.0)


async def test_what_is_forgotten_is_gone_and_what_is_old_is_dropped(database_url: str) -> None:
    async with opened(database_url) as evidence:
        await evidence.record([look(), look(at=NOW - KEPT + timedelta(days=1))])
    later = NOW + timedelta(days=2)
    async with opened(database_url, lambda: later) as evidence:
        assert evidence.seen("a/model", "coding").of_kind["benchmark"].looks == 1
        assert await evidence.forget(["a/model"]) == 1
        assert evidence.of_model("a/model") == {}
