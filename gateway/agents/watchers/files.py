"""Publishes what changes in a folder, once it has been quiet for a moment."""

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from fnmatch import fnmatchcase, translate
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from gateway.agents.event import News
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.settings import FileWatch
from gateway.agents.watchers.surroundings import Publish, Wait
from gateway.agents.watchers.troubles import Troubles
from gateway.cancellation import ended

logger = logging.getLogger(__name__)

MOST_CHANGES = 200
MOST_FILES = 20_000
# An event takes 256 KiB.
MOST_BYTES = 200 * 1024
_AROUND_A_CHANGE = len('"path":"change":"size":')
ALWAYS_IGNORED = (
    ".git .hg .svn __pycache__ node_modules .venv .mypy_cache .pytest_cache .ruff_cache .DS_Store "
    "*.pyc *.swp *.swx *.swo *~ .#* #*# 4913 .goutputstream-*"
).split()
"""Names of files and folders: of version control, caches, and what editors write in between."""

_is_always_ignored = re.compile("|".join(map(translate, ALWAYS_IGNORED))).match
# Changes that never end are told all the same.
_MOST_DEBOUNCES = 10
_STEP_MILLISECONDS = 50
_LOOK_FOR_FOLDER_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 5.0


class Seen(NamedTuple):
    """A file, as it was: one whose size and time are the same has not changed."""

    size: int
    changed_ns: int


Snapshot = Mapping[str, Seen]


class State(NamedTuple):
    """`turn` rises with each change, so that one that happens again is another one."""

    turn: int
    files: Snapshot


class Change(NamedTuple):
    path: str
    change: str
    size: int | None


class FileWatcher:
    """The mark is all files with their sizes and times, so that what changes while no gateway
    runs is noticed at the next start; at the first start nothing is published.

    Several processes must see the same folder. A folder that is not there is an empty one.
    """

    def __init__(
        self, watch: FileWatch, publish: Publish, marks: Marks, *, wait: Wait = asyncio.sleep
    ) -> None:
        self._watch = watch
        self._publish = publish
        self._marks = marks
        self._wait = wait
        self._name = f"files:{watch.name}"
        self._path = watch.path.absolute()
        self._troubles = Troubles(self._name)
        self._deaf = Troubles(f"{self._name}, which now looks every few seconds,")
        self._bell = asyncio.Event()
        self._is_too_much = False

    async def __aenter__(self) -> Self:
        # What is there now is old; what is written as soon as this returns is new.
        await self._troubles.tried(self.look)
        self._tasks = [
            asyncio.create_task(self._keep_listening(), name=f"{self._name} listens"),
            asyncio.create_task(self._keep_looking(), name=self._name),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(*self._tasks)

    async def look(self) -> None:
        """Publish how the files differ from what was published before."""
        now = await asyncio.to_thread(self._snapshot)
        mark = await self._marks.mark(self._name)
        if mark is None:
            await self._marks.advance(self._name, None, _written(State(0, now)))
            return
        before = _read(mark)
        if changes := compared(before.files, now):
            await self._publish(self._news(changes, before.turn))
            # Only now: what dies before it publishes again, and the delivery is known.
            await self._marks.advance(self._name, mark, _written(State(before.turn + 1, now)))

    async def _keep_looking(self) -> None:
        while True:
            await self._bell.wait()
            await self._quiet()
            while not await self._troubles.tried(self.look):
                await self._wait(_LOOK_AGAIN_SECONDS)

    async def _quiet(self) -> None:
        """Returns once nothing has changed for the time of the debounce."""
        seconds = self._watch.debounce_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOST_DEBOUNCES * seconds):
                while self._bell.is_set():
                    self._bell.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._bell.wait(), seconds)
        self._bell.clear()

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                # Such as too many watches for the system: then it looks now and then.
                self._deaf.take(error)
                self._bell.set()
                await self._wait(_LOOK_AGAIN_SECONDS)
            await self._wait(_LOOK_FOR_FOLDER_SECONDS)

    async def _listen(self) -> None:
        """Until the folder is another one; one that does not exist is not listened to."""
        # It takes a twentieth of a second to import, and most gateways watch no files.
        from watchfiles import awatch

        place = _place(self._path)
        if place is None:
            return
        changes = awatch(
            place.folder,
            watch_filter=lambda _, path: self._concerns(Path(path)),
            step=_STEP_MILLISECONDS,
            debounce=2 * _STEP_MILLISECONDS,
            yield_on_timeout=True,
            recursive=place.is_whole,
            ignore_permission_denied=True,
        )
        # What came before it listened made no sound.
        self._bell.set()
        async with aclosing(changes):
            async for some in changes:
                self._deaf.end()
                is_same = _place(self._path) == place
                if some or not is_same:
                    self._bell.set()
                if not is_same:
                    return

    def _concerns(self, path: Path) -> bool:
        if not path.is_relative_to(self._path):
            return False
        inner = path.relative_to(self._path)
        return not any(map(_is_always_ignored, inner.parts)) and not self._is_ignored(str(inner))

    def _snapshot(self) -> Snapshot:
        watched = (
            (path, seen)
            for path, seen in _files(self._path, is_ignored=self._is_ignored)
            if any(fnmatchcase(path, one) for one in self._watch.include)
        )
        found = dict(islice(watched, MOST_FILES))
        is_too_much = next(watched, None) is not None
        if is_too_much and not self._is_too_much:
            logger.warning(
                "%s watches %d files, and the others not; include or ignore more narrowly",
                self._name,
                MOST_FILES,
            )
        self._is_too_much = is_too_much
        return found

    def _is_ignored(self, path: str) -> bool:
        """What is true of a folder is so of all in it."""
        return any(
            fnmatchcase(path, one) or (one.endswith("*") and fnmatchcase(f"{path}/", one))
            for one in self._watch.ignore
        )

    def _news(self, changes: Sequence[Change], turn: int) -> News:
        told = _fitting(changes)
        data: dict[str, Any] = {
            "watch": self._watch.name,
            "changes": [one._asdict() for one in told],
        }
        if len(changes) > len(told):
            data["changes_left_out"] = len(changes) - len(told)
        first, others = changes[0], len(changes) - 1
        subject = f"{first.path} {first.change}" + (f", and {others} more" if others else "")
        return News(
            "file:changed",
            data,
            source="files",
            subject=subject[:200],
            delivery=f"{self._watch.name}:{turn}:{_digest(changes)}",
        )


