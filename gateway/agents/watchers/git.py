"""Publishes the new commits of a git repository, each with its diff."""

import asyncio
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Self

from gateway.agents.event import News
from gateway.agents.watchers.git_apis import new_apis
from gateway.agents.watchers.git_diff import (
    ChangedFile,
    Changes,
    changed_files,
    cut_diff,
    lines_of,
    merged_files,
    patterns,
    with_note,
)
from gateway.agents.watchers.git_program import MOST_BYTES, Git, Said
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.settings import GitWatch
from gateway.agents.watchers.surroundings import Publish, Wait
from gateway.agents.watchers.troubles import Troubles
from gateway.cancellation import ended
from gateway.clock import rfc3339
from gateway.errors import BadAnswer, GatewayError, InvalidRequest

logger = logging.getLogger(__name__)

MOST_COMMITS = 50
MOST_FILES = 200
MOST_BODY_CHARACTERS = 4_000
MOST_SUBJECT_CHARACTERS = 200
# An event takes 256 KiB; some are left for what is around the data.
MOST_DATA_BYTES = 240 * 1024
_MOST_MESSAGE_BYTES = 64 * 1024
_HEADS = "refs/heads/"
# What its author does not write comes first: the rest may hold a zero byte, or be cut.
_FORMAT = "%ct%x00%P%x00%an%x00%s%x00%b"
_FIELDS = _FORMAT.count("%x00") + 1
_ID = re.compile(r"[0-9a-f]{40,64}")
# No program is run, whatever the repository says of its files.
_PLAIN = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
_OF_A_COMMIT = ("diff-tree", "-r", "--root", "--no-commit-id", *_PLAIN)
_ADDRESS = re.compile(
    r"[ \t]?<[^<>@\s]*@[^<>@\s]*>|(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b"
)
# The last second that a date can say.
_LAST_SECOND = 253_402_300_799
_FEATURE = re.compile(r"feat(?:ure)?(?:\([^)]*\))?!?:\s", re.IGNORECASE)

Tips = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Commit:
    id: str
    parents: tuple[str, ...]
    author: str
    time: datetime
    subject: str
    body: str
    is_cut: bool = False


