"""What was seen of models is kept, summed up, shared by processes, and fades."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from gateway.evidence.evidence import KEPT, Evidence
from gateway.evidence.observation import Kind, Observation
from gateway.evidence.sums import HALF_LIFE
from gateway.storage.database import Database
from gateway.storage.tables import evidence as lines

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(url: str, clock: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[Evidence]:
    async with Database(url) as database, Evidence(database, clock=clock) as evidence:
        yield evidence


def look(
    quality: float = 1.0,
    *,
    kind: Kind = "benchmark",
    weight: float = 1.0,
    at: datetime = NOW,
    source: str = "benchmark:b1",
    caller: str = "",
    most_weight: float | None = None,
) -> Observation:
    return Observation("a/model", "coding", kind, quality, weight, source, at, caller, most_weight)


async def count_of_lines(url: str) -> int:
    async with Database(url) as database:
        return await database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(lines)) or 0
        )


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
        assert used.looks == 3
        assert used.weight == pytest.approx(0.6)
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


async def test_what_was_read_is_not_read_again(database_url: str) -> None:
    async with Database(database_url) as database, Evidence(database, clock=lambda: NOW) as here:
        await here.record([look(1.0)])
        # Nobody changes a line; whoever reads it again would see that somebody did.
        await database.write(lambda connection: connection.execute(update(lines).values(quality=0)))
        await here.record([look(1.0)])
        await here.refresh()
        assert here.seen("a/model", "coding").of_kind["benchmark"].quality == 1.0
        before = here.revision
        await here.refresh()
        assert here.revision is before


async def test_lines_that_are_gone_are_noticed_by_other_processes(database_url: str) -> None:
    async with opened(database_url) as one, opened(database_url) as other:
        await one.record([look(), look()])
        await one.replace(look(1.0, kind="thumb", source="route:r1"))
        await other.refresh()
        await one.replace(look(0.0, kind="thumb", source="route:r1"))
        await other.refresh()
        thumb = other.seen("a/model", "coding").of_kind["thumb"]
        assert (thumb.looks, thumb.quality) == (1, 0.0)
        await other.replace(look(1.0, kind="thumb", source="route:r1"))
        await one.forget(["a/model"])
        await one.record([look()])
        await other.refresh()
        assert other.everything == one.everything
        assert other.seen("a/model", "coding").of_kind["benchmark"].looks == 1
        assert "thumb" not in other.seen("a/model", "coding").of_kind


async def test_what_is_in_memory_fades_without_being_read_again(database_url: str) -> None:
    at = NOW
    async with Database(database_url) as database, Evidence(database, clock=lambda: at) as here:
        await here.record([look()])
        at = NOW + HALF_LIFE
        await here.refresh()
        assert here.seen("a/model", "coding").weight == pytest.approx(0.5)


async def test_the_days_that_are_over_are_one_line_for_each_model_task_and_kind(
    database_url: str,
) -> None:
    async with opened(database_url) as evidence:
        for minutes in range(20):
            at = NOW - timedelta(days=2, minutes=minutes)
            route = f"route:r{minutes}"
            evidence.note(look(minutes % 2, kind="use", weight=0.1, at=at, source=route))
            await evidence.refresh()
        await evidence.record(
            [look(at=NOW - timedelta(days=2), source=one) for one in ("b1", "b1", "b2")]
        )
        for route in ("route:r1", "route:r2"):
            await evidence.replace(look(kind="thumb", at=NOW - timedelta(days=2), source=route))
        await evidence.record([look(kind="use"), look(kind="use")])
        before = evidence.seen("a/model", "coding")
    assert await count_of_lines(database_url) == 20 + 3 + 2 + 2
    async with opened(database_url) as evidence:
        after = evidence.seen("a/model", "coding")
        for kind, one in before.of_kind.items():
            assert (after.of_kind[kind].looks, after.of_kind[kind].newest) == (
                one.looks,
                one.newest,
            )
            assert after.of_kind[kind].weight == pytest.approx(one.weight, rel=0.01)
            assert after.of_kind[kind].quality == pytest.approx(one.quality, rel=0.001)
        await evidence.replace(look(0.0, kind="thumb", source="route:r1"))
        assert evidence.seen("a/model", "coding").of_kind["thumb"].looks == 2
    # One of use, one for each of two benchmarks, two thumbs, and today's.
    assert await count_of_lines(database_url) == 1 + 2 + 2 + 2


async def test_the_thumbs_of_one_caller_weigh_only_so_much_together(database_url: str) -> None:
    def thumbs(caller: str, most: float, *, quality: float) -> list[Observation]:
        return [
            look(quality, kind="thumb", source=f"{caller}{n}", caller=caller, most_weight=most)
            for n in range(30)
        ]

    async with opened(database_url) as evidence:
        await evidence.record(thumbs("anna", 4, quality=0.0))
        thumb = evidence.seen("a/model", "coding").of_kind["thumb"]
        assert (thumb.looks, thumb.quality) == (30, 0.0)
        assert thumb.weight == pytest.approx(4)
        await evidence.record(thumbs("berta", 4, quality=1.0))
        assert evidence.seen("a/model", "coding").of_kind["thumb"].quality == pytest.approx(0.5)
        await evidence.record(thumbs("owner", 20, quality=1.0))
    async with opened(database_url) as evidence:
        thumb = evidence.seen("a/model", "coding").of_kind["thumb"]
        assert thumb.looks == 90
        assert thumb.weight == pytest.approx(28)
        assert thumb.quality == pytest.approx(24 / 28)


async def test_the_source_is_that_of_the_newest_look(database_url: str) -> None:
    older, newer = NOW - timedelta(minutes=5), NOW
    async with opened(database_url) as evidence:
        await evidence.record([look(kind="use", at=newer, source="route:r1")])
        await evidence.record([look(kind="use", at=older, source="route:r9")])
        assert evidence.seen("a/model", "coding").of_kind["use"].source == "route:r1"
    async with opened(database_url) as evidence:
        used = evidence.seen("a/model", "coding").of_kind["use"]
        assert (used.source, used.newest) == ("route:r1", newer)


async def test_half_a_character_does_not_keep_the_rest_from_being_written(
    database_url: str,
) -> None:
    async with opened(database_url) as evidence:
        evidence.note(Observation("a/\ud83d\x00", "coding", "use", 1, 1, "route:\udc00", NOW))
        evidence.note(look(kind="use"))
        await evidence.refresh()
        assert evidence.everything.keys() == {"a/??", "a/model"}
