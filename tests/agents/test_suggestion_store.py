"""Suggestions as they are kept: opened once per occasion, and decided once over all processes."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import LEFT_AFTER, SuggestionStore
from gateway.errors import InvalidRequest, NotFound, Refused
from gateway.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.db"


async def suggest(store: SuggestionStore, occasion: str = "run:1", **other: Any) -> Suggestion:
    given: dict[str, Any] = {
        "title": "Move the key out of the code",
        "reason": "Whoever reads the code can pay with it.",
        "evidence": ["payment.py:3: KEY = 'sk_live'"],
        "tool": "create_task",
        "arguments": {"title": "Move the key", "labels": ["security"]},
    }
    return await store.open("run", "review", occasion=occasion, **given | other)


async def test_a_suggestion_is_read_as_it_was_opened(database_url: str) -> None:
    async with Database(database_url) as database:
        store = SuggestionStore(database, clock=lambda: NOON)
        opened = await suggest(store)
        assert opened == Suggestion(
            id=opened.id,
            run_id="run",
            agent="review",
            created=NOON,
            title="Move the key out of the code",
            reason="Whoever reads the code can pay with it.",
            evidence=("payment.py:3: KEY = 'sk_live'",),
            tool="create_task",
            arguments={"title": "Move the key", "labels": ["security"]},
        )
        assert opened.id.startswith("sug_")
        assert len(opened.id) == len("sug_") + 12
        assert await store.suggestion(opened.id) == opened


async def test_a_step_that_happens_twice_suggests_once(database_url: str) -> None:
    async with Database(database_url) as one, Database(database_url) as other:
        stores = [SuggestionStore(each) for each in (one, other)]
        opened = await asyncio.gather(*(suggest(stores[n % 2]) for n in range(10)))
        assert len({each.id for each in opened}) == 1
        await suggest(stores[0], "run:2")
        assert len(await stores[0].listed()) == 2


async def test_what_a_model_wrote_is_bounded_and_readable(database_url: str) -> None:
    async with Database(database_url) as database:
        opened = await suggest(
            SuggestionStore(database),
            title="Two\nlines \u202e\x00" + "x" * 1_000,
            reason="r" * 9_000,
            evidence=["e" * 9_000] * 30,
            arguments={"text": "a\x00\ud800b"},
        )
        assert opened.title.startswith("Two lines xxx")
        assert (len(opened.title), opened.title[-1]) == (200, "…")
        assert (len(opened.reason), len(opened.evidence)) == (4_000, 20)
        assert {len(each) for each in opened.evidence} == {2_000}
        assert opened.arguments == {"text": "a\ufffd?b"}


async def test_arguments_are_never_cut_but_refused(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database)
        with pytest.raises(InvalidRequest, match=r"arguments: has 300,011 bytes as JSON; at most"):
            await suggest(store, arguments={"text": "x" * 300_000})
        with pytest.raises(InvalidRequest, match="title: is empty"):
            await suggest(store, title=" \n")
        assert await store.listed() == []


async def test_they_are_listed_the_last_one_first(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database)
        first = await suggest(store, "run:1", tool=None, arguments=None)
        second = await suggest(store, "run:2")
        third = await store.open("other", "test", occasion="other:1", title="Add", reason="None.")
        await store.dismiss(second.id, "alice")
        assert [each.id for each in await store.listed()] == [third.id, second.id, first.id]
        assert [each.id for each in await store.listed(limit=1)] == [third.id]
        assert [each.id for each in await store.listed(status="open")] == [third.id, first.id]
        assert [each.id for each in await store.listed(agent="test")] == [third.id]
        assert [each.id for each in await store.listed(run_id="run", status="open")] == [first.id]
        assert await store.listed(agent="\ud800") == []


async def test_an_unknown_one_is_not_found_but_those_like_it(database_url: str) -> None:
    async with Database(database_url) as database:
        store = SuggestionStore(database)
        opened = await suggest(store)
        mistyped = opened.id[:-1]
        for asked in (store.suggestion(mistyped), store.dismiss(mistyped, "alice")):
            with pytest.raises(NotFound, match=mistyped) as caught:
                await asked
            assert caught.value.suggestions == (opened.id,)
        for unknown in ("\ud800", "x\x00", "x" * 100_000):
            with pytest.raises(NotFound, match="there is no suggestion") as caught:
                await store.begin_accepting(unknown, "alice")
            assert len(str(caught.value)) < 200


async def test_of_many_who_accept_it_in_all_processes_one_does(database_url: str) -> None:
    async with Database(database_url) as one, Database(database_url) as other:
        stores = [SuggestionStore(each, clock=lambda: NOON) for each in (one, other)]
        opened = await suggest(stores[0])
        told = await asyncio.gather(
            *(stores[n % 2].begin_accepting(opened.id, f"user{n}", "yes") for n in range(10)),
            return_exceptions=True,
        )
        (begun,) = [each for each in told if isinstance(each, Suggestion)]
        assert (begun.status, begun.note, begun.decided) == ("accepting", "yes", NOON)
        refused = [str(each) for each in told if isinstance(each, Refused)]
        assert len(refused) == 9
        assert refused[0] == (
            f"suggestion {opened.id} is being accepted by {begun.decided_by} at "
            "2026-11-21T12:00:00Z; if that ends in nothing, it can be accepted again 60 s after "
            "it began"
        )


async def test_who_comes_later_is_told_who_decided_what_and_when(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database, clock=lambda: NOON)
        accepted, dismissed = await suggest(store, "1"), await suggest(store, "2")
        await store.begin_accepting(accepted.id, "alice", "good")
        done = await store.accepted(accepted.id, "task_1 is there")
        assert (done.status, done.outcome, done.decided_by) == (
            "accepted",
            "task_1 is there",
            "alice",
        )
        gone = await store.dismiss(dismissed.id, "bob", "not ours")
        assert (gone.status, gone.decided_by, gone.note) == ("dismissed", "bob", "not ours")
        for late in (store.begin_accepting, store.dismiss):
            with pytest.raises(Refused, match="was accepted by alice at 2026-11-21T12:00:00Z"):
                await late(accepted.id, "carol")
            with pytest.raises(Refused, match="was dismissed by bob at 2026-11-21T12:00:00Z"):
                await late(dismissed.id, "carol")


async def test_what_a_process_left_when_it_died_can_be_begun_again(tmp_path: Path) -> None:
    moment = NOON
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database, clock=lambda: moment)
        opened = await suggest(store)
        await store.begin_accepting(opened.id, "alice")
        moment = NOON + LEFT_AFTER - timedelta(seconds=1)
        for early in (store.begin_accepting, store.dismiss):
            with pytest.raises(Refused, match="is being accepted by alice"):
                await early(opened.id, "alice")
        moment = NOON + LEFT_AFTER
        again = await store.begin_accepting(opened.id, "bob")
        assert (again.status, again.decided_by) == ("accepting", "bob")
        with pytest.raises(Refused, match="is being accepted by bob"):
            await store.begin_accepting(opened.id, "alice")


async def test_one_whose_call_failed_can_be_accepted_again_or_dismissed(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database)
        first, second = await suggest(store, "1"), await suggest(store, "2")
        for each in (first, second):
            await store.begin_accepting(each.id, "alice")
            failed = await store.failed(each.id, "the task server is away")
            assert (failed.status, failed.outcome) == ("failed", "the task server is away")
        assert (await store.begin_accepting(first.id, "bob")).status == "accepting"
        assert (await store.accepted(first.id, "done")).outcome == "done"
        assert (await store.dismiss(second.id, "bob")).status == "dismissed"


async def test_a_call_that_was_made_counts_more_than_one_that_failed(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = SuggestionStore(database)
        for occasion, endings in (("1", ("accepted", "failed")), ("2", ("failed", "accepted"))):
            opened = await suggest(store, occasion)
            await store.begin_accepting(opened.id, "alice")
            for ending in endings:
                await getattr(store, ending)(opened.id, ending)
            assert (await store.suggestion(opened.id)).outcome == "accepted"
        unbegun = await suggest(store, "3")
        assert (await store.accepted(unbegun.id, "of nobody")).status == "open"
