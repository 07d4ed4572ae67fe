"""New commits of a real repository become events, once each, whatever the repository holds."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.event import Event, News, Stored
from gateway.agents.event_store import EventStore
from gateway.agents.watchers import git as module
from gateway.agents.watchers.git import GitWatcher
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.settings import GitWatch
from gateway.errors import BadAnswer, Unavailable
from gateway.storage.database import Database

SERVICE = """from fastapi import FastAPI

app = FastAPI()


@app.post("/payments")
def pay(amount: int) -> None:
    print(amount)
"""


class Repository:
    """A real one, written by the real program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._clock = 1_800_000_000
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, author: str = "Ada <ada@example.org>") -> str:
        name, _, address = author.rstrip(">").partition(" <")
        self._clock += 60
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_COMMITTER_DATE": f"{self._clock} +0100",
            "GIT_AUTHOR_DATE": f"{self._clock} +0100",
        }
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": name, f"GIT_{who}_EMAIL": address}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, files: Mapping[str, str | bytes] | None = None) -> str:
        for path, text in (files or {}).items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


class Watched:
    """A watcher of the repository, the events that it stored, and how to begin it anew."""

    def __init__(self, repository: Repository, database: Database, **watch: Any) -> None:
        self.watch = GitWatch("shop", repository.folder, **watch)
        self.store = EventStore(database)
        self.marks = Marks(database)
        self.watcher = self.again()

    def again(self) -> GitWatcher:
        return GitWatcher(self.watch, self.store.store, self.marks)

    async def look(self) -> Sequence[Event]:
        """What is new after this look, in the order in which it was stored."""
        before = await self.store.position()
        await self.watcher.look()
        events = [one for one in await self.store.latest(limit=1_000) if one.position > before]
        return events[::-1]

    async def commits(self) -> list[Mapping[str, Any]]:
        return [one.news.data for one in await self.look() if one.topic == "git:commit"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


@asynccontextmanager
async def watched(repository: Repository, **watch: Any) -> AsyncIterator[Watched]:
    async with Database(f"sqlite:///{repository.folder.parent}/gateway.db") as database:
        yield Watched(repository, database, **watch)


async def test_a_new_commit_is_told_with_its_files_and_its_diff(repository: Repository) -> None:
    repository.commit("Begin", {"old.py": "a = 1\n" * 9, "gone.txt": "x\n", "logo.png": b"\0a"})
    async with watched(repository) as shop:
        assert await shop.look() == []
        repository.git("mv", "old.py", "new.py")
        (repository.folder / "gone.txt").unlink()
        commit = repository.commit(
            "Take payments\n\nWith cards.\n\nSigned-off-by: Ada <ada@example.org>",
            {"pay/service.py": SERVICE, "new.py": "a = 1\n" * 8 + "b = 2\n", "logo.png": b"\0b"},
        )
        events = await shop.look()
    assert [one.topic for one in events] == ["git:commit", "code:change", "api:created"]
    first, change, api = (one.news for one in events)
    files = {one["path"]: one for one in first.data["files"]}
    assert files["pay/service.py"] == {
        "path": "pay/service.py",
        "status": "added",
        "added_lines": 8,
        "deleted_lines": 0,
        "language": "python",
    }
    assert files["new.py"]["status"] == "renamed"
    assert files["new.py"]["previous_path"] == "old.py"
    assert (files["new.py"]["added_lines"], files["new.py"]["deleted_lines"]) == (1, 1)
    assert files["gone.txt"]["status"] == "deleted"
    assert files["logo.png"]["is_binary"]
    assert files["logo.png"]["added_lines"] is None
    diff = first.data["diff"]
    assert "+    print(amount)\n" in diff
    assert "Binary files a/logo.png and b/logo.png differ" in diff
    rest = {name: first.data[name] for name in first.data if name not in ("files", "diff")}
    assert rest == {
        "repository": "shop",
        "branch": "main",
        "commit": commit,
        "short": commit[:8],
        "author_name": "Ada",
        "subject": "Take payments",
        "body": "With cards.\n\nSigned-off-by: Ada",
        "time": rest["time"],
        "is_merge": False,
    }
    assert rest["time"].startswith("2027-01-15T")
    assert (first.source, first.subject) == ("git", f"shop {commit[:8]}: Take payments")
    assert change.data == first.data
    assert api.data == {
        **first.data,
        "apis": [{"file": "pay/service.py", "name": "POST /payments"}],
    }
    assert "example.org" not in str(events)


async def test_commits_come_in_order_and_those_of_several_branches_once(
    repository: Repository,
) -> None:
    repository.commit("Begin")
    async with watched(repository, branches=("main", "feature/*")) as shop:
        await shop.look()
        repository.commit("One")
        repository.git("switch", "--quiet", "--create", "feature/refunds")
        repository.commit("Two")
        repository.git("switch", "--quiet", "--create", "private")
        repository.commit("Nobody watches this")
        told = [(one["branch"], one["subject"]) for one in await shop.commits()]
        assert told == [("main", "One"), ("feature/refunds", "Two")]
        assert await shop.look() == []
        repository.git("branch", "--force", "main", "feature/refunds")
        assert await shop.look() == []


async def test_a_restart_goes_on_where_it_stopped(repository: Repository) -> None:
    repository.commit("Begin")
    async with watched(repository) as shop:
        await shop.look()
    repository.commit("While it was down")
    async with watched(repository) as shop:
        assert [one["subject"] for one in await shop.commits()] == ["While it was down"]
    async with watched(repository) as shop:
        assert await shop.look() == []


async def test_what_dies_between_publishing_and_marking_publishes_nothing_twice(
    repository: Repository,
) -> None:
    repository.commit("Begin")
    async with watched(repository) as shop:
        await shop.look()
        mark = await shop.marks.mark("git:shop")
        repository.commit("One", {"a.py": "a = 1\n"})
        assert len(await shop.look()) == 2
        await shop.marks.set("git:shop", str(mark))
        repository.commit("Two")
        shop.watcher = shop.again()
        assert [one["subject"] for one in await shop.commits()] == ["Two"]


async def test_several_processes_publish_each_commit_once(
    repository: Repository, database_url: str
) -> None:
    repository.commit("Begin")
    async with Database(database_url) as here, Database(database_url) as there:
        both = [Watched(repository, one) for one in (here, there)]
        for number in range(3):
            await asyncio.gather(*(one.watcher.look() for one in both))
            repository.commit(f"Number {number}", {"a.py": f"a = {number}\n"})
        stored = await both[0].store.latest(limit=100)
        told = [(one.topic, one.news.data["subject"]) for one in stored]
        assert sorted(told) == sorted(
            (topic, f"Number {number}")
            for number in range(2)
            for topic in ("git:commit", "code:change")
        )


async def test_after_a_forced_push_only_what_is_new_is_told(repository: Repository) -> None:
    repository.commit("Begin")
    repository.commit("Mistake")
    async with watched(repository) as shop:
        await shop.look()
        repository.git("reset", "--quiet", "--hard", "HEAD~1")
        repository.commit("Instead")
        assert [one["subject"] for one in await shop.commits()] == ["Instead"]
        # Even when nobody knows the old commits any more.
        repository.git("reset", "--quiet", "--hard", "HEAD~1")
        repository.commit("Once more")
        repository.git("reflog", "expire", "--expire=now", "--all")
        repository.git("gc", "--quiet", "--prune=now")
        assert await shop.look() == []
        repository.commit("And on")
        assert [one["subject"] for one in await shop.commits()] == ["And on"]


async def test_of_very_many_commits_the_latest_are_told(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_COMMITS", 3)
    repository.commit("Begin")
    async with watched(repository) as shop:
        await shop.look()
        for number in range(5):
            repository.commit(f"Number {number}")
        told = await shop.commits()
    assert [one["subject"] for one in told] == ["Number 2", "Number 3", "Number 4"]
    assert [one.get("commits_left_out_before") for one in told] == [2, None, None]
    assert "2 are left out" in caplog.text


async def test_the_first_commit_of_an_empty_repository_is_new(repository: Repository) -> None:
    async with watched(repository) as shop:
        assert await shop.look() == []
        repository.commit("feat(pay): begin", {"a.txt": "a\n"})
        assert [one.topic for one in await shop.look()] == ["git:commit", "feature:added"]


async def test_a_merge_tells_only_what_it_has_changed_by_itself(repository: Repository) -> None:
    repository.commit("Begin", {"a.py": "a = 1\n", "c.py": "c = 1\n"})
    async with watched(repository) as shop:
        await shop.look()
        repository.git("switch", "--quiet", "--create", "other")
        repository.commit("Theirs", {"a.py": "a = 2\n", "b.py": "b = 2\n"})
        repository.git("switch", "--quiet", "main")
        repository.commit("Ours", {"c.py": "c = 3\n"})
        repository.git("merge", "--quiet", "--no-commit", "other")
        repository.commit("Merge other", {"a.py": "a = 4\n"})
        told = {one["subject"]: one for one in await shop.commits()}
    assert list(told)[-1] == "Merge other"
    assert sorted(told) == ["Merge other", "Ours", "Theirs"]
    merged = told["Merge other"]
    assert merged["is_merge"]
    assert [(one["path"], one["added_lines"]) for one in merged["files"]] == [("a.py", 1)]
    assert "b.py" not in merged["diff"]


async def test_a_long_diff_is_cut_and_says_what_is_left_out(repository: Repository) -> None:
    repository.commit("Begin")
    async with watched(repository, most_diff_characters=500) as shop:
        await shop.look()
        repository.commit("Much", {f"{name}.txt": "line\n" * 50 for name in "abc"})
        repository.commit("Very much", {"d.txt": "some line\n" * 100_000})
        much, very_much = await shop.commits()
    assert len(much["diff"]) <= 500
    assert much["diff"].endswith("\n--- /dev/null\n")
    assert "it shows 2 of 3 files" in much["diff_note"]
    assert "it shows 1 of 1 files" in very_much["diff_note"]
    assert very_much["files"][0]["added_lines"] == 100_000


async def test_a_commit_that_is_longer_than_an_event_is_told_in_part(
    repository: Repository,
) -> None:
    repository.commit("Begin")
    async with watched(repository, most_diff_characters=10_000_000) as shop:
        await shop.look()
        names = [f"{'n' * 100}/{'m' * 100}/{number}.py" for number in range(250)]
        repository.commit("All", dict.fromkeys(names, "x = '\x01'\n" * 200))
        commit, change = await shop.look()
    assert commit.news.data["files_left_out"] == 50
    assert "cut to what an event takes" in commit.news.data["diff_note"]
    assert change.topic == "code:change"


class Trap:
    """Knows how programs were run that only the repository asks for."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "program"
        self._ran = folder / "ran"

    def ran(self) -> str:
        return self._ran.read_text() if self._ran.exists() else ""

    def reset(self) -> None:
        self._ran.unlink(missing_ok=True)


@pytest.fixture
def trap(repository: Repository, tmp_path: Path) -> Trap:
    """The repository would like to run a program in every way that it knows."""
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\nexit 0\n')
    program.chmod(0o700)
    hooks = repository.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o700)
    for name, value in {
        "core.fsmonitor": program,
        "core.sshCommand": program,
        "core.pager": program,
        "core.editor": program,
        "core.askPass": program,
        "core.gitProxy": program,
        "credential.helper": program,
        "diff.external": program,
        "diff.evil.command": program,
        "diff.evil.textconv": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "pager.diff-tree": program,
        "pager.rev-list": program,
        "alias.rev-list": f"!{program}",
        "gpg.program": program,
        "log.showSignature": "true",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
        "diff.noprefix": "true",
        "color.ui": "always",
        "safe.directory": "",
    }.items():
        repository.git("config", name, str(value))
    return Trap(tmp_path)


async def test_a_hostile_repository_runs_no_program(
    repository: Repository, trap: Trap, tmp_path: Path
) -> None:
    repository.git("config", "core.fsmonitor", "false")
    for name in ("core.pager", "filter.evil.clean", "filter.evil.smudge"):
        repository.git("config", "--unset", name)
    begin = repository.commit("Begin", {".gitattributes": "*.py diff=evil\n"})
    async with watched(repository) as shop:
        await shop.look()
        commit = repository.commit("One", {"a.py": "a = 1\n"})
        # Signed, so that it is checked wherever signatures are shown.
        text = repository.git("cat-file", "commit", commit)
        signed = tmp_path / "signed"
        signed.write_text(text.replace("\n\n", "\ngpgsig x\n\n", 1))
        commit = repository.git("hash-object", "-t", "commit", "-w", str(signed))
        repository.git("reset", "--soft", commit)
        # A partial clone, of which a blob is missing, whose remote is a program.
        blob = repository.git("rev-parse", f"{commit}:a.py")
        other = repository.commit("Two", {"a.py": "a = 2\n"})
        for name, value in {
            "core.repositoryFormatVersion": "1",
            "extensions.partialClone": "evil",
            "remote.evil.promisor": "true",
            "remote.evil.url": f"ext::{trap.program} %S",
            "remote.evil.uploadpack": str(trap.program),
            "core.pager": str(trap.program),
            "core.fsmonitor": str(trap.program),
        }.items():
            repository.git("config", name, value)
        (repository.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        trap.reset()
        told = await shop.commits()
    assert [one["commit"] for one in told] == [commit, other]
    assert begin not in str(told)
    assert all("could not be read" in one["diff_note"] for one in told)
    assert trap.ran() == ""


async def test_a_hostile_diff_driver_is_not_asked(repository: Repository, trap: Trap) -> None:
    repository.commit("Begin", {".gitattributes": "*.py diff=evil\n"})
    async with watched(repository) as shop:
        await shop.look()
        repository.commit("One", {"a.py": "a = 1\n"})
        trap.reset()
        (told,) = await shop.commits()
    assert "+++ b/a.py" in told["diff"]
    assert "\x1b" not in told["diff"]
    assert trap.ran() == ""


async def test_a_repository_that_is_not_there_is_waited_for_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder, looks, stored = tmp_path / "shop", 0, asyncio.Event()
    made: Repository | None = None
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        store = EventStore(database)

        async def publish(news: News) -> Stored:
            stored.set()
            return await store.store(news)

        async def wait(_: float) -> None:
            nonlocal looks, made
            looks += 1
            if looks == 3:
                made = Repository(folder)
                made.commit("Old")
            if looks == 6:
                (folder / ".git" / "HEAD").rename(tmp_path / "HEAD")
            if looks == 8:
                (tmp_path / "HEAD").rename(folder / ".git" / "HEAD")
            if looks == 9 and made:
                made.git("branch", "copy")
            if looks > 9:
                await asyncio.Event().wait()

        watch = GitWatch("shop", folder)
        async with (
            asyncio.timeout(20),
            GitWatcher(watch, publish, Marks(database), wait=wait) as watcher,
        ):
            while looks <= 9:
                await database.read(lambda _: None)
            await watcher.look()
        assert not stored.is_set()
    said = [one.getMessage() for one in caplog.records if one.name.endswith("troubles")]
    assert ["again" in one for one in said] == [False, True, False, True]
    assert "git for-each-ref" in said[0]


async def test_what_could_not_be_stored_is_published_at_the_next_look(
    repository: Repository,
) -> None:
    repository.commit("Begin")
    async with watched(repository, every_seconds=0.01) as shop:
        await shop.look()
        came, failures = asyncio.Event(), 2

        async def publish(news: News) -> Stored:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise Unavailable("the database does not answer", retry_after_seconds=1)
            stored = await shop.store.store(news)
            came.set()
            return stored

        repository.commit("One")
        async with asyncio.timeout(10), GitWatcher(shop.watch, publish, shop.marks):
            await came.wait()
        assert failures == -1


async def test_a_folder_in_a_repository_is_not_the_repository_around_it(
    repository: Repository,
) -> None:
    repository.commit("Begin", {"inner/a.txt": "a\n"})
    inner = GitWatch("inner", repository.folder / "inner")
    async with watched(repository) as shop:
        with pytest.raises(BadAnswer, match="not a git repository"):
            await GitWatcher(inner, shop.store.store, shop.marks).look()


async def test_a_very_long_message_is_cut_and_hides_no_other_commit(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit("Begin")
    long = tmp_path / "message"
    async with watched(repository) as shop:
        await shop.look()
        repository.commit("Older", {"a.py": "KEY = 'hidden?'\n"})
        long.write_text("Notes\n\n" + "x" * 9 * 1024 * 1024)
        repository.git("commit", "--quiet", "--allow-empty", "--file", str(long))
        long.write_text("y" * 9 * 1024 * 1024)
        repository.git("commit", "--quiet", "--allow-empty", "--file", str(long))
        repository.commit("Newer")
        told = await shop.commits()
    assert [one["subject"] for one in told] == ["Older", "Notes", "y" * 200, "Newer"]
    assert "hidden?" in told[0]["diff"]
    assert told[1]["body"] == "x" * 4_000
    notes = [one.get("message_note") for one in told]
    assert notes == [None, "the message is cut", "the message is cut", None]


async def test_what_a_message_makes_git_say_is_never_taken_for_a_commit(
    repository: Repository, tmp_path: Path
) -> None:
    first = repository.commit("Begin", {"a.txt": "a\n"})
    planted = tmp_path / "planted"
    async with watched(repository) as shop:
        await shop.look()
        tree = repository.git("rev-parse", "HEAD^{tree}")
        # In this encoding a zero byte can be written, with which fields are told apart.
        zero = "+AAA-"
        fields = zero.join(("x", f"--output={planted}", "", "who", "1", "s", "b", ""))
        raw = tmp_path / "raw"
        raw.write_text(
            f"tree {tree}\nparent {first}\nauthor A{zero}B <a@b.org> 1800000000 -0000\n"
            f"committer A <a@b.org> 1800000000 -0000\nencoding UTF-7\n\n{fields}\n\n{fields}\n"
        )
        commit = repository.git("hash-object", "-t", "commit", "-w", "--literally", str(raw))
        repository.git("reset", "--quiet", "--hard", commit)
        assert [one["commit"] for one in await shop.commits()] == [commit]
    assert not planted.exists()


@pytest.mark.parametrize("name", ["--output=x", "a" * 39, "A" * 40, "a" * 40 + "\n", "HEAD"])
async def test_a_mark_that_names_no_commit_is_no_argument(
    repository: Repository, name: str
) -> None:
    repository.commit("Begin")
    async with watched(repository) as shop:
        await shop.marks.set("git:shop", json.dumps({"main": name}))
        with pytest.raises(BadAnswer, match="which is none"):
            await shop.look()


async def test_code_and_text_that_are_to_pass_for_binary_are_shown(repository: Repository) -> None:
    repository.commit("Begin", {"old.txt": "old line\n" * 9})
    async with watched(repository) as shop:
        await shop.look()
        repository.git("mv", "old.txt", "new.PY")
        repository.commit(
            "Hide",
            {
                ".gitattributes": "*.py -diff\n*.PY binary\n.env -diff\n",
                ".env": "KEY=dotenv\n",
                "a/attribute.py": "KEY = 'attribute'\n",
                "new.PY": "old line\n" * 9 + "KEY = 'renamed'\n",
                "zero.go": b"// \0\nconst Key = `zero`\n",
                "open.rs": "// Plain.\n",
                "logo.png": b"\x89PNG\0 pixels",
            },
        )
        commit, change = await shop.look()
    diff = commit.news.data["diff"]
    for line in ("dotenv", "'attribute'", "'renamed'", "`zero`", "// Plain.", "*.py -diff"):
        assert diff.count(line) == 1, line
    assert "Binary files /dev/null and b/logo.png differ" in diff
    assert "pixels" not in diff
    assert "to show 4 changed files of code or text as binary" in commit.news.data["diff_note"]
    assert change.topic == "code:change"


async def test_what_a_size_hides_is_shown_too_and_cut_like_any_diff(
    repository: Repository,
) -> None:
    repository.commit("Begin")
    repository.git("config", "core.bigFileThreshold", "1")
    async with watched(repository, most_diff_characters=500) as shop:
        await shop.look()
        repository.commit("Hide", {"a.py": "KEY = 'size'\n" + "b = 1\n" * 500})
        (told,) = await shop.commits()
    assert "+KEY = 'size'\n" in told["diff"]
    assert len(told["diff"]) <= 500
    assert "the diff is cut" in told["diff_note"]
    assert "as binary" in told["diff_note"]


async def test_a_merge_that_hides_code_says_so(repository: Repository) -> None:
    repository.commit("Begin", {".gitattributes": "*.py -diff\n", "a.py": "a = 1\n"})
    async with watched(repository) as shop:
        await shop.look()
        repository.git("switch", "--quiet", "--create", "other")
        repository.commit("Theirs", {"b.py": "b = 2\n"})
        repository.git("switch", "--quiet", "main")
        repository.commit("Ours", {"c.py": "c = 3\n"})
        repository.git("merge", "--quiet", "--no-commit", "other")
        repository.commit("Merge other", {"a.py": "a = 'evil'\n"})
        events = await shop.look()
    merged = [one for one in events if one.news.data["subject"] == "Merge other"]
    assert [one.topic for one in merged] == ["git:commit", "code:change"]
    data = merged[0].news.data
    assert [(one["path"], one.get("is_binary")) for one in data["files"]] == [("a.py", True)]
    assert "the diff does not show them" in data["diff_note"]


async def test_a_bare_repository_is_read_alike(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Begin")
    bare = tmp_path / "bare"
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(bare))
    async with watched(repository) as shop:
        shop.watch = GitWatch("shop", bare)
        shop.watcher = shop.again()
        await shop.look()
        repository.commit("One", {"a.py": b"key = 1 # \0\n", "b.txt": "b\n"})
        repository.git("push", "--quiet", str(bare), "main")
        (told,) = await shop.commits()
    assert "+key = 1 # " in told["diff"]
    assert "+b\n" in told["diff"]


async def test_an_address_is_taken_out_of_all_that_a_message_says(repository: Repository) -> None:
    repository.commit("Begin")
    async with watched(repository) as shop:
        await shop.look()
        repository.commit("Thanks to Bob <bob@example.org>\n\nAnd to eve@example.org.")
        # The cut of the subject would leave the half of an address.
        repository.commit("z" * 195 + " eve@example.org")
        events = await shop.look()
    assert events[0].news.data["subject"] == "Thanks to Bob"
    assert "eve" not in str(events)
    assert "@" not in str([(one.news.subject, one.news.data) for one in events])
