import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest, NotFound
from gateway.storage.database import Database
from gateway.stored_responses import Stored, StoredResponses
from tests.stand_ins.postgres import postgres

NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return postgres().new_database()
    return f"sqlite:///{tmp_path}/gateway.db"


class Ticking:
    """A clock that is a second later each time it is looked at."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def said(number: str, text: str = "Hi") -> Stored:
    return Stored(number, [{"type": "message", "text": text}], {"id": number, "output": [text]})


def ids(chain: Sequence[Stored]) -> list[str]:
    return [one.id for one in chain]


async def test_an_answer_is_there_as_it_was_after_the_next_start(url: str) -> None:
    one = said("resp_1", "Grüße \x00 \ud83d 👋")
    async with Database(url) as database:
        await StoredResponses(database).add("alice", one)
    async with Database(url) as database:
        assert await StoredResponses(database).one("alice", "resp_1") == one


async def test_a_conversation_may_branch(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database)
        await stored.add("alice", said("a"))
        await stored.add("alice", said("b"), previous_id="a")
        await stored.add("alice", said("c1"), previous_id="b")
        await stored.add("alice", said("c2"), previous_id="b")
        assert ids(await stored.history("alice", "c1")) == ["a", "b", "c1"]
        assert ids(await stored.history("alice", "c2")) == ["a", "b", "c2"]
        assert ids(await stored.history("alice", "a")) == ["a"]


async def test_what_another_caller_has_is_not_found(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database)
        await stored.add("alice", said("a"))
        for asking in (stored.one, stored.history, stored.forget):
            with pytest.raises(NotFound, match="'a'"):
                await asking("bob", "a")
        assert ids(await stored.history("alice", "a")) == ["a"]


async def test_nobody_continues_what_another_caller_said(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database)
        await stored.add("alice", said("a"))
        await stored.add("bob", said("b"), previous_id="a")
        with pytest.raises(NotFound, match="'b' continues 'a'"):
            await stored.history("bob", "b")


async def test_what_continued_a_deleted_answer_can_only_be_read(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database)
        await stored.add("alice", said("a"))
        await stored.add("alice", said("b"), previous_id="a")
        await stored.forget("alice", "a")
        with pytest.raises(NotFound, match="'b' continues 'a'"):
            await stored.history("alice", "b")
        assert (await stored.one("alice", "b")).id == "b"
        with pytest.raises(NotFound):
            await stored.forget("alice", "a")


async def test_what_is_continued_stays_young_and_the_rest_is_forgotten(url: str) -> None:
    now = NOON
    async with Database(url) as database:
        stored = StoredResponses(database, clock=lambda: now)
        await stored.add("alice", said("idle"))
        await stored.add("bob", said("bob's"))
        await stored.add("alice", said("a"))
        now += timedelta(days=20)
        await stored.add("alice", said("b"), previous_id="a")
        now += timedelta(days=20)
        await stored.add("alice", said("c"), previous_id="b")
        assert ids(await stored.history("alice", "c")) == ["a", "b", "c"]
        for caller, response_id in (("alice", "idle"), ("bob", "bob's")):
            with pytest.raises(NotFound):
                await stored.one(caller, response_id)


async def test_of_each_caller_the_answers_used_last_are_kept(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database, most_responses=3, clock=Ticking())
        await stored.add("bob", said("bob's"))
        await stored.add("alice", said("a"))
        await stored.add("alice", said("idle"))
        await stored.add("alice", said("b"), previous_id="a")
        await stored.add("alice", said("c"), previous_id="b")
        assert ids(await stored.history("alice", "c")) == ["a", "b", "c"]
        assert ids(await stored.history("bob", "bob's")) == ["bob's"]
        await stored.add("alice", said("d"), previous_id="c")
        with pytest.raises(NotFound, match="'d' continues 'a'"):
            await stored.history("alice", "d")
        with pytest.raises(NotFound):
            await stored.one("alice", "idle")


async def test_the_answers_of_a_caller_are_bounded_in_bytes(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database, most_bytes=3_000, clock=Ticking())
        for number in range(5):
            await stored.add("alice", said(f"r{number}", "x" * 500))
        kept = [await is_kept(stored, f"r{number}") for number in range(5)]
    assert kept == [False, False, False, True, True]


async def test_a_history_that_is_too_big_for_a_request_is_refused(url: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database, most_history_bytes=1_500)
        await stored.add("alice", said("a", "x" * 500))
        await stored.add("alice", said("b", "x" * 500), previous_id="a")
        assert ids(await stored.history("alice", "a")) == ["a"]
        with pytest.raises(InvalidRequest, match="more than 1500 bytes"):
            await stored.history("alice", "b")


async def test_many_may_be_kept_at_once(url: str) -> None:
    async with Database(url) as one, Database(url) as other:
        rooms = [StoredResponses(one), StoredResponses(other)]
        await rooms[0].add("alice", said("root"))
        adding: list[Any] = [
            rooms[number % 2].add("alice", said(f"r{number}"), previous_id="root")
            for number in range(20)
        ]
        await asyncio.gather(*adding)
        chains = [rooms[0].history("alice", f"r{number}") for number in range(20)]
        found = await asyncio.gather(*chains)
    assert [ids(chain) for chain in found] == [["root", f"r{number}"] for number in range(20)]


async def is_kept(stored: StoredResponses, response_id: str) -> bool:
    try:
        await stored.one("alice", response_id)
    except NotFound:
        return False
    return True


@pytest.mark.parametrize("odd", ["resp_\x00", "resp_\ud83d", "resp_" + "x" * 100_000])
async def test_an_id_that_no_answer_can_have_is_not_found(url: str, odd: str) -> None:
    async with Database(url) as database:
        stored = StoredResponses(database)
        with pytest.raises(NotFound):
            await stored.one("alice", odd)
        with pytest.raises(NotFound):
            await stored.history("alice", odd)
        with pytest.raises(NotFound):
            await stored.forget("alice", odd)
