"""Prompting strategies as they are kept: per caller and model, for all processes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, update

from gateway import strategies as module
from gateway.errors import InvalidRequest, Refused
from gateway.storage.database import Database
from gateway.storage.tables import prompting_strategies as kept
from gateway.strategies import MOST_CHARACTERS, PromptingStrategy, Strategies

BRIEF = PromptingStrategy(system_prompt="Be brief.")
T = TypeVar("T")
WRAPPED = PromptingStrategy(user_template="<{prompt}>", use_chat_format=False)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.db"


async def test_each_caller_has_its_own_for_each_model(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        assert strategies.get("alice", "p/m") is None
        await strategies.set("alice", "p/m", BRIEF)
        await strategies.set("alice", "p/n", WRAPPED)
        assert strategies.get("alice", "p/m") == BRIEF
        assert strategies.get("bob", "p/m") is None
        assert strategies.all("alice") == {"p/m": BRIEF, "p/n": WRAPPED}


async def test_one_set_later_replaces_the_whole_and_an_empty_one_removes_it(
    tmp_path: Path,
) -> None:
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        await strategies.set("alice", "p/m", BRIEF)
        await strategies.set("alice", "p/m", WRAPPED)
        assert strategies.get("alice", "p/m") == WRAPPED
        for nothing in (PromptingStrategy(), None):
            await strategies.set("alice", "p/m", BRIEF)
            await strategies.set("alice", "p/m", nothing)
            assert strategies.all("alice") == {}


async def test_strategies_outlive_the_process(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        await strategies.set("alice", "p/m", WRAPPED)
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        assert strategies.get("alice", "p/m") == WRAPPED


async def test_what_another_process_sets_is_seen_by_itself(tmp_path: Path) -> None:
    assert module.REFRESH_SECONDS <= 30
    async with (
        Database(url(tmp_path)) as mine,
        Database(url(tmp_path)) as another,
        Strategies(mine, refresh_seconds=0.005) as here,
        Strategies(another) as there,
    ):
        before = here.revision
        await there.set("alice", "p/m", BRIEF)
        async with asyncio.timeout(5):
            while here.get("alice", "p/m") is None:
                await mine.read(lambda _: None)
        assert here.revision is not before
        await there.set("alice", "p/m", None)
        await here.refresh()
        assert here.get("alice", "p/m") is None


async def test_the_revision_changes_only_with_the_strategies(tmp_path: Path) -> None:
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        before = strategies.revision
        await strategies.refresh()
        assert strategies.revision is before
        await strategies.set("alice", "p/m", BRIEF)
        assert strategies.revision is not before


async def test_a_caller_cannot_fill_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_A_CALLER", 2)
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        for model in ("p/a", "p/b", "p/b"):
            await strategies.set("alice", model, BRIEF)
        with pytest.raises(Refused, match="for 2 models already"):
            await strategies.set("alice", "p/c", BRIEF)
        await strategies.set("bob", "p/c", BRIEF)
        await strategies.set("alice", "p/c", None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"user_template": "no place"}, r"user_template: \{prompt\} is missing; it takes"),
        ({"user_template": "{prompt} {prompt}"}, "more than once"),
        ({"user_template": "{prompt} {name}"}, r"\{name\} stands for nothing"),
        ({"user_template": "{prompt} {}"}, r"\{\} stands for nothing"),
        ({"user_template": "{prompt!r}"}, "stands for nothing"),
        ({"user_template": "{prompt:>1000000000}"}, "stands for nothing"),
        ({"user_template": "{prompt.__class__}"}, "stands for nothing"),
        ({"user_template": "{prompt} }"}, "write other braces twice"),
        ({"user_template": "{prompt"}, "write other braces twice"),
        ({"assistant_template": "{answer}"}, r"\{answer\} stands for nothing"),
        ({"assistant_template": "{response}{prompt}"}, "more than one"),
        ({"system_prompt": "x" * (MOST_CHARACTERS + 1)}, "20,001 characters; at most 20,000"),
        ({"system_prompt": "a\x00b"}, "cannot be kept"),
        ({"system_prompt": "a\ud800b"}, "cannot be kept"),
    ],
)
def test_what_could_not_be_filled_in_is_refused_with_what_it_takes(
    given: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        PromptingStrategy(**given)  # type: ignore[arg-type]


def test_braces_of_the_text_are_doubled() -> None:
    PromptingStrategy(
        system_prompt="{not read}", user_template='{{"q": {prompt}}}', assistant_template="AI: "
    )


async def test_the_strategies_of_a_caller_have_only_so_many_characters(tmp_path: Path) -> None:
    long = PromptingStrategy(system_prompt="x" * MOST_CHARACTERS)
    async with Database(url(tmp_path)) as database, Strategies(database) as strategies:
        for number in range(25):
            await strategies.set("alice", f"p/{number}", long)
        await strategies.set("alice", "p/0", long)
        with pytest.raises(Refused, match="have 500,000 characters, and this one has 9; at most"):
            await strategies.set("alice", "p/one-more", BRIEF)
        await strategies.set("bob", "p/m", BRIEF)


async def test_only_what_changed_is_read_again(database_url: str) -> None:
    async with (
        Database(database_url) as mine,
        Database(database_url) as another,
        Strategies(mine) as here,
        Strategies(another) as there,
    ):
        await there.set("alice", "p/m", BRIEF)
        await here.refresh()
        # Nobody writes such a line; whoever reads it again would find that it is no strategy.
        broken = update(kept).where(kept.c.model == "p/m").values(strategy="[]")
        await another.write(lambda connection: connection.execute(broken))
        await there.set("alice", "p/n", BRIEF)
        await there.set("bob", "p/n", WRAPPED)
        await here.refresh()
        assert here.all("alice") == {"p/m": BRIEF, "p/n": BRIEF}
        assert here.get("bob", "p/n") == WRAPPED
        newer = update(kept).where(kept.c.model == "p/m").values(time=kept.c.time + 1)
        await another.write(lambda connection: connection.execute(newer))
        await here.refresh()
        assert here.all("alice") == {"p/n": BRIEF}


async def test_two_changes_at_one_moment_are_both_seen(database_url: str) -> None:
    async with (
        Database(database_url) as database,
        Strategies(database) as here,
        Strategies(database, clock=lambda: datetime(2026, 11, 21, tzinfo=UTC)) as there,
    ):
        for strategy in (BRIEF, WRAPPED, BRIEF):
            await there.set("alice", "p/m", strategy)
            await here.refresh()
            assert here.get("alice", "p/m") == strategy


class Paused(Database):
    """Its next read waits for `resumed` with what it found, once `pauses` is set."""

    pauses = False
    fails = False

    async def read(self, work: Callable[[Connection], T]) -> T:
        if self.fails:
            self.fails = False
            raise RuntimeError("unexpected")
        pauses, self.pauses = self.pauses, False
        found = await super().read(work)
        if pauses:
            self.paused.set()
            await self.resumed.wait()
        return found

    async def __aenter__(self) -> "Paused":
        self.paused, self.resumed = asyncio.Event(), asyncio.Event()
        return await super().__aenter__()


async def test_an_older_look_at_the_database_does_not_hide_what_was_set_since(
    database_url: str,
) -> None:
    async with Paused(database_url) as database, Strategies(database) as strategies:
        database.pauses = True
        refreshing = asyncio.create_task(strategies.refresh())
        await database.paused.wait()
        setting = asyncio.create_task(strategies.set("alice", "p/m", BRIEF))
        # It ends in this time only if it does not wait for its turn.
        await asyncio.wait([setting], timeout=0.2)
        database.resumed.set()
        async with asyncio.timeout(5):
            await asyncio.gather(refreshing, setting)
        assert strategies.get("alice", "p/m") == BRIEF


async def test_it_goes_on_after_whatever_went_wrong(database_url: str) -> None:
    async with (
        Paused(database_url) as mine,
        Database(database_url) as another,
        Strategies(mine, refresh_seconds=0.005) as here,
        Strategies(another) as there,
    ):
        mine.fails = True
        async with asyncio.timeout(5):
            while mine.fails:
                await another.read(lambda _: None)
            await there.set("alice", "p/m", BRIEF)
            while here.get("alice", "p/m") is None:
                await another.read(lambda _: None)