class GitWatcher:
    """The mark is the last commit of each branch; several processes publish each commit once.

    A commit is published as `git:commit`; as `code:change` too where it changes code; as
    `feature:added` where its subject begins with `feat:`; and as `api:created` where it defines
    one (see `git_apis`). At the first start nothing is: all that is there is old.
    """

    def __init__(
        self, watch: GitWatch, publish: Publish, marks: Marks, *, wait: Wait = asyncio.sleep
    ) -> None:
        self._watch = watch
        self._publish = publish
        self._marks = marks
        self._wait = wait
        self._git = Git(watch.repository)
        self._name = f"git:{watch.name}"
        self._troubles = Troubles(self._name)
        self._seen: Tips | None = None

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._keep_looking(), name=self._name)
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._watching)

    async def look(self) -> None:
        """Publish what is new; cheap where no branch has moved."""
        tips = await self._tips()
        if tips == self._seen:
            return
        mark = await self._marks.mark(self._name)
        if mark is not None:
            await self._publish_between(json.loads(mark), tips)
        # Only now: what dies before it publishes again, and the deliveries are known.
        if await self._marks.advance(self._name, mark, json.dumps(tips)):
            self._seen = tips

    async def _keep_looking(self) -> None:
        while True:
            await self._troubles.tried(self.look)
            await self._wait(self._watch.every_seconds)

    async def _tips(self) -> Tips:
        said = await self._git.run("for-each-ref", "--format=%(objectname) %(refname)", _HEADS)
        if said.is_cut:
            raise BadAnswer("it has more branches than can be watched; name those that matter")
        lines = said.output.decode("utf-8", "replace").splitlines()
        named = (line.split(" ", 1) for line in lines)
        branches = {name.removeprefix(_HEADS): _id(tip) for tip, name in named}
        return {
            name: tip
            for name, tip in sorted(branches.items())
            if any(fnmatchcase(name, pattern) for pattern in self._watch.branches)
        }

    async def _publish_between(self, old: Tips, new: Tips) -> None:
        known = await self._existing(old.values())
        if old and not known:
            logger.warning("%s has another history than before; begins anew", self._name)
            return
        # A branch that is new may be a copy of one that is not.
        for branch in sorted(new, key=lambda name: (name not in old, name)):
            if new[branch] not in known:
                await self._publish_branch(branch, new[branch], known)
                known.add(new[branch])

    async def _existing(self, tips: Iterable[str]) -> set[str]:
        """After a forced push and a cleaning, some may be gone."""
        wanted = sorted({_id(tip) for tip in tips})
        if not wanted:
            return set()
        return set(await self._ids("--no-walk", "--ignore-missing", lines=wanted))

    async def _ids(self, *arguments: str, lines: Sequence[str]) -> Sequence[str]:
        said = await self._git.run("rev-list", *arguments, "--stdin", lines=lines)
        if said.is_cut:
            raise BadAnswer("it has more commits than can be told apart")
        return [_id(line) for line in said.output.decode("utf-8", "replace").split()]

    async def _publish_branch(self, branch: str, tip: str, known: Iterable[str]) -> None:
        span = [tip, *(f"^{one}" for one in known)]
        counted = await self._git.run("rev-list", "--count", "--stdin", lines=span)
        ids = await self._ids("--topo-order", f"--max-count={MOST_COMMITS}", lines=span)
        left_out = int(counted.output) - len(ids)
        if left_out:
            logger.warning(
                "%s: of branch=%s the latest %d new commits are published, %d are left out",
                self._name,
                branch,
                len(ids),
                left_out,
            )
        # The oldest first.
        for id_ in reversed(ids):
            await self._publish_commit(branch, await self._commit(id_), left_out=left_out)
            left_out = 0

    async def _commit(self, id_: str) -> Commit:
        """Each is read by itself, so that a long one hides no other."""
        said = await self._git.run(
            "rev-list",
            "--no-walk",
            "--no-commit-header",
            "--encoding=UTF-8",
            f"--format={_FORMAT}",
            id_,
            most_bytes=_MOST_MESSAGE_BYTES,
        )
        return _read_commit(id_, said)

    async def _publish_commit(self, branch: str, commit: Commit, *, left_out: int) -> None:
        changes = await self._changes(commit)
        data = {
            "repository": self._watch.name,
            "branch": branch,
            **_told(commit),
            "files": [one.as_json() for one in changes.files[:MOST_FILES]],
            "diff": changes.diff,
            **_left_out(commit, changes, commits=left_out),
        }
        for topic, more in _topics(commit, changes):
            try:
                await self._publish(self._news(topic, commit, data=fitting({**data, **more})))
            except InvalidRequest as error:
                # It would be refused forever, and with it all that comes after.
                logger.warning("%s: commit=%s is no event: %s", self._name, commit.id, error)

    def _news(self, topic: str, commit: Commit, *, data: Mapping[str, Any]) -> News:
        delivery = f"{self._watch.name}:{commit.id}"
        return News(
            topic,
            data,
            source="git",
            subject=f"{self._watch.name} {commit.id[:8]}: {commit.subject}",
            delivery=delivery if topic == "git:commit" else f"{delivery}:{topic}",
        )

    async def _changes(self, commit: Commit) -> Changes:
        """What cannot be read, for its size or because a part is missing, is told without it."""
        try:
            if len(commit.parents) > 1:
                return await self._merged(commit)
            most = self._watch.most_diff_characters
            counted = await self._git.run(
                *_OF_A_COMMIT, "-M", "--raw", "--numstat", "-z", commit.id
            )
            if counted.is_cut:
                return Changes(note="it changes more files than can be told of")
            files = changed_files(counted.output)
            patch = await self._patch(commit, files)
        except GatewayError as error:
            logger.warning("%s: commit=%s is told without its diff", self._name, commit.id)
            return Changes(note=f"the diff could not be read: {error}")
        text = patch.output.decode("utf-8", "replace")
        changes = cut_diff(text, files, most_characters=most, has_more=patch.is_cut)
        if hidden := sum(one.is_hidden for one in files):
            return with_note(changes, f"{_hidden(hidden)}; what the diff shows of them is text")
        return changes

    async def _patch(self, commit: Commit, files: Sequence[ChangedFile]) -> Said:
        """What is code or text by its name is shown as text, whatever the repository says."""
        most = _most_bytes(self._watch.most_diff_characters)
        hidden = [one for one in files if one.is_hidden]
        asked = (*_OF_A_COMMIT, "-M", "-p")
        rest = patterns(hidden, magic="exclude")
        shown = await self._git.run(*asked, commit.id, "--", *rest, most_bytes=most)
        if shown.is_cut or not hidden:
            return shown
        paths = patterns(hidden, magic="top")
        more = await self._git.run(*asked, "--text", commit.id, "--", *paths, most_bytes=most)
        return Said(shown.output + more.output, more.is_cut)

    async def _merged(self, commit: Commit) -> Changes:
        """Only what is in none of its parents: all else came with their own commits."""
        most = self._watch.most_diff_characters
        said = await self._git.run(
            *_OF_A_COMMIT, "--cc", "-p", commit.id, most_bytes=_most_bytes(most)
        )
        text = said.output.decode("utf-8", "replace")
        files = merged_files(text)
        changes = cut_diff(text, files, most_characters=most, has_more=said.is_cut)
        if hidden := sum(one.is_hidden for one in files):
            # The diff of a merge knows no way to show them.
            return with_note(changes, f"{_hidden(hidden)}; the diff does not show them")
        return changes


