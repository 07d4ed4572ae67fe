import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry, SearchSettings
from gateway.documents.source import DocumentSource
from gateway.errors import InvalidRequest, NotFound
from tests.stand_ins.notes import BrokenNotes, Notes, SlowNotes

PUBLIC_URL = "https://gateway.example.com"


@asynccontextmanager
async def registry_of(
    *sources: DocumentSource, settings: SearchSettings | None = None
) -> AsyncIterator[Registry]:
    async with Freshness() as freshness, asyncio.timeout(5):
        yield Registry(sources, freshness, public_url=PUBLIC_URL, settings=settings)


async def test_search_lists_what_fetch_reads_at_a_url_that_fetch_reads_too() -> None:
    async with registry_of(Notes("milk", "bread")) as registry:
        (result,) = (await registry.search("where is the milk")).results
        assert (await registry.fetch(f"{result.url}.json")).id.text == result.id
        assert (result.id, result.url) == ("note:milk", f"{PUBLIC_URL}/data/note:milk")
        by_id, by_url = await registry.fetch(result.id), await registry.fetch(result.url)
    assert by_id == by_url
    assert by_id.id.text == "note:milk"


async def test_an_id_survives_its_url_whatever_is_in_it() -> None:
    name = "50%/ü ?#&:x"
    async with registry_of(Notes(name)) as registry:
        document = await registry.fetch(f"note:{name}")
        url = registry.url(document.id)
        assert url.isascii()
        assert (await registry.fetch(url)).id == document.id


async def test_the_title_of_a_live_result_carries_the_value() -> None:
    async with registry_of(Notes("milk")) as registry:
        (result,) = (await registry.search("milk")).results
    assert result.title == "The note milk, read 1 times"
    assert result.text == "What milk says."


async def test_search_does_not_wait_for_a_value_that_is_late() -> None:
    notes = Notes("milk")
    notes.may_read.clear()
    async with registry_of(notes, settings=SearchSettings(live_wait_seconds=0.01)) as registry:
        (result,) = (await registry.search("milk")).results
        assert result.title == "The note milk"
        notes.may_read.set()
        assert (await registry.fetch("note:milk")).title == "The note milk, read 1 times"
    assert notes.reads == 1


async def test_only_the_first_live_results_are_read() -> None:
    notes = Notes("a1", "b2", "c3", "d4")
    async with registry_of(notes, settings=SearchSettings(live_titles=2)) as registry:
        answer = await registry.search("a1 b2 c3 d4")
    assert len(answer.results) == 4
    assert notes.reads == 2


async def test_a_broken_source_costs_its_own_entries_only(caplog: pytest.LogCaptureFixture) -> None:
    async with registry_of(BrokenNotes("milk", kind="wet"), Notes("milk")) as registry:
        with caplog.at_level(logging.ERROR):
            answer = await registry.search("milk")
    assert [result.id for result in answer.results] == ["note:milk"]
    assert "source wet offered nothing" in caplog.text


async def test_a_slow_source_costs_its_own_entries_only() -> None:
    slow = SlowNotes("milk")
    settings = SearchSettings(deadline_seconds=0.01)
    async with registry_of(slow, Notes("milk"), settings=settings) as registry:
        assert [r.id for r in (await registry.search("milk")).results] == ["note:milk"]
        slow.may_offer.set()
        assert len((await registry.search("milk")).results) == 2


async def test_nothing_that_matches_is_an_empty_answer() -> None:
    async with registry_of(Notes("milk")) as registry:
        for text in ("", "   ", "bread", "x" * 10_000, "🥛", "'; DROP TABLE notes; --", "\0\x1b"):
            assert (await registry.search(text)).results == ()


async def test_there_are_never_more_results_than_the_limit() -> None:
    names = [f"n{number}" for number in range(30)]
    async with registry_of(Notes(*names)) as registry:
        assert len((await registry.search(" ".join(names))).results) == 10


async def test_an_unknown_kind_is_not_found_and_the_like_are_suggested() -> None:
    async with registry_of(Notes("milk")) as registry:
        with pytest.raises(NotFound, match="no kind of document is named 'notes'") as caught:
            await registry.fetch("notes:milk")
    assert caught.value.suggestions == ("note:{name}",)


