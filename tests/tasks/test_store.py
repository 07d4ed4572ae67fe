"""The task list as it is kept, on SQLite and on PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.errors import InvalidRequest, NotFound, Refused
from gateway.storage.database import Database
from gateway.tasks import store
from gateway.tasks.store import Tasks
from gateway.tasks.task import MOST_NOTE, Filter, Task, drafted

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
REVIEW = "agent:review"


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


async def titles(tasks: Tasks, **wanted: Any) -> list[str]:
    listing = await tasks.listed(Filter(**wanted), limit=10)
    assert listing.total == len(listing.tasks)
    return [one.title for one in listing.tasks]


async def added(tasks: Tasks, title: str, *, by: str = "alice", **said: Any) -> Task:
    return (await tasks.create(drafted(title, **said), by=by)).task


async def test_a_task_is_kept_as_it_was_said(database_url: str) -> None:
    async with Database(database_url) as database:
        said = drafted(
            "Rotate the key",
            "It is in the code.",
            priority="high",
            assignee="Bob",
            labels=["security"],
            repository="shop",
            commit="abc1234",
        )
        tasks = Tasks(database, clock=lambda: NOW)
        created = await tasks.create(said, by=REVIEW, run_id="20261121-123000-abcdef")
    async with Database(database_url) as database:
        task = await Tasks(database).task(created.task.id)
    assert created.is_new
    assert task == created.task
    assert task.id.startswith("task_")
    assert len(task.id) == 13
    assert (task.title, task.description, task.priority) == (
        "Rotate the key", "It is in the code.", "high",
    )  # fmt: skip
    assert (task.assignee, task.labels, task.repository, task.commit) == (
        "Bob", ("security",), "shop", "abc1234",
    )  # fmt: skip
    assert (task.created_by, task.run_id) == (REVIEW, "20261121-123000-abcdef")
    assert (task.status, task.created, task.updated, task.changes) == ("open", NOW, NOW, ())


async def test_under_one_key_a_task_is_created_once_also_by_two_processes(
    database_url: str,
) -> None:
    heard = []

    async def hear(task: Task) -> None:
        heard.append(task.id)

    async with Database(database_url) as one, Database(database_url) as another:
        ways = [Tasks(one), Tasks(another)] * 5
        created = await asyncio.gather(
            *(
                tasks.create(drafted(f"Way {number}"), by=REVIEW, key="run:3", on_created=hear)
                for number, tasks in enumerate(ways)
            )
        )
        assert len({one.task.id for one in created}) == 1
        assert [one.is_new for one in created].count(True) == 1
        assert heard == [created[0].task.id]
        again = await Tasks(one).create(drafted("Another step"), by=REVIEW, key="run:4")
        assert again.is_new
        assert len(await titles(Tasks(one))) == 2


async def test_a_task_stays_where_nobody_could_be_told_of_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Task) -> None:
        raise ConnectionError

    async with Database(database_url) as database:
        tasks = Tasks(database)
        created = await tasks.create(drafted("Secret words"), by="alice", on_created=fail)
        assert await titles(tasks) == ["Secret words"]
    assert f"task={created.task.id}" in caplog.text
    assert "Secret words" not in caplog.text


async def test_tasks_are_found_by_what_is_known_of_them(database_url: str) -> None:
    time = Time()
    async with Database(database_url) as database:
        tasks = Tasks(database, clock=time)
        key = await added(tasks, "key", by=REVIEW, commit="abc1234", labels=["a_b"])
        time.now += timedelta(days=1)
        await added(tasks, "docs", by="agent:documentation", commit="def5678abcd", assignee="Bob")
        await added(tasks, "own", by="agentsmith", priority="critical", labels=["axb"])
        await tasks.move(key.id, "done", by="alice")
        assert await titles(tasks) == ["own", "docs", "key"]
        assert await titles(tasks, statuses=("open", "in_progress")) == ["own", "docs"]
        assert await titles(tasks, statuses=("done",)) == ["key"]
        assert await titles(tasks, created_by="agent:*") == ["docs", "key"]
        assert await titles(tasks, created_by=REVIEW) == ["key"]
        assert await titles(tasks, created_by="agent:_eview") == []
        assert await titles(tasks, commit="abc1234def5678") == ["key"]
        assert await titles(tasks, commit="def5") == ["docs"]
        assert await titles(tasks, label="A_B") == ["key"]
        assert await titles(tasks, label="b") == []
        assert await titles(tasks, assignee="bob") == ["docs"]
        assert await titles(tasks, priorities=("high", "critical")) == ["own"]
        assert await titles(tasks, since=NOW + timedelta(hours=1)) == ["own", "docs"]
        assert await titles(tasks, until=NOW + timedelta(hours=1)) == ["key"]
        latest = await tasks.listed(Filter(), limit=1)
        assert ([one.title for one in latest.tasks], latest.total) == (["own"], 3)


async def test_a_status_changes_from_one_to_any_other_and_says_what_it_was(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        tasks = Tasks(database, clock=lambda: NOW)
        task = await added(tasks, "key")
        begun = await tasks.move(task.id, "in_progress", by="bob", note="on it")
        same = await tasks.move(task.id, "in_progress", by="bob")
        done = await tasks.move(task.id, "done", by=REVIEW)
        assert (begun.before, same.before, done.before) == ("open", "in_progress", "in_progress")
        kept = await tasks.task(task.id)
        assert kept == done.task
        assert [(one.by, one.before, one.after, one.note) for one in kept.changes] == [
            ("bob", "open", "in_progress", "on it"),
            (REVIEW, "in_progress", "done", ""),
        ]
        assert kept.note == "on it"
        # The clock stood still, and what is later is later all the same.
        assert NOW < kept.changes[0].time < kept.changes[1].time == kept.updated


async def test_under_one_key_a_status_changes_once_whatever_came_in_between(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        tasks = Tasks(database)
        task = await added(tasks, "key")
        first = await tasks.move(task.id, "in_progress", by=REVIEW, key="run:2", note="begun")
        await tasks.move(task.id, "done", by="alice")
        again = await tasks.move(task.id, "in_progress", by=REVIEW, key="run:2", note="begun")
        assert (first.before, again.before, again.task.status) == ("open", "open", "done")
        assert len(again.task.changes) == 2


async def test_what_does_not_exist_or_fit_is_named(database_url: str) -> None:
    async with Database(database_url) as database:
        tasks = Tasks(database)
        task = await added(tasks, "key")
        with pytest.raises(NotFound, match="there is no task 'task_0'") as raised:
            await tasks.task("task_0")
        assert raised.value.suggestions == (task.id,)
        with pytest.raises(NotFound):
            await tasks.move("task_0", "done", by="alice")
        with pytest.raises(InvalidRequest, match="status is 'ready'; it takes open, in_progress"):
            await tasks.move(task.id, "ready", by="alice")
        with pytest.raises(InvalidRequest, match="note has 2,001 characters"):
            await tasks.move(task.id, "done", by="alice", note="x" * (MOST_NOTE + 1))
        assert (await tasks.task(task.id)).status == "open"


async def test_nobody_can_bury_the_list(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_UNFINISHED", 2)
    monkeypatch.setattr(store, "MOST_CHANGES", 3)
    async with Database(database_url) as database:
        tasks = Tasks(database)
        first = await added(tasks, "first")
        await added(tasks, "second")
        with pytest.raises(Refused, match="2 tasks are unfinished already"):
            await added(tasks, "third")
        for status in ("in_progress", "open", "in_progress", "done"):
            await tasks.move(first.id, status, by="alice")
        assert [one.after for one in (await tasks.task(first.id)).changes] == [
            "open", "in_progress", "done",
        ]  # fmt: skip
        await added(tasks, "third")


async def test_where_tasks_live_elsewhere_it_says_where(database_url: str) -> None:
    async with Database(database_url) as database:
        tasks = Tasks(database, elsewhere="orchestrator")
        for refused in (
            added(tasks, "key"),
            tasks.task("task_0"),
            tasks.listed(Filter(), limit=1),
            tasks.move("task_0", "done", by="alice"),
        ):
            with pytest.raises(Refused, match="tasks live in orchestrator"):
                await refused