def fitting(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data with so much of the diff, and then of the files, as one event takes."""
    fits = dict(data)
    while _bytes(fits) > MOST_DATA_BYTES and (fits["diff"] or fits["files"]):
        name = "diff" if fits["diff"] else "files"
        fits[name] = fits[name][: len(fits[name]) // 2]
    if fits != data:
        note = "the diff and the files are cut to what an event takes"
        fits["diff_note"] = f"{data['diff_note']}; {note}" if "diff_note" in data else note
    return fits


def _bytes(data: Mapping[str, Any]) -> int:
    return len(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))


def _id(text: str) -> str:
    """What becomes an argument of a program is nothing but the name of a commit."""
    if not _ID.fullmatch(text):
        raise BadAnswer(f"git names a commit {text[:100]!r}, which is none")
    return text


def _read_commit(id_: str, said: Said) -> Commit:
    fields = said.output.decode("utf-8", "replace").split("\0", _FIELDS - 1)
    time, parents, *texts = [*fields, *[""] * (_FIELDS - len(fields))]
    author, subject, body = map(_without_addresses, texts)
    return Commit(
        id_,
        tuple(parents.split()),
        author[:MOST_SUBJECT_CHARACTERS],
        datetime.fromtimestamp(min(int(time) if time.isdecimal() else 0, _LAST_SECOND), UTC),
        subject[:MOST_SUBJECT_CHARACTERS],
        body[:MOST_BODY_CHARACTERS],
        said.is_cut or len(subject) > MOST_SUBJECT_CHARACTERS or len(body) > MOST_BODY_CHARACTERS,
    )


def _without_addresses(text: str) -> str:
    """Nobody who writes a commit is asked whether a model may have the address."""
    return _ADDRESS.sub("", text).strip()


def _told(commit: Commit) -> Mapping[str, Any]:
    return {
        "commit": commit.id,
        "short": commit.id[:8],
        "author_name": commit.author,
        "subject": commit.subject,
        "body": commit.body,
        "time": rfc3339(commit.time),
        "is_merge": len(commit.parents) > 1,
    }


def _hidden(files: int) -> str:
    return (
        f"git is told to show {files:,} changed files of code or text as binary, by "
        ".gitattributes, a zero byte or a size"
    )


def _left_out(commit: Commit, changes: Changes, *, commits: int) -> Mapping[str, Any]:
    told: dict[str, Any] = {}
    if commit.is_cut:
        told["message_note"] = "the message is cut"
    if changes.note:
        told["diff_note"] = changes.note
    if len(changes.files) > MOST_FILES:
        told["files_left_out"] = len(changes.files) - MOST_FILES
    if commits:
        told["commits_left_out_before"] = commits
    return told


def _topics(commit: Commit, changes: Changes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """As what a commit is published, and what is said beside its data."""
    languages = {one.path: one.language for one in changes.files if one.language}
    yield "git:commit", {}
    if languages:
        yield "code:change", {}
    if _FEATURE.match(commit.subject):
        yield "feature:added", {}
    if apis := new_apis(lines_of(changes.diff), languages):
        yield "api:created", {"apis": [one._asdict() for one in apis]}


def _most_bytes(characters: int) -> int:
    # No character of UTF-8 is longer than this.
    return min(4 * characters + 1, MOST_BYTES)