def compared(before: Snapshot, now: Snapshot) -> Sequence[Change]:
    """By path."""
    changes = [Change(path, "deleted", None) for path in before.keys() - now.keys()]
    for path, seen in now.items():
        if before.get(path) != seen:
            kind = "modified" if path in before else "added"
            changes.append(Change(path, kind, seen.size))
    return sorted(changes)


def _fitting(changes: Sequence[Change]) -> Sequence[Change]:
    """Those that one event takes; a path may have 4,096 bytes."""
    ends = accumulate(len(json.dumps(one)) + _AROUND_A_CHANGE for one in changes[:MOST_CHANGES])
    return changes[: sum(end <= MOST_BYTES for end in ends)]


def _files(root: Path, *, is_ignored: Callable[[str], bool]) -> Iterator[tuple[str, Seen]]:
    """In a steady order, with paths below the root; of links and devices there are none."""
    if root.is_file():
        with suppress(FileNotFoundError):
            yield root.name, _seen(root.stat())
        return
    # Texts, since there may be many: as paths they take twice as long.
    folders = [("", str(root))]
    while folders:
        prefix, folder = folders.pop()
        for entry in _entries(folder):
            name = prefix + entry.name
            if is_ignored(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{name}/", entry.path))
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    seen = _seen(entry.stat(follow_symlinks=False))
                    yield name.encode("utf-8", "replace").decode(), seen


def _entries(folder: str) -> Sequence["os.DirEntry[str]"]:
    # It may be gone by now, or never have been ours to read.
    try:
        with os.scandir(folder) as found:
            entries = [one for one in found if not _is_always_ignored(one.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return sorted(entries, key=lambda one: one.name)


def _seen(found: os.stat_result) -> Seen:
    return Seen(found.st_size, found.st_mtime_ns)


class _Place(NamedTuple):
    """Where to listen; of a file its folder, but nothing below, since editors replace files."""

    folder: Path
    is_whole: bool
    identity: tuple[int, int]


def _place(path: Path) -> _Place | None:
    try:
        folder = path if path.is_dir() else path.parent if path.is_file() else None
        found = folder.stat() if folder else None
    except OSError:
        return None
    if folder is None or found is None:
        return None
    return _Place(folder, folder == path, (found.st_dev, found.st_ino))


def _written(state: State) -> str:
    return json.dumps(state, separators=(",", ":"))


def _read(mark: str) -> State:
    turn, files = json.loads(mark)
    return State(turn, {path: Seen(*seen) for path, seen in files.items()})


def _digest(changes: Sequence[Change]) -> str:
    """The same for every process that saw the same."""
    return hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:32]
