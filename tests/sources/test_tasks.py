"""Documents of tasks, and the questions that find them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.registry import Registry
from gateway.errors import NotFound
from gateway.sources.router_reader import FOR_OWNERS
from gateway.storage.database import Database
from gateway.tasks.store import Tasks
from gateway.tasks.task import Task, drafted
from tests.sources.router_world import CONFIGURED, Router, World, opened_router

RUN = "20261120-083000-abcdef"


class TaskList:
    """Those of five days: a key in the code, missing documents, and what people want."""

    def __init__(self, router: Router, tasks: Tasks) -> None:
        self.router = router
        self.tasks = tasks
        self.by_name: dict[str, Task] = {}

    async def add(self, name: str, title: str, *, by: str, **said: Any) -> None:
        run_id = RUN if by.startswith("agent:") else None
        created = await self.tasks.create(drafted(title, **said), by=by, run_id=run_id)
        self.by_name[name] = created.task

    async def found(self, question: str) -> list[str]:
        """The names of the tasks, or other IDs as they are."""
        names = {f"task:{task.id}": name for name, task in self.by_name.items()}
        answer = await self.router.registry.search(question)
        return [names.get(one.id, one.id) for one in answer.results]


@asynccontextmanager
async def listed(folder: Path, **options: Any) -> AsyncIterator[TaskList]:
    world = World(*CONFIGURED)
    async with (
        opened_router(folder, world, **options) as router,
        Database(f"sqlite:///{folder / 'ledger.db'}") as database,
    ):
        here = TaskList(router, Tasks(database, clock=world.clock))
        world.now -= timedelta(days=5)
        await here.add("old", "Pay the hosting", by="alice", assignee="Bob", labels=["office"])
        await here.tasks.move(here.by_name["old"].id, "done", by="bob")
        world.now += timedelta(days=4)
        await here.add(
            "key",
            "Remove the hard-coded payment key",
            by="agent:review",
            priority="critical",
            commit="abc1234def",
        )
        await here.tasks.move(here.by_name["key"].id, "in_progress", by="bob", note="on it")
        world.now += timedelta(days=1)
        await here.add("docs", "Document the API", by="agent:code-docs", commit="abc1234def")
        await here.add("party", "Buy a cake", by="alice", priority="low")
        yield here


ASKED = (
    ("open tasks", "party docs key task:open"),
    ("what tasks are open?", "party docs key task:open"),
    ("offene Aufgaben", "party docs key task:open"),
    ("tasks", "party docs key old task:open"),
    ("show me the todo list", "party docs key old task:open"),
    ("open tasks from agents", "docs key task:open"),
    ("tasks for commit abc1234", "docs key task:open"),
    ("tasks for abc1234def567", "docs key task:open"),
    ("tasks of the review agent", "key task:open"),
    ("the code-docs agent's tasks", "docs task:open"),
    ("agent:review tasks", "key task:open"),
    ("what tasks were opened today", "party docs task:open"),
    ("which tasks did the agents open yesterday", "key task:open"),
    ("tasks in progress", "key task:open"),
    ("finished tasks", "old task:open"),
    ("tasks that are not done", "party docs key task:open"),
    ("critical tasks", "key task:open"),
    ("tasks assigned to bob", "old task:open"),
    ("tasks labelled office", "old task:open"),
    ("tasks about payment", "key"),
    ("open tasks mentioning cake", "party"),
    ("tasks about elephants", ""),
)
OF_OTHERS = ("which model for coding tasks", "token usage by task today", "best for coding tasks")


async def test_questions_find_the_tasks_that_they_ask_for(tmp_path: Path) -> None:
    async with listed(tmp_path) as here:
        for question, names in ASKED:
            assert (question, await here.found(question)) == (question, names.split())
        for question in OF_OTHERS:
            assert not {*here.by_name, "task:open"}.intersection(await here.found(question))


async def test_a_task_is_found_by_its_id_and_beside_other_questions(tmp_path: Path) -> None:
    async with listed(tmp_path) as here:
        assert await here.found(here.by_name["old"].id) == ["old"]
        assert await here.found("task_00000000") == []
        both = await here.found("open tasks, and how much budget is left this month")
        assert both[0] == "party" or "party" in both
        assert any(one.startswith("budget:") for one in both)


async def test_a_task_says_all_that_is_known_of_it(tmp_path: Path) -> None:
    async with listed(tmp_path) as here:
        task = here.by_name["key"]
        document = await here.router.registry.fetch(f"task:{task.id}")
        assert document.title == "Task: Remove the hard-coded payment key (in progress, critical)"
        for words in (
            "| Created | 2026-11-20T12:30:00Z, by agent:review |",
            "| Commit | `abc1234def` |",
            f"| Run | `run:{RUN}` |",
            "| bob | open to in progress | on it |",
        ):
            assert words in document.text
        assert document.as_of >= task.updated
        assert document.metadata["created_by"] == "agent:review"


async def test_the_list_of_unfinished_tasks_is_a_document(tmp_path: Path) -> None:
    async with listed(tmp_path) as here:
        document = await here.router.registry.fetch("task:open")
        assert document.title == "3 tasks are unfinished"
        order = [document.text.index(here.by_name[one].id) for one in ("party", "docs", "key")]
        assert order == sorted(order)
        assert here.by_name["old"].id not in document.text
        for name in ("party", "docs", "key"):
            await here.tasks.move(here.by_name[name].id, "cancelled", by="alice")
    async with listed_again(tmp_path) as registry:
        document = await registry.fetch("task:open")
        assert document.title == "No task is unfinished"
        assert "create_task" in document.summary


@asynccontextmanager
async def listed_again(folder: Path) -> AsyncIterator[Registry]:
    async with opened_router(folder) as router:
        yield router.registry


async def test_what_a_stranger_writes_stays_plain_text(tmp_path: Path) -> None:
    bad = "x | y\n# Ignore all\n```\n[click](https://evil.example) <b>\x1b[31m\u202e"
    async with listed(tmp_path) as here:
        await here.add(
            "bad", f"**{bad}", by="agent:review", description=f"{bad}\n| a |", assignee=bad
        )
        await here.tasks.move(here.by_name["bad"].id, "open", by="bob", note=bad)
        for wanted in (here.by_name["bad"].id, "open"):
            document = await here.router.registry.fetch(f"task:{wanted}")
            outside, *fenced = document.text.split("```text\n")
            rest = "".join(part.partition("\n```")[2] for part in fenced)
            for text in (outside, rest, document.title, document.summary):
                assert "\n# Ignore" not in text
                assert "](" not in text
                assert "<b>" not in text
                assert "x | y" not in text
            assert "\x1b" not in document.text
            assert "\u202e" not in document.text
            assert document.text.count("```") in (0, 2)


async def test_tasks_are_told_to_owners_only(tmp_path: Path) -> None:
    async with listed(tmp_path, is_owner=False) as here:
        answer = await here.router.registry.search("open tasks")
        assert (answer.results, answer.message) == ((), FOR_OWNERS)
        with pytest.raises(NotFound):
            await here.router.registry.fetch("task:open")


async def test_a_task_that_does_not_exist_suggests_others(tmp_path: Path) -> None:
    async with listed(tmp_path) as here:
        with pytest.raises(NotFound, match="there is no task 'task_0'") as raised:
            await here.router.registry.fetch("task:task_0")
        assert f"task:{here.by_name['party'].id}" in raised.value.suggestions


async def test_where_tasks_live_elsewhere_search_and_fetch_say_where(tmp_path: Path) -> None:
    async with listed(tmp_path, task_server="orchestrator") as here:
        answer = await here.router.registry.search("open tasks")
        assert answer.results == ()
        assert "Tasks live in orchestrator" in answer.message
        with pytest.raises(NotFound, match="Tasks live in orchestrator"):
            await here.router.registry.fetch("task:open")
