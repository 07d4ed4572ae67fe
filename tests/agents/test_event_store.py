"""Events as they are stored: once per delivery, in order, before anybody is told that they are."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, insert, text

from gateway.agents import event_store
from gateway.agents.event import News
from gateway.agents.event_store import EventStore, mark_shared_out
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.storage.agent_tables import agent_runs
from gateway.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
COMMIT = News(
    "git:commit",
    {"files": [{"path": "payment.py"}], "diff": "+ key = 'a'"},
    source="git",
    subject="Add payments",
    delivery="3fe1",
    chain=("research", "review"),
    cause="20261121-120000-abcdef",
    by="alice",
    only="review",
)


T = TypeVar("T")


class Counting(Database):
    transactions = 0

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.transactions += 1
        return await super().write(work)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.db"


async def test_an_event_is_read_as_it_was_stored(database_url: str) -> None:
    async with Database(database_url) as database:
        store = EventStore(database, clock=lambda: NOON)
        stored = await store.store(COMMIT)
        assert stored.is_new
        assert stored.event.news == COMMIT
        assert stored.event.time == NOON
        assert stored.event.id.startswith("evt_")
        assert len(stored.event.id) == len("evt_") + 20
        assert await store.event(stored.event.id) == stored.event
        assert await store.position() == stored.event.position == 1


async def test_what_was_told_to_be_stored_is_there_after_the_process_dies(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Database(url(tmp_path)) as another:
        stored = await EventStore(database).store(COMMIT)
        # Another process sees only what was committed.
        assert await EventStore(another).event(stored.event.id) == stored.event


async def test_the_same_delivery_is_the_first_event_in_whichever_process_it_comes(
    database_url: str,
) -> None:
    async with Database(database_url) as one, Database(database_url) as other:
        stores = [EventStore(one), EventStore(other)]
        alone, together = await asyncio.gather(
            asyncio.gather(*(stores[number % 2].store(COMMIT) for number in range(40))),
            asyncio.gather(*(each.store_all([COMMIT, COMMIT]) for each in stores)),
        )
        all_told = [*alone, *chain.from_iterable(together)]
        assert sum(each.is_new for each in all_told) == 1
        assert len({each.event.id for each in all_told}) == 1
        from_elsewhere = await stores[0].store(News("git:commit", source="github", delivery="3fe1"))
        assert from_elsewhere.is_new


async def test_events_without_a_delivery_are_all_events(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        told = await asyncio.gather(*(store.store(News("a:b")) for _ in range(1_200)))
        assert len({each.event.id for each in told}) == 1_200
        positions = [each.event.position for each in told]
        assert positions == sorted(positions)
        assert [event.position for event in await store.to_share_out(2_000)] == positions


async def test_events_that_come_at_once_take_few_transactions(tmp_path: Path) -> None:
    async with Counting(url(tmp_path)) as database:
        store = EventStore(database)
        await asyncio.gather(*(store.store(News("a:b", {"number": n})) for n in range(3_000)))
        assert database.transactions <= 10
        assert len(await store.to_share_out(5_000)) == 3_000


async def test_all_of_several_are_stored_or_none(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        with pytest.raises(InvalidRequest, match="topic"):
            await store.store_all([News("a:b"), News("NO TOPIC")])
        assert await store.position() == 0
        stored = await store.store_all([News("a:b"), News("a:c")])
        assert [each.event.topic for each in stored] == ["a:b", "a:c"]


@pytest.mark.parametrize(
    ("news", "said"),
    [
        (News("Git Commit"), "topic: 'Git Commit' is none; it takes"),
        (News("a:b", {"diff": "x" * 262_144}), r"data: has 262,155 bytes as JSON; at most 262,144"),
        (News("a:b", {"n": float("nan")}), "data: is not JSON"),
        (News("a:b", {"n": {1, 2}}), "data: is not JSON"),
        (News("a:b", subject="x" * 301), "subject: 'xxx.*' has 301 characters; at most 300"),
        (News("a:b", delivery="y" * 201), "delivery: 'yyy.*' has 201 characters; at most 200"),
        (News("a:b", source="z" * 201), "source: 'zzz.*' has 201 characters; at most 200"),
    ],
)
async def test_what_is_too_much_is_refused_by_name(news: News, said: str, tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        with pytest.raises(InvalidRequest, match=said):
            await store.store(news)
        assert await store.position() == 0


async def test_data_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"in": deep}
    async with Database(url(tmp_path)) as database:
        with pytest.raises(InvalidRequest, match="data: is nested more than 64 levels deep"):
            await EventStore(database).store(News("a:b", deep))


async def test_nul_and_half_characters_do_not_keep_an_event_from_being_stored(
    database_url: str,
) -> None:
    odd = News(
        "a:b",
        {"te\x00xt": "a\x00b \ud800 c:\\u0000 é😀", "list": ["\x00", "\\\x00"]},
        subject="half \udc00 and\x00NUL",
        delivery="1\x00\ud800",
        source="so\x00urce",
    )
    async with Database(database_url) as database:
        store = EventStore(database)
        stored = await store.store(odd)
        assert stored.event.news.data == {
            "te\ufffdxt": "a\ufffdb ? c:\\u0000 é😀",
            "list": ["\ufffd", "\\\ufffd"],
        }
        assert stored.event.news.subject == "half ? and\ufffdNUL"
        assert await store.event(stored.event.id) == stored.event
        assert not (await store.store(odd)).is_new


async def test_an_unknown_event_is_not_found(database_url: str) -> None:
    async with Database(database_url) as database:
        for unknown in ("evt_00", "\ud800", "evt_\x00", "x" * 100_000):
            with pytest.raises(NotFound, match="there is no event") as caught:
                await EventStore(database).event(unknown)
            assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (None, ["git", "gitx:commit", "a_b:c", "axb:c", "git:push:main", "git:commit"]),
        ("**", ["git", "gitx:commit", "a_b:c", "axb:c", "git:push:main", "git:commit"]),
        ("git:commit", ["git:commit"]),
        ("git:*", ["git:commit"]),
        ("git:**", ["git", "git:push:main", "git:commit"]),
        ("*:commit", ["gitx:commit", "git:commit"]),
        ("git:*:main", ["git:push:main"]),
        ("a_b:*", ["a_b:c"]),
        ("nothing", []),
    ],
)
async def test_the_latest_events_are_found_by_a_pattern(
    pattern: str | None, found: list[str], tmp_path: Path
) -> None:
    topics = ("git:commit", "git:push:main", "axb:c", "a_b:c", "gitx:commit", "git")
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        await store.store_all([News(topic) for topic in topics])
        assert [event.topic for event in await store.latest(pattern=pattern)] == found
        assert [event.topic for event in await store.latest(pattern=pattern, limit=1)] == found[:1]


async def test_what_matches_is_found_behind_many_that_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_store, "_READ_AT_ONCE", 3)
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        await store.store_all([News("git:push:main"), News("git:commit"), News("git:commit")])
        await store.store_all([News("git:push:main")] * 20)
        assert len(await store.latest(pattern="git:*", limit=50)) == 2
        assert len(await store.latest(pattern="git:*", limit=1)) == 1


async def test_the_latest_events_are_those_since_a_moment(tmp_path: Path) -> None:
    moment = NOON
    async with Database(url(tmp_path)) as database:
        store = EventStore(database, clock=lambda: moment)
        for hours in range(4):
            moment = NOON + timedelta(hours=hours)
            await store.store(News(f"hour:{hours}"))
        since = await store.latest(since=NOON + timedelta(hours=2))
        assert [event.topic for event in since] == ["hour:3", "hour:2"]


async def test_a_pattern_that_can_match_nothing_is_refused(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        with pytest.raises(InvalidRequest, match="matches none"):
            await EventStore(database).latest(pattern="git:**:x")


async def test_events_are_shared_out_in_order_and_once(database_url: str) -> None:
    async with Database(database_url) as database:
        store = EventStore(database)
        await store.store_all([News(f"n:{number}") for number in range(5)])
        first = await store.to_share_out(limit=2)
        assert [event.topic for event in first] == ["n:0", "n:1"]

        def work(connection: Connection) -> None:
            mark_shared_out(connection, [event.id for event in first])
            mark_shared_out(connection, [])

        await database.write(work)
        assert [event.topic for event in await store.to_share_out()] == ["n:2", "n:3", "n:4"]


async def test_old_events_go_once_they_are_shared_out_and_have_no_runs(tmp_path: Path) -> None:
    moment = NOON - timedelta(days=91)
    async with Database(url(tmp_path)) as database:
        store = EventStore(database, clock=lambda: moment)
        names = ("a:gone", "a:with-run", "a:waiting")
        gone, with_run, _ = [(await store.store(News(name))).event for name in names]
        moment = NOON - timedelta(days=89)
        young = (await store.store(News("a:young"))).event

        def work(connection: Connection) -> None:
            mark_shared_out(connection, [gone.id, with_run.id, young.id])
            connection.execute(insert(agent_runs).values(_run_of(with_run.id)))

        await database.write(work)
        moment = NOON
        await store.store(News("a:new"))
        topics = [event.topic for event in await store.latest()]
        assert topics == ["a:new", "a:young", "a:waiting", "a:with-run"]


async def test_one_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    refuses = (
        "CREATE TRIGGER refuses BEFORE INSERT ON events WHEN NEW.topic = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    async with Database(url(tmp_path)) as database:
        await database.write(lambda connection: connection.execute(text(refuses)))
        store = EventStore(database)
        told = await asyncio.gather(
            *(store.store(News(topic)) for topic in ("good", "bad", "better")),
            return_exceptions=True,
        )
        assert [isinstance(each, Exception) for each in told] == [False, True, False]
        assert [event.topic for event in await store.latest()] == ["better", "good"]


async def test_while_the_database_does_not_answer_nothing_is_said_to_be_stored(
    tmp_path: Path,
) -> None:
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        move = "ALTER TABLE events RENAME TO {}".format
        await database.write(lambda connection: connection.execute(text(move("elsewhere"))))
        with pytest.raises(Unavailable):
            await store.store(COMMIT)
        await database.write(
            lambda connection: connection.execute(text("ALTER TABLE elsewhere RENAME TO events"))
        )
        assert (await store.store(COMMIT)).is_new


async def test_who_left_before_its_turn_has_stored_nothing(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database:
        store = EventStore(database)
        leaving = asyncio.create_task(store.store(News("a:left")))
        asyncio.get_running_loop().call_soon(leaving.cancel)
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await store.store(News("a:stays"))
        assert [event.topic for event in await store.latest()] == ["a:stays"]


def _run_of(event_id: str) -> dict[str, object]:
    needed = {"id": "run", "occasion": "run", "agent": "review", "status": "done"}
    counted = ("created", "attempt", "rounds", "calls", "input_tokens", "output_tokens")
    return {**needed, "event_id": event_id, **dict.fromkeys(counted, 0)}