@pytest.mark.parametrize(
    "text", ["", "milk", "../../etc/passwd", "https://elsewhere.example/data/note:milk"]
)
async def test_what_is_no_id_is_answered_with_what_to_do(text: str) -> None:
    async with registry_of(Notes("milk")) as registry:
        with pytest.raises((InvalidRequest, NotFound)) as caught:
            await registry.fetch(text)
    assert "there are" in str(caught.value) or "search first" in str(caught.value)


async def test_the_case_of_the_kind_and_spaces_around_do_not_matter() -> None:
    async with registry_of(Notes("milk")) as registry:
        assert (await registry.fetch("  Note:MILK\n")).id.text == "note:milk"


async def test_two_sources_of_one_kind_are_refused() -> None:
    async with Freshness() as freshness:
        with pytest.raises(ValueError, match="same kind"):
            Registry([Notes(), Notes()], freshness, public_url=PUBLIC_URL)


async def test_a_question_is_read_again_only_when_a_source_offers_something_else() -> None:
    notes = Notes("milk")
    async with registry_of(notes) as registry:
        notes.revision = "first"
        once, again = (
            await registry.search("milk and bread"),
            await registry.search("milk and bread"),
        )
        assert [result.id for result in once.results] == [result.id for result in again.results]
        assert notes.asked == 1
        notes.names.append("bread")
        notes.revision = "second"
        assert len((await registry.search("milk and bread")).results) == 2
        assert notes.asked == 2


async def test_a_source_that_may_change_at_any_time_is_asked_each_time() -> None:
    notes = Notes("milk")
    async with registry_of(notes) as registry:
        await registry.search("milk")
        await registry.search("milk")
    assert notes.asked == 2


async def test_what_a_source_failed_to_offer_is_not_remembered() -> None:
    broken = BrokenNotes("milk", kind="wet")
    notes = Notes("milk")
    broken.revision = notes.revision = "first"
    async with registry_of(broken, notes) as registry:
        await registry.search("milk")
        await registry.search("milk")
    assert notes.asked == 2


async def test_sources_come_and_go_while_the_registry_is_open() -> None:
    later: tuple[DocumentSource, ...] = ()
    async with Freshness() as freshness:
        registry = Registry([Notes("milk")], freshness, public_url=PUBLIC_URL, later=lambda: later)
        with pytest.raises(NotFound, match="no kind of document is named 'memo'"):
            await registry.fetch("memo:bread")
        later = (Notes("bread", kind="memo"),)
        assert [r.id for r in (await registry.search("milk bread")).results] == [
            "memo:bread",
            "note:milk",
        ]
        assert (await registry.fetch("memo:bread")).id.text == "memo:bread"
        assert (registry.added, len(registry.sources)) == (later, 2)
        later = ()
        assert [r.id for r in (await registry.search("milk bread")).results] == ["note:milk"]
        assert registry.added == ()


async def test_a_source_that_comes_later_never_takes_a_kind_that_is_owned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    later = (Notes("poison"), Notes("bread", kind="memo"), Notes("poison", kind="memo"))
    async with Freshness() as freshness:
        registry = Registry([Notes("milk")], freshness, public_url=PUBLIC_URL, later=lambda: later)
        with caplog.at_level(logging.WARNING):
            assert [r.id for r in (await registry.search("poison bread")).results] == ["memo:bread"]
            await registry.search("poison milk")
    assert caplog.text.count("left out a source of kind=note") == 1
    assert caplog.text.count("left out a source of kind=memo") == 1


async def test_a_source_that_vanishes_while_a_search_waits_is_still_read_from() -> None:
    slow = SlowNotes("milk")
    later: tuple[DocumentSource, ...] = (slow,)
    async with Freshness() as freshness, asyncio.timeout(5):
        registry = Registry([], freshness, public_url=PUBLIC_URL, later=lambda: later)
        search = asyncio.create_task(registry.search("milk"))
        await asyncio.sleep(0)
        later = ()
        slow.may_offer.set()
        assert [r.title for r in (await search).results] == ["The note milk, read 1 times"]


async def test_what_was_looked_up_elsewhere_is_looked_up_again() -> None:
    slow, notes = SlowNotes("milk"), Notes("bread")
    slow.revision = notes.revision = "first"
    slow.may_offer.set()
    async with registry_of(slow, notes) as registry:
        await registry.search("milk")
        await registry.search("milk")
    assert notes.asked == 2
