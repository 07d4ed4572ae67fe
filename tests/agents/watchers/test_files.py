"""What changes in a folder becomes an event, once it is quiet, and also what a restart missed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.event import News, Stored
from gateway.agents.event_store import EventStore
from gateway.agents.watchers import files as module
from gateway.agents.watchers.files import FileWatcher
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.settings import FileWatch
from gateway.errors import Unavailable
from gateway.storage.database import Database

DEBOUNCE = 0.1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


def write(folder: Path, *paths: str, text: str = "some text\n") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class Watched:
    """A folder, the events that its watcher stored, and what happens when one comes."""

    def __init__(self, path: Path, database: Database, **watch: Any) -> None:
        self.watch = FileWatch("desk", path, debounce_seconds=DEBOUNCE, **watch)
        self.store = EventStore(database)
        self.marks = Marks(database)
        self.came = asyncio.Event()
        self.watcher = FileWatcher(self.watch, self.publish, self.marks)

    async def publish(self, news: News) -> Stored:
        stored = await self.store.store(news)
        self.came.set()
        return stored

    async def look(self) -> dict[str, str]:
        """What the next look tells."""
        before = await self.store.position()
        await self.watcher.look()
        return _changes([one for one in await self.store.latest() if one.position > before])

    async def after(self, act: Callable[[], None], *, every: int = 1) -> dict[str, str]:
        """What is told once so many changes were, while it watches."""
        before = await self.store.position()
        act()
        async with asyncio.timeout(10):
            while True:
                self.came.clear()
                new = [one for one in await self.store.latest() if one.position > before]
                if len(told := _changes(new)) >= every:
                    return told
                await self.came.wait()


def _changes(events: Any) -> dict[str, str]:
    return {
        change["path"]: change["change"]
        for event in reversed(events)
        for change in event.news.data["changes"]
    }


@asynccontextmanager
async def watched(path: Path, **watch: Any) -> AsyncIterator[Watched]:
    async with Database(f"sqlite:///{path.parent}/gateway.db") as database:
        yield Watched(path, database, **watch)


async def test_changes_that_follow_each_other_are_one_event(folder: Path) -> None:
    write(folder, "old.txt", "gone.txt")

    def change() -> None:
        (folder / "gone.txt").unlink()
        write(folder, "old.txt", text="other text, which is longer\n")
        write(folder, "deep/er/new.txt")

    async with watched(folder) as desk:
        async with desk.watcher:
            told = await desk.after(change, every=3)
        assert told == {"deep/er/new.txt": "added", "gone.txt": "deleted", "old.txt": "modified"}
        (event,) = await desk.store.latest()
    assert (event.topic, event.news.source) == ("file:changed", "files")
    assert event.news.subject == "deep/er/new.txt added, and 2 more"
    assert event.news.data == {
        "watch": "desk",
        "changes": [
            {"path": "deep/er/new.txt", "change": "added", "size": 10},
            {"path": "gone.txt", "change": "deleted", "size": None},
            {"path": "old.txt", "change": "modified", "size": 28},
        ],
    }


async def test_what_changed_while_it_was_down_is_told_at_the_next_start(folder: Path) -> None:
    write(folder, "old.txt")
    async with watched(folder) as desk:
        assert await desk.look() == {}
    write(folder, "new.txt")
    async with watched(folder) as desk:
        async with desk.watcher:
            assert _changes(await desk.store.latest()) == {"new.txt": "added"}
        assert await desk.look() == {}


async def test_what_dies_between_publishing_and_marking_publishes_nothing_twice(
    folder: Path,
) -> None:
    async with watched(folder) as desk:
        await desk.look()
        mark = str(await desk.marks.mark("files:desk"))
        write(folder, "new.txt")
        assert await desk.look() == {"new.txt": "added"}
        await desk.marks.set("files:desk", mark)
        assert await desk.look() == {}


async def test_a_change_that_happens_again_is_told_again(folder: Path) -> None:
    write(folder, "a.txt")
    before = (folder / "a.txt").stat()
    async with watched(folder) as desk:
        await desk.look()
        for _ in range(2):
            (folder / "a.txt").unlink()
            assert await desk.look() == {"a.txt": "deleted"}
            write(folder, "a.txt")
            os.utime(folder / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
            assert await desk.look() == {"a.txt": "added"}


async def test_several_processes_that_see_the_same_tell_it_once(
    folder: Path, database_url: str
) -> None:
    async with Database(database_url) as here, Database(database_url) as there:
        both = [Watched(folder, one) for one in (here, there)]
        for name in "abc":
            await asyncio.gather(*(one.watcher.look() for one in both))
            write(folder, name)
        stored = await both[0].store.latest()
        assert sorted(_changes([one]).popitem()[0] for one in stored) == ["a", "b"]


async def test_what_is_ignored_or_not_included_is_no_event(folder: Path) -> None:
    include, ignore = ("*.py", "docs/*"), ("build/*", "old", "*_test.py")
    async with watched(folder, include=include, ignore=ignore) as desk:
        await desk.look()
        write(folder, "a.py", "deep/b.py", "docs/c.txt", "older/d.py")
        write(folder, "build/e.py", "old/f.py", "deep/a_test.py", "g.txt")
        write(folder, ".git/h.py", "deep/__pycache__/i.py", "node_modules/j/k.py", ".venv/l.py")
        write(folder, "docs/.c.txt.swp", "docs/c.txt~", "docs/#c.txt#", "docs/4913")
        told = await desk.look()
    assert sorted(told) == ["a.py", "deep/b.py", "docs/c.txt", "older/d.py"]


async def test_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "secret.txt")
    async with watched(folder) as desk:
        await desk.look()
        os.symlink(tmp_path / "elsewhere", folder / "way")
        os.symlink(tmp_path / "elsewhere" / "secret.txt", folder / "secret.txt")
        os.mkfifo(folder / "pipe")
        write(folder, "new.txt")
        assert await desk.look() == {"new.txt": "added"}


async def test_a_folder_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    folder, asked = tmp_path / "desk", asyncio.Event()
    async with watched(folder) as desk:

        async def wait(_: float) -> None:
            asked.set()
            await desk.store.position()

        async with FileWatcher(desk.watch, desk.publish, desk.marks, wait=wait):
            async with asyncio.timeout(5):
                await asked.wait()
            assert await desk.after(lambda: write(folder, "a.txt")) == {"a.txt": "added"}

            def replace() -> None:
                folder.rename(tmp_path / "before")
                write(folder, "b.txt")

            told = await desk.after(replace, every=2)
            assert told == {"a.txt": "deleted", "b.txt": "added"}
            assert "c.txt" in await desk.after(lambda: write(folder, "c.txt"))


async def test_one_file_is_watched_though_editors_replace_it(folder: Path) -> None:
    write(folder, "notes.txt", "other.txt")

    def replace() -> None:
        write(folder, "other.txt", ".notes.txt.new", text="another text\n")
        (folder / ".notes.txt.new").rename(folder / "notes.txt")

    async with watched(folder / "notes.txt") as desk, desk.watcher:
        assert await desk.after(replace) == {"notes.txt": "modified"}


async def test_what_could_not_be_stored_is_told_a_little_later(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 2

    async def wait(_: float) -> None:
        await asyncio.Event().wait() if failures < 0 else None

    async with watched(folder) as desk:

        async def publish(news: News) -> Stored:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise Unavailable("the database does not answer", retry_after_seconds=1)
            return await desk.publish(news)

        async with FileWatcher(desk.watch, publish, desk.marks, wait=wait):
            assert await desk.after(lambda: write(folder, "a.txt")) == {"a.txt": "added"}
    said = [one.getMessage() for one in caplog.records if "cannot watch" in one.getMessage()]
    assert said == ["files:desk cannot watch: Unavailable: the database does not answer"]


async def test_very_many_changes_are_counted_and_very_many_files_not_all_watched(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 300)
    async with watched(folder) as desk:
        await desk.look()
        write(folder, *(f"{number:03}.txt" for number in range(310)))
        for _ in range(2):
            await desk.watcher.look()
        (event,) = await desk.store.latest()
    assert len(event.news.data["changes"]) == 200
    assert event.news.data["changes_left_out"] == 100
    assert [one.getMessage() for one in caplog.records] == [
        "files:desk watches 300 files, and the others not; include or ignore more narrowly"
    ]


async def test_paths_that_are_long_or_no_text_are_an_event_all_the_same(folder: Path) -> None:
    async with watched(folder) as desk:
        await desk.look()
        deep = "/".join(["\x01" * 240] * 6)
        write(folder, *(f"{deep}/{number}" for number in range(60)))
        os.close(os.open(os.fsencode(folder) + b"/no-\xff-text", os.O_CREAT))
        await desk.watcher.look()
        (event,) = await desk.store.latest()
        told: Mapping[str, Any] = event.news.data
    assert len(told["changes"]) + told["changes_left_out"] == 61
    async with watched(folder) as desk:
        assert await desk.look() == {}
