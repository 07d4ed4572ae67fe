import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.conversations import Conversations, Said, Saying
from gateway.storage.database import Database
from tests.stand_ins.postgres import postgres

NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return postgres().new_database()
    return f"sqlite:///{tmp_path}/gateway.db"


def contents(said: Sequence[Said]) -> list[str]:
    return [message.content for message in said]


async def test_what_was_said_is_there_in_order_after_the_next_start(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database, clock=lambda: NOON)
        await conversations.add("alice", "u1", messages=[("system", "Be brief."), ("user", "Hi")])
        await conversations.add("alice", "u1", messages=[("assistant", "Hello 👋")])
    async with Database(url) as database:
        said = await Conversations(database).last("alice", "u1", most=10)
    assert said == [
        Said("system", "Be brief.", NOON),
        Said("user", "Hi", NOON),
        Said("assistant", "Hello 👋", NOON),
    ]


async def test_the_last_messages_are_those_that_are_asked_for(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database)
        await conversations.add("a", "u", messages=[("user", str(n)) for n in range(9)])
        assert contents(await conversations.last("a", "u", most=2)) == ["7", "8"]
        assert await conversations.last("a", "nobody", most=2) == []


async def test_a_callers_users_are_its_own(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database)
        await conversations.add("alice", "u1", messages=[("user", "alice's")])
        await conversations.add("bob", "u1", messages=[("user", "bob's")])
        assert contents(await conversations.last("bob", "u1", most=9)) == ["bob's"]
        assert await conversations.forget("bob", "u1") == 1
        assert await conversations.last("bob", "u1", most=9) == []
        assert contents(await conversations.last("alice", "u1", most=9)) == ["alice's"]
        assert await conversations.forget("bob", "u1") == 0


async def test_what_no_database_can_keep_is_left_out_and_all_else_kept(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database)
        await conversations.add(
            "a", "u", messages=[("user", "be\x00fo\ud83dre 👋"), ("user", "after")]
        )
        assert contents(await conversations.last("a", "u", most=9)) == ["before 👋", "after"]


async def test_only_the_newest_messages_are_kept(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database, most_messages=4)
        for number in range(0, 10, 2):
            await conversations.add(
                "a", "u", messages=[("user", str(number)), ("assistant", str(number + 1))]
            )
        assert contents(await conversations.last("a", "u", most=99)) == ["6", "7", "8", "9"]
        assert await conversations.forget("a", "u") == 4


async def test_what_is_said_at_the_same_time_is_all_kept_and_never_torn(url: str) -> None:
    async with Database(url) as database, Database(url) as replica:
        writers = [Conversations(database), Conversations(replica)]
        await asyncio.gather(
            *(
                writers[number % 2].add("a", "u", messages=[("user", f"{number}"), ("user", "?")])
                for number in range(20)
            )
        )
        said = contents(await writers[0].last("a", "u", most=99))
    assert sorted(said[::2], key=int) == [str(number) for number in range(20)]
    assert said[1::2] == ["?"] * 20


async def test_what_is_kept_of_one_conversation_is_bounded_in_characters(url: str) -> None:
    async with Database(url) as database:
        conversations = Conversations(database, most_characters=25)
        await conversations.add("a", "other", messages=[("user", "x" * 20)])
        for number in range(4):
            await conversations.add("a", "u", messages=[Saying("user", f"{number}" * 5, "m" * 5)])
        said = await conversations.last("a", "u", most=10)
        assert [one.content for one in said] == ["22222", "33333"]
        assert len(await conversations.last("a", "other", most=10)) == 1
