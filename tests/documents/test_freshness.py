import asyncio

import pytest

from gateway.documents.freshness import Freshness
from gateway.errors import NotFound, Unavailable
from tests.stand_ins.notes import Notes


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def down() -> Unavailable:
    return Unavailable("the notebook is away", retry_after_seconds=1)


async def test_a_young_document_is_not_read_again_and_an_old_one_is() -> None:
    watch, notes = Watch(), Notes("milk", fresh_seconds=5)
    milk = notes.pattern.format(name="milk")
    async with Freshness(monotonic=watch) as freshness:
        first = await freshness.read(notes, milk)
        watch.seconds += 4.9
        assert await freshness.read(notes, milk) is first
        watch.seconds += 0.2
        assert await freshness.read(notes, milk) is not first
    assert notes.reads == 2


async def test_however_many_ask_at_once_it_is_read_once() -> None:
    notes = Notes("milk")
    milk = notes.pattern.format(name="milk")
    notes.may_read.clear()
    async with Freshness() as freshness, asyncio.timeout(5):
        readers = [asyncio.create_task(freshness.read(notes, milk)) for _ in range(50)]
        await asyncio.sleep(0)
        notes.may_read.set()
        assert len({id(document) for document in await asyncio.gather(*readers)}) == 1
    assert notes.reads == 1


async def test_a_reader_who_leaves_does_not_end_the_read_for_the_others() -> None:
    notes = Notes("milk")
    milk = notes.pattern.format(name="milk")
    notes.may_read.clear()
    async with Freshness() as freshness, asyncio.timeout(5):
        leaver = asyncio.create_task(freshness.read(notes, milk))
        stayer = asyncio.create_task(freshness.read(notes, milk))
        await asyncio.sleep(0)
        leaver.cancel()
        notes.may_read.set()
        assert (await stayer).id == milk
        with pytest.raises(asyncio.CancelledError):
            await leaver
    assert notes.reads == 1


async def test_a_failing_source_shows_its_last_copy_as_stale_until_that_is_too_old() -> None:
    watch, notes = Watch(), Notes("milk", fresh_seconds=1)
    milk = notes.pattern.format(name="milk")
    async with Freshness(monotonic=watch, stale_seconds=60) as freshness:
        fresh = await freshness.read(notes, milk)
        notes.failure = down()
        watch.seconds += 30
        stale = await freshness.read(notes, milk)
        assert (fresh.is_stale, stale.is_stale) == (False, True)
        assert stale.as_of == fresh.as_of
        watch.seconds += 31
        with pytest.raises(Unavailable):
            await freshness.read(notes, milk)


async def test_an_answer_that_it_does_not_exist_is_never_covered_by_an_old_copy() -> None:
    watch, notes = Watch(), Notes("milk", fresh_seconds=1)
    milk = notes.pattern.format(name="milk")
    async with Freshness(monotonic=watch) as freshness:
        await freshness.read(notes, milk)
        notes.names = ["bread"]
        watch.seconds += 2
        with pytest.raises(NotFound):
            await freshness.read(notes, milk)


async def test_a_failure_is_not_kept() -> None:
    notes = Notes("milk")
    milk = notes.pattern.format(name="milk")
    async with Freshness() as freshness:
        notes.failure = down()
        with pytest.raises(Unavailable):
            await freshness.read(notes, milk)
        notes.failure = None
        assert (await freshness.read(notes, milk)).id == milk


async def test_memory_is_bounded() -> None:
    notes = Notes(*(f"n{number}" for number in range(20)))
    async with Freshness(max_documents=3) as freshness:
        for name in notes.names:
            await freshness.read(notes, notes.pattern.format(name=name))
        kept = [
            name for name in notes.names if freshness.fresh(notes, notes.pattern.format(name=name))
        ]
    assert kept == ["n17", "n18", "n19"]


async def test_closing_ends_the_reads_that_are_under_way() -> None:
    notes = Notes("milk")
    notes.may_read.clear()
    async with Freshness() as freshness, asyncio.timeout(5):
        read = freshness.reading(notes, notes.pattern.format(name="milk"))
        await asyncio.sleep(0)
    assert read.cancelled()
