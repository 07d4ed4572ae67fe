"""How far a watcher has come outlives the process, and of several processes one takes a step."""

import asyncio

from gateway.agents.watchers.marks import Marks
from gateway.storage.database import Database


async def test_each_watcher_has_its_own_mark_which_outlives_the_process(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        marks = Marks(database)
        assert await marks.mark("git:shop") is None
        await marks.set("git:shop", "one")
        await marks.set("git:shop", "two")
        assert await marks.mark("git:desk") is None
    async with Database(database_url) as database:
        assert await Marks(database).mark("git:shop") == "two"


async def test_of_several_processes_with_one_old_mark_one_goes_on(database_url: str) -> None:
    async with Database(database_url) as here, Database(database_url) as there:
        both = Marks(here), Marks(there)
        for old, new in ((None, "one"), ("one", "two")):
            went = await asyncio.gather(*(one.advance("git:shop", old, new) for one in both * 3))
            assert sorted(went) == [False] * 5 + [True]
        assert not await both[0].advance("git:shop", None, "three")
        assert await both[1].mark("git:shop") == "two"
